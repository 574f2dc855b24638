/* What the benches of the ledger share: a ledger in a folder of its own, with feeds over
 * numbered scripts, and blocks that pay and spend numbered coins. Whatever fails ends the
 * program. */
#ifndef TESTS_BENCH_COIN_LEDGER_H
#define TESTS_BENCH_COIN_LEDGER_H

#include "place.h"
#include "store/ledger.h"

struct coin_ledger {
    const struct network *network;
    char folder[PLACE_MAX], path[PLACE_MAX + 16];
    struct store *store;
    struct ledger *ledger;
    uint32_t scripts;
    struct chain_row *rows; /* by height */
    size_t row_capacity;
    uint32_t row_count, height; /* the newest applied */
    uint32_t salt;              /* of new rows, so that branches differ */
};

/* In `folder` (NULL: $TMPDIR, else /tmp): `scripts` scripts, dealt out to `feeds` feeds,
 * nothing applied yet. */
void coin_ledger_open(struct coin_ledger *coins, const char *folder, uint32_t scripts,
                      uint32_t feeds);
/* Deletes it. */
void coin_ledger_close(struct coin_ledger *coins);
void coin_ledger_reopen(struct coin_ledger *coins);
/* Deal the scripts out to so many feeds. */
void coin_ledger_define(struct coin_ledger *coins, uint32_t feeds);
/* store_abort() it. */
struct store_txn *coin_ledger_read(struct coin_ledger *coins);
/* Add up the first feed at the height applied, as a sample does; it has `count` coins. */
void coin_ledger_sum(struct coin_ledger *coins, uint64_t count);

/* Each coin is paid by a transaction of its own, whose id is as if at random. */
struct outpoint coin_outpoint(uint64_t number);
/* The script of the coin is number % scripts; it is one of P2WPKH. */
#define COIN_SCRIPT_LEN 22
void coin_script(uint8_t out[static COIN_SCRIPT_LEN], uint32_t number);

/* Have rows up to this height. */
void coin_ledger_grow_chain(struct coin_ledger *coins, uint32_t height);
/* A block for the row at a height whose transactions pay the coins of these numbers, or
 * spend them. The caller frees it with block_free. */
struct block *coin_block(struct coin_ledger *coins, uint32_t height, uint64_t first,
                         uint32_t count, bool spend);
/* Apply and commit the next `count` rows; `blocks` one a row, or NULL: none of ours. */
void coin_ledger_apply(struct coin_ledger *coins, struct block **blocks, uint32_t count);
/* Go back to a height, and one block of another branch on. */
void coin_ledger_undo(struct coin_ledger *coins, uint32_t height);
/* Pay the coins of these numbers in blocks of some thousands. */
void coin_ledger_fill(struct coin_ledger *coins, uint64_t first, uint64_t count);

#endif
