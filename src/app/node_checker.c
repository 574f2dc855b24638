#include "app/node_checker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/node_findings.h"
#include "app/secrets.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"
#include "io/http_client.h"
#include "io/resolver.h"

/* A scan takes a minute or two on mainnet, many on a slow disk. */
#define SCAN_TIMEOUT_MS (20 * 60 * 1000)
#define ABORT_TIMEOUT_MS 1000
/* The ledger may be a moment behind the node, or the node on a branch that we'll leave
 * or join: compared again this often, then the scan is thrown away. */
#define COMPARE_RETRY_MS 1000
#define COMPARE_TRIES 60
/* After an attempt that failed, if the interval isn't shorter. */
#define RETRY_S 60

enum checker_state {
    CHECKER_UNSYNCED,
    CHECKER_IDLE,
    CHECKER_READING,   /* the next scripts, on the store's thread */
    CHECKER_SCANNING,  /* the node */
    CHECKER_COMPARING, /* on the store's thread */
    CHECKER_WAITING,   /* for the ledger to be where the node is */
};

struct node_checker {
    struct node_checker_settings settings;
    struct loop_timer *timer;
    struct resolver *resolver;
    struct http_client *client; /* during a check */
    struct secret_text credentials;
    enum checker_state state;
    bool stopped;

    /* The check under way. */
    uint32_t next; /* script */
    struct node_batch batch;
    uint8_t *answer; /* of the node; read on the store's thread */
    size_t answer_len;
    enum node_scan_outcome outcome;
    struct node_scan scan;
    struct node_check check;
    struct error fault; /* why the answer couldn't be used */
    unsigned tries;

    /* What is known. */
    struct node_findings findings;
    bool attempted, compared, ok;
    struct wall_time at;
    uint32_t height;
    struct error reason;

    void (*aborted)(void *context);
    void *aborted_context;
};

/* The one place where the state changes. */
static void set_state(struct node_checker *checker, enum checker_state state)
{
    checker->state = state;
}

/* ---- the end of a check ---- */

static void forget_batch(struct node_checker *checker)
{
    node_batch_release(&checker->batch);
    node_scan_release(&checker->scan);
    node_check_release(&checker->check);
    free(checker->answer);
    checker->answer = NULL;
    checker->answer_len = 0;
}

static void end(struct node_checker *checker, int64_t again_s)
{
    forget_batch(checker);
    http_client_free(checker->client);
    checker->client = NULL;
    secret_text_release(&checker->credentials);
    checker->attempted = true;
    checker->at = now_wall();
    set_state(checker, CHECKER_IDLE);
    loop_timer_set(checker->timer, mono_add(now_mono(), again_s * 1000));
    checker->settings.changed(checker->settings.context);
}

/* Nothing can be said; what was found before stands. */
static void give_up(struct node_checker *checker, const struct error *why)
{
    int64_t interval = checker->settings.config->node_check_interval;
    bool news = checker->ok || strcmp(checker->reason.text, why->text) != 0;
    log_line(LOG_FEED, news ? LOG_WARNING : LOG_DEBUG,
             "own node: %s; its second opinion is asked for again later", why->text);
    checker->ok = false;
    checker->reason = *why;
    end(checker, interval < RETRY_S ? interval : RETRY_S);
}

/* In front of the samples that judged() asks for. */
static void tell(struct node_checker *checker)
{
    const struct node_checker_settings *settings = &checker->settings;
    node_findings_save(&checker->findings, settings->store_thread, settings->failed,
                       settings->context);
    settings->judged(settings->context);
}

static void conclude(struct node_checker *checker)
{
    uint64_t differences = checker->findings.differences;
    bool changed = node_findings_end(&checker->findings);
    log_line(LOG_FEED, checker->ok || differences ? LOG_DEBUG : LOG_INFO,
             "own node: %llu difference%s at height %u", (unsigned long long)differences,
             differences == 1 ? "" : "s", checker->height);
    checker->ok = differences == 0;
    if (checker->ok)
        checker->reason.text[0] = '\0';
    end(checker, checker->settings.config->node_check_interval);
    if (changed)
        tell(checker);
}

/* ---- comparing ---- */

static void read_scripts(struct node_checker *checker);

