/* The life of the watcher: start, what the loop calls, stop. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/client.h"
#include "app/daemon.h"
#include "app/daemon_state.h"
#include "app/datadir.h"
#include "app/output.h"
#include "app/reading.h"
#include "app/start.h"
#include "app/version.h"
#include "base/mem.h"
#include "io/clock.h"
#include "io/entropy.h"
#include "io/file.h"
#include "io/progress.h"

#define TICK_MS 1000
#define READERS_CHECK_S 60
/* Being synced again is worth a line after this long without. */
#define SYNCED_NEWS_MS 10000
/* Without a terminal, a line of progress this often. */
#define PROGRESS_LOG_S 30

static void fail(void *context, const struct error *error)
{
    struct daemon *daemon = context;
    log_line(LOG_APP, LOG_ERROR, "%s", error->text);
    daemon->status = EXIT_FAILED;
    loop_stop(daemon->loop);
}

/* ---- status and progress ---- */

struct status_job {
    struct daemon *daemon;
    char *text;
};

static enum store_result status_change(void *context, struct store_txn *txn,
                                       struct error *error)
{
    const struct status_job *job = context;
    struct bytes text = {(const uint8_t *)job->text, strlen(job->text)};
    return store_put_value(txn, STATUS_VALUE, text, error);
}

static enum store_result status_work(void *context, struct store *store,
                                     struct ledger *ledger, struct error *error)
{
    (void)ledger;
    return store_update(store, status_change, context, error);
}

static void status_done(void *context, enum store_result result,
                        const struct error *error)
{
    struct status_job *job = context;
    job->daemon->status_pending = false;
    if (result != STORE_OK && !job->daemon->stopping)
        fail(job->daemon, error);
    free(job->text);
    free(job);
}

static struct status_sources status_sources(const struct daemon *daemon)
{
    return (struct status_sources){
        daemon->config,  daemon->client,    daemon->sampler,
        daemon->evm,     &daemon->progress, store_thread_full(daemon->store_thread),
        daemon->pending, daemon->node,      daemon->kept};
}

static void write_status(struct daemon *daemon)
{
    if (!daemon->dirty || daemon->status_pending)
        return;
    struct status_sources sources = status_sources(daemon);
    json_t *document = status_document(&sources);
    struct status_job *job = mem_zalloc(1, sizeof *job);
    job->daemon = daemon;
    job->text = json_dumps(document, JSON_COMPACT);
    json_decref(document);
    daemon->dirty = false;
    daemon->status_pending = true;
    store_thread_submit(daemon->store_thread, status_work, status_done, job);
}

/* Where the present phase is, of how much. */
static void phase_position(const struct spv_summary *summary, uint64_t *done,
                           uint64_t *total)
{
    *total = summary->target_height;
    switch (summary->phase) {
    case SPV_PHASE_HEADERS:
        *done = summary->header_height;
        break;
    case SPV_PHASE_FILTERS:
        *done = summary->filter_header_height;
        break;
    case SPV_PHASE_SCAN:
        *done = summary->backfill_height;
        break;
    case SPV_PHASE_SYNCED:
        *done = *total;
        break;
    }
}

/* A moving average over some ten seconds, in thousandths. */
static void update_rate(struct daemon *daemon, const struct spv_summary *summary)
{
    uint64_t done = 0, total = 0;
    phase_position(summary, &done, &total);
    struct progress_rate *progress = &daemon->progress;
    bool same = daemon->rate_phase == summary->phase && done >= progress->done;
    int64_t passed = mono_since(now_mono(), daemon->rate_at);
    if (!same) {
        daemon->rate_milli = 0;
    } else if (passed > 0) {
        uint64_t milli = (done - progress->done) * 1000000 / (uint64_t)passed;
        daemon->rate_milli =
            daemon->rate_milli ? (daemon->rate_milli * 9 + milli) / 10 : milli;
    }
    daemon->rate_phase = summary->phase;
    daemon->rate_at = now_mono();
    progress->done = done;
    progress->total = total;
    progress->per_second = daemon->rate_milli / 1000;
    progress->seconds_left = daemon->rate_milli && total >= done
                                 ? (int64_t)((total - done) * 1000 / daemon->rate_milli)
                                 : -1;
}

