/* What a block does to a cohort: the outputs that pay its scripts, and the inputs that
 * may spend its coins. Pure: nothing is read but the block. */
#ifndef STORE_DELTA_H
#define STORE_DELTA_H

#include "base/money.h"
#include "spv/block.h"
#include "spv/script_set.h"

struct delta_item {
    bool credit;       /* else a candidate debit */
    uint32_t tx_index; /* in the block */
    uint32_t index;    /* vout of a credit, vin of a debit */
    struct txid txid;
    struct outpoint previous; /* debit: what it spends */
    uint32_t script;          /* credit: id */
    struct amount amount;     /* credit */
    bool coinbase;            /* credit */
};

/* Items in chain order: by transaction, debits before credits. */
struct delta {
    struct delta_item *items;
    size_t count, capacity;
};

/* Append what the block does (zero-initialise *delta first). `known` says whether an
 * outpoint of an earlier block may be a coin of ours: a superset is right, for a debit is
 * judged when it is applied. Outputs of the same block are known by themselves. */
void delta_scan(struct delta *delta, const struct block *block,
                const struct script_set *scripts, const uint64_t seed[static 2],
                bool (*known)(void *context, const struct outpoint *outpoint),
                void *context);
void delta_release(struct delta *delta);

#endif