static void take_verdict(struct node_checker *checker)
{
    const struct node_check *check = &checker->check;
    checker->height = checker->scan.height;
    checker->compared = true;
    for (size_t i = 0; i < check->count; i++)
        node_findings_add(&checker->findings, &check->findings[i]);
    bool differs = check->verdict == NODE_DIFFERS;
    if (differs && check->count)
        error_set(&checker->reason, "%s", check->findings[0].text);
    checker->next = checker->batch.ids[checker->batch.count - 1] + 1;
    forget_batch(checker);
    read_scripts(checker);
    if (differs)
        tell(checker);
}

/* A long answer takes its time: it is read on the store's thread too. */
static enum store_result compare_work(void *context, struct store *store,
                                      struct ledger *ledger, struct error *error)
{
    (void)ledger;
    struct node_checker *checker = context;
    struct store_txn *txn;
    if (checker->answer) {
        struct bytes body = {checker->answer, checker->answer_len};
        checker->outcome =
            node_scan_read(&checker->scan, body, checker->batch.scripts, &checker->fault);
        free(checker->answer);
        checker->answer = NULL;
    }
    if (checker->outcome != NODE_SCAN_DONE)
        return STORE_OK;
    enum store_result result = store_begin(store, &txn, STORE_READ, error);
    if (result != STORE_OK)
        return result;
    result =
        node_check_compare(txn, &checker->check, &checker->batch, &checker->scan, error);
    store_abort(txn);
    return result;
}

static void compare_done(void *context, enum store_result result,
                         const struct error *error)
{
    struct node_checker *checker = context;
    if (checker->stopped)
        return;
    if (result != STORE_OK && result != STORE_NOT_FOUND) {
        checker->settings.failed(checker->settings.context, error);
    } else if (result == STORE_NOT_FOUND) {
        give_up(checker, error);
    } else if (checker->outcome != NODE_SCAN_DONE) {
        give_up(checker, &checker->fault);
    } else if (checker->check.verdict != NODE_NOT_THERE) {
        take_verdict(checker);
    } else if (++checker->tries < COMPARE_TRIES) {
        set_state(checker, CHECKER_WAITING);
        loop_timer_set(checker->timer, mono_add(now_mono(), COMPARE_RETRY_MS));
    } else {
        give_up(checker, &checker->check.reason);
    }
}

static void compare(struct node_checker *checker)
{
    set_state(checker, CHECKER_COMPARING);
    node_check_release(&checker->check);
    store_thread_submit(checker->settings.store_thread, compare_work, compare_done,
                        checker);
}

/* ---- asking ---- */

static void answered(uint64_t ticket, const struct http_answer *answer, void *context)
{
    (void)ticket;
    struct node_checker *checker = context;
    struct error why;
    if (answer->failure) {
        error_set(&why, "%s", answer->failure);
    } else if (answer->status == 401 || answer->status == 403) {
        error_set(&why,
                  "%s: refuses us (status %d); see node_cookie_file= and the node's "
                  "rpcallowip=",
                  http_client_name(checker->client), answer->status);
    } else if (!answer->body.len) {
        error_set(&why, "%s: an empty answer with status %d",
                  http_client_name(checker->client), answer->status);
    } else {
        checker->answer = mem_dup(answer->body.data, answer->body.len);
        checker->answer_len = answer->body.len;
        compare(checker);
        return;
    }
    checker->fault = why;
    /* The client can't be freed from within its own call. */
    checker->outcome = NODE_SCAN_BROKEN;
    compare(checker);
}

static void scan(struct node_checker *checker)
{
    struct writer request;
    writer_init(&request);
    node_scan_write(&request, checker->batch.scripts);
    set_state(checker, CHECKER_SCANNING);
    checker->tries = 0;
    if (!http_client_post(checker->client, 0, (struct bytes){request.data, request.len},
                          SCAN_TIMEOUT_MS, answered, checker))
        abort(); /* not reached: there is one post at a time */
    writer_release(&request);
}

static enum store_result read_work(void *context, struct store *store,
                                   struct ledger *ledger, struct error *error)
{
    (void)ledger;
    struct node_checker *checker = context;
    struct store_txn *txn;
    enum store_result result = store_begin(store, &txn, STORE_READ, error);
    if (result != STORE_OK)
        return result;
    result = node_batch_read(txn, &checker->batch, checker->next, checker->settings.seed,
                             error);
    store_abort(txn);
    return result;
}

static void read_done(void *context, enum store_result result, const struct error *error)
{
    struct node_checker *checker = context;
    if (checker->stopped)
        return;
    if (result != STORE_OK)
        checker->settings.failed(checker->settings.context, error);
    else if (checker->batch.count)
        scan(checker);
    else
        conclude(checker);
}