static void show_progress(struct daemon *daemon, const struct spv_summary *summary)
{
    const struct progress_rate *progress = &daemon->progress;
    char left[TIME_TEXT_MAX] = "time left unknown";
    if (progress->seconds_left >= 0) {
        duration_format(left, progress->seconds_left);
        strcat(left, " left");
    }
    char line[160];
    if (summary->phase == SPV_PHASE_SYNCED)
        snprintf(line, sizeof line, "synced at height %u, %zu peer%s",
                 summary->header_height, summary->peers_ready,
                 summary->peers_ready == 1 ? "" : "s");
    else if (!summary->peers_ready)
        snprintf(line, sizeof line, "%s: no peer is connected",
                 spv_phase_name(summary->phase));
    else
        snprintf(line, sizeof line, "%s: %llu of %llu, %llu a second, %s",
                 spv_phase_name(summary->phase), (unsigned long long)progress->done,
                 (unsigned long long)progress->total,
                 (unsigned long long)progress->per_second, left);
    progress_show(line);
    if (summary->phase == SPV_PHASE_SYNCED || daemon->terminal ||
        mono_since(now_mono(), daemon->progress_logged_at) < PROGRESS_LOG_S * 1000)
        return;
    daemon->progress_logged_at = now_mono();
    log_line(LOG_SCAN, LOG_INFO, "%s", line);
}

/* From being synced on, and whenever that comes back, a sample is taken at once. */
static void watch_phase(struct daemon *daemon)
{
    struct spv_summary summary;
    struct spv_now now = {now_mono(), now_wall()};
    spv_summary(client_core(daemon->client), &summary, now);
    bool synced = summary.phase == SPV_PHASE_SYNCED;
    if (synced && !daemon->synced) {
        /* A block that came a moment ago is no news. */
        bool news = mono_since(now.mono, daemon->synced_until) >= SYNCED_NEWS_MS;
        log_line(LOG_SCAN, news ? LOG_INFO : LOG_DEBUG, "synced at height %u",
                 summary.header_height);
        sampler_request(daemon->sampler);
        if (daemon->node)
            node_checker_synced(daemon->node);
    }
    if (daemon->synced && !synced)
        daemon->synced_until = now.mono;
    daemon->synced = synced;
    /* A sample that a gate refused is taken again as soon as all hold. */
    struct gate_report gates = {0};
    sampler_gates(daemon->sampler, &gates);
    bool held = gates_hold(&gates);
    if (held && !daemon->gates_held)
        sampler_request(daemon->sampler);
    daemon->gates_held = held;
}

static void on_tick(void *context)
{
    struct daemon *daemon = context;
    struct spv_summary summary;
    struct spv_now now = {now_mono(), now_wall()};
    spv_summary(client_core(daemon->client), &summary, now);
    update_rate(daemon, &summary);
    show_progress(daemon, &summary);
    if (daemon->pending &&
        pending_refresh(daemon->pending, client_core(daemon->client), now.wall))
        daemon->dirty = true;
    write_status(daemon);
    if (mono_since(now.mono, daemon->readers_checked_at) >= READERS_CHECK_S * 1000) {
        daemon->readers_checked_at = now.mono;
        store_check_readers(daemon->store);
    }
    loop_timer_set(daemon->tick, mono_add(now.mono, TICK_MS));
}

static void on_changed(void *context)
{
    struct daemon *daemon = context;
    daemon->dirty = true;
    watch_phase(daemon);
}

static void on_moved(void *context)
{
    struct daemon *daemon = context;
    daemon->dirty = true;
    if (daemon->synced)
        sampler_request(daemon->sampler);
}

static void on_foreseen(void *context, const struct block *transaction,
                        const struct foreseen *foreseen)
{
    struct daemon *daemon = context;
    if (pending_add(daemon->pending, transaction, foreseen, now_wall()))
        daemon->dirty = true;
}

static void on_block(void *context, const struct block *block)
{
    struct daemon *daemon = context;
    if (daemon->pending && pending_block(daemon->pending, block))
        daemon->dirty = true;
}

static void on_shown_change(void *context)
{
    struct daemon *daemon = context;
    daemon->dirty = true;
}

/* What the node says has to reach the samples at once. */
static void on_judged(void *context)
{
    struct daemon *daemon = context;
    sampler_request(daemon->sampler);
}

static void on_sampled(void *context)
{
    struct daemon *daemon = context;
    evm_drivers_sampled(daemon->evm);
}

/* ---- signals ---- */

static void end_loop(void *context)
{
    struct daemon *daemon = context;
    loop_stop(daemon->loop);
}

static void on_stop(void *context)
{
    struct daemon *daemon = context;
    log_line(LOG_APP, LOG_INFO, "stopping");
    if (!daemon->node || !node_checker_abort(daemon->node, end_loop, daemon))
        end_loop(daemon);
}

static void on_hangup(void *context)
{
    daemon_reload(context, NULL);
}

/* ---- start ---- */

static enum exit_status take_datadir(struct daemon *daemon)
{
    struct error error;
    enum exit_status status = datadir_take(daemon->config, &daemon->lock, &error);
    if (status != EXIT_DONE)
        log_line(LOG_APP, LOG_ERROR, "%s", error.text);
    return status;
}

static enum exit_status store_status(enum store_result result, const struct error *error)
{
    if (result != STORE_OK)
        log_line(LOG_STORE, LOG_ERROR, "%s", error->text);
    return exit_status_of(result);
}

