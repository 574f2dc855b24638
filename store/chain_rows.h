/* Headers and filter headers by height: the chain that the ledger follows, and above the
 * ledger's cursors the best chain known. Contiguous from genesis, which is always there.
 */
#ifndef STORE_CHAIN_ROWS_H
#define STORE_CHAIN_ROWS_H

#include "spv/chain_row.h"
#include "spv/u256.h"
#include "store/store.h"

/* Heights of the newest stored header (0: genesis) and filter header. Genesis' own
 * filter header has to be stored like others: *filter_headers is the count of rows. */
struct chain_extent {
    uint32_t header_height;
    uint32_t filter_header_count;
};
NODISCARD enum store_result chain_extent(struct store_txn *txn, struct chain_extent *out,
                                         struct error *error);

/* Read `count` rows from height `from` (all must exist as headers). */
NODISCARD enum store_result chain_rows_read(struct store_txn *txn, struct chain_row *out,
                                            uint32_t from, size_t count,
                                            struct error *error);

/* Replace every header from height `from` on by these, which build on each other (count
 * may be 0: truncate). `from` is at least 1, at most one above the newest row, above
 * every block that a cohort has applied, and the first header names the row below it;
 * else STORE_STALE. Filter headers from `from` on go with the headers they belonged to.
 * The work up to each retarget boundary is kept, so that a start needs no sum over all.
 */
NODISCARD enum store_result chain_rows_replace(struct store_txn *txn, uint32_t from,
                                               const struct block_header *headers,
                                               size_t count, struct error *error);
/* Append filter headers for stored headers, at `from` == filter_header_count; else
 * STORE_STALE. */
NODISCARD enum store_result
chain_rows_add_filter_headers(struct store_txn *txn, uint32_t from,
                              const struct filter_header *headers, size_t count,
                              struct error *error);

/* Forget the filter headers from height `from` on (the headers stay), so that others can
 * be appended; none there is fine. Cohorts above rest on what was matched under them:
 * take those back first (ledger_retract), so that a crash between leaves a false chain
 * rather than blocks that nobody looks at again. */
NODISCARD enum store_result
chain_rows_cut_filter_headers(struct store_txn *txn, uint32_t from, struct error *error);

/* The chain's work up to and with the header at `height`, a multiple of
 * RETARGET_INTERVAL. */
NODISCARD enum store_result chain_work_at(struct store_txn *txn, struct u256 *out,
                                          uint32_t height, struct error *error);
/* BIP 113 median of the times of headers height-10 to height. */
NODISCARD enum store_result chain_median_time(struct store_txn *txn,
                                              struct block_time *out, uint32_t height,
                                              struct error *error);

#endif
