/* The ledger: which scripts are watched, which coins they hold, and how blocks change
 * that. One owner thread, the one that writes.
 *
 * Tables: scripts, cohorts, coins, events, feeds, members, tallies. Coins carry the
 * heights at which they were created and spent, so that the state at any height up to
 * LEDGER_DEPTH below the cursor can be told. Events are every credit and debit in chain
 * order; they hold enough to take a block back, so they are the undo as well. A tally is
 * a feed's running sum, one row for each height at which it changed. */
#ifndef STORE_LEDGER_H
#define STORE_LEDGER_H

#include "base/money.h"
#include "spv/cohort.h"
#include "spv/ledger_batch.h"
#include "store/chain_rows.h"
#include "store/store.h"

/* A spent coin leaves the coin table when its spend is this deep. */
#define LEDGER_DEPTH 2016
#define HEIGHT_NONE UINT32_MAX

struct coin {
    struct outpoint outpoint;
    uint32_t script; /* id */
    struct amount amount;
    uint32_t created;
    uint32_t spent; /* HEIGHT_NONE while unspent */
    bool coinbase;
};

enum event_kind {
    EVENT_CREDIT,
    EVENT_DEBIT,
    EVENT_REPLACED /* BIP 30: by a later coinbase */
};

struct event {
    uint32_t height;
    uint32_t tx_index; /* in the block */
    uint32_t index;    /* vout of a credit, vin of a debit */
    enum event_kind kind;
    /* As it was before (debit, replaced) or is after (credit). A replaced coin that was
     * spent by then takes nothing from a sum. */
    struct coin coin;
    struct txid txid; /* of the transaction that did it */
};

/* ---- what is watched ---- */

struct watched_script {
    struct bytes script;
    uint32_t birth; /* payments below this height don't count; scanned from here */
};

struct feed_member {
    uint32_t script; /* index into watched_scripts */
    uint32_t birth;  /* in this feed */
    const char *label;
    const char *custodian;
};

struct feed_definition {
    const char *name;
    uint8_t set_hash[32];
    uint32_t confirmations;
    bool count_immature;
    const struct feed_member *members; /* each script once */
    size_t member_count;
};

struct ledger_definition {
    const struct watched_script *scripts; /* each script once */
    size_t script_count;
    const struct feed_definition *feeds;
    size_t feed_count;
};

struct ledger;

/* The writer's companion of the store: caches scripts, cohorts and membership. */
NODISCARD enum store_result ledger_open(struct ledger **out, struct store *store,
                                        const uint64_t seed[static 2],
                                        struct error *error);
void ledger_close(struct ledger *ledger);
/* The lowest birth of all scripts, below which nothing is scanned; HEIGHT_NONE without
 * scripts. */
uint32_t ledger_birth(const struct ledger *ledger);

/* Watch exactly this, in one transaction: new scripts (and those whose birth moved down)
 * become a new cohort below their birth, or join cohort 0 if it isn't past that; scripts
 * that are gone lose their coins and events; feeds whose set changed get their tallies
 * made anew. With COHORTS_MAX cohorts, new scripts join the hindmost one, which starts
 * over where needed. */
NODISCARD enum store_result ledger_define(struct ledger *ledger,
                                          const struct ledger_definition *definition,
                                          struct error *error);

/* The cohorts now. The caller releases the table. */
void ledger_cohorts(struct ledger *ledger, struct cohort_table *out);

/* ---- blocks ---- */

/* What had been published of sums that were taken back. */
struct retracted_reports {
    char feed[65];
    uint64_t count;
    uint64_t first_round, last_round; /* those between them may be sound */
};

struct ledger_outcome {
    uint32_t invalid_height; /* for STORE_INVALID_BLOCK */
    uint32_t base;           /* of all that was committed, with what was staged before */
    uint32_t credits, debits;
    uint32_t rewound;                  /* blocks of cohort 0 taken back */
    bool merged;                       /* cohorts met: ledger_cohorts has changed */
    uint64_t orphaned;                 /* samples */
    uint64_t retracted;                /* samples */
    struct retracted_reports *reports; /* one a feed; malloc'd, to be alarmed */
    size_t report_count;
};

/* Apply. A block that spends a watched coin twice is STORE_INVALID_BLOCK; a batch whose
 * epoch, cohort or base no longer fits is STORE_STALE. In case of any
 * failure the ledger and what is staged stay as they were before the call. */