static enum exit_status open_ledger(struct daemon *daemon)
{
    struct error error;
    char *path = datadir_path(daemon->config, DATADIR_LEDGER);
    enum store_result result =
        store_open(&daemon->store, path, STORE_WRITE, daemon->config->network, &error);
    free(path);
    if (result != STORE_OK)
        return store_status(result, &error);
    store_check_readers(daemon->store);
    return store_status(ledger_open(&daemon->ledger, daemon->store, daemon->seed, &error),
                        &error);
}

/* The lists as they are now, before anything is asked of a peer. */
static enum exit_status define_lists(struct daemon *daemon)
{
    struct reload reload = {.config = daemon->config,
                            .feeds = daemon->config->feeds,
                            .feed_count = daemon->config->feed_count};
    struct error error;
    enum store_result result =
        reload_work(&reload, daemon->store, daemon->ledger, &error);
    enum exit_status status = store_status(result, &error);
    if (status == EXIT_DONE && !reload.good) {
        faults_print(&reload.faults);
        status = EXIT_USAGE;
    }
    if (status == EXIT_DONE)
        log_line(LOG_APP, LOG_INFO, "watching %zu script%s for %zu feed%s",
                 reload.scripts, plural(reload.scripts), reload.feed_count,
                 plural(reload.feed_count));
    reload_release(&reload);
    return status;
}

/* When the newest sample was taken: wall time may not run backwards behind it. */
static enum store_result newest_taken(struct daemon *daemon, struct wall_time *out,
                                      struct error *error)
{
    struct store_txn *txn;
    struct feed_row *feeds = NULL;
    size_t count = 0;
    enum store_result result = store_begin(daemon->store, &txn, STORE_READ, error);
    if (result != STORE_OK)
        return result;
    result = ledger_feeds(txn, &feeds, &count, error);
    for (size_t i = 0; i < count && result == STORE_OK; i++) {
        struct sample sample;
        result = sample_newest(txn, &sample, feeds[i].id, error);
        if (result == STORE_OK && sample.taken.s > out->s)
            *out = sample.taken;
        if (result == STORE_NOT_FOUND)
            result = STORE_OK;
    }
    free(feeds);
    store_abort(txn);
    return result;
}

/* Without them everything works, only slower: whatever is wrong ends no start. */
static void open_kept_filters(struct daemon *daemon, struct start *start)
{
    struct error error;
    char *path = datadir_path(daemon->config, DATADIR_FILTERS);
    if (!daemon->config->keep_filters) {
        if (access(path, F_OK) == 0)
            log_line(LOG_STORE, LOG_INFO,
                     "filters in %s: not used with keep_filters=0; delete the folder to "
                     "have its room",
                     path);
        free(path);
        return;
    }
    switch (kept_filters_open(&daemon->kept, &start->kept, path, daemon->config->network,
                              &error)) {
    case KEPT_OPENED:
        break;
    case KEPT_ANEW:
        log_line(LOG_STORE, LOG_WARNING, "%s", error.text);
        break;
    case KEPT_FAILED:
        log_line(LOG_STORE, LOG_WARNING, "%s; no filters are kept until a restart",
                 error.text);
        break;
    }
    if (daemon->kept)
        start->spv.kept = &start->kept;
    free(path);
}

static enum exit_status start_client(struct daemon *daemon)
{
    struct start start;
    struct error error;
    uint64_t book_key[2];
    entropy_fill(book_key, sizeof book_key);
    enum store_result result =
        start_read(&start, daemon->store, daemon->ledger, book_key, &error);
    if (result == STORE_OK) {
        open_kept_filters(daemon, &start);
        daemon->store_thread =
            store_thread_new(daemon->loop, daemon->store, daemon->ledger);
        char agent[64];
        snprintf(agent, sizeof agent, "/reservewatch:%s/", reservewatch_version);
        const struct client_settings settings = {
            .spv = {.network = daemon->config->network,
                    .seed = daemon->seed[0] ^ daemon->seed[1],
                    .map_seed = {daemon->seed[0], daemon->seed[1]},
                    .agent = agent,
                    .connect = daemon->config->connect,
                    .connect_count = daemon->config->connect_count,
                    .outbound = daemon->config->outbound,
                    .proxied = daemon->config->proxy != NULL,
                    .checkpoints = daemon->config->checkpoints,
                    .checkpoint_count = daemon->config->checkpoint_count,
                    .filter_checkpoints = daemon->config->filter_checkpoints,
                    .filter_checkpoint_count = daemon->config->filter_checkpoint_count,
                    .scan_blocks = daemon->config->scan_blocks,
                    .audit_blocks = daemon->config->audit_blocks,
                    .mempool = daemon->config->mempool},
            .proxy = daemon->config->proxy,
            .kept = daemon->kept,
            .workers = 2};
        const struct client_handler handler = {on_changed, on_moved, on_foreseen,
                                               on_block,   fail,     daemon};
        if (daemon->config->mempool)
            daemon->pending = pending_new(daemon->seed);
        daemon->client = client_new(daemon->loop, daemon->store_thread, &settings,
                                    &start.spv, &handler);
    }
    start_release(&start);
    return store_status(result, &error);
}

