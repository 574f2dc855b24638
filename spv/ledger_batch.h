/* What the core has the ledger do: consecutive blocks for one cohort, heights base + 1 ..
 * base + count. */
#ifndef SPV_LEDGER_BATCH_H
#define SPV_LEDGER_BATCH_H

#include "spv/block.h"
#include "spv/chain_row.h"

struct ledger_batch {
    uint64_t epoch; /* of the cohort table that this was prepared for; if it is another
                       one by now, the batch is stale */
    uint32_t cohort;
    uint32_t base;
    struct chain_row *rows; /* headers and hashes; filter headers go on their own */
    struct block **blocks; /* one a row; NULL: its filter says nothing of ours is in it */
    size_t count;
    /* The rows replace the chain above `base`: every cohort is rewound to it first,
     * samples above it become orphaned. Else base is the cohort's cursor, and rows that
     * aren't stored yet are appended. */
    bool reorganise;
    /* With `reorganise` and `commit`, without rows: something was found that the ledger
     * lacks, or what it rests on was false. The chain stays as it is; every cohort is
     * taken back to `base` (no further than to below the lowest birth) to be scanned
     * again, what any has staged is forgotten. All good samples above become retracted:
     * what the second scan will find, and of which feeds, isn't known yet. So do their
     * publications; those that haven't gone out are superseded. */
    bool retract;
    /* False: keep what the blocks do to us in memory until a later call for the same
     * cohort, whose base follows on, commits; nothing is written. */
    bool commit;
};

#endif
