/* The 32-byte names of things, each a type of its own so that they can't be mixed up.
 * Bytes are in the order of the wire; text is in display order (reversed). */
#ifndef SPV_IDS_H
#define SPV_IDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"

struct block_hash {
    uint8_t b[32];
};
struct txid {
    uint8_t b[32];
};
/* BIP 157: double SHA-256 of a serialised filter. */
struct filter_hash {
    uint8_t b[32];
};
/* BIP 157: double SHA-256 of filter hash and previous filter header. */
struct filter_header {
    uint8_t b[32];
};
struct outpoint {
    struct txid txid;
    uint32_t vout;
};

#define ID_TEXT_MAX 65
#define OUTPOINT_TEXT_MAX 76 /* txid:vout */

bool block_hash_equal(const struct block_hash *a, const struct block_hash *b);
bool filter_header_equal(const struct filter_header *a, const struct filter_header *b);
bool outpoint_equal(const struct outpoint *a, const struct outpoint *b);
/* By the bytes of the txid, then by vout: below, at or above zero. */
int outpoint_compare(const struct outpoint *a, const struct outpoint *b);

void block_hash_text(char out[static ID_TEXT_MAX], const struct block_hash *hash);
void txid_text(char out[static ID_TEXT_MAX], const struct txid *txid);
void filter_header_text(char out[static ID_TEXT_MAX], const struct filter_header *header);
void outpoint_text(char out[static OUTPOINT_TEXT_MAX], const struct outpoint *outpoint);

/* Read 64 hex digits in display order. */
NODISCARD bool block_hash_parse(struct block_hash *out, const char *text, size_t len);
NODISCARD bool filter_header_parse(struct filter_header *out, const char *text,
                                   size_t len);

struct block_hash read_block_hash(struct reader *reader);
struct filter_header read_filter_header(struct reader *reader);
struct outpoint read_outpoint(struct reader *reader);

/* header = SHA256d(SHA256d(filter) || previous) (BIP 157). */
void filter_hash_of(struct filter_hash *out, struct bytes filter);
void filter_header_next(struct filter_header *out, const struct filter_hash *hash,
                        const struct filter_header *previous);

#endif
