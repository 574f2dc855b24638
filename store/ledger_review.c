/* Looking at a block again that has been scanned, or passed by because of its filter. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/ledger_state.h"

/* Where something happens in a block. */
struct place {
    uint32_t tx_index;
    uint32_t index; /* vout of a credit, vin of a debit */
    uint32_t credit;
};

struct reviewing {
    struct ledger *ledger;
    struct store_txn *txn;
    const struct block *block;
    uint32_t height;
    bool stored;              /* it is the block of the stored chain */
    bool staged[COHORTS_MAX]; /* by cohort: the stage has passed it */
    struct map known;         /* places of what the ledger has, or has staged */
    struct map paid;          /* outpoints of this block that pay us -> script */
    struct map spent;         /* scripts of our coins that the block spends */
    struct ledger_review *out;
};

/* ---- which block ---- */

static bool stage_has(const struct stage *stage, uint32_t height,
                      const struct block_hash *hash)
{
    return stage->active && height > stage->base &&
           height - stage->base <= stage->count &&
           block_hash_equal(&stage->rows[height - stage->base - 1].hash, hash);
}

static enum store_result find_block(struct reviewing *at, const struct block_hash *hash,
                                    struct error *error)
{
    struct chain_extent extent;
    struct chain_row row;
    bool found = false;
    enum store_result result = chain_extent(at->txn, &extent, error);
    if (result == STORE_OK && at->height <= extent.header_height) {
        result = chain_rows_read(at->txn, &row, at->height, 1, error);
        found = at->stored = result == STORE_OK && block_hash_equal(&row.hash, hash);
    }
    for (size_t i = 0; i < COHORTS_MAX; i++)
        found |= at->staged[i] = stage_has(&at->ledger->stages[i], at->height, hash);
    if (result != STORE_OK || (found && block_hash_equal(&at->block->hash, hash)))
        return result;
    error_set(error, "the block to review isn't the ledger's at height %u", at->height);
    return STORE_STALE;
}

/* Whether the script's cohort has passed the block. */
static bool passed(const struct reviewing *at, uint32_t script)
{
    uint32_t id = script_cohort(at->ledger->state, script);
    if (id == COHORT_NONE)
        return false;
    const struct stage *stage = &at->ledger->stages[id];
    bool leaves = stage->active && stage->reorganise && stage->base < at->height;
    return at->staged[id] || (at->stored && !leaves &&
                              ledger_cohort(at->ledger->state, id)->cursor >= at->height);
}

/* ---- what the ledger has ---- */

static enum store_result stray(const struct event *event, struct error *error)
{
    char text[OUTPOINT_TEXT_MAX];
    outpoint_text(text, &event->coin.outpoint);
    error_set(error,
              "ledger: at height %u it has an event of coin %s that the block doesn't "
              "hold; run `reservewatch audit`, then rescan",
              event->height, text);
    return STORE_FAILED;
}

static uint32_t find_script(const struct reviewing *at, struct bytes script)
{
    const struct cohort_table *cohorts = &at->ledger->state->cohorts;
    for (size_t i = 0; i < cohorts->count; i++) {
        uint32_t id = script_set_find(cohorts->at[i].scripts, script);
        if (id != SCRIPT_ID_NONE)
            return id;
    }
    return SCRIPT_ID_NONE;
}

/* Whether the block does what the event says. */
static bool block_holds(const struct reviewing *at, const struct event *event)
{
    const struct block *block = at->block;
    if (event->tx_index >= block->tx_count)
        return false;
    const struct tx *tx = &block->txs[event->tx_index];
    if (memcmp(&tx->txid, &event->txid, sizeof(tx->txid)) != 0)
        return false;
    if (event->kind == EVENT_DEBIT)
        return event->tx_index > 0 && event->index < tx->in_count &&
               outpoint_equal(&block->ins[tx->first_in + event->index].previous,
                              &event->coin.outpoint);
    if (event->index >= tx->out_count)
        return false;
    const struct tx_out *out = &block->outs[tx->first_out + event->index];
    uint32_t script = find_script(at, out->script);
    if (event->kind == EVENT_REPLACED)
        return script != SCRIPT_ID_NONE;
    return script == event->coin.script && out->amount.sat == event->coin.amount.sat &&
           event->coin.coinbase == (event->tx_index == 0);
}

