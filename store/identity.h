/* Inside this floor only: which network and which layout a ledger is of. */
#ifndef STORE_IDENTITY_H
#define STORE_IDENTITY_H

#include "store/store.h"

/* With all tables open (to read: TABLE_META). The writer makes an empty ledger this
 * network's, and brings an older one up to date. Else STORE_MISSING if it is empty,
 * STORE_NEWER, STORE_OTHER_NETWORK, or STORE_FAILED for an older one. */
NODISCARD enum store_result identity_check(struct store_txn *txn, struct error *error);

#endif
