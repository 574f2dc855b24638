/* Inside the ledger: what its writer keeps in memory. */
#ifndef STORE_LEDGER_STATE_H
#define STORE_LEDGER_STATE_H

#include "base/map.h"
#include "store/delta.h"
#include "store/ledger.h"
#include "store/tables.h"
#include "store/tally.h"

#define COHORT_NONE UINT32_MAX

/* The tables of what is watched, as of the newest commit. */
struct ledger_state {
    uint32_t script_limit; /* above every script's id */
    uint32_t *cohort_of;   /* by script; COHORT_NONE for ids not in use */
    uint32_t *birth_of;
    struct cohort_table cohorts;
    struct feed_row *feeds; /* by name; slots of `members` and `board` */
    size_t feed_count;
    struct membership members;
    struct tally_board board; /* at cohort 0's cursor */
};

/* Blocks of one cohort that wait for being committed. */
struct stage {
    bool active;
    bool reorganise;
    uint32_t base;
    struct chain_row *rows;
    struct delta *deltas;
    size_t count, row_capacity, delta_capacity;
    struct map created;  /* outpoints that staged blocks pay to us */
    struct map restored; /* outpoints that rewinding brings back */
};

struct ledger {
    struct store *store;
    uint64_t seed[2];
    uint64_t epoch;
    struct ledger_state *state;
    struct stage stages[COHORTS_MAX]; /* by cohort */
};

NODISCARD enum store_result ledger_state_load(struct store_txn *txn,
                                              struct ledger_state **out,
                                              const uint64_t seed[static 2],
                                              struct error *error);
void ledger_state_free(struct ledger_state *state);
/* The ledger's state from now on; what was prepared for the one before is stale. */
void ledger_adopt(struct ledger *ledger, struct ledger_state *state);

/* NULL if there is no such cohort. */
struct cohort *ledger_cohort(struct ledger_state *state, uint32_t id);
static inline uint32_t script_cohort(const struct ledger_state *state, uint32_t script)
{
    return script < state->script_limit ? state->cohort_of[script] : COHORT_NONE;
}

NODISCARD enum store_result coin_get(struct store_txn *txn, struct coin *out,
                                     const struct outpoint *outpoint,
                                     struct error *error);
NODISCARD enum store_result coin_put(struct store_txn *txn, const struct coin *coin,
                                     struct error *error);
/* The lowest height whose coins are all kept. A cursor above the chain, which it is while
 * every birth lies in the future, has left none behind. */
NODISCARD enum store_result coins_oldest(struct store_txn *txn, uint32_t *oldest,
                                         struct error *error);
/* Visit every coin, by the bytes of its outpoint; or the events of heights from .. to, in
 * chain order. Another result of the visit than STORE_OK ends it and is returned, but
 * that STORE_NOT_FOUND becomes STORE_OK. The visit may write to other tables. */
typedef enum store_result coin_visit(void *context, const struct coin *coin,
                                     struct error *error);
NODISCARD enum store_result coins_each(struct store_txn *txn, coin_visit *visit,
                                       void *context, struct error *error);
typedef enum store_result event_visit(void *context, const struct event *event,
                                      struct error *error);
NODISCARD enum store_result events_each(struct store_txn *txn, uint32_t from, uint32_t to,
                                        event_visit *visit, void *context,
                                        struct error *error);
NODISCARD enum store_result cohort_put(struct store_txn *txn, uint32_t id,
                                       uint32_t cursor, struct error *error);
NODISCARD enum store_result script_put(struct store_txn *txn,
                                       const struct script_record *script,
                                       struct error *error);
NODISCARD enum store_result feed_put(struct store_txn *txn,
                                     const struct feed_record *feed, struct error *error);
/* All feeds, retired ones too; *out is malloc'd. */
NODISCARD enum store_result feed_records(struct store_txn *txn, struct feed_record **out,
                                         size_t *count, struct error *error);
/* Make the tallies of the feeds marked anew from the events up to cohort 0's cursor. */
NODISCARD enum store_result tallies_rebuild(struct store_txn *txn,
                                            const struct ledger_state *state,
                                            const bool *marked, struct error *error);

/* Scan the batch's blocks into the cohort's stage. On failure it is as before. */
NODISCARD enum store_result stage_add(struct ledger *ledger, struct store_txn *txn,
                                      const struct ledger_batch *batch,
                                      struct error *error);
/* Take the newest `count` blocks off again. */
void stage_drop(struct stage *stage, size_t count);
void stage_clear(struct stage *stage);

/* One transaction's worth of changes; `ledger` itself changes once it is committed. */
struct ledger_change {
    struct ledger *ledger;
    struct store_txn *txn;
    const struct ledger_state *state;
    uint32_t cursors[COHORTS_MAX]; /* by cohort */
    struct tally_board board;
    struct ledger_outcome outcome;
    struct ledger_state *merged; /* the state after cohorts have merged; else NULL */
};

/* Take back every block above `fork`, of every cohort: because its branch was left, or
 * because what is known of it was wrong. */
enum rewind_reason { REWIND_ORPHAN, REWIND_RETRACT };
NODISCARD enum store_result ledger_rewind(struct ledger_change *change, uint32_t fork,
                                          enum rewind_reason reason, struct error *error);
/* HEIGHT_NONE if nothing is watched. */
uint32_t ledger_lowest_birth(const struct ledger_state *state);
/* Let cohorts whose cursors have met become one. */
NODISCARD enum store_result ledger_merge(struct ledger_change *change,
                                         struct error *error);

#endif
