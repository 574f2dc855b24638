#include "spv/header.h"

#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/sha256_many.h"

/* Where each field starts. */
enum {
    AT_VERSION = 0,
    AT_PREVIOUS = 4,
    AT_MERKLE_ROOT = 36,
    AT_TIME = 68,
    AT_BITS = 72,
    AT_NONCE = 76,
};

void block_header_decode(struct block_header *out,
                         const uint8_t in[static BLOCK_HEADER_SIZE])
{
    out->version = (int32_t)get_u32le(in + AT_VERSION);
    memcpy(out->previous.b, in + AT_PREVIOUS, sizeof(out->previous.b));
    memcpy(out->merkle_root, in + AT_MERKLE_ROOT, sizeof(out->merkle_root));
    out->time.s = get_u32le(in + AT_TIME);
    out->bits = get_u32le(in + AT_BITS);
    out->nonce = get_u32le(in + AT_NONCE);
}

void block_header_encode(uint8_t out[static BLOCK_HEADER_SIZE],
                         const struct block_header *header)
{
    put_u32le(out + AT_VERSION, (uint32_t)header->version);
    memcpy(out + AT_PREVIOUS, header->previous.b, sizeof(header->previous.b));
    memcpy(out + AT_MERKLE_ROOT, header->merkle_root, sizeof(header->merkle_root));
    put_u32le(out + AT_TIME, header->time.s);
    put_u32le(out + AT_BITS, header->bits);
    put_u32le(out + AT_NONCE, header->nonce);
}

void block_header_hash_bytes(struct block_hash *out,
                             const uint8_t in[static BLOCK_HEADER_SIZE])
{
    sha256d(out->b, in, BLOCK_HEADER_SIZE);
}

void block_header_hash(struct block_hash *out, const struct block_header *header)
{
    uint8_t raw[BLOCK_HEADER_SIZE];
    block_header_encode(raw, header);
    block_header_hash_bytes(out, raw);
}

void block_headers_hash(struct block_hash *out, const struct block_header *headers,
                        size_t count)
{
    uint8_t raw[4 * SHA256_LANES_MAX][BLOCK_HEADER_SIZE];
    const size_t most = sizeof(raw) / sizeof(raw[0]);
    for (size_t done = 0; done < count;) {
        size_t some = count - done < most ? count - done : most;
        for (size_t i = 0; i < some; i++)
            block_header_encode(raw[i], &headers[done + i]);
        block_headers_hash_bytes(out + done, raw[0], some);
        done += some;
    }
}

void block_headers_hash_bytes(struct block_hash *out, const uint8_t *in, size_t count)
{
    sha256d_each((uint8_t(*)[32])out, in, BLOCK_HEADER_SIZE, count);
}