NODISCARD enum store_result ledger_apply(struct ledger *ledger,
                                         const struct ledger_batch *batch,
                                         struct ledger_outcome *outcome,
                                         struct error *error);
struct ledger_review {
    bool lacks; /* the block holds something that the ledger ought to have, and hasn't */
    uint32_t credits, debits; /* so many */
    struct script_set *spent; /* scripts of our coins that the block spends: its filter
                                 has to hold each (BIP 158); NULL unless STORE_OK */
};

/* Compare the block at a height of the ledger's branch, or of a branch that is staged,
 * with what the cohorts that have passed the height have made of it. Changes nothing.
 * STORE_STALE if it isn't the block at this height; STORE_FAILED also if the ledger has
 * events at the height that the block doesn't hold. Release it in any case. */
NODISCARD enum store_result ledger_review(struct ledger *ledger,
                                          struct ledger_review *review, uint32_t height,
                                          const struct block_hash *hash,
                                          const struct block *block, struct error *error);
void ledger_review_release(struct ledger_review *review);

/* Forget what a cohort has staged. */
void ledger_unstage(struct ledger *ledger, uint32_t cohort);

/* ---- reading (any process) ---- */

struct feed_row {
    uint32_t id;
    char name[65];
    uint8_t set_hash[32];
    uint32_t confirmations;
    bool count_immature;
    uint32_t members;
    bool merged; /* every script is in cohort 0: the tally is live */
};

/* All feeds, ordered by name; *feeds is malloc'd. */
NODISCARD enum store_result ledger_feeds(struct store_txn *txn, struct feed_row **feeds,
                                         size_t *count, struct error *error);
NODISCARD enum store_result ledger_feed(struct store_txn *txn, struct feed_row *feed,
                                        const char *name, struct error *error);

/* Cursor of cohort 0; STORE_NOT_FOUND if nothing is watched. */
NODISCARD enum store_result ledger_cursor(struct store_txn *txn, uint32_t *cursor,
                                          struct error *error);
/* Lowest cursor of any cohort. */
NODISCARD enum store_result ledger_lowest_cursor(struct store_txn *txn, uint32_t *cursor,
                                                 struct error *error);

/* A feed's reserve at a height. `counted` is what the feed's policy counts; immature
 * coinbase is beside it when the policy excludes it (else it is inside and shown too). */
struct reserve {
    struct amount counted;
    uint64_t coins;
    struct amount immature;
    uint64_t immature_coins;
    struct amount spent_above; /* part of `counted` that is spent above the height */
    uint64_t coins_spent_above;
};

/* Heights above cohort 0's cursor are STORE_NOT_FOUND everywhere below; so is the tally
 * of a feed that isn't merged, and for the calls that look at coins a height more than
 * LEDGER_DEPTH below the cursor and the chain's end. Of a feed that isn't merged they see
 * the scripts of cohort 0 only. */

/* By the running sum: one row. spent_above is left zero. */
NODISCARD enum store_result ledger_tally(struct store_txn *txn, struct reserve *out,
                                         const struct feed_row *feed, uint32_t height,
                                         struct error *error);

/* By adding all coins, and beside it all events: one pass for many feeds. */
struct readd {
    const struct feed_row *feed;
    uint32_t height;
    struct reserve by_coins;
    struct amount
        events_total;     /* credits less debits up to the height; counted and immature */
    bool events_negative; /* debits exceed credits: a fault */
};
NODISCARD enum store_result ledger_readd(struct store_txn *txn, struct readd *requests,
                                         size_t count, struct error *error);

/* Walk the coins of a feed alive at a height, in table order; the callback's false stops.
 * Script, label and custodian are valid during the call. */
struct coin_view {
    struct coin coin;
    struct bytes script;
    const char *label;
    const char *custodian;
};
NODISCARD enum store_result
ledger_each_coin(struct store_txn *txn, const struct feed_row *feed, uint32_t height,
                 bool (*each)(void *context, const struct coin_view *coin), void *context,
                 struct error *error);

/* Walk a feed's events of heights from .. to, in chain order; the callback's false stops.
 * Script, label and custodian are valid during the call. */
struct event_view {
    struct event event;
    struct bytes script;
    const char *label;
    const char *custodian;
};
NODISCARD enum store_result
ledger_each_event(struct store_txn *txn, const struct feed_row *feed, uint32_t from,
                  uint32_t to,
                  bool (*each)(void *context, const struct event_view *event),
                  void *context, struct error *error);

#endif
