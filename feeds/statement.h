/* The form of a statement that every operator's machine produces byte for byte. */
#ifndef FEEDS_STATEMENT_H
#define FEEDS_STATEMENT_H

#include <jansson.h>

#include "store/sample.h"

/* 120 bytes, integers big-endian, hashes in the order of the wire:
 *     0  genesis hash     32
 *    32  height            4
 *    36  block hash       32
 *    68  time              4   BIP 113 median of headers height-10 to height
 *    72  set hash         32
 *   104  satoshi           8
 *   112  coins             8
 */
#define STATEMENT_SIZE 120
void statement_to_bytes(uint8_t out[static STATEMENT_SIZE],
                        const struct statement *statement);
/* Every 120 bytes with an amount up to MAX_MONEY_SAT are a statement. */
NODISCARD bool statement_from_bytes(struct statement *out, struct bytes data);

bool statement_equal(const struct statement *a, const struct statement *b);

/* {"genesis", "height", "block_hash", "time", "set_hash", "satoshi", "coins"}: block
 * hashes in display order, set hash as its bytes are. The caller owns the reference. */
json_t *statement_json(const struct statement *statement);

#endif
