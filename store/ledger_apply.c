/* Applying blocks: staging, and the one transaction that makes them part of the ledger.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/ledger_state.h"

/* ---- one block ---- */

static enum store_result out_of_range(uint32_t height, struct error *error)
{
    error_set(
        error,
        "ledger: at height %u a feed's sum leaves its range; run `reservewatch audit`",
        height);
    return STORE_FAILED;
}

static enum store_result put_event(struct store_txn *txn, const struct event *event,
                                   struct error *error)
{
    struct key key = event_key(event);
    uint8_t value[EVENT_VALUE_MAX];
    size_t len = event_encode(value, event);
    return table_append(txn, TABLE_EVENTS, key_bytes(&key), (struct bytes){value, len},
                        error);
}

/* The block that is being connected. */
struct connection {
    struct ledger_change *change;
    uint32_t cohort;
    uint32_t height;
};

static enum store_result mature_coin(void *context, const struct event *event,
                                     struct error *error)
{
    const struct connection *at = context;
    struct coin coin;
    if (event->kind != EVENT_CREDIT || !event->coin.coinbase)
        return STORE_OK;
    enum store_result result =
        coin_get(at->change->txn, &coin, &event->coin.outpoint, error);
    if (result != STORE_OK)
        return result == STORE_NOT_FOUND ? STORE_OK : result;
    if (coin.created != event->height || coin.spent < at->height)
        return STORE_OK;
    return tally_board_step(&at->change->board, &coin, at->height, TALLY_MATURE)
               ? STORE_OK
               : out_of_range(at->height, error);
}

/* Consensus: a coinbase of height h - 100 may be spent from h on. */
static enum store_result mature_coins(struct connection *at, struct error *error)
{
    if (at->cohort != 0 || at->height <= COINBASE_MATURITY)
        return STORE_OK;
    uint32_t ripe = at->height - COINBASE_MATURITY;
    return events_each(at->change->txn, ripe, ripe, mature_coin, at, error);
}

static enum store_result apply_debit(struct ledger_change *change, uint32_t cohort,
                                     uint32_t height, const struct delta_item *item,
                                     struct error *error)
{
    struct coin coin;
    enum store_result result = coin_get(change->txn, &coin, &item->previous, error);
    if (result == STORE_NOT_FOUND ||
        (result == STORE_OK && script_cohort(change->state, coin.script) != cohort))
        return STORE_OK; /* a candidate that isn't ours after all */
    if (result != STORE_OK)
        return result;
    if (coin.spent != HEIGHT_NONE) {
        char text[OUTPOINT_TEXT_MAX];
        outpoint_text(text, &item->previous);
        error_set(error, "block %u spends %s, which block %u has spent already", height,
                  text, coin.spent);
        change->outcome.invalid_height = height;
        return STORE_INVALID_BLOCK;
    }
    const struct event event = {.height = height,
                                .tx_index = item->tx_index,
                                .index = item->index,
                                .kind = EVENT_DEBIT,
                                .coin = coin,
                                .txid = item->txid};
    if (!tally_board_step(&change->board, &coin, height, TALLY_REMOVE))
        return out_of_range(height, error);
    change->outcome.debits++;
    coin.spent = height;
    result = put_event(change->txn, &event, error);
    return result == STORE_OK ? coin_put(change->txn, &coin, error) : result;
}

/* BIP 30: a coinbase may repeat an earlier one, whose coin is then gone. */
static enum store_result replace_coin(struct ledger_change *change,
                                      const struct event *credit, struct error *error)
{
    struct event event = *credit;
    enum store_result result =
        coin_get(change->txn, &event.coin, &credit->coin.outpoint, error);
    if (result != STORE_OK)
        return result == STORE_NOT_FOUND ? STORE_OK : result;
    event.kind = EVENT_REPLACED;
    if (event.coin.spent == HEIGHT_NONE &&
        !tally_board_step(&change->board, &event.coin, event.height, TALLY_REMOVE))
        return out_of_range(event.height, error);
    return put_event(change->txn, &event, error);
}

