/* A block's bytes. If they can be parsed, the header and the witness commitment are made
 * to fit them, so that the rules behind these two are reached. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "spv/block_body.h"
#include "spv/merkle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void release(struct block *block, struct block_body *body)
{
    block_body_release(body);
    free(block->txs);
    free(block->ins);
    free(block->outs);
}

/* Put the hash of the witnesses where the coinbase commits to them. */
static void fit_commitment(uint8_t *raw, size_t size)
{
    struct block block = {.raw = raw, .raw_len = size};
    struct block_body body = {0};
    struct error error;

    if (block_body_parse(&body, &block, &error)) {
        struct bytes commitment = block_witness_commitment(&block);
        if (commitment.len == 32 && body.reserved_value.len == 32) {
            uint8_t pair[64];
            (void)!merkle_root(pair, body.wtxids, block.tx_count);
            memcpy(pair + 32, body.reserved_value.data, 32);
            sha256d(raw + (commitment.data - raw), pair, sizeof(pair));
        }
    }
    release(&block, &body);
}

static void fit_merkle_root(uint8_t *raw, size_t size)
{
    struct block block = {.raw = raw, .raw_len = size};
    struct block_body body = {0};
    struct error error;

    if (block_body_parse(&body, &block, &error)) {
        for (uint32_t i = 0; i < block.tx_count; i++) {
            memcpy(body.wtxids[i], block.txs[i].txid.b, 32);
        }
        (void)!merkle_root(raw + 36, body.wtxids, block.tx_count);
    }
    release(&block, &body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct network network = {.bip34_height = 2, .segwit_height = 1};
    struct block_hash hash = {{0}};
    struct block *block;
    struct error error;

    if (size < 1) {
        return 0;
    }
    uint32_t height = data[0];
    uint8_t *raw = mem_alloc(size - 1);
    memcpy(raw, data + 1, size - 1);
    fit_commitment(raw, size - 1);
    fit_merkle_root(raw, size - 1);
    if (size - 1 >= BLOCK_HEADER_SIZE) {
        block_header_hash_bytes(&hash, raw);
    }
    enum block_verdict verdict =
        block_parse(&block, raw, size - 1, &network, &hash, height, &error);
    if ((verdict == BLOCK_VALID) != (block != NULL)) {
        abort();
    }
    block_free(block);
    return 0;
}
