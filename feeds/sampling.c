#include "feeds/sampling.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* ---- which blocks ---- */

static enum store_result find_tip(struct store_txn *txn, uint32_t *tip,
                                  struct error *error)
{
    struct chain_extent extent;
    uint32_t cursor;
    enum store_result result = ledger_cursor(txn, &cursor, error);
    if (result == STORE_OK)
        result = chain_extent(txn, &extent, error);
    if (result != STORE_OK)
        return result;
    /* The cursor is ahead of the chain while every birth lies in the future. */
    *tip = cursor < extent.header_height ? cursor : extent.header_height;
    return STORE_OK;
}

static enum store_result find_block(struct store_txn *txn, struct sampling_target *target,
                                    uint32_t tip, struct error *error)
{
    uint32_t above = target->feed.confirmations - 1;
    target->chain_short = tip < above;
    if (target->chain_short)
        return STORE_OK;
    struct chain_row row;
    target->height = tip - above;
    enum store_result result = chain_rows_read(txn, &row, target->height, 1, error);
    target->block = row.hash;
    return result;
}

enum store_result sampling_prepare(struct store_txn *txn, struct sampling *out,
                                   struct error *error)
{
    struct feed_row *feeds = NULL;
    *out = (struct sampling){0};
    enum store_result result = find_tip(txn, &out->tip, error);
    if (result == STORE_OK)
        result = ledger_lowest_cursor(txn, &out->backfill_height, error);
    if (result == STORE_OK)
        result = ledger_feeds(txn, &feeds, &out->count, error);
    if (result != STORE_OK)
        return result;
    out->targets = mem_zalloc(out->count, sizeof(*out->targets));
    for (size_t i = 0; i < out->count && result == STORE_OK; i++) {
        out->targets[i].feed = feeds[i];
        result = find_block(txn, &out->targets[i], out->tip, error);
    }
    free(feeds);
    if (result != STORE_OK)
        sampling_release(out);
    return result;
}

void sampling_release(struct sampling *sampling)
{
    free(sampling->targets);
    *sampling = (struct sampling){0};
}

/* ---- whether they still are what was asked about ---- */

static bool same_feed(const struct feed_row *a, const struct feed_row *b)
{
    return a->id == b->id && strcmp(a->name, b->name) == 0 &&
           memcmp(a->set_hash, b->set_hash, sizeof(a->set_hash)) == 0;
}

static enum store_result stale(struct error *error)
{
    error_set(error, "sample: the chain or the feeds changed meanwhile");
    return STORE_STALE;
}

static enum store_result refresh_feeds(struct store_txn *txn, struct sampling *sampling,
                                       struct error *error)
{
    struct feed_row *feeds;
    size_t count;
    enum store_result result = ledger_feeds(txn, &feeds, &count, error);
    if (result != STORE_OK)
        return result;
    bool same = count == sampling->count;
    for (size_t i = 0; same && i < count; i++) {
        same = same_feed(&feeds[i], &sampling->targets[i].feed);
        sampling->targets[i].feed = feeds[i];
    }
    free(feeds);
    return same ? STORE_OK : stale(error);
}

static enum store_result
check_blocks(struct store_txn *txn, const struct sampling *sampling, struct error *error)
{
    uint32_t tip;
    enum store_result result = find_tip(txn, &tip, error);
    if (result != STORE_OK)
        return result;
    if (tip < sampling->tip)
        return stale(error);
    for (size_t i = 0; i < sampling->count; i++) {
        const struct sampling_target *target = &sampling->targets[i];
        struct chain_row row;
        if (target->chain_short)
            continue;
        result = chain_rows_read(txn, &row, target->height, 1, error);
        if (result != STORE_OK)
            return result;
        if (!block_hash_equal(&row.hash, &target->block))
            return stale(error);
    }
    return STORE_OK;
}

/* ---- the sums ---- */

static bool has_sum(const struct sampling_target *target)
{
    return !target->chain_short && target->feed.merged;
}

static void gate_backfill(struct sampling *sampling, struct sampling_target *target)
{
    if (target->feed.merged)
        gate_pass(&target->gates, GATE_BACKFILL);
    else if (sampling->scripts_behind > 0)
        gate_fail(&target->gates, GATE_BACKFILL,
                  "%" PRIu64 " script%s behind, at height %" PRIu32 " of %" PRIu32,
                  sampling->scripts_behind,
                  sampling->scripts_behind == 1 ? " is" : "s are",
                  sampling->backfill_height, sampling->tip);
    else
        gate_fail(&target->gates, GATE_BACKFILL,
                  "scripts are behind, at height %" PRIu32 " of %" PRIu32,
                  sampling->backfill_height, sampling->tip);
}

