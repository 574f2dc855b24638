/* Inside the audit: the parts that check one group of tables each. A part's result is
 * only about whether it could go on; what it finds are faults. */
#ifndef STORE_AUDITOR_H
#define STORE_AUDITOR_H

#include "store/audit.h"
#include "store/ledger_state.h"

struct auditor {
    struct store_txn *txn;
    struct audit *out;
    uint32_t header_height;
    struct ledger_state *state; /* NULL when its tables can't be read */
    bool has_events[COHORTS_MAX];
    bool (*progress)(void *context, const char *what, uint64_t done);
    void *context;
    struct error *error;
};

void audit_fault(struct auditor *auditor, const char *format, ...) PRINTF_LIKE(2, 3);
/* Tell how far a part is, now and then. */
NODISCARD enum store_result audit_progress(struct auditor *auditor, const char *what,
                                           uint64_t done);

NODISCARD enum store_result audit_chain(struct auditor *auditor);
/* Cohorts, scripts, feeds; then events, coins and tallies against each other. */
NODISCARD enum store_result audit_watched(struct auditor *auditor);
NODISCARD enum store_result audit_coins(struct auditor *auditor);
NODISCARD enum store_result audit_tallies(struct auditor *auditor);

#endif
