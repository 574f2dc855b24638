/* What the light client starts from, read from the ledger. */
#ifndef APP_START_H
#define APP_START_H

#include "spv/core.h"
#include "store/ledger.h"

/* struct spv_start with the memory it points into. */
struct start {
    struct spv_start spv;
    struct chain_row *rows;
    struct block_hash *sparse;
    struct block_hash *checkpoint_hashes;
    struct filter_header *checkpoint_filter_headers;
    struct book_row *book;
    struct spv_ban *bans;
    uint32_t *whole;
    struct height_set kept; /* filled by who opens the kept filters, if any are kept */
};

/* Read it; the cohorts are the ledger's now. `book_key` is the address book's, should it
 * have none yet. The caller calls start_release. */
NODISCARD enum store_result start_read(struct start *out, struct store *store,
                                       struct ledger *ledger,
                                       const uint64_t book_key[static 2],
                                       struct error *error);
void start_release(struct start *start);

#endif
