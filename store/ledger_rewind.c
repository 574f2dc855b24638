/* Taking blocks back. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/ledger_state.h"
#include "store/outbox.h"
#include "store/sample.h"

static enum store_result undo_event(struct store_txn *txn, const struct event *event,
                                    struct error *error)
{
    if (event->kind != EVENT_CREDIT)
        return coin_put(txn, &event->coin, error);
    struct key key = coin_key(&event->coin.outpoint);
    enum store_result result = table_delete(txn, TABLE_COINS, key_bytes(&key), error);
    if (result == STORE_NOT_FOUND)
        return table_damaged(TABLE_COINS, "the coin of a credit isn't there", error);
    return result;
}

static enum store_result undo_events(struct store_txn *txn, uint32_t fork,
                                     struct error *error)
{
    struct walk walk;
    enum store_result result = walk_open(&walk, txn, TABLE_EVENTS, error);
    while (result == STORE_OK && (result = walk_last(&walk, error)) == STORE_OK) {
        struct event event;
        if (!event_decode(&event, walk.key, walk.value)) {
            result = table_damaged(TABLE_EVENTS, "a row is malformed", error);
            break;
        }
        if (event.height <= fork)
            break;
        result = walk_delete(&walk, error);
        if (result == STORE_OK)
            result = undo_event(txn, &event, error);
    }
    walk_close(&walk);
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

/* Bring back the row of a coin that was spent here and that a block above the fork
 * pruned. If something is in its place, it was never pruned, or a later coin replaced it.
 */
static enum store_result restore_coin(struct ledger_change *change, struct event *event,
                                      uint32_t fork, struct error *error)
{
    uint32_t cohort = script_cohort(change->state, event->coin.script);
    struct coin found;
    if (event->kind != EVENT_DEBIT || cohort == COHORT_NONE ||
        change->cursors[cohort] <= fork)
        return STORE_OK;
    enum store_result result =
        coin_get(change->txn, &found, &event->coin.outpoint, error);
    if (result != STORE_NOT_FOUND)
        return result;
    event->coin.spent = event->height;
    return coin_put(change->txn, &event->coin, error);
}

