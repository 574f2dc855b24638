/* Heights whose blocks are fetched whole for every cohort: peers differed about their
 * filters, and nobody's filter could be proven false. Never taken back: a height too many
 * costs a block, one too few could cost a coin. */
#ifndef STORE_WHOLE_HEIGHTS_H
#define STORE_WHOLE_HEIGHTS_H

#include "store/store.h"

/* Add them, in any order; those that are there already stay. */
NODISCARD enum store_result whole_heights_add(struct store_txn *txn,
                                              const uint32_t *heights, size_t count,
                                              struct error *error);
/* All of them, ascending; *heights is malloc'd (NULL for none). */
NODISCARD enum store_result whole_heights_read(struct store_txn *txn, uint32_t **heights,
                                               size_t *count, struct error *error);

#endif
