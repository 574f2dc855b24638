#include "spv/ids.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/hex.h"

bool block_hash_equal(const struct block_hash *a, const struct block_hash *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool filter_header_equal(const struct filter_header *a, const struct filter_header *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool outpoint_equal(const struct outpoint *a, const struct outpoint *b)
{
    return a->vout == b->vout && memcmp(a->txid.b, b->txid.b, sizeof(a->txid.b)) == 0;
}

int outpoint_compare(const struct outpoint *a, const struct outpoint *b)
{
    int by_txid = memcmp(a->txid.b, b->txid.b, sizeof(a->txid.b));
    return by_txid != 0 ? by_txid : (a->vout > b->vout) - (a->vout < b->vout);
}

void block_hash_text(char out[static ID_TEXT_MAX], const struct block_hash *hash)
{
    hex_encode_reversed(out, hash->b, sizeof(hash->b));
}

void txid_text(char out[static ID_TEXT_MAX], const struct txid *txid)
{
    hex_encode_reversed(out, txid->b, sizeof(txid->b));
}

void filter_header_text(char out[static ID_TEXT_MAX], const struct filter_header *header)
{
    hex_encode_reversed(out, header->b, sizeof(header->b));
}

void outpoint_text(char out[static OUTPOINT_TEXT_MAX], const struct outpoint *outpoint)
{
    txid_text(out, &outpoint->txid);
    size_t used = ID_TEXT_MAX - 1;
    snprintf(out + used, OUTPOINT_TEXT_MAX - used, ":%" PRIu32, outpoint->vout);
}

bool block_hash_parse(struct block_hash *out, const char *text, size_t len)
{
    return hex_decode_reversed(out->b, sizeof(out->b), text, len);
}

bool filter_header_parse(struct filter_header *out, const char *text, size_t len)
{
    return hex_decode_reversed(out->b, sizeof(out->b), text, len);
}

struct block_hash read_block_hash(struct reader *reader)
{
    struct block_hash hash;
    read_bytes(reader, hash.b, sizeof(hash.b));
    return hash;
}

struct filter_header read_filter_header(struct reader *reader)
{
    struct filter_header header;
    read_bytes(reader, header.b, sizeof(header.b));
    return header;
}

struct outpoint read_outpoint(struct reader *reader)
{
    struct outpoint outpoint;
    read_bytes(reader, outpoint.txid.b, sizeof(outpoint.txid.b));
    outpoint.vout = read_u32le(reader);
    return outpoint;
}

void filter_hash_of(struct filter_hash *out, struct bytes filter)
{
    sha256d(out->b, filter.data, filter.len);
}

void filter_header_next(struct filter_header *out, const struct filter_hash *hash,
                        const struct filter_header *previous)
{
    struct sha256 state;
    sha256_init(&state);
    sha256_update(&state, hash->b, sizeof(hash->b));
    sha256_update(&state, previous->b, sizeof(previous->b));
    sha256d_final(&state, out->b);
}