/* Newest first, so that of two coins with one outpoint (BIP 30) the later one stays. */
static enum store_result restore_pruned(struct ledger_change *change, uint32_t fork,
                                        struct error *error)
{
    uint32_t highest = 0;
    for (size_t i = 0; i < change->state->cohorts.count; i++) {
        uint32_t cursor = change->cursors[change->state->cohorts.at[i].id];
        highest = cursor > highest ? cursor : highest;
    }
    if (highest <= LEDGER_DEPTH)
        return STORE_OK;
    uint32_t below = highest - LEDGER_DEPTH < fork ? highest - LEDGER_DEPTH : fork;
    uint32_t above = fork > LEDGER_DEPTH ? fork - LEDGER_DEPTH : 0;
    struct key key = key_u32(below + 1);
    struct walk walk;
    enum store_result result = walk_open(&walk, change->txn, TABLE_EVENTS, error);
    if (result == STORE_OK)
        result = walk_seek_before(&walk, key_bytes(&key), error);
    for (; result == STORE_OK; result = walk_previous(&walk, error)) {
        struct event event;
        if (!event_decode(&event, walk.key, walk.value)) {
            result = table_damaged(TABLE_EVENTS, "a row is malformed", error);
            break;
        }
        if (event.height <= above)
            break;
        if ((result = restore_coin(change, &event, fork, error)) != STORE_OK)
            break;
    }
    walk_close(&walk);
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

static enum store_result rewind_tallies(struct ledger_change *change, uint32_t fork,
                                        struct error *error)
{
    enum store_result result = STORE_OK;
    for (size_t i = 0; i < change->state->feed_count && result == STORE_OK; i++) {
        uint32_t feed = change->state->feeds[i].id;
        result = tally_delete_from(change->txn, feed, fork + 1, error);
        if (result == STORE_OK)
            result = tally_at(change->txn, &change->board.now[i], feed, fork, error);
    }
    return result;
}

static enum store_result rewind_cursors(struct ledger_change *change, uint32_t fork,
                                        struct error *error)
{
    struct chain_extent extent;
    enum store_result result = chain_extent(change->txn, &extent, error);
    if (result != STORE_OK)
        return result;
    /* A cursor above the stored headers hasn't got there by applying blocks. */
    uint32_t top = change->cursors[0] < extent.header_height ? change->cursors[0]
                                                             : extent.header_height;
    change->outcome.rewound = top > fork ? top - fork : 0;
    for (size_t i = 0; i < change->state->cohorts.count && result == STORE_OK; i++) {
        uint32_t id = change->state->cohorts.at[i].id;
        if (change->cursors[id] <= fork)
            continue;
        change->cursors[id] = fork;
        result = cohort_put(change->txn, id, fork, error);
    }
    return result;
}

/* A feed's publications and samples of sums that don't stand any more. */
static enum store_result retract_feed(struct ledger_change *change, uint32_t fork,
                                      const struct feed_row *feed, struct error *error)
{
    struct ledger_outcome *outcome = &change->outcome;
    struct retracted_reports reports = {.count = 0};
    struct map blocks; /* of what was published */
    map_init(&blocks, sizeof(struct block_hash), 0, change->ledger->seed);
    memcpy(reports.feed, feed->name, sizeof(reports.feed));
    enum store_result result =
        outbox_retract(change->txn, &reports, &blocks, feed->id, fork, error);
    if (result == STORE_OK)
        result = sample_retract_above(change->txn, &outcome->retracted, feed->id, fork,
                                      &blocks, error);
    map_release(&blocks);
    if (result == STORE_OK && reports.count > 0) {
        outcome->reports = mem_realloc(outcome->reports, outcome->report_count + 1,
                                       sizeof(*outcome->reports));
        outcome->reports[outcome->report_count++] = reports;
    }
    return result;
}

static enum store_result rewind_feeds(struct ledger_change *change, uint32_t fork,
                                      enum rewind_reason reason, struct error *error)
{
    struct feed_record *feeds;
    size_t count;
    enum store_result result = feed_records(change->txn, &feeds, &count, error);
    for (size_t i = 0; i < count && result == STORE_OK; i++) {
        if (reason == REWIND_RETRACT)
            result = retract_feed(change, fork, &feeds[i].row, error);
        else
            result = sample_orphan_above(change->txn, &change->outcome.orphaned,
                                         feeds[i].row.id, fork, error);
    }
    free(feeds);
    return result == STORE_OK ? outbox_rewind(change->txn, fork, error) : result;
}

/* Nothing of ours lies at or below the fork: whatever the rows say, damaged or not, they
 * go. */
static enum store_result clear_rows(struct ledger_change *change, struct error *error)
{
    enum store_result result = table_clear(change->txn, TABLE_EVENTS, error);
    if (result == STORE_OK)
        result = table_clear(change->txn, TABLE_COINS, error);
    if (result == STORE_OK)
        result = table_clear(change->txn, TABLE_TALLIES, error);
    for (size_t i = 0; i < change->state->feed_count; i++)
        change->board.now[i] = (struct tally){0};
    return result;
}

static enum store_result undo_rows(struct ledger_change *change, uint32_t fork,
                                   struct error *error)
{
    enum store_result result = undo_events(change->txn, fork, error);
    if (result == STORE_OK)
        result = restore_pruned(change, fork, error);
    return result == STORE_OK ? rewind_tallies(change, fork, error) : result;
}

uint32_t ledger_lowest_birth(const struct ledger_state *state)
{
    uint32_t lowest = HEIGHT_NONE;
    for (uint32_t id = 0; id < state->script_limit; id++) {
        if (state->cohort_of[id] != COHORT_NONE && state->birth_of[id] < lowest)
            lowest = state->birth_of[id];
    }
    return lowest;
}

enum store_result ledger_rewind(struct ledger_change *change, uint32_t fork,
                                enum rewind_reason reason, struct error *error)
{
    bool all = reason == REWIND_RETRACT && fork < ledger_lowest_birth(change->state);
    enum store_result result =
        all ? clear_rows(change, error) : undo_rows(change, fork, error);
    if (result == STORE_OK)
        result = rewind_cursors(change, fork, error);
    return result == STORE_OK ? rewind_feeds(change, fork, reason, error) : result;
}
