#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/publish.h"
#include "app/sampler.h"
#include "base/mem.h"
#include "feeds/sampling.h"
#include "io/clock.h"

/* A file that couldn't be written is tried again after this. */
#define PUBLISH_RETRY_MS 5000
/* What the gates said when a sample was begun is good for so long. */
#define GATES_HOLD_S 60
/* Samples older than 90 days are thinned to one a day, a few rows with each new sample.
 */
#define RAW_SAMPLES_S (90 * 86400)
#define THIN_ROWS 16

enum sampler_state { SAMPLER_IDLE, SAMPLER_PREPARING, SAMPLER_TAKING };

/* A feed's block under its confirmations, as of the last sample. */
struct target {
    const char *file; /* that it is published to; NULL: none */
    bool known, chain_short;
    uint32_t height;
    struct block_hash block;
    struct gate_report gates;
};

struct sampler {
    struct sampler_settings settings;
    struct loop_timer *clock_timer, *request_timer, *publish_timer;
    enum sampler_state state;
    bool again; /* asked for while one was under way */
    bool stopped;
    struct wall_time newest_taken;
    struct error list_fault; /* empty: none */
    struct sampling sampling;
    bool sampling_open;
    struct sampler_feed *feeds;
    struct target *targets; /* beside feeds */
    size_t count;
    size_t publishing;  /* jobs under way */
    bool publish_again; /* asked for meanwhile */
};

/* ---- gates ---- */

static void gate_from(struct gate_report *report, enum gate gate, bool ok,
                      const struct error *reason)
{
    if (ok)
        gate_pass(report, gate);
    else
        gate_fail(report, gate, "%s", reason->text);
}

/* In a chain that is too short there is no block to agree on. */
static void peers_gate(const struct sampler *sampler, struct gate_report *report,
                       const struct target *target, size_t agreeing)
{
    struct error reason;
    const struct config *config = sampler->settings.config;
    struct spv_now now = {now_mono(), now_wall()};
    bool banned = spv_connect_banned(client_core(sampler->settings.client), now, &reason);
    struct error why = reason;
    if (spv_disputed(client_core(sampler->settings.client), &reason))
        gate_fail(report, GATE_PEERS, "%s", reason.text);
    else if (!target->chain_short && agreeing < config->min_peers)
        gate_fail(report, GATE_PEERS, "%zu of %u peers%s have block %u%s%s", agreeing,
                  config->min_peers,
                  config->connect_count ? "" : " in different networks", target->height,
                  banned ? "; " : "", banned ? why.text : "");
    else
        gate_pass(report, GATE_PEERS);
}

static void clock_gate(const struct sampler *sampler, struct gate_report *report,
                       struct spv_now now)
{
    struct error reason;
    int64_t back = sampler->newest_taken.s - now.wall.s;
    if (back > 0)
        gate_fail(report, GATE_CLOCK, "wall time ran backwards by %lld s; set the clock",
                  (long long)back);
    else if (spv_tip_from_future(client_core(sampler->settings.client), now, &reason))
        gate_fail(report, GATE_CLOCK, "%s", reason.text);
    else
        gate_pass(report, GATE_CLOCK);
}

/* Every gate that doesn't need the ledger. */
static void live_gates(const struct sampler *sampler, struct gate_report *report,
                       const struct target *target, uint32_t confirmations,
                       size_t agreeing)
{
    const struct spv *spv = client_core(sampler->settings.client);
    struct spv_now now = {now_mono(), now_wall()};
    struct error reason;
    gate_from(report, GATE_SYNCED, spv_synced(spv, now, &reason), &reason);
    peers_gate(sampler, report, target, agreeing);
    bool fork = spv_fork_near(spv, target->height, confirmations, &reason);
    gate_from(report, GATE_FORK, !fork, &reason);
    gate_from(report, GATE_IDENTITY, spv_identity_ok(spv, &reason), &reason);
    gate_from(report, GATE_LIST, !sampler->list_fault.text[0], &sampler->list_fault);
    clock_gate(sampler, report, now);
}

void sampler_gates(const struct sampler *sampler, struct gate_report *out)
{
    for (enum gate gate = 0; gate < GATES; gate++)
        if (sampler->count)
            gate_pass(out, gate);
        else
            gate_fail(out, gate, "no feed is configured");
    for (size_t i = 0; i < sampler->count; i++) {
        const struct target *target = &sampler->targets[i];
        struct gate_report report = target->gates;
        if (!target->known) {
            gate_fail(&report, GATE_AUDIT, "no sample yet");
            gate_fail(&report, GATE_BACKFILL, "no sample yet");
        }
        size_t agreeing = spv_peers_agreeing(client_core(sampler->settings.client),
                                             target->height, &target->block, NULL);
        live_gates(sampler, &report, target, sampler->feeds[i].feed->confirmations,
                   agreeing);
        gates_join(out, &report);
    }
}

