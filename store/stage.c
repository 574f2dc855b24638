/* Staging: blocks become deltas in memory before anything is written. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/ledger_state.h"

/* What the dropped blocks created stays known: a superset is right. */
void stage_drop(struct stage *stage, size_t count)
{
    for (; count > 0; count--)
        delta_release(&stage->deltas[--stage->count]);
}

void stage_clear(struct stage *stage)
{
    if (!stage->active)
        return;
    for (size_t i = 0; i < stage->count; i++)
        delta_release(&stage->deltas[i]);
    free(stage->rows);
    free(stage->deltas);
    map_release(&stage->created);
    map_release(&stage->restored);
    *stage = (struct stage){0};
}

void ledger_unstage(struct ledger *ledger, uint32_t cohort)
{
    if (cohort < COHORTS_MAX)
        stage_clear(&ledger->stages[cohort]);
}

static enum store_result note_debit(void *context, const struct event *event,
                                    struct error *error)
{
    (void)error;
    struct stage *stage = context;
    if (event->kind == EVENT_DEBIT)
        map_put(&stage->restored, &event->coin.outpoint, NULL);
    return STORE_OK;
}

/* Coins that were spent above the fork are there again after rewinding, even if their
 * rows are pruned by now. */
static enum store_result note_restored(struct stage *stage, struct store_txn *txn,
                                       struct error *error)
{
    return events_each(txn, stage->base + 1, HEIGHT_NONE, note_debit, stage, error);
}

static enum store_result stage_start(struct ledger *ledger, struct store_txn *txn,
                                     const struct ledger_batch *batch,
                                     struct error *error)
{
    struct stage *stage = &ledger->stages[batch->cohort];
    const struct cohort *cohort = ledger_cohort(ledger->state, batch->cohort);
    if (!batch->reorganise && batch->base != cohort->cursor) {
        error_set(error, "blocks from %u: cohort %u is at %u", batch->base + 1,
                  batch->cohort, cohort->cursor);
        return STORE_STALE;
    }
    *stage = (struct stage){
        .active = true, .reorganise = batch->reorganise, .base = batch->base};
    map_init(&stage->created, sizeof(struct outpoint), 0, ledger->seed);
    map_init(&stage->restored, sizeof(struct outpoint), 0, ledger->seed);
    return batch->reorganise ? note_restored(stage, txn, error) : STORE_OK;
}

/* The batch has to be a chain by itself: our planner's mistake if it isn't. */
static enum store_result check_links(const struct stage *stage,
                                     const struct ledger_batch *batch,
                                     struct error *error)
{
    const struct block_hash *below =
        stage->count > 0 ? &stage->rows[stage->count - 1].hash : NULL;
    for (size_t i = 0; i < batch->count; i++) {
        const struct chain_row *row = &batch->rows[i];
        const struct block *block = batch->blocks[i];
        struct block_hash hash;
        block_header_hash(&hash, &row->header);
        if (!block_hash_equal(&hash, &row->hash) ||
            (below != NULL && !block_hash_equal(&row->header.previous, below)) ||
            (block != NULL && !block_hash_equal(&block->hash, &row->hash))) {
            error_set(error,
                      "block %zu of the batch above %u isn't linked to the one "
                      "before",
                      i + 1, batch->base);
            return STORE_FAILED;
        }
        below = &row->hash;
    }
    return STORE_OK;
}

struct knowledge {
    const struct stage *stage;
    struct store_txn *txn;
    enum store_result result;
    struct error *error;
};

static bool known(void *context, const struct outpoint *outpoint)
{
    struct knowledge *knowledge = context;
    const struct stage *stage = knowledge->stage;
    if ((stage->created.count > 0 && map_find(&stage->created, outpoint) != NULL) ||
        (stage->restored.count > 0 && map_find(&stage->restored, outpoint) != NULL))
        return true;
    struct coin coin;
    enum store_result result =
        coin_get(knowledge->txn, &coin, outpoint, knowledge->error);
    if (result != STORE_OK && result != STORE_NOT_FOUND)
        knowledge->result = result;
    return result == STORE_OK;
}

static enum store_result stage_block(struct ledger *ledger, struct store_txn *txn,
                                     const struct ledger_batch *batch, size_t i,
                                     struct error *error)
{
    struct stage *stage = &ledger->stages[batch->cohort];
    const struct cohort *cohort = ledger_cohort(ledger->state, batch->cohort);
    struct knowledge knowledge = {stage, txn, STORE_OK, error};
    struct delta delta = {0};
    if (batch->blocks[i] != NULL)
        delta_scan(&delta, batch->blocks[i], cohort->scripts, ledger->seed, known,
                   &knowledge);
    if (knowledge.result != STORE_OK) {
        delta_release(&delta);
        return knowledge.result;
    }
    stage->rows = mem_grow(stage->rows, &stage->row_capacity, stage->count + 1,
                           sizeof(*stage->rows));
    stage->deltas = mem_grow(stage->deltas, &stage->delta_capacity, stage->count + 1,
                             sizeof(*stage->deltas));
    stage->rows[stage->count] = batch->rows[i];
    stage->deltas[stage->count++] = delta;
    for (size_t k = 0; k < delta.count; k++) {
        const struct delta_item *item = &delta.items[k];
        if (item->credit)
            map_put(&stage->created, &(struct outpoint){item->txid, item->index}, NULL);
    }
    return STORE_OK;
}

enum store_result stage_add(struct ledger *ledger, struct store_txn *txn,
                            const struct ledger_batch *batch, struct error *error)
{
    struct stage *stage = &ledger->stages[batch->cohort];
    size_t before = stage->count;
    bool started = !stage->active;
    enum store_result result = STORE_OK;
    if (started) {
        result = stage_start(ledger, txn, batch, error);
    } else if (batch->base != stage->base + stage->count) {
        error_set(error, "blocks from %u: cohort %u has staged up to %zu",
                  batch->base + 1, batch->cohort, stage->base + stage->count);
        return STORE_STALE;
    }
    if (result == STORE_OK)
        result = check_links(stage, batch, error);
    for (size_t i = 0; i < batch->count && result == STORE_OK; i++)
        result = stage_block(ledger, txn, batch, i, error);
    if (result != STORE_OK && stage->active) {
        if (started)
            stage_clear(stage);
        else
            stage_drop(stage, stage->count - before);
    }
    return result;
}
