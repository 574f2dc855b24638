/* What an unconfirmed transaction would do to the feeds. It changes nothing, and proves
 * nothing: inputs that aren't coins of ours are taken on trust, signatures unseen. */
#ifndef STORE_FORESEE_H
#define STORE_FORESEE_H

#include "store/ledger.h"

struct foreseen_feed {
    char name[65];
    struct amount credited; /* by outputs that pay the feed's scripts */
    struct amount debited;  /* by inputs that spend the feed's coins */
};

struct foreseen {
    struct foreseen_feed *feeds; /* those that it concerns, by name; malloc'd */
    size_t count;
};

/* Look up a transaction (see transaction_parse) against the ledger as it is. One that is
 * in the ledger already, or spends a coin that is spent there, concerns nobody; so does
 * what it spends of other unconfirmed transactions. Scripts that are still being scanned
 * count, their coins as far as they were found. On the ledger's own thread. The caller
 * calls foreseen_release after STORE_OK. */
NODISCARD enum store_result ledger_foresee(struct ledger *ledger, struct store_txn *txn,
                                           struct foreseen *out,
                                           const struct block *transaction,
                                           struct error *error);
void foreseen_release(struct foreseen *foreseen);

#endif