static enum store_result take_event(void *context, const struct event *event,
                                    struct error *error)
{
    struct reviewing *at = context;
    if (!block_holds(at, event))
        return stray(event, error);
    if (event->kind == EVENT_REPLACED)
        return STORE_OK; /* it comes and goes with its credit */
    const struct place place = {event->tx_index, event->index,
                                event->kind == EVENT_CREDIT};
    map_put(&at->known, &place, NULL);
    if (event->kind == EVENT_DEBIT)
        map_put(&at->spent, &event->coin.script, NULL);
    return STORE_OK;
}

static enum store_result take_known(struct reviewing *at, struct error *error)
{
    for (size_t c = 0; c < COHORTS_MAX; c++) {
        const struct stage *stage = &at->ledger->stages[c];
        const struct delta *delta =
            at->staged[c] ? &stage->deltas[at->height - stage->base - 1] : NULL;
        for (size_t i = 0; delta != NULL && i < delta->count; i++) {
            const struct delta_item *item = &delta->items[i];
            const struct place place = {item->tx_index, item->index, item->credit};
            map_put(&at->known, &place, NULL);
        }
    }
    if (!at->stored)
        return STORE_OK;
    return events_each(at->txn, at->height, at->height, take_event, at, error);
}

/* ---- what the block holds ---- */

struct older {
    struct coin *coin;
    bool found;
};

static enum store_result find_replaced(void *context, const struct event *event,
                                       struct error *error)
{
    (void)error;
    struct older *older = context;
    if (event->kind != EVENT_REPLACED ||
        !outpoint_equal(&event->coin.outpoint, &older->coin->outpoint))
        return STORE_OK;
    *older->coin = event->coin;
    older->found = true;
    return STORE_OK;
}

/* Our coin with this outpoint as of below the block. A later coinbase may have replaced
 * it since (BIP 30): then an event has it. */
static enum store_result coin_below(const struct reviewing *at, struct coin *out,
                                    const struct outpoint *outpoint, struct error *error)
{
    enum store_result result = coin_get(at->txn, out, outpoint, error);
    while (result == STORE_OK && out->created >= at->height) {
        const uint32_t created = out->created;
        struct older older = {.coin = out};
        result = events_each(at->txn, created, created, find_replaced, &older, error);
        if (result == STORE_OK && (!older.found || out->created >= created))
            return STORE_NOT_FOUND;
    }
    return result;
}

/* A coin of which nothing but a stage knows. */
static bool stage_knows(const struct reviewing *at, const struct outpoint *outpoint)
{
    for (size_t i = 0; i < COHORTS_MAX; i++) {
        const struct stage *stage = &at->ledger->stages[i];
        if (at->staged[i] && (map_find(&stage->created, outpoint) != NULL ||
                              map_find(&stage->restored, outpoint) != NULL))
            return true;
    }
    return false;
}

static enum store_result review_input(struct reviewing *at, const struct place *place,
                                      const struct outpoint *previous,
                                      struct error *error)
{
    const struct ledger_state *state = at->ledger->state;
    bool has = map_find(&at->known, place) != NULL, ours = false;
    uint32_t script = SCRIPT_ID_NONE;
    struct coin coin;
    const void *paid = map_find(&at->paid, previous);
    if (paid != NULL) {
        memcpy(&script, paid, sizeof(script));
        ours = passed(at, script) && at->height >= state->birth_of[script];
    } else {
        enum store_result result = coin_below(at, &coin, previous, error);
        if (result != STORE_OK && result != STORE_NOT_FOUND)
            return result;
        if (result == STORE_OK)
            script = coin.script;
        ours = result == STORE_OK ? passed(at, script) : stage_knows(at, previous);
        if (result == STORE_OK && ours && !has && coin.spent == at->height)
            return table_damaged(TABLE_EVENTS, "the debit of a spent coin isn't there",
                                 error);
    }
    if (script != SCRIPT_ID_NONE)
        map_put(&at->spent, &script, NULL);
    at->out->debits += ours && !has;
    return STORE_OK;
}