static enum store_result apply_credit(struct ledger_change *change, uint32_t height,
                                      const struct delta_item *item, struct error *error)
{
    if (height < change->state->birth_of[item->script])
        return STORE_OK;
    const struct event event = {.height = height,
                                .tx_index = item->tx_index,
                                .index = item->index,
                                .kind = EVENT_CREDIT,
                                .coin = {.outpoint = {item->txid, item->index},
                                         .script = item->script,
                                         .amount = item->amount,
                                         .created = height,
                                         .spent = HEIGHT_NONE,
                                         .coinbase = item->coinbase},
                                .txid = item->txid};
    enum store_result result = replace_coin(change, &event, error);
    if (result != STORE_OK)
        return result;
    if (!tally_board_step(&change->board, &event.coin, height, TALLY_ADD))
        return out_of_range(height, error);
    change->outcome.credits++;
    result = put_event(change->txn, &event, error);
    return result == STORE_OK ? coin_put(change->txn, &event.coin, error) : result;
}

static enum store_result prune_coin(void *context, const struct event *event,
                                    struct error *error)
{
    const struct connection *at = context;
    struct coin coin;
    if (event->kind != EVENT_DEBIT ||
        script_cohort(at->change->state, event->coin.script) != at->cohort)
        return STORE_OK;
    enum store_result result =
        coin_get(at->change->txn, &coin, &event->coin.outpoint, error);
    if (result == STORE_OK && coin.created == event->coin.created &&
        coin.spent == event->height) {
        struct key key = coin_key(&coin.outpoint);
        result = table_delete(at->change->txn, TABLE_COINS, key_bytes(&key), error);
    }
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

/* Coins whose spend is LEDGER_DEPTH deep now leave the table. */
static enum store_result prune_coins(struct connection *at, struct error *error)
{
    if (at->height <= LEDGER_DEPTH)
        return STORE_OK;
    uint32_t deep = at->height - LEDGER_DEPTH;
    return events_each(at->change->txn, deep, deep, prune_coin, at, error);
}

static enum store_result put_tally(void *context, size_t slot, uint32_t height,
                                   const struct tally *tally, struct error *error)
{
    struct ledger_change *change = context;
    return tally_put(change->txn, change->state->feeds[slot].id, height, tally, error);
}

static enum store_result connect(struct ledger_change *change, uint32_t cohort,
                                 uint32_t height, const struct delta *delta,
                                 struct error *error)
{
    struct connection at = {change, cohort, height};
    enum store_result result = mature_coins(&at, error);
    for (size_t i = 0; i < delta->count && result == STORE_OK; i++) {
        const struct delta_item *item = &delta->items[i];
        result = item->credit ? apply_credit(change, height, item, error)
                              : apply_debit(change, cohort, height, item, error);
    }
    if (result == STORE_OK)
        result = prune_coins(&at, error);
    if (result == STORE_OK)
        result = tally_board_flush(&change->board, height, put_tally, change, error);
    return result;
}

/* ---- rows of the chain ---- */

static enum store_result replace_rows(struct store_txn *txn, const struct stage *stage,
                                      size_t skip, struct error *error)
{
    size_t count = stage->count - skip;
    struct block_header *headers = mem_zalloc(count, sizeof(*headers));
    for (size_t i = 0; i < count; i++)
        headers[i] = stage->rows[skip + i].header;
    enum store_result result =
        chain_rows_replace(txn, stage->base + 1 + (uint32_t)skip, headers, count, error);
    free(headers);
    return result;
}

/* Rows that are stored have to be those that the blocks were staged for. */
static enum store_result check_stored(struct store_txn *txn, const struct stage *stage,
                                      size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t height = stage->base + 1 + (uint32_t)i;
        struct chain_row row;
        enum store_result result = chain_rows_read(txn, &row, height, 1, error);
        if (result != STORE_OK)
            return result;
        if (!block_hash_equal(&row.hash, &stage->rows[i].hash)) {
            error_set(error, "block %u isn't the one whose header is stored", height);
            return STORE_STALE;
        }
    }
    return STORE_OK;
}

