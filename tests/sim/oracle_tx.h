/* The oracle's transactions and scripts. */
#ifndef TESTS_SIM_ORACLE_TX_H
#define TESTS_SIM_ORACLE_TX_H

#include "tests/sim/oracle.h"
#include "tests/sim/oracle_filter.h"

/* A script of a random kind, all that custodians use. */
void oracle_make_script(struct oracle *oracle, struct oracle_script *out);

/* Spend these coins to random scripts; `few`: into few outputs. The oracle owns it. */
struct oracle_tx *oracle_pay(struct oracle *oracle, const struct oracle_coin *coins,
                             size_t count, bool few);

struct oracle_coinbase {
    uint32_t height;
    bool pays;
    bool commits; /* carries a witness commitment */
    struct oracle_hash witness_root;
};
struct oracle_tx *oracle_coinbase(struct oracle *oracle,
                                  const struct oracle_coinbase *plan);
struct oracle_tx *oracle_genesis_coinbase(struct oracle *oracle);

/* The scripts that a transaction puts into its block's filter, at most 10. */
size_t oracle_tx_items(const struct oracle *oracle, const struct oracle_tx *tx,
                       struct oracle_item *out);

#endif
