/* Checks every invariant of the ledger, changing nothing. */
#ifndef STORE_AUDIT_H
#define STORE_AUDIT_H

#include "store/store.h"

#define AUDIT_FAULTS_MAX 100

struct audit {
    uint64_t headers, coins, scripts, samples; /* checked */
    char *faults[AUDIT_FAULTS_MAX];            /* malloc'd sentences */
    size_t fault_count;                        /* may exceed AUDIT_FAULTS_MAX */
};

/* Headers link and carry their work; filter headers don't outrun them;
 * heights fetched whole decode; cursors, births
 * and cohorts fit; coins, tallies and events agree for every feed at the cursor and at
 * each height of the depth that changed; each event has its coin; samples, publications
 * decode and their blocks are on the chain unless orphaned. `progress` (may be NULL) is
 * told what is being checked; its false stops with STORE_FAILED. */
NODISCARD enum store_result audit_run(struct store_txn *txn, struct audit *out,
                                      bool (*progress)(void *context, const char *what,
                                                       uint64_t done),
                                      void *context, struct error *error);
void audit_release(struct audit *audit);

#endif
