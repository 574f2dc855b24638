#include <stdio.h>
#include <stdlib.h>

#include "app/command.h"
#include "app/datadir.h"
#include "app/output.h"
#include "io/control.h"

/* Millions of addresses take some seconds to read and to store. */
#define RELOAD_LIMIT_MS (5 * 60 * 1000)

static enum exit_status show_reply(const char *text, bool as_json)
{
    json_error_t where;
    json_t *reply = json_loads(text, JSON_REJECT_DUPLICATES, &where);
    bool ok = json_is_true(json_object_get(reply, "ok"));
    const char *message =
        json_string_value(json_object_get(reply, ok ? "message" : "error"));
    if (message == NULL)
        complain("the watcher's reply isn't understood; is it another version?");
    else if (as_json)
        output_json(json_incref(reply));
    else if (ok)
        printf("%s\n", message);
    else
        complain("%s; `reservewatch check` names every fault", message);
    enum exit_status status = ok && message != NULL ? EXIT_DONE : EXIT_FAILED;
    json_decref(reply);
    return status;
}

enum exit_status cmd_reload(const struct invocation *invocation)
{
    char *path = datadir_path(invocation->config, DATADIR_CONTROL);
    char *reply = NULL;
    struct error error;
    enum exit_status status = EXIT_FAILED;
    switch (control_request(&reply, path, "{\"method\":\"reload\"}", RELOAD_LIMIT_MS,
                            &error)) {
    case CONTROL_REPLIED:
        status = show_reply(reply, invocation->json);
        break;
    case CONTROL_STOPPED:
        complain("no watcher runs on %s; the lists are read when it starts",
                 invocation->config->datadir);
        break;
    case CONTROL_FAILED:
        complain("%s", error.text);
        break;
    }
    free(reply);
    free(path);
    return status;
}
