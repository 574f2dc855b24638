/* Taking a sample of every feed, on the store's thread, in two steps, because peers and
 * forks are known elsewhere:
 *
 *   sampling_prepare   read which block each feed's sample is about
 *   (the shell fills in what it knows of that block: the fields marked below)
 *   sampling_take      add up, audit, and append the samples
 *
 * Both may be in one transaction or in two; if the chain or the feeds changed in between,
 * sampling_take says STORE_STALE, and it is to be begun again. */
#ifndef FEEDS_SAMPLING_H
#define FEEDS_SAMPLING_H

#include "feeds/gate.h"
#include "store/ledger.h"

struct sampling_target {
    /* Set by sampling_prepare. */
    struct feed_row feed;
    bool chain_short; /* fewer blocks than confirmations: no block, no sum */
    uint32_t height;  /* H; 0 if chain_short */
    struct block_hash block;

    /* Filled in by the shell: every gate but audit and backfill, which sampling_take sets
     * (when the tables can't be told to agree, since there is no block or no sum, audit
     * holds unless there is a contradiction). */
    struct gate_report gates;
    uint32_t peers_agreeing;
    bool single_peer, trusted_peer;
    uint32_t filters_from, filters_to; /* as struct sample's */
    /* What one's own node holds against the feed's coins, which fails the gate audit;
     * empty: nothing. */
    char contradiction[SAMPLE_REASON_TEXT_MAX];

    struct sample sample; /* set by sampling_take: as appended */
};

struct sampling {
    struct sampling_target *targets; /* by feed name */
    size_t count;
    uint32_t tip; /* the newest block that counts for the sums: cohort 0's cursor */
    uint32_t backfill_height; /* what the hindmost cohort has reached */

    /* Filled in by the shell. */
    struct wall_time taken;
    uint64_t
        scripts_behind; /* scripts outside of cohort 0, over all feeds; 0 if not known */
};

/* Find the block of each feed. STORE_NOT_FOUND if nothing is watched. The caller calls
 * sampling_release. */
NODISCARD enum store_result sampling_prepare(struct store_txn *txn, struct sampling *out,
                                             struct error *error);
/* Append one sample a feed: good if every gate holds, else refused with the reasons. */
NODISCARD enum store_result sampling_take(struct store_txn *txn,
                                          struct sampling *sampling, struct error *error);
void sampling_release(struct sampling *sampling);

/* True if the newest sample is older than two intervals, or there is none (NULL). */
bool sample_stale(const struct sample *newest, struct wall_time now, int64_t interval);

#endif