static void review_output(struct reviewing *at, const struct place *place,
                          const struct txid *txid, const struct tx_out *out)
{
    uint32_t script = find_script(at, out->script);
    if (script == SCRIPT_ID_NONE)
        return;
    const struct outpoint outpoint = {*txid, place->index};
    memcpy(map_put(&at->paid, &outpoint, NULL), &script, sizeof(script));
    at->out->credits += passed(at, script) &&
                        at->height >= at->ledger->state->birth_of[script] &&
                        map_find(&at->known, place) == NULL;
}

static enum store_result review_block(struct reviewing *at, struct error *error)
{
    enum store_result result = STORE_OK;
    for (uint32_t t = 0; t < at->block->tx_count; t++) {
        const struct tx *tx = &at->block->txs[t];
        /* The first transaction is the coinbase: its input spends nothing. */
        for (uint32_t i = 0; t > 0 && i < tx->in_count && result == STORE_OK; i++)
            result = review_input(at, &(struct place){t, i, false},
                                  &at->block->ins[tx->first_in + i].previous, error);
        for (uint32_t i = 0; i < tx->out_count; i++)
            review_output(at, &(struct place){t, i, true}, &tx->txid,
                          &at->block->outs[tx->first_out + i]);
    }
    return result;
}

static enum store_result collect_spent(struct reviewing *at, struct error *error)
{
    size_t capacity = at->spent.count, count = 0, place = 0;
    struct bytes *scripts = mem_zalloc(capacity, sizeof(*scripts));
    uint32_t *ids = mem_zalloc(capacity, sizeof(*ids));
    const void *id;
    void *none;
    enum store_result result = STORE_OK;
    while (result == STORE_OK && map_next(&at->spent, &place, &id, &none)) {
        struct script_record record;
        struct bytes value;
        memcpy(&ids[count], id, sizeof(*ids));
        struct key key = key_u32(ids[count]);
        result = table_get(at->txn, &value, TABLE_SCRIPTS, key_bytes(&key), error);
        if (result != STORE_OK || !script_decode(&record, key_bytes(&key), value))
            result = table_damaged(TABLE_SCRIPTS, "a row is gone or malformed", error);
        else
            scripts[count++] = record.script;
    }
    at->out->spent = script_set_new(scripts, ids, count, at->ledger->seed);
    free(scripts);
    free(ids);
    return result;
}

enum store_result ledger_review(struct ledger *ledger, struct ledger_review *review,
                                uint32_t height, const struct block_hash *hash,
                                const struct block *block, struct error *error)
{
    struct reviewing at = {
        .ledger = ledger, .block = block, .height = height, .out = review};
    *review = (struct ledger_review){0};
    enum store_result result = store_begin(ledger->store, &at.txn, STORE_READ, error);
    if (result != STORE_OK)
        return result;
    map_init(&at.known, sizeof(struct place), 0, ledger->seed);
    map_init(&at.paid, sizeof(struct outpoint), sizeof(uint32_t), ledger->seed);
    map_init(&at.spent, sizeof(uint32_t), 0, ledger->seed);
    result = find_block(&at, hash, error);
    if (result == STORE_OK)
        result = take_known(&at, error);
    if (result == STORE_OK)
        result = review_block(&at, error);
    if (result == STORE_OK)
        result = collect_spent(&at, error);
    review->lacks = review->credits > 0 || review->debits > 0;
    map_release(&at.known);
    map_release(&at.paid);
    map_release(&at.spent);
    store_abort(at.txn);
    return result;
}

void ledger_review_release(struct ledger_review *review)
{
    script_set_unref(review->spent);
    *review = (struct ledger_review){0};
}
