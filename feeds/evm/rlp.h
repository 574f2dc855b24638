/* Recursive Length Prefix (Ethereum's yellow paper, appendix B): writing, and reading in
 * canonical form only. */
#ifndef FEEDS_EVM_RLP_H
#define FEEDS_EVM_RLP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "spv/u256.h"

/* ---- writing ---- */

void rlp_write_string(struct writer *out, const void *data, size_t len);
/* An integer is its big-endian bytes without leading zeros; zero is the empty string. */
void rlp_write_u64(struct writer *out, uint64_t value);
void rlp_write_u256(struct writer *out, const struct u256 *value);
/* A list of items that were written to a writer of their own. */
void rlp_write_list(struct writer *out, struct bytes items);

/* ---- reading ---- */

struct rlp_item {
    bool is_list;
    struct bytes content; /* a view: a string's bytes, or a list's items */
};

/* Read the next item. A length that doesn't fit, or a longer form than needed, fails the
 * reader, which then gives an empty string; check reader_done() at the end. */
struct rlp_item rlp_read(struct reader *reader);
/* A string of `min` to `max` bytes. */
struct bytes rlp_read_string(struct reader *reader, size_t min, size_t max);
uint64_t rlp_read_u64(struct reader *reader);
struct u256 rlp_read_u256(struct reader *reader);
/* Start reading the items of a list that is the next item; `items` needs its own
 * reader_done(). An item of the other kind fails both. */
void rlp_read_list(struct reader *items, struct reader *reader);

#endif
