/* What the running watcher answers: HTTP, the control socket, reloading. */
#include <stdlib.h>
#include <string.h>

#include "app/daemon_state.h"
#include "app/datadir.h"
#include "app/output.h"
#include "app/rescan.h"
#include "base/mem.h"
#include "feeds/json.h"

/* ---- reloading ---- */

struct reload_job {
    struct daemon *daemon;
    struct control_call *call;
    struct config config; /* read anew: its lists count */
    struct reload reload;
};

static void answer(struct control_call *call, bool good, const char *text)
{
    if (!call)
        return;
    json_t *reply =
        json_pack("{s:b, s:s}", "ok", (int)good, good ? "message" : "error", text);
    char *line = json_dumps(reply, JSON_COMPACT);
    control_reply(call, line);
    free(line);
    json_decref(reply);
}

/* A fault without the folders of the file that it names: a gate's reason has little room,
 * and the log has the whole. */
static const char *without_folders(const char *fault)
{
    const char *place_end = strstr(fault, ": ");
    const char *from = fault;
    for (const char *at = fault; place_end && at < place_end; at++)
        if (*at == '/')
            from = at + 1;
    return from;
}

static void refuse(struct daemon *daemon, struct control_call *call,
                   const struct faults *faults)
{
    for (size_t i = 0; i < faults->count; i++)
        log_line(LOG_APP, LOG_ERROR, "reload: %s", faults->items[i].text);
    struct error reason, gate = {.text = "reload refused"};
    error_set(&reason, "reload refused, the lists of before go on: %s%s",
              faults->count ? faults->items[0].text : "unknown",
              faults->count > 1 ? " (and more, see the log)" : "");
    log_line(LOG_APP, LOG_ERROR, "%s", reason.text);
    if (faults->count)
        error_set(&gate, "reload refused: %s", without_folders(faults->items[0].text));
    sampler_lists(daemon->sampler, gate.text);
    sampler_request(daemon->sampler);
    answer(call, false, reason.text);
}

static void accept(struct daemon *daemon, struct reload_job *job)
{
    char text[160];
    snprintf(text, sizeof text, "lists reloaded: watching %zu script%s for %zu feed%s",
             job->reload.scripts, plural(job->reload.scripts), job->reload.feed_count,
             plural(job->reload.feed_count));
    log_line(LOG_APP, LOG_INFO, "%s", text);
    sampler_lists(daemon->sampler, NULL);
    client_cohorts(daemon->client, &job->reload.cohorts);
    sampler_request(daemon->sampler);
    answer(job->call, true, text);
}

static void reload_job_free(struct reload_job *job)
{
    reload_release(&job->reload);
    config_release(&job->config);
    free(job);
}

static enum store_result reload_lists(void *context, struct store *store,
                                      struct ledger *ledger, struct error *error)
{
    struct reload_job *job = context;
    return reload_work(&job->reload, store, ledger, error);
}

static void reload_done(void *context, enum store_result result,
                        const struct error *error)
{
    struct reload_job *job = context;
    struct daemon *daemon = job->daemon;
    daemon->reloading = false;
    bool again = daemon->reload_again && !daemon->stopping;
    daemon->reload_again = false;
    if (daemon->stopping) {
        answer(job->call, false, "the watcher stops");
    } else if (result != STORE_OK) {
        struct faults faults = {0};
        faults_add(&faults, "%s", error->text);
        refuse(daemon, job->call, &faults);
        faults_release(&faults);
    } else if (!job->reload.good) {
        refuse(daemon, job->call, &job->reload.faults);
    } else {
        accept(daemon, job);
    }
    reload_job_free(job);
    if (again)
        daemon_reload(daemon, NULL);
}

static void name_changes(const struct daemon *daemon, const struct config *now)
{
    struct faults changes = {0};
    config_changes(&changes, daemon->config, now);
    for (size_t i = 0; i < changes.count; i++)
        log_line(LOG_APP, LOG_WARNING, "reload: %s", changes.items[i].text);
    faults_release(&changes);
}