/* ---- publishing ---- */

struct publish_job {
    struct sampler *sampler;
    size_t feed;
    struct publish publish;
};

static enum store_result publish_work(void *context, struct store *store,
                                      struct ledger *ledger, struct error *error)
{
    (void)ledger;
    struct publish_job *job = context;
    return publish_run(&job->publish, store, error);
}

static bool same_evaluation(const struct sampler_feed *feed, const struct evaluation *now)
{
    const struct evaluation *before = &feed->evaluation;
    if (!feed->evaluated || before->result != now->result)
        return false;
    /* The reason of one that waits changes with every block. */
    if (now->result == EVALUATION_WAITING)
        return before->due == now->due && before->round == now->round;
    return strcmp(before->reason, now->reason) == 0;
}

static void log_publish(const struct sampler_feed *feed, const struct publish *publish)
{
    const struct evaluation *now = &publish->evaluation;
    const char *name = feed->feed->name;
    for (uint32_t i = 0; i < publish->written; i++) {
        const struct written *line = &publish->lines[i];
        char btc[AMOUNT_TEXT_MAX];
        amount_format_btc(btc, line->amount);
        log_line(LOG_PUBLISH, LOG_INFO,
                 "feed %s: published round %llu: %s BTC at height %u: %s", name,
                 (unsigned long long)line->round, btc, line->height,
                 due_name((uint8_t)line->due));
    }
    if (publish->unwritten && strcmp(publish->fault.text, feed->publish_fault.text) != 0)
        log_line(LOG_PUBLISH, LOG_ERROR, "feed %s: %s; trying again until it works", name,
                 publish->fault.text);
    bool known = feed->evaluated && feed->evaluation.reported_block_orphaned;
    if (now->reported_block_orphaned && !known)
        log_line(LOG_PUBLISH, LOG_WARNING,
                 "feed %s: reported-block-orphaned: the published block left our chain",
                 name);
    if (now->reported_retracted &&
        !(feed->evaluated && feed->evaluation.reported_retracted))
        log_line(LOG_PUBLISH, LOG_ERROR,
                 "feed %s: reported-retracted: the published sum was taken back", name);
    if (same_evaluation(feed, now))
        return;
    if (now->result == EVALUATION_UNREADABLE)
        log_line(LOG_PUBLISH, LOG_ERROR, "feed %s: %s", name, now->reason);
    else if (now->result == EVALUATION_WAITING)
        log_line(LOG_PUBLISH, LOG_INFO, "feed %s: %s is due at height %u but waits: %s",
                 name, due_name((uint8_t)now->due), now->height, now->reason);
}

static void publish_all(void *context);

static void publish_done(void *context, enum store_result result,
                         const struct error *error)
{
    struct publish_job *job = context;
    struct sampler *sampler = job->sampler;
    struct sampler_feed *feed = &sampler->feeds[job->feed];
    sampler->publishing--;
    if (sampler->stopped) {
        /* nobody looks any more */
    } else if (result != STORE_OK && result != STORE_NOT_FOUND && result != STORE_STALE) {
        sampler->settings.failed(sampler->settings.context, error);
    } else {
        log_publish(feed, &job->publish);
        feed->evaluated = true;
        feed->evaluation = job->publish.evaluation;
        feed->publish_fault.text[0] = '\0';
        if (job->publish.unwritten)
            feed->publish_fault = job->publish.fault;
        if (job->publish.unwritten || job->publish.written == PUBLISH_ROUNDS_MAX)
            loop_timer_set(
                sampler->publish_timer,
                mono_add(now_mono(), job->publish.unwritten ? PUBLISH_RETRY_MS : 0));
        if (!sampler->publishing)
            sampler->settings.changed(sampler->settings.context);
    }
    free(job->publish.path);
    free(job);
    if (sampler->publish_again && !sampler->publishing && !sampler->stopped)
        publish_all(sampler);
}

static void publish_feed(struct sampler *sampler, size_t at)
{
    const struct feed *feed = sampler->feeds[at].feed;
    struct publish_job *job = mem_zalloc(1, sizeof *job);
    job->sampler = sampler;
    job->feed = at;
    memcpy(job->publish.feed, feed->name, sizeof job->publish.feed);
    job->publish.policy = feed->policy;
    job->publish.path = mem_strdup(sampler->targets[at].file);
    job->publish.now = now_wall();
    sampler->publishing++;
    store_thread_submit(sampler->settings.store, publish_work, publish_done, job);
}

