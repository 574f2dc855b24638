/* What is remembered of peers: the address book's places, and bans. */
#ifndef STORE_PEER_ROWS_H
#define STORE_PEER_ROWS_H

#include "spv/core.h"
#include "store/store.h"

struct peer_rows_lost {
    size_t addresses, bans;
};
/* Forget the rows that can't be read: other addresses are found, and without its ban a
 * peer is dialed once more. *lost: how many they were. */
NODISCARD enum store_result
peer_rows_mend(struct store_txn *txn, struct peer_rows_lost *lost, struct error *error);

/* The key that the book's rows are made with. The first call keeps `fresh`, later ones
 * give what was kept then; if that can't be read, `fresh` takes its place. */
NODISCARD enum store_result peer_rows_key(struct store_txn *txn, uint64_t key[static 2],
                                          const uint64_t fresh[static 2],
                                          struct error *error);
/* A row without an address frees its place. */
NODISCARD enum store_result peer_rows_put_book(struct store_txn *txn,
                                               const struct book_row *rows, size_t count,
                                               struct error *error);
/* All places that are taken. *rows is malloc'd, the caller's; NULL for none. */
NODISCARD enum store_result peer_rows_book(struct store_txn *txn, struct book_row **rows,
                                           size_t *count, struct error *error);

/* Replaces an earlier ban of this address, and forgets those that have ended by `now`. */
NODISCARD enum store_result peer_rows_put_ban(struct store_txn *txn,
                                              const struct spv_ban *ban,
                                              struct wall_time now, struct error *error);
/* One that isn't there is no error. */
NODISCARD enum store_result peer_rows_lift_ban(struct store_txn *txn, const char *address,
                                               struct error *error);
/* All, also those that have ended. *bans is malloc'd, the caller's; NULL for none. */
NODISCARD enum store_result peer_rows_bans(struct store_txn *txn, struct spv_ban **bans,
                                           size_t *count, struct error *error);

#endif