void daemon_reload(struct daemon *daemon, struct control_call *call)
{
    if (daemon->reloading && !call) {
        daemon->reload_again = true;
        return;
    }
    if (daemon->reloading) {
        answer(call, false, "a reload is under way; try again when it is done");
        return;
    }
    struct reload_job *job = mem_zalloc(1, sizeof *job);
    job->daemon = daemon;
    job->call = call;
    if (!config_load(&job->config, &job->reload.faults, daemon->invocation->conf,
                     daemon->invocation->options, daemon->invocation->option_count)) {
        refuse(daemon, call, &job->reload.faults);
        reload_job_free(job);
        return;
    }
    name_changes(daemon, &job->config);
    job->reload.config = &job->config;
    job->reload.feeds = daemon->config->feeds;
    job->reload.feed_count = daemon->config->feed_count;
    daemon->reloading = true;
    store_thread_submit(daemon->store_thread, reload_lists, reload_done, job);
}

/* ---- scanning again ---- */

struct rescan_job {
    struct daemon *daemon;
    struct control_call *call;
    struct rescan rescan;
};

static enum store_result rescan_blocks(void *context, struct store *store,
                                       struct ledger *ledger, struct error *error)
{
    (void)store;
    struct rescan_job *job = context;
    return rescan_work(&job->rescan, ledger, error);
}

static void rescan_done(void *context, enum store_result result,
                        const struct error *error)
{
    struct rescan_job *job = context;
    struct daemon *daemon = job->daemon;
    char text[160];
    snprintf(text, sizeof text, "scanning again from height %u: %u blocks taken back",
             job->rescan.outcome.base + 1, job->rescan.outcome.rewound);
    if (daemon->stopping) {
        answer(job->call, false, "the watcher stops");
    } else if (result != STORE_OK) {
        log_line(LOG_SCAN, LOG_ERROR, "rescan: %s", error->text);
        answer(job->call, false, error->text);
    } else if (job->rescan.unwatched) {
        answer(job->call, false, "nothing is watched");
    } else if (job->rescan.unscanned) {
        snprintf(text, sizeof text, "no block from height %u on has been scanned",
                 job->rescan.from);
        answer(job->call, false, text);
    } else {
        log_retraction(&job->rescan.outcome);
        client_cohorts(daemon->client, &job->rescan.cohorts);
        sampler_request(daemon->sampler);
        answer(job->call, true, text);
    }
    rescan_release(&job->rescan);
    free(job);
}

static void start_rescan(struct daemon *daemon, struct control_call *call,
                         const json_t *request)
{
    json_int_t from = json_integer_value(json_object_get(request, "from"));
    if (from < 0 || from >= UINT32_MAX / 2) {
        answer(call, false, "rescan: \"from\" isn't a height");
        return;
    }
    struct rescan_job *job = mem_zalloc(1, sizeof *job);
    job->daemon = daemon;
    job->call = call;
    job->rescan.from = (uint32_t)from;
    store_thread_submit(daemon->store_thread, rescan_blocks, rescan_done, job);
}

/* ---- the control socket ---- */

/* A peer as the tables show it: with the port of one of connect=, else without. */
static void change_ban(struct daemon *daemon, struct control_call *call,
                       const char *method, const char *address)
{
    char text[PEER_ADDRESS_MAX + 64];
    bool unban = strcmp(method, "unban") == 0;
    if (!address || !address[0] || strlen(address) >= PEER_ADDRESS_MAX) {
        answer(call, false, "no address is given, or one that is too long");
        return;
    }
    if (unban ? !client_lift_ban(daemon->client, address)
              : !client_distrust(daemon->client, address)) {
        snprintf(text, sizeof text, "%s %s", address,
                 unban ? "isn't banned" : "is no peer's address");
        answer(call, false, text);
        return;
    }
    log_line(LOG_NET, LOG_INFO, "%s: %s by the operator", address,
             unban ? "its ban is lifted" : "distrusted");
    snprintf(text, sizeof text, "%s: %s", address,
             unban ? "may be dialed again" : "let go, and banned for a day");
    answer(call, true, text);
}

