/* Samples: a feed's sum at one block, taken at one time. */
#ifndef STORE_SAMPLE_H
#define STORE_SAMPLE_H

#include "base/money.h"
#include "base/time.h"
#include "store/store.h"

/* What every operator's machine must produce byte for byte. */
struct statement {
    struct block_hash genesis;
    uint32_t height;
    struct block_hash block;
    struct block_time time; /* BIP 113 median of headers height-10 to height */
    uint8_t set_hash[32];
    struct amount amount;
    uint64_t coins;
};

enum sample_state { SAMPLE_GOOD, SAMPLE_REFUSED, SAMPLE_ORPHANED, SAMPLE_RETRACTED };

#define SAMPLE_REASONS_MAX 8
#define SAMPLE_REASON_TEXT_MAX 160
struct sample_reason {
    uint8_t gate; /* enum gate (feeds/gate.h) */
    char text[SAMPLE_REASON_TEXT_MAX];
};

struct sample {
    uint64_t sequence; /* rises with every sample of the feed; set by sample_append */
    enum sample_state state;
    bool has_statement; /* false: refused before a sum could be told */
    struct statement statement;
    struct wall_time taken;
    uint32_t confirmations;
    uint32_t tip_height;
    uint64_t scripts;
    uint32_t peers_agreeing;
    bool single_peer;
    bool trusted_peer;
    /* Heights up to the statement's whose scan may rest on peers' filters that no pinned
     * filter header covers; both 0: none. */
    uint32_t filters_from, filters_to;
    bool published; /* known of retracted ones only: a report of its block went out */
    struct amount immature, spent_above;
    uint64_t immature_coins, coins_spent_above;
    struct sample_reason reasons[SAMPLE_REASONS_MAX];
    size_t reason_count;
};

NODISCARD enum store_result sample_append(struct store_txn *txn, uint32_t feed,
                                          struct sample *sample, struct error *error);
/* The newest, or the newest in state SAMPLE_GOOD; STORE_NOT_FOUND if there is none. */
NODISCARD enum store_result sample_newest(struct store_txn *txn, struct sample *out,
                                          uint32_t feed, struct error *error);
NODISCARD enum store_result sample_newest_good(struct store_txn *txn, struct sample *out,
                                               uint32_t feed, struct error *error);
/* Walk from the newest to older ones; the callback's false stops. */
NODISCARD enum store_result sample_each(struct store_txn *txn, uint32_t feed,
                                        bool (*each)(void *context,
                                                     const struct sample *sample),
                                        void *context, struct error *error);
/* Mark a feed's good samples above `height` orphaned (within a reorganisation), or
 * retracted; of the latter those in `published` (set of block hashes) as published. Adds
 * up how many. */
struct map;
NODISCARD enum store_result sample_orphan_above(struct store_txn *txn, uint64_t *orphaned,
                                                uint32_t feed, uint32_t height,
                                                struct error *error);
NODISCARD enum store_result
sample_retract_above(struct store_txn *txn, uint64_t *retracted, uint32_t feed,
                     uint32_t height, const struct map *published, struct error *error);
/* Thin out: of samples taken before `before`, keep the last of each day (UTC), those
 * whose state differs from the one before, and retracted ones that were published. At
 * most `limit` rows are looked at a call. */
NODISCARD enum store_result sample_thin(struct store_txn *txn, uint32_t feed,
                                        struct wall_time before, size_t limit,
                                        struct error *error);

/* The statement of a feed at a height at or below cohort 0's cursor. */
struct feed_row;
NODISCARD enum store_result statement_at(struct store_txn *txn, struct statement *out,
                                         const struct feed_row *feed, uint32_t height,
                                         struct error *error);

#endif
