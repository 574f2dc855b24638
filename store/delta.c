#include "store/delta.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"

_Static_assert(sizeof(struct outpoint) == 36, "an outpoint is a map's key: no padding");

static void push(struct delta *delta, const struct delta_item *item)
{
    delta->items =
        mem_grow(delta->items, &delta->capacity, delta->count + 1, sizeof(*delta->items));
    delta->items[delta->count++] = *item;
}

void delta_scan(struct delta *delta, const struct block *block,
                const struct script_set *scripts, const uint64_t seed[static 2],
                bool (*known)(void *context, const struct outpoint *outpoint),
                void *context)
{
    struct map created; /* outpoints of this block that pay us */
    map_init(&created, sizeof(struct outpoint), 0, seed);
    for (uint32_t t = 0; t < block->tx_count; t++) {
        const struct tx *tx = &block->txs[t];
        /* The first transaction is the coinbase: its input spends nothing. */
        for (uint32_t i = 0; t > 0 && i < tx->in_count; i++) {
            const struct outpoint *previous = &block->ins[tx->first_in + i].previous;
            if ((created.count > 0 && map_find(&created, previous) != NULL) ||
                known(context, previous))
                push(delta, &(struct delta_item){.tx_index = t,
                                                 .index = i,
                                                 .txid = tx->txid,
                                                 .previous = *previous});
        }
        for (uint32_t i = 0; i < tx->out_count; i++) {
            const struct tx_out *out = &block->outs[tx->first_out + i];
            uint32_t script = script_set_find(scripts, out->script);
            if (script == SCRIPT_ID_NONE)
                continue;
            map_put(&created, &(struct outpoint){tx->txid, i}, NULL);
            push(delta, &(struct delta_item){.credit = true,
                                             .tx_index = t,
                                             .index = i,
                                             .txid = tx->txid,
                                             .script = script,
                                             .amount = out->amount,
                                             .coinbase = t == 0});
        }
    }
    map_release(&created);
}

void delta_release(struct delta *delta)
{
    free(delta->items);
    *delta = (struct delta){0};
}