static enum store_result put_rows(struct store_txn *txn, const struct stage *stage,
                                  struct error *error)
{
    struct chain_extent extent;
    enum store_result result = chain_extent(txn, &extent, error);
    if (result != STORE_OK)
        return result;
    if (stage->base > extent.header_height) {
        error_set(error, "blocks from %u: headers are stored up to %u", stage->base + 1,
                  extent.header_height);
        return STORE_STALE;
    }
    size_t stored = stage->reorganise ? 0 : extent.header_height - stage->base;
    stored = stored < stage->count ? stored : stage->count;
    result = check_stored(txn, stage, stored, error);
    if (result == STORE_OK && (stage->reorganise || stored < stage->count))
        result = replace_rows(txn, stage, stored, error);
    return result;
}

/* ---- the transaction ---- */

struct commit {
    struct ledger *ledger;
    const struct ledger_batch *batch;
    struct ledger_change change;
};

static void change_init(struct ledger_change *change, struct ledger *ledger,
                        struct store_txn *txn)
{
    const struct ledger_state *state = ledger->state;
    *change = (struct ledger_change){.ledger = ledger, .txn = txn, .state = state};
    for (size_t i = 0; i < state->cohorts.count; i++)
        change->cursors[state->cohorts.at[i].id] = state->cohorts.at[i].cursor;
    tally_board_init(&change->board, &state->members, state->feed_count);
    memcpy(change->board.now, state->board.now,
           state->feed_count * sizeof(*change->board.now));
    memcpy(change->board.live, state->board.live,
           state->feed_count * sizeof(*change->board.live));
}

static void change_release(struct ledger_change *change)
{
    tally_board_release(&change->board);
    ledger_state_free(change->merged);
    change->merged = NULL;
    free(change->outcome.reports);
    change->outcome.reports = NULL;
}

/* A cohort that is behind stops where cohort 0 is: there they merge. */
static enum store_result check_reach(const struct ledger_change *change, uint32_t cohort,
                                     const struct stage *stage, struct error *error)
{
    uint32_t cursor = change->cursors[cohort];
    if (stage->count == 0)
        return STORE_OK;
    if (cursor != stage->base) {
        error_set(error, "blocks from %u: cohort %u is at %u", stage->base + 1, cohort,
                  cursor);
        return STORE_STALE;
    }
    if (cohort != 0 && stage->base + stage->count > change->cursors[0]) {
        error_set(error, "blocks up to %zu: cohort %u would outrun cohort 0 at %u",
                  stage->base + stage->count, cohort, change->cursors[0]);
        return STORE_STALE;
    }
    return STORE_OK;
}

/* Below the lowest birth there is nothing to scan again. */
static uint32_t retraction_base(const struct ledger_state *state, uint32_t base)
{
    uint32_t birth = ledger_lowest_birth(state);
    return birth != HEIGHT_NONE && birth > base + 1 ? birth - 1 : base;
}

static enum store_result commit_retraction(void *context, struct store_txn *txn,
                                           struct error *error)
{
    struct commit *commit = context;
    struct ledger_change *change = &commit->change;
    change_release(change);
    change_init(change, commit->ledger, txn);
    uint32_t base = retraction_base(change->state, commit->batch->base);
    change->outcome.base = base;
    enum store_result result = ledger_rewind(change, base, REWIND_RETRACT, error);
    return result == STORE_OK ? ledger_merge(change, error) : result;
}