static void publish_all(void *context)
{
    struct sampler *sampler = context;
    sampler->publish_again = sampler->publishing > 0;
    for (size_t i = 0; i < sampler->count && !sampler->publish_again; i++)
        if (sampler->targets[i].file)
            publish_feed(sampler, i);
}

/* ---- taking samples ---- */

static void begin(struct sampler *sampler);

static void finish(struct sampler *sampler)
{
    if (sampler->sampling_open)
        sampling_release(&sampler->sampling);
    sampler->sampling_open = false;
    sampler->state = SAMPLER_IDLE;
    if (sampler->again && !sampler->stopped)
        begin(sampler);
}

static void log_sample(const struct sampler_feed *before, const struct sample *sample)
{
    bool changed = !before->sampled || before->newest.state != sample->state ||
                   before->newest.statement.amount.sat != sample->statement.amount.sat;
    enum log_level level = changed ? LOG_INFO : LOG_DEBUG;
    const char *name = before->feed->name;
    if (sample->state == SAMPLE_GOOD) {
        char btc[AMOUNT_TEXT_MAX];
        amount_format_btc(btc, sample->statement.amount);
        log_line(LOG_FEED, level, "feed %s: good: %s BTC in %llu coins at height %u",
                 name, btc, (unsigned long long)sample->statement.coins,
                 sample->statement.height);
        return;
    }
    for (size_t i = 0; i < sample->reason_count; i++)
        log_line(LOG_FEED, level, "feed %s: refused: %s: %s", name,
                 gate_name(sample->reasons[i].gate), sample->reasons[i].text);
}

static int compare_name(const void *name, const void *target)
{
    return strcmp(name, ((const struct sampling_target *)target)->feed.name);
}

static void take_results(struct sampler *sampler)
{
    const struct sampling *sampling = &sampler->sampling;
    for (size_t i = 0; i < sampler->count && sampling->count; i++) {
        const struct sampling_target *taken =
            bsearch(sampler->feeds[i].feed->name, sampling->targets, sampling->count,
                    sizeof *sampling->targets, compare_name);
        if (!taken)
            continue;
        log_sample(&sampler->feeds[i], &taken->sample);
        sampler->feeds[i].sampled = true;
        sampler->feeds[i].newest = taken->sample;
        sampler->targets[i].known = true;
        sampler->targets[i].gates = taken->gates;
        sampler->targets[i].chain_short = taken->chain_short;
        sampler->targets[i].height = taken->height;
        sampler->targets[i].block = taken->block;
    }
    if (sampling->taken.s > sampler->newest_taken.s)
        sampler->newest_taken = sampling->taken;
}

static enum store_result take_change(void *context, struct store_txn *txn,
                                     struct error *error)
{
    struct sampling *sampling = context;
    /* What the gates said holds for a moment only; a full disk may have held this up. */
    if (now_wall().s - sampling->taken.s > GATES_HOLD_S) {
        error_set(error, "the gates were looked at too long ago");
        return STORE_STALE;
    }
    enum store_result result = sampling_take(txn, sampling, error);
    const struct wall_time before = {sampling->taken.s - RAW_SAMPLES_S};
    for (size_t i = 0; i < sampling->count && result == STORE_OK; i++)
        result = sample_thin(txn, sampling->targets[i].feed.id, before, THIN_ROWS, error);
    return result;
}

static enum store_result take_work(void *context, struct store *store,
                                   struct ledger *ledger, struct error *error)
{
    (void)ledger;
    struct sampler *sampler = context;
    return store_update(store, take_change, &sampler->sampling, error);
}

static void take_done(void *context, enum store_result result, const struct error *error)
{
    struct sampler *sampler = context;
    if (sampler->stopped) {
        finish(sampler);
        return;
    }
    if (result == STORE_OK) {
        take_results(sampler);
        publish_all(sampler);
        sampler->settings.sampled(sampler->settings.context);
    } else if (result == STORE_STALE || result == STORE_NOT_FOUND) {
        /* The ledger went on meanwhile, and doesn't keep the coins at that height. */
        sampler->again = true;
    } else {
        sampler->settings.failed(sampler->settings.context, error);
    }
    finish(sampler);
    sampler->settings.changed(sampler->settings.context);
}

static void fill_target(const struct sampler *sampler, struct sampling_target *target)
{
    const struct target shape = {.chain_short = target->chain_short,
                                 .height = target->height,
                                 .block = target->block};
    bool trusted = false;
    size_t agreeing = 0;
    if (!target->chain_short)
        agreeing = spv_peers_agreeing(client_core(sampler->settings.client),
                                      target->height, &target->block, &trusted);
    live_gates(sampler, &target->gates, &shape, target->feed.confirmations, agreeing);
    target->peers_agreeing = (uint32_t)agreeing;
    target->single_peer = agreeing == 1;
    target->trusted_peer = trusted;
    spv_filters_relied_on(client_core(sampler->settings.client), &target->filters_from,
                          &target->filters_to, target->height);
    const struct node_checker *node = sampler->settings.node;
    const char *against = node ? node_checker_against(node, target->feed.name) : NULL;
    snprintf(target->contradiction, sizeof target->contradiction, "%s",
             against ? against : "");
}

