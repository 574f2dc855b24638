#include "app/ask.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/datadir.h"
#include "app/output.h"
#include "io/control.h"

static enum exit_status show_reply(const char *text, bool as_json, const char *remedy)
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
        complain("%s; %s", message, remedy);
    enum exit_status status = ok && message != NULL ? EXIT_DONE : EXIT_FAILED;
    json_decref(reply);
    return status;
}

enum exit_status ask_watcher(const struct invocation *invocation, const char *request,
                             int limit_ms, const char *stopped, const char *remedy)
{
    char *path = datadir_path(invocation->config, DATADIR_CONTROL);
    char *reply = NULL;
    struct error error;
    enum exit_status status = EXIT_FAILED;
    switch (control_request(&reply, path, request, limit_ms, &error)) {
    case CONTROL_REPLIED:
        status = show_reply(reply, invocation->json, remedy);
        break;
    case CONTROL_STOPPED:
        complain("no watcher runs on %s; %s", invocation->config->datadir, stopped);
        break;
    case CONTROL_FAILED:
        complain("%s", error.text);
        break;
    }
    free(reply);
    free(path);
    return status;
}