static void gate_audit(struct gate_report *gates, const struct feed_row *feed,
                       const struct readd *readd, const struct reserve *tally,
                       const struct statement *statement)
{
    const struct reserve *coins = &readd->by_coins;
    struct amount total = coins->counted;
    if (!feed->count_immature && !amount_add(&total, total, coins->immature)) {
        gate_fail(gates, GATE_AUDIT, "the coins add up to more than can be");
        return;
    }
    bool same =
        !readd->events_negative && total.sat == readd->events_total.sat &&
        coins->counted.sat == tally->counted.sat && coins->coins == tally->coins &&
        coins->immature.sat == tally->immature.sat &&
        coins->immature_coins == tally->immature_coins &&
        coins->counted.sat == statement->amount.sat && coins->coins == statement->coins;
    if (same) {
        gate_pass(gates, GATE_AUDIT);
        return;
    }
    gate_fail(gates, GATE_AUDIT,
              "%" PRIu64 " sat in %" PRIu64 " coins, running sum %" PRIu64 " in %" PRIu64
              ", events %s%" PRIu64 "; run rescan",
              coins->counted.sat, coins->coins, tally->counted.sat, tally->coins,
              readd->events_negative ? "below zero, not " : "", readd->events_total.sat);
}

/* Compare the three tables, and fill in what they say. */
static enum store_result sum(struct store_txn *txn, struct sampling_target *target,
                             const struct readd *readd, struct error *error)
{
    struct sample *sample = &target->sample;
    struct reserve tally;
    enum store_result result =
        statement_at(txn, &sample->statement, &target->feed, target->height, error);
    if (result == STORE_OK)
        result = ledger_tally(txn, &tally, &target->feed, target->height, error);
    if (result != STORE_OK)
        return result;
    gate_audit(&target->gates, &target->feed, readd, &tally, &sample->statement);
    sample->has_statement = true;
    sample->immature = readd->by_coins.immature;
    sample->immature_coins = readd->by_coins.immature_coins;
    sample->spent_above = readd->by_coins.spent_above;
    sample->coins_spent_above = readd->by_coins.coins_spent_above;
    return STORE_OK;
}

static void sample_begin(const struct sampling *sampling, struct sampling_target *target)
{
    target->sample = (struct sample){
        .taken = sampling->taken,
        .confirmations = target->feed.confirmations,
        .tip_height = sampling->tip,
        .scripts = target->feed.members,
        .peers_agreeing = target->peers_agreeing,
        .single_peer = target->single_peer,
        .trusted_peer = target->trusted_peer,
        .filters_from = target->filters_from,
        .filters_to = target->filters_to,
    };
}

static void heed_contradiction(struct sampling_target *target)
{
    if (target->contradiction[0] && target->gates.at[GATE_AUDIT].ok)
        gate_fail(&target->gates, GATE_AUDIT, "%s", target->contradiction);
}

/* One pass over the coins and the events for all feeds that have a sum. */
static enum store_result sum_all(struct store_txn *txn, struct sampling *sampling,
                                 struct error *error)
{
    struct readd *readds = mem_zalloc(sampling->count, sizeof(*readds));
    size_t count = 0;
    for (size_t i = 0; i < sampling->count; i++) {
        struct sampling_target *target = &sampling->targets[i];
        sample_begin(sampling, target);
        gate_backfill(sampling, target);
        gate_pass(&target->gates, GATE_AUDIT);
        if (has_sum(target))
            readds[count++] =
                (struct readd){.feed = &target->feed, .height = target->height};
    }
    enum store_result result =
        count > 0 ? ledger_readd(txn, readds, count, error) : STORE_OK;
    for (size_t i = 0, at = 0; i < sampling->count && result == STORE_OK; i++) {
        if (has_sum(&sampling->targets[i]))
            result = sum(txn, &sampling->targets[i], &readds[at++], error);
        heed_contradiction(&sampling->targets[i]);
    }
    free(readds);
    return result;
}

/* ---- the verdict ---- */

static void add_reason(struct sample *sample, enum gate gate, const char *text)
{
    if (sample->reason_count == SAMPLE_REASONS_MAX)
        return;
    struct sample_reason *reason = &sample->reasons[sample->reason_count++];
    reason->gate = (uint8_t)gate;
    snprintf(reason->text, sizeof(reason->text), "%s", text);
}

static void conclude(const struct sampling *sampling, struct sampling_target *target)
{
    struct sample *sample = &target->sample;
    if (target->chain_short) {
        char text[SAMPLE_REASON_TEXT_MAX];
        snprintf(text, sizeof(text),
                 "the chain ends at height %" PRIu32 "; %" PRIu32
                 " confirmations need height %" PRIu32,
                 sampling->tip, target->feed.confirmations,
                 target->feed.confirmations - 1);
        add_reason(sample, GATE_CHAIN_SHORT, text);
    }
    for (size_t i = 0; i < GATES; i++) {
        if (!target->gates.at[i].ok)
            add_reason(sample, (enum gate)i, target->gates.at[i].reason);
    }
    bool good = sample->has_statement && sample->reason_count == 0;
    sample->state = good ? SAMPLE_GOOD : SAMPLE_REFUSED;
}

enum store_result sampling_take(struct store_txn *txn, struct sampling *sampling,
                                struct error *error)
{
    enum store_result result = refresh_feeds(txn, sampling, error);
    if (result == STORE_OK)
        result = check_blocks(txn, sampling, error);
    if (result == STORE_OK)
        result = sum_all(txn, sampling, error);
    for (size_t i = 0; i < sampling->count && result == STORE_OK; i++) {
        struct sampling_target *target = &sampling->targets[i];
        conclude(sampling, target);
        result = sample_append(txn, target->feed.id, &target->sample, error);
    }
    return result;
}

bool sample_stale(const struct sample *newest, struct wall_time now, int64_t interval)
{
    return !newest || now.s - newest->taken.s > 2 * interval;
}
