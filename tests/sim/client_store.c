/* The client's store: the real ledger, working in order, now and then cut off in the
 * middle. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "spv/gcs.h"
#include "store/whole_heights.h"
#include "tests/sim/client_impl.h"

#define CRASH_ONCE_IN 400

static void require(const struct sim *sim, enum store_result result, const char *what,
                    const struct error *error)
{
    if (result != STORE_OK)
        sim_fail(sim, "%s: result %d: %s", what, (int)result, error->text);
}

void client_open(struct sim *sim)
{
    struct client *client = sim->client;
    struct error error;
    uint64_t seed[2] = {random_u64(&sim->random), random_u64(&sim->random)};
    require(sim,
            store_open(&client->store, sim->folder, STORE_WRITE, client->network, &error),
            "store_open", &error);
    require(sim, ledger_open(&client->ledger, client->store, seed, &error), "ledger_open",
            &error);
}

/* ---- headers and rows ---- */

static enum store_result put_headers(void *context, struct store_txn *txn,
                                     struct error *error)
{
    const struct spv_effect *effect = context;
    if (effect->kind == SPV_CUT_FILTER_HEADERS)
        return chain_rows_cut_filter_headers(txn, effect->cut.from, error);
    if (effect->kind == SPV_STORE_WHOLE)
        return whole_heights_add(txn, &effect->whole.height, 1, error);
    if (effect->kind == SPV_STORE_HEADERS)
        return chain_rows_replace(txn, effect->headers.from, effect->headers.headers,
                                  effect->headers.count, error);
    return chain_rows_add_filter_headers(txn, effect->filter_headers.from,
                                         effect->filter_headers.headers,
                                         effect->filter_headers.count, error);
}

static void load_rows(struct sim *sim, const struct spv_effect *effect,
                      struct spv_input *input, struct chain_row **rows)
{
    struct error error;
    struct store_txn *txn;
    struct chain_extent extent;
    require(sim, store_begin(sim->client->store, &txn, STORE_READ, &error), "store_begin",
            &error);
    require(sim, chain_extent(txn, &extent, &error), "chain_extent", &error);
    uint32_t from = effect->load.from;
    size_t count = from > extent.header_height ? 0 : extent.header_height - from + 1;
    if (count > effect->load.count)
        count = effect->load.count;
    *rows = sim_zeroed(count, sizeof **rows);
    require(sim, chain_rows_read(txn, *rows, from, count, &error), "chain_rows_read",
            &error);
    store_abort(txn);
    input->rows.rows = *rows;
    input->rows.count = count;
}

/* ---- blocks ---- */

static void apply(struct sim *sim, const struct spv_effect *effect,
                  struct spv_input *input, struct error *error)
{
    const struct ledger_batch *batch = &effect->apply;
    struct ledger_outcome outcome = {0};
    enum store_result result = ledger_apply(sim->client->ledger, batch, &outcome, error);
    if (result != STORE_OK && result != STORE_STALE && result != STORE_INVALID_BLOCK)
        require(sim, result, "ledger_apply", error);
    size_t whole = 0;
    for (size_t i = 0; i < batch->count; i++)
        whole += batch->blocks[i] != NULL;
    sim_say(sim, "cohort %u: %s%zu blocks from %u, %zu whole%s%s: %s", batch->cohort,
            batch->reorganise ? "back to the fork, then " : "", batch->count,
            batch->base + 1, whole, batch->commit ? "" : ", staged",
            outcome.merged ? ", merged" : "", result == STORE_OK ? "done" : error->text);
    sim->applied += result == STORE_OK ? batch->count : 0;
    sim->reorganised += outcome.rewound;
    sim->retracted += batch->retract && result == STORE_OK;
    input->applied.verdict = result == STORE_OK      ? APPLY_OK
                             : result == STORE_STALE ? APPLY_STALE
                                                     : APPLY_INVALID;
    input->applied.invalid_height = outcome.invalid_height;
    input->applied.reason = error->text;
    free(outcome.reports);
}

static void review(struct sim *sim, const struct spv_effect *effect,
                   struct spv_input *input, struct error *error)
{
    struct ledger_review review;
    enum store_result result =
        ledger_review(sim->client->ledger, &review, effect->review.height,
                      &effect->review.hash, effect->review.block, error);
    if (result != STORE_OK && result != STORE_STALE)
        require(sim, result, "ledger_review", error);
    input->reviewed.lacks = result == STORE_OK && review.lacks;
    input->reviewed.elsewhere = result == STORE_STALE;
    for (size_t i = 0; i < CHECK_FILTERS && result == STORE_OK; i++) {
        struct bytes filter = {effect->review.filters[i].data,
                               effect->review.filters[i].len};
        input->reviewed.filter_false[i] =
            filter.data &&
            gcs_holds_all(filter, &effect->review.hash, review.spent) == GCS_NO_MATCH;
    }
    ledger_review_release(&review);
}

/* ---- definitions ---- */