static void read_scripts(struct node_checker *checker)
{
    set_state(checker, CHECKER_READING);
    store_thread_submit(checker->settings.store_thread, read_work, read_done, checker);
}

static bool make_client(struct node_checker *checker, struct error *error)
{
    const struct config *config = checker->settings.config;
    const struct http_client_settings client = {.url = config->node_rpc,
                                                .resolver = checker->resolver,
                                                .credentials = checker->credentials.text,
                                                .body_max = NODE_SCAN_REPLY_MAX};
    checker->client = http_client_new(checker->settings.loop, &client, error);
    return checker->client != NULL;
}

/* The node makes a new cookie at each of its starts. */
static void begin(struct node_checker *checker)
{
    const struct config *config = checker->settings.config;
    struct error error;
    checker->next = 0;
    node_findings_begin(&checker->findings);
    if (secret_text_read(&checker->credentials, config->node_cookie_file, &error) &&
        make_client(checker, &error))
        read_scripts(checker);
    else
        give_up(checker, &error);
}

static void on_timer(void *context)
{
    struct node_checker *checker = context;
    switch (checker->state) {
    case CHECKER_IDLE:
        begin(checker);
        break;
    case CHECKER_WAITING:
        compare(checker);
        break;
    case CHECKER_UNSYNCED:
    case CHECKER_READING:
    case CHECKER_SCANNING:
    case CHECKER_COMPARING:
        break;
    }
}

void node_checker_synced(struct node_checker *checker)
{
    if (checker->state != CHECKER_UNSYNCED)
        return;
    set_state(checker, CHECKER_IDLE);
    loop_timer_set(checker->timer, now_mono());
}

/* ---- life ---- */

struct node_checker *node_checker_new(const struct node_checker_settings *settings,
                                      struct error *error)
{
    struct node_checker *checker = mem_zalloc(1, sizeof *checker);
    checker->settings = *settings;
    checker->resolver = resolver_new(settings->loop, NULL);
    checker->timer = loop_timer_new(settings->loop, on_timer, checker);
    bool good = node_findings_init(&checker->findings, settings->config, settings->store,
                                   error) &&
                make_client(checker, error);
    http_client_free(checker->client);
    checker->client = NULL;
    if (good)
        return checker;
    node_checker_free(checker);
    return NULL;
}

void node_checker_stop(struct node_checker *checker)
{
    if (!checker || checker->stopped)
        return;
    checker->stopped = true;
    http_client_free(checker->client);
    checker->client = NULL;
    resolver_free(checker->resolver);
    loop_timer_free(checker->timer);
}

void node_checker_free(struct node_checker *checker)
{
    if (!checker)
        return;
    node_checker_stop(checker);
    forget_batch(checker);
    secret_text_release(&checker->credentials);
    node_findings_release(&checker->findings);
    free(checker);
}

static void on_aborted(uint64_t ticket, const struct http_answer *answer, void *context)
{
    (void)ticket;
    (void)answer;
    struct node_checker *checker = context;
    checker->aborted(checker->aborted_context);
}

/* Over a connection of its own: the other one waits for the scan. */
bool node_checker_abort(struct node_checker *checker, void (*done)(void *context),
                        void *context)
{
    struct error error;
    struct writer request;
    if (checker->state != CHECKER_SCANNING || checker->aborted)
        return false;
    http_client_free(checker->client);
    if (!make_client(checker, &error))
        return false;
    checker->aborted = done;
    checker->aborted_context = context;
    writer_init(&request);
    node_scan_write_abort(&request);
    bool posted =
        http_client_post(checker->client, 0, (struct bytes){request.data, request.len},
                         ABORT_TIMEOUT_MS, on_aborted, checker);
    writer_release(&request);
    return posted;
}

/* ---- what is known ---- */

const char *node_checker_against(const struct node_checker *checker, const char *feed)
{
    return node_findings_against(&checker->findings, feed);
}

json_t *node_checker_json(const struct node_checker *checker)
{
    json_t *document = json_object();
    json_object_set_new(document, "at",
                        checker->attempted ? json_integer(checker->at.s) : json_null());
    json_object_set_new(document, "height",
                        checker->compared ? json_integer(checker->height) : json_null());
    json_object_set_new(document, "ok",
                        checker->attempted ? json_boolean(checker->ok) : json_null());
    json_object_set_new(document, "reason", json_string(checker->reason.text));
    return document;
}
