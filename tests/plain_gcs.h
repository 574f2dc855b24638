/* BIP 158 the plain way, bit by bit and with a sort: the reference that the matcher is
 * checked against, and the baseline that it is measured against. It shares no code with
 * spv/gcs*. */
#ifndef TESTS_PLAIN_GCS_H
#define TESTS_PLAIN_GCS_H

#include "spv/gcs.h"

/* Writes bits from the most significant on. */
struct bit_writer {
    struct writer out;
    unsigned bits; /* in the last byte */
};

void write_bit(struct bit_writer *writer, unsigned bit);
void write_golomb(struct bit_writer *writer, uint64_t value);
/* The filter of these scripts, by the BIP's text. */
void write_filter(struct bit_writer *writer, const struct block_hash *hash,
                  const struct bytes *scripts, size_t count);

/* What a script is in a filter of `count` elements. */
uint64_t plain_number(const struct block_hash *hash, size_t count, struct bytes script);
enum gcs_result plain_match_any(struct bytes filter, const struct block_hash *hash,
                                const struct bytes *scripts, size_t count);

#endif
