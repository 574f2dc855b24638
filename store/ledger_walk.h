/* Walks over the ledger whatever the feed. Only scripts of cohort 0, which count. */
#ifndef STORE_LEDGER_WALK_H
#define STORE_LEDGER_WALK_H

#include "store/ledger.h"

/* A script and the height from which payments to it are in the ledger. `script` is valid
 * during the call. */
struct script_view {
    uint32_t id;
    uint32_t birth;
    struct bytes script;
};

/* Scripts with ids from `from` on, ascending; the callback's false stops. */
NODISCARD enum store_result
ledger_each_script(struct store_txn *txn, uint32_t from,
                   bool (*each)(void *context, const struct script_view *script),
                   void *context, struct error *error);

/* Coins alive at a height, by the bytes of their txid and then vout. STORE_NOT_FOUND
 * for a height above cohort 0's cursor or more than LEDGER_DEPTH below it and the chain's
 * end. */
NODISCARD enum store_result ledger_each_alive(struct store_txn *txn, uint32_t height,
                                              bool (*each)(void *context,
                                                           const struct coin *coin),
                                              void *context, struct error *error);

/* Whether a feed counts what was paid to this script at height `created`. */
NODISCARD enum store_result ledger_feed_counts(struct store_txn *txn, bool *counts,
                                               const struct feed_row *feed,
                                               uint32_t script, uint32_t created,
                                               struct error *error);

#endif