static void on_control(struct control_call *call, const char *line, size_t len,
                       void *context)
{
    json_error_t json_error;
    json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &json_error);
    const char *method = json_string_value(json_object_get(request, "method"));
    if (!method)
        answer(call, false, "not a request: give {\"method\": \"reload\"}");
    else if (strcmp(method, "reload") == 0)
        daemon_reload(context, call);
    else if (strcmp(method, "rescan") == 0)
        start_rescan(context, call, request);
    else if (strcmp(method, "unban") == 0 || strcmp(method, "distrust") == 0)
        change_ban(context, call, method,
                   json_string_value(json_object_get(request, "address")));
    else
        answer(call, false, "unknown method; there are: reload, rescan, unban, distrust");
    json_decref(request);
}

/* ---- HTTP ---- */

static void reply_json(struct http_reply *reply, int status, json_t *document)
{
    char *text = json_dumps(document, JSON_COMPACT);
    reply->status = status;
    reply->content_type = "application/json";
    write_bytes(&reply->body, text, strlen(text));
    write_bytes(&reply->body, "\n", 1);
    free(text);
    json_decref(document);
}

/* Alive: the loop answers, and the ledger can be written. */
static void on_healthz(struct http_reply *reply, const struct http_request *request,
                       void *context)
{
    (void)request;
    const struct daemon *daemon = context;
    bool full = store_thread_full(daemon->store_thread);
    reply_json(reply, full ? 503 : 200,
               json_pack("{s:b, s:b}", "ok", (int)!full, "disk_full", (int)full));
}

/* Ready: every gate holds and every feed's newest sample is good. */
static void on_readyz(struct http_reply *reply, const struct http_request *request,
                      void *context)
{
    (void)request;
    const struct daemon *daemon = context;
    struct gate_report gates = {0};
    sampler_gates(daemon->sampler, &gates);
    size_t count;
    const struct sampler_feed *feeds = sampler_feeds(daemon->sampler, &count);
    bool ready = gates_hold(&gates) && !store_thread_full(daemon->store_thread);
    for (size_t i = 0; i < count; i++)
        ready = ready && feeds[i].sampled && feeds[i].newest.state == SAMPLE_GOOD;
    reply_json(reply, ready ? 200 : 503,
               json_pack("{s:b, s:o}", "ready", (int)ready, "gates", json_gates(&gates)));
}

static bool start_http(struct daemon *daemon, struct error *error)
{
    const struct config *config = daemon->config;
    if (!config->http_bind)
        return true;
    const struct http_settings settings = {config->http_bind,
                                           (const char *const *)config->http_hosts,
                                           config->http_host_count};
    daemon->http = http_server_new(daemon->loop, &settings, error);
    if (!daemon->http)
        return false;
    http_server_route(daemon->http, "/healthz", on_healthz, daemon);
    http_server_route(daemon->http, "/readyz", on_readyz, daemon);
    log_line(LOG_HTTP, LOG_INFO, "answering /healthz and /readyz at %s",
             config->http_bind);
    return true;
}

enum exit_status daemon_start_servers(struct daemon *daemon)
{
    struct error error;
    bool good = start_http(daemon, &error);
    if (good) {
        char *path = datadir_path(daemon->config, DATADIR_CONTROL);
        daemon->control =
            control_server_new(daemon->loop, path, on_control, daemon, &error);
        free(path);
        good = daemon->control != NULL;
    }
    if (!good)
        log_line(LOG_APP, LOG_ERROR, "%s", error.text);
    return good ? EXIT_DONE : EXIT_FAILED;
}

void daemon_stop_servers(struct daemon *daemon)
{
    if (daemon->http)
        http_server_free(daemon->http);
    if (daemon->control)
        control_server_free(daemon->control);
}
