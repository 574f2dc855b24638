/* Headers mined by regtest's rules, as a file and as a ledger, for the benches of
 * headers. Whatever fails ends the program. */
#ifndef TESTS_BENCH_HEADER_CHAIN_H
#define TESTS_BENCH_HEADER_CHAIN_H

#include "base/time.h"
#include "place.h"
#include "spv/network.h"

#define HEADER_CHAIN_NOW ((struct wall_time){1900000000})

struct header_chain {
    const struct network *network;
    uint32_t count; /* genesis included */
    uint8_t *records;
    char folder[PLACE_MAX], file[PLACE_MAX + 16], ledger[PLACE_MAX + 16];
};

/* In `folder` (NULL: $TMPDIR, else /tmp). */
void header_chain_open(struct header_chain *chain, const char *folder, uint32_t count);
/* Deletes its files. */
void header_chain_close(struct header_chain *chain);
/* Be the first `count` of the headers that there were; no ledger has them yet. */
void header_chain_cut(struct header_chain *chain, uint32_t count);

/* Import the file into a new ledger in place of the one before. */
void header_chain_import(void *context);
/* All that the daemon does with headers before it asks a peer for more. */
void header_chain_start(void *context);

#endif
