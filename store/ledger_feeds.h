/* Inside the ledger: writing what feeds consist of. */
#ifndef STORE_LEDGER_FEEDS_H
#define STORE_LEDGER_FEEDS_H

#include "store/ledger.h"

/* Ids of the feeds whose scripts, births or completeness changed. */
struct feeds_written {
    uint32_t *changed;
    size_t count, capacity;
};
bool feeds_written_changed(const struct feeds_written *written, uint32_t feed);
void feeds_written_release(struct feeds_written *written);

/* Make the tables of feeds and members say what the definition says. `ids` gives the id
 * of each script of the definition, `cohort_of` the cohort of each id. */
NODISCARD enum store_result
ledger_write_feeds(struct store_txn *txn, struct feeds_written *written,
                   const struct ledger_definition *definition, const uint32_t *ids,
                   const uint32_t *cohort_of, struct error *error);

#endif