static void define_feed(struct feed_definition *out, struct feed_member *members,
                        const struct sim_feed *feed, const uint32_t *place)
{
    out->name = feed->name;
    out->confirmations = feed->confirmations;
    out->count_immature = feed->count_immature;
    out->members = members;
    for (size_t s = 0; s < SIM_SCRIPTS; s++)
        if (feed->births[s] != BIRTH_NONE)
            members[out->member_count++] =
                (struct feed_member){place[s], feed->births[s], "label", "custodian"};
    struct oracle_hash hash = oracle_sha256(feed, sizeof *feed);
    memcpy(out->set_hash, hash.b, sizeof out->set_hash);
}

static void define(struct sim *sim, const struct sim_watch *watch)
{
    uint32_t births[SIM_SCRIPTS], place[SIM_SCRIPTS] = {0};
    struct watched_script scripts[SIM_SCRIPTS];
    struct feed_member members[SIM_FEEDS_MAX][SIM_SCRIPTS];
    struct feed_definition feeds[SIM_FEEDS_MAX] = {0};
    struct ledger_definition definition = {.scripts = scripts, .feeds = feeds};
    sim_lowest_births(births, watch);
    for (uint32_t s = 0; s < SIM_SCRIPTS; s++) {
        if (births[s] == BIRTH_NONE)
            continue;
        place[s] = (uint32_t)definition.script_count;
        scripts[definition.script_count++] = (struct watched_script){
            {sim->oracle.scripts[s].data, sim->oracle.scripts[s].len}, births[s]};
    }
    for (size_t f = 0; f < watch->feed_count; f++)
        define_feed(&feeds[f], members[f], &watch->feeds[f], place);
    definition.feed_count = watch->feed_count;
    struct error error;
    require(sim, ledger_define(sim->client->ledger, &definition, &error), "ledger_define",
            &error);
    sim->watch = *watch;
    sim->defined++;
    sim_say(sim, "watching %zu scripts in %zu feeds", definition.script_count,
            definition.feed_count);
}

/* ---- in order ---- */

static void work(struct sim *sim, struct errand *errand, struct spv_input *input,
                 struct chain_row **rows, struct error *error)
{
    if (errand->watch) {
        define(sim, errand->watch);
        input->kind = SPV_COHORTS;
        return;
    }
    struct spv_effect *effect = &errand->effect;
    if (effect->kind == SPV_LOAD_ROWS) {
        input->kind = SPV_ROWS;
        load_rows(sim, effect, input, rows);
    } else if (effect->kind == SPV_APPLY) {
        input->kind = SPV_APPLIED;
        apply(sim, effect, input, error);
    } else if (effect->kind == SPV_REVIEW) {
        input->kind = SPV_REVIEWED;
        review(sim, effect, input, error);
    } else if (effect->kind == SPV_UNSTAGE) {
        ledger_unstage(sim->client->ledger, effect->unstage.cohort);
    } else if (client_is_of_peers(effect->kind)) {
        require(sim, store_update(sim->client->store, client_put_peers, effect, error),
                "writing what is known of peers", error);
    } else {
        input->kind = SPV_STORED;
        require(sim, store_update(sim->client->store, put_headers, effect, error),
                "writing headers", error);
    }
}

static void crash(struct sim *sim)
{
    sim_say(sim, "the client crashes");
    sim->crashes++;
    client_stop(sim);
    client_start(sim);
    check_ledger(sim);
}

static void store_run(struct sim *sim, void *data)
{
    struct errand *errand = data;
    if (errand->life != sim->client->life) {
        errand_done(sim, errand);
        return;
    }
    struct spv_input input = {.kind = SPV_TICK, .ticket = errand->effect.ticket};
    struct chain_row *rows = NULL;
    struct cohort_table cohorts;
    struct error error = {""};
    bool crashes = !sim->calm && sim_once_in(sim, CRASH_ONCE_IN);
    if (crashes && sim_once_in(sim, 2)) {
        crash(sim); /* before the commit */
        errand_done(sim, errand);
        return;
    }
    work(sim, errand, &input, &rows, &error);
    check_ledger(sim);
    bool answers = errand->watch || (errand->effect.kind != SPV_UNSTAGE &&
                                     !client_is_of_peers(errand->effect.kind));
    ledger_cohorts(sim->client->ledger, &cohorts);
    if (input.kind == SPV_APPLIED)
        input.applied.cohorts = &cohorts;
    else if (input.kind == SPV_COHORTS)
        input.cohorts = &cohorts;
    errand_done(sim, errand);
    if (crashes)
        crash(sim);
    else if (answers)
        client_input(sim, &input);
    cohort_table_release(&cohorts);
    free(rows);
}

void store_submit(struct sim *sim, struct errand *errand)
{
    struct client *client = sim->client;
    int64_t in = 1 + (int64_t)random_below(&client->random,
                                           random_below(&client->random, 20) ? 12 : 3000);
    int64_t at = sim->now_ms + in;
    if (at < client->store_at)
        at = client->store_at;
    client->store_at = at;
    sim_later(sim, at - sim->now_ms, store_run, errand_drop, errand);
}

void client_watch(struct sim *sim, const struct sim_watch *watch)
{
    struct errand *errand = sim_zeroed(1, sizeof *errand);
    errand->life = sim->client->life;
    errand->watch = sim_zeroed(1, sizeof *watch);
    *errand->watch = sim->wanted = *watch;
    store_submit(sim, errand);
}
