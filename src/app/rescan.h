/* Scanning again, as `reservewatch rescan` asks for. */
#ifndef APP_RESCAN_H
#define APP_RESCAN_H

#include "store/ledger.h"

struct rescan {
    uint32_t from;  /* the first block that is scanned again */
    bool unwatched; /* done: nothing is watched, so nothing happened */
    bool unscanned; /* done: no block from there on was scanned, so nothing happened */
    struct ledger_outcome outcome;
    struct cohort_table cohorts; /* done: those there are now */
};

/* On the store's thread. Release it in any case. */
NODISCARD enum store_result rescan_work(struct rescan *rescan, struct ledger *ledger,
                                        struct error *error);
void rescan_release(struct rescan *rescan);

/* Say what a retraction did: what was published of it is an error. */
void log_retraction(const struct ledger_outcome *outcome);

#endif