static void prepare_done(void *context, enum store_result result,
                         const struct error *error)
{
    struct sampler *sampler = context;
    sampler->sampling_open = result == STORE_OK;
    if (sampler->stopped || result == STORE_NOT_FOUND) {
        finish(sampler);
        return;
    }
    if (result != STORE_OK) {
        sampler->settings.failed(sampler->settings.context, error);
        finish(sampler);
        return;
    }
    sampler->sampling.taken = now_wall();
    for (size_t i = 0; i < sampler->sampling.count; i++)
        fill_target(sampler, &sampler->sampling.targets[i]);
    sampler->state = SAMPLER_TAKING;
    store_thread_submit(sampler->settings.store, take_work, take_done, sampler);
}

static enum store_result prepare_work(void *context, struct store *store,
                                      struct ledger *ledger, struct error *error)
{
    (void)ledger;
    struct sampler *sampler = context;
    struct store_txn *txn;
    enum store_result result = store_begin(store, &txn, STORE_READ, error);
    if (result != STORE_OK)
        return result;
    result = sampling_prepare(txn, &sampler->sampling, error);
    store_abort(txn);
    return result;
}

static void begin(struct sampler *sampler)
{
    sampler->again = false;
    sampler->state = SAMPLER_PREPARING;
    store_thread_submit(sampler->settings.store, prepare_work, prepare_done, sampler);
}

static void on_request(void *context)
{
    struct sampler *sampler = context;
    if (sampler->state == SAMPLER_IDLE)
        begin(sampler);
    else
        sampler->again = true;
}

/* ---- when ---- */

/* In a turn of the loop of its own, so that what happens together is one sample. */
void sampler_request(struct sampler *sampler)
{
    if (!sampler->stopped)
        loop_timer_set(sampler->request_timer, now_mono());
}

/* Aligned to the wall clock, so that samples of different machines fall together. */
static void set_clock_timer(struct sampler *sampler)
{
    int64_t interval = sampler->settings.config->sample_interval;
    int64_t wall = now_wall().s;
    int64_t next = (wall / interval + 1) * interval;
    loop_timer_set(sampler->clock_timer, mono_add(now_mono(), (next - wall) * 1000));
}

static void on_clock(void *context)
{
    struct sampler *sampler = context;
    sampler_request(sampler);
    set_clock_timer(sampler);
}

struct sampler *sampler_new(const struct sampler_settings *settings)
{
    struct sampler *sampler = mem_zalloc(1, sizeof *sampler);
    sampler->settings = *settings;
    sampler->newest_taken = settings->newest_taken;
    sampler->count = settings->config->feed_count;
    sampler->feeds = mem_zalloc(sampler->count, sizeof *sampler->feeds);
    sampler->targets = mem_zalloc(sampler->count, sizeof *sampler->targets);
    for (size_t i = 0; i < sampler->count; i++) {
        const struct feed *feed = &settings->config->feeds[i];
        const struct config_publisher *publisher =
            config_publisher_find(settings->config, feed->publisher);
        sampler->feeds[i].feed = feed;
        if (publisher && publisher->kind == PUBLISHER_FILE)
            sampler->targets[i].file = publisher->file;
    }
    sampler->clock_timer = loop_timer_new(settings->loop, on_clock, sampler);
    sampler->request_timer = loop_timer_new(settings->loop, on_request, sampler);
    sampler->publish_timer = loop_timer_new(settings->loop, publish_all, sampler);
    set_clock_timer(sampler);
    return sampler;
}

void sampler_stop(struct sampler *sampler)
{
    if (!sampler || sampler->stopped)
        return;
    sampler->stopped = true;
    loop_timer_free(sampler->clock_timer);
    loop_timer_free(sampler->request_timer);
    loop_timer_free(sampler->publish_timer);
}

void sampler_free(struct sampler *sampler)
{
    if (!sampler)
        return;
    sampler_stop(sampler);
    if (sampler->sampling_open)
        sampling_release(&sampler->sampling);
    free(sampler->feeds);
    free(sampler->targets);
    free(sampler);
}

void sampler_lists(struct sampler *sampler, const char *fault)
{
    sampler->list_fault.text[0] = '\0';
    if (fault)
        error_set(&sampler->list_fault, "%s", fault);
}

const struct sampler_feed *sampler_feeds(const struct sampler *sampler, size_t *count)
{
    *count = sampler->count;
    return sampler->feeds;
}