static enum store_result commit_stage(void *context, struct store_txn *txn,
                                      struct error *error)
{
    struct commit *commit = context;
    struct ledger_change *change = &commit->change;
    const uint32_t cohort = commit->batch->cohort;
    const struct stage *stage = &commit->ledger->stages[cohort];
    change_release(change); /* of an attempt for which the map was too small */
    change_init(change, commit->ledger, txn);
    change->outcome.base = stage->base;
    enum store_result result = STORE_OK;
    if (stage->reorganise)
        result = ledger_rewind(change, stage->base, REWIND_ORPHAN, error);
    if (result == STORE_OK)
        result = check_reach(change, cohort, stage, error);
    if (result == STORE_OK && (stage->reorganise || stage->count > 0))
        result = put_rows(txn, stage, error);
    for (size_t i = 0; i < stage->count && result == STORE_OK; i++)
        result = connect(change, cohort, stage->base + 1 + (uint32_t)i, &stage->deltas[i],
                         error);
    if (result == STORE_OK && stage->count > 0) {
        change->cursors[cohort] += (uint32_t)stage->count;
        result = cohort_put(txn, cohort, change->cursors[cohort], error);
    }
    return result == STORE_OK ? ledger_merge(change, error) : result;
}

/* The transaction is durable: the memory follows. */
static void take_over(struct commit *commit)
{
    struct ledger *ledger = commit->ledger;
    struct ledger_change *change = &commit->change;
    uint32_t cohort = commit->batch->cohort;
    bool reorganised = commit->batch->retract || ledger->stages[cohort].reorganise;
    if (change->merged != NULL) {
        ledger_adopt(ledger, change->merged);
        change->merged = NULL;
        return;
    }
    struct ledger_state *state = ledger->state;
    for (size_t i = 0; i < state->cohorts.count; i++)
        state->cohorts.at[i].cursor = change->cursors[state->cohorts.at[i].id];
    memcpy(state->board.now, change->board.now,
           state->feed_count * sizeof(*state->board.now));
    /* Blocks on their way may have been passed by for what is known to be wrong. */
    if (commit->batch->retract)
        state->cohorts.epoch = ++ledger->epoch;
    for (uint32_t i = 0; i < COHORTS_MAX; i++) {
        if (reorganised || i == cohort)
            stage_clear(&ledger->stages[i]);
    }
}

static enum store_result
stage_batch(struct ledger *ledger, const struct ledger_batch *batch, struct error *error)
{
    struct store_txn *txn;
    enum store_result result = store_begin(ledger->store, &txn, STORE_READ, error);
    if (result != STORE_OK)
        return result;
    result = stage_add(ledger, txn, batch, error);
    store_abort(txn);
    return result;
}

/* Commit, or let everything be as it was. */
static enum store_result perform(struct commit *commit, store_change *change,
                                 struct ledger_outcome *outcome, struct error *error)
{
    enum store_result result = store_update(commit->ledger->store, change, commit, error);
    if (result == STORE_OK)
        take_over(commit);
    else
        change_release(&commit->change);
    *outcome = commit->change.outcome;
    commit->change.outcome.reports = NULL; /* the caller's now */
    change_release(&commit->change);
    return result;
}

enum store_result ledger_apply(struct ledger *ledger, const struct ledger_batch *batch,
                               struct ledger_outcome *outcome, struct error *error)
{
    assert(batch->count < HEIGHT_NONE - batch->base);
    assert(!batch->retract || (batch->count == 0 && batch->reorganise && batch->commit));
    *outcome = (struct ledger_outcome){0};
    if (batch->epoch != ledger->epoch ||
        ledger_cohort(ledger->state, batch->cohort) == NULL) {
        error_set(error, "blocks from %u: the cohorts have changed since",
                  batch->base + 1);
        return STORE_STALE;
    }
    struct commit commit = {.ledger = ledger, .batch = batch};
    if (batch->retract)
        return perform(&commit, commit_retraction, outcome, error);

    struct stage *stage = &ledger->stages[batch->cohort];
    bool started = !stage->active;
    enum store_result result = stage_batch(ledger, batch, error);
    if (result != STORE_OK || !batch->commit)
        return result;
    result = perform(&commit, commit_stage, outcome, error);
    if (result != STORE_OK && started)
        stage_clear(stage);
    else if (result != STORE_OK)
        stage_drop(stage, batch->count);
    return result;
}
