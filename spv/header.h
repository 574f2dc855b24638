/* Block headers: the 80 bytes and their hash. */
#ifndef SPV_HEADER_H
#define SPV_HEADER_H

#include "base/time.h"
#include "spv/ids.h"

#define BLOCK_HEADER_SIZE 80

struct block_header {
    int32_t version;
    struct block_hash previous;
    uint8_t merkle_root[32];
    struct block_time time;
    uint32_t bits;
    uint32_t nonce;
};

void block_header_decode(struct block_header *out,
                         const uint8_t in[static BLOCK_HEADER_SIZE]);
void block_header_encode(uint8_t out[static BLOCK_HEADER_SIZE],
                         const struct block_header *header);
void block_header_hash(struct block_hash *out, const struct block_header *header);
void block_header_hash_bytes(struct block_hash *out,
                             const uint8_t in[static BLOCK_HEADER_SIZE]);
/* Of many, which is faster than one by one; encoded ones lie one behind the other. */
void block_headers_hash(struct block_hash *out, const struct block_header *headers,
                        size_t count);
void block_headers_hash_bytes(struct block_hash *out, const uint8_t *in, size_t count);

#endif
