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

/* Consensus: a coinbase of height h - 100 may be spent from h on. */
static enum store_result mature_coins(struct ledger_change *change, uint32_t height,
                                      struct error *error)
{
    if (height <= COINBASE_MATURITY)
        return STORE_OK;
    struct key prefix = key_u32(height - COINBASE_MATURITY);
    struct walk walk;
    enum store_result result = walk_open(&walk, change->txn, TABLE_EVENTS, error);
    if (result == STORE_OK)
        result = walk_seek(&walk, key_bytes(&prefix), error);
    for (; result == STORE_OK && bytes_start_with(walk.key, key_bytes(&prefix));
         result = walk_next(&walk, error)) {
        struct event event;
        struct coin coin;
        if (!event_decode(&event, walk.key, walk.value)) {
            result = table_damaged(TABLE_EVENTS, "a row is malformed", error);
            break;
        }
        if (event.kind != EVENT_CREDIT || !event.coin.coinbase)
            continue;
        result = coin_get(change->txn, &coin, &event.coin.outpoint, error);
        if (result == STORE_NOT_FOUND)
            continue;
        if (result != STORE_OK)
            break;
        if (coin.created != event.height || coin.spent < height)
            continue;
        if (!tally_board_step(&change->board, &coin, height, TALLY_MATURE)) {
            result = out_of_range(height, error);
            break;
        }
    }
    walk_close(&walk);
    return result == STORE_NOT_FOUND ? STORE_OK : result;
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

/* Coins whose spend is LEDGER_DEPTH deep now leave the table. */
static enum store_result prune_coins(struct ledger_change *change, uint32_t cohort,
                                     uint32_t height, struct error *error)
{
    if (height <= LEDGER_DEPTH)
        return STORE_OK;
    struct key prefix = key_u32(height - LEDGER_DEPTH);
    struct walk walk;
    enum store_result result = walk_open(&walk, change->txn, TABLE_EVENTS, error);
    if (result == STORE_OK)
        result = walk_seek(&walk, key_bytes(&prefix), error);
    for (; result == STORE_OK && bytes_start_with(walk.key, key_bytes(&prefix));
         result = walk_next(&walk, error)) {
        struct event event;
        struct coin coin;
        if (!event_decode(&event, walk.key, walk.value)) {
            result = table_damaged(TABLE_EVENTS, "a row is malformed", error);
            break;
        }
        if (event.kind != EVENT_DEBIT ||
            script_cohort(change->state, event.coin.script) != cohort)
            continue;
        result = coin_get(change->txn, &coin, &event.coin.outpoint, error);
        if (result == STORE_OK && coin.created == event.coin.created &&
            coin.spent == event.height) {
            struct key key = coin_key(&coin.outpoint);
            result = table_delete(change->txn, TABLE_COINS, key_bytes(&key), error);
        }
        if (result != STORE_OK && result != STORE_NOT_FOUND)
            break;
    }
    walk_close(&walk);
    return result == STORE_NOT_FOUND ? STORE_OK : result;
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
    enum store_result result = STORE_OK;
    if (cohort == 0)
        result = mature_coins(change, height, error);
    for (size_t i = 0; i < delta->count && result == STORE_OK; i++) {
        const struct delta_item *item = &delta->items[i];
        result = item->credit ? apply_credit(change, height, item, error)
                              : apply_debit(change, cohort, height, item, error);
    }
    if (result == STORE_OK)
        result = prune_coins(change, cohort, height, error);
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
    uint32_t cohort;
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

static enum store_result commit_stage(void *context, struct store_txn *txn,
                                      struct error *error)
{
    struct commit *commit = context;
    struct ledger_change *change = &commit->change;
    const struct stage *stage = &commit->ledger->stages[commit->cohort];
    change_release(change); /* of an attempt for which the map was too small */
    change_init(change, commit->ledger, txn);
    change->outcome.base = stage->base;
    enum store_result result = STORE_OK;
    if (stage->reorganise)
        result = ledger_rewind(change, stage->base, error);
    if (result == STORE_OK)
        result = check_reach(change, commit->cohort, stage, error);
    if (result == STORE_OK && (stage->reorganise || stage->count > 0))
        result = put_rows(txn, stage, error);
    for (size_t i = 0; i < stage->count && result == STORE_OK; i++)
        result = connect(change, commit->cohort, stage->base + 1 + (uint32_t)i,
                         &stage->deltas[i], error);
    if (result == STORE_OK && stage->count > 0) {
        change->cursors[commit->cohort] += (uint32_t)stage->count;
        result = cohort_put(txn, commit->cohort, change->cursors[commit->cohort], error);
    }
    return result == STORE_OK ? ledger_merge(change, error) : result;
}

/* The transaction is durable: the memory follows. */
static void take_over(struct commit *commit)
{
    struct ledger *ledger = commit->ledger;
    struct ledger_change *change = &commit->change;
    bool reorganised = ledger->stages[commit->cohort].reorganise;
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
    for (uint32_t i = 0; i < COHORTS_MAX; i++) {
        if (reorganised || i == commit->cohort)
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

enum store_result ledger_apply(struct ledger *ledger, const struct ledger_batch *batch,
                               struct ledger_outcome *outcome, struct error *error)
{
    assert(batch->count < HEIGHT_NONE - batch->base);
    *outcome = (struct ledger_outcome){0};
    if (batch->epoch != ledger->epoch ||
        ledger_cohort(ledger->state, batch->cohort) == NULL) {
        error_set(error, "blocks from %u: the cohorts have changed since",
                  batch->base + 1);
        return STORE_STALE;
    }
    struct stage *stage = &ledger->stages[batch->cohort];
    bool started = !stage->active;
    enum store_result result = stage_batch(ledger, batch, error);
    if (result != STORE_OK || !batch->commit)
        return result;

    struct commit commit = {.ledger = ledger, .cohort = batch->cohort};
    result = store_update(ledger->store, commit_stage, &commit, error);
    *outcome = commit.change.outcome;
    if (result == STORE_OK)
        take_over(&commit);
    else if (started)
        stage_clear(stage);
    else
        stage_drop(stage, batch->count);
    change_release(&commit.change);
    return result;
}