static enum exit_status start_sampler(struct daemon *daemon)
{
    struct error error;
    struct sampler_settings settings = {.loop = daemon->loop,
                                        .store = daemon->store_thread,
                                        .client = daemon->client,
                                        .config = daemon->config,
                                        .sampled = on_sampled,
                                        .changed = on_changed,
                                        .failed = fail,
                                        .context = daemon};
    enum store_result result = newest_taken(daemon, &settings.newest_taken, &error);
    if (result != STORE_OK)
        return store_status(result, &error);
    const struct evm_drivers_settings evm = {.loop = daemon->loop,
                                             .store = daemon->store_thread,
                                             .config = daemon->config,
                                             .changed = on_shown_change,
                                             .failed = fail,
                                             .context = daemon};
    daemon->evm = evm_drivers_new(&evm, &error);
    if (!daemon->evm) {
        log_line(LOG_PUBLISH, LOG_ERROR, "%s", error.text);
        return EXIT_USAGE;
    }
    settings.node = daemon->node;
    daemon->sampler = sampler_new(&settings);
    return EXIT_DONE;
}

static enum exit_status start_node_checker(struct daemon *daemon)
{
    const struct node_checker_settings settings = {
        .loop = daemon->loop,
        .store = daemon->store,
        .store_thread = daemon->store_thread,
        .config = daemon->config,
        .seed = {daemon->seed[0], daemon->seed[1]},
        .judged = on_judged,
        .changed = on_shown_change,
        .failed = fail,
        .context = daemon};
    struct error error;
    if (!daemon->config->node_rpc)
        return EXIT_DONE;
    daemon->node = node_checker_new(&settings, &error);
    if (!daemon->node)
        log_line(LOG_APP, LOG_ERROR, "node_rpc: %s", error.text);
    return daemon->node ? EXIT_DONE : EXIT_USAGE;
}

static enum exit_status start(struct daemon *daemon)
{
    enum exit_status status = take_datadir(daemon);
    if (status == EXIT_DONE)
        status = open_ledger(daemon);
    if (status == EXIT_DONE)
        status = define_lists(daemon);
    if (status == EXIT_DONE)
        status = start_client(daemon);
    if (status == EXIT_DONE)
        status = start_node_checker(daemon);
    if (status == EXIT_DONE)
        status = start_sampler(daemon);
    if (status == EXIT_DONE)
        status = daemon_start_servers(daemon);
    return status;
}

static void run(struct daemon *daemon)
{
    loop_on_signal(daemon->loop, SIGINT, on_stop, daemon);
    loop_on_signal(daemon->loop, SIGTERM, on_stop, daemon);
    loop_on_signal(daemon->loop, SIGHUP, on_hangup, daemon);
    daemon->tick = loop_timer_new(daemon->loop, on_tick, daemon);
    daemon->dirty = true;
    daemon->progress_logged_at = now_mono();
    loop_timer_set(daemon->tick, now_mono());
    daemon->terminal = progress_start();
    loop_run(daemon->loop);
    progress_stop();
    loop_timer_free(daemon->tick);
}

/* In the order that nothing calls into what is gone. */
static void stop(struct daemon *daemon)
{
    if (daemon->sampler) {
        daemon->dirty = true; /* what was known last stays readable */
        write_status(daemon);
    }
    daemon->stopping = true;
    daemon_stop_servers(daemon);
    sampler_stop(daemon->sampler);
    evm_drivers_stop(daemon->evm);
    node_checker_stop(daemon->node);
    client_stop(daemon->client);
    store_thread_free(daemon->store_thread);
    sampler_free(daemon->sampler);
    evm_drivers_free(daemon->evm);
    node_checker_free(daemon->node);
    client_free(daemon->client);
    kept_filters_close(daemon->kept);
    pending_free(daemon->pending);
    if (daemon->ledger)
        ledger_close(daemon->ledger);
    if (daemon->store)
        store_close(daemon->store);
    loop_free(daemon->loop);
    lock_release(&daemon->lock);
}

enum exit_status daemon_run(const struct invocation *invocation)
{
    struct daemon daemon = {
        .invocation = invocation, .config = invocation->config, .lock = {-1}};
    entropy_fill(daemon.seed, sizeof daemon.seed);
    daemon.loop = loop_new();
    daemon.status = start(&daemon);
    if (daemon.status == EXIT_DONE)
        run(&daemon);
    stop(&daemon);
    return daemon.status;
}
