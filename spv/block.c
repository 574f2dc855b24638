#include "spv/block.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "spv/block_body.h"
#include "spv/merkle.h"

/* Whether these are the transactions that the header commits to, and no others can be. */
static bool check_merkle_root(const struct block_body *body, struct error *error)
{
    const struct block *block = body->block;
    uint8_t(*nodes)[32] = mem_zalloc(block->tx_count, sizeof(*nodes));
    uint8_t root[32];

    for (uint32_t i = 0; i < block->tx_count; i++) {
        memcpy(nodes[i], block->txs[i].txid.b, 32);
    }
    bool distinct = merkle_root(root, nodes, block->tx_count);
    free(nodes);
    if (memcmp(root, block->header.merkle_root, 32) != 0) {
        return error_set(error, "not the header's merkle root");
    }
    if (!distinct) {
        return error_set(error, "transactions repeated under the merkle root "
                                "(CVE-2012-2459)");
    }
    return true;
}

/* Inner nodes of the merkle tree can pass for transactions of 64 bytes. Where there is a
 * coinbase they can't: its 32 zero bytes don't come out of a hash. */
static bool check_not_nodes(const struct block_body *body, struct error *error)
{
    const struct block *block = body->block;

    if (!body->has_node_sized_tx || tx_is_coinbase(block, &block->txs[0])) {
        return true;
    }
    return error_set(error, "64-byte transactions without a coinbase may be inner nodes "
                            "of the merkle tree (CVE-2017-12842)");
}

/* The order matters: a body is first shown to be the header's own, so that only rules
 * which that body breaks condemn the header. */
static enum block_verdict judge(struct block_body *body, struct block *block,
                                const struct network *network,
                                const struct block_hash *expected, uint32_t height,
                                struct error *error)
{
    if (block->raw_len < BLOCK_HEADER_SIZE || block->raw_len > BLOCK_SIZE_MAX) {
        (void)error_set(error, "%zu bytes can't be a block", block->raw_len);
        return BLOCK_WRONG_BODY;
    }
    block_header_hash_bytes(&block->hash, block->raw);
    if (!block_hash_equal(&block->hash, expected)) {
        (void)error_set(error, "the header is another block's");
        return BLOCK_WRONG_BODY;
    }
    if (!block_body_parse(body, block, error)) {
        return BLOCK_WRONG_BODY;
    }
    if (!check_merkle_root(body, error) || !check_not_nodes(body, error)) {
        return BLOCK_WRONG_BODY;
    }
    if (!block_check_transactions(block, network, height, error)) {
        return BLOCK_INVALID;
    }
    /* BIP 141: weight = base size * 3 + total size. The part without witnesses is the
     * header's own already; the whole only once the witnesses are shown to be. */
    if (body->stripped_size * 4 > BLOCK_WEIGHT_MAX) {
        (void)error_set(error, "%" PRIu64 " bytes without witnesses are too many",
                        body->stripped_size);
        return BLOCK_INVALID;
    }
    if (!block_check_witnesses(body, network, height, error)) {
        return BLOCK_WRONG_BODY;
    }
    uint64_t weight = body->stripped_size * 3 + block->raw_len;
    if (weight > BLOCK_WEIGHT_MAX) {
        (void)error_set(error, "weight %" PRIu64 " is above 4,000,000", weight);
        return BLOCK_INVALID;
    }
    return BLOCK_VALID;
}

enum block_verdict block_parse(struct block **out, uint8_t *raw, size_t raw_len,
                               const struct network *network,
                               const struct block_hash *expected, uint32_t height,
                               struct error *error)
{
    struct block *block = mem_zalloc(1, sizeof(*block));
    struct block_body body = {0};

    block->raw = raw;
    block->raw_len = raw_len;
    enum block_verdict verdict = judge(&body, block, network, expected, height, error);
    block_body_release(&body);
    if (verdict != BLOCK_VALID) {
        char text[ID_TEXT_MAX];
        block_hash_text(text, expected);
        (void)error_prefix(error, "block %" PRIu32 " (%s)", height, text);
        block_free(block);
        block = NULL;
    }
    *out = block;
    return verdict;
}

static bool judge_transaction(struct block_body *body, struct block *block,
                              struct error *error)
{
    if (!block_body_parse_transaction(body, block, error) ||
        !block_check_lone_transaction(block, error)) {
        return false;
    }
    /* BIP 141: no transaction weighs more than a block may. */
    uint64_t weight = body->stripped_size * 3 + block->raw_len;
    return weight <= BLOCK_WEIGHT_MAX ||
           error_set(error, "weight %" PRIu64 " is above 4,000,000", weight);
}

bool transaction_parse(struct block **out, struct bytes raw, struct error *error)
{
    struct block *block = mem_zalloc(1, sizeof(*block));
    struct block_body body = {0};

    block->raw = mem_dup(raw.data, raw.len);
    block->raw_len = raw.len;
    bool good = judge_transaction(&body, block, error);
    block_body_release(&body);
    if (!good) {
        (void)error_prefix(error, "transaction");
        block_free(block);
        block = NULL;
    }
    *out = block;
    return good;
}

void block_free(struct block *block)
{
    if (block == NULL) {
        return;
    }
    free(block->txs);
    free(block->ins);
    free(block->outs);
    free(block->raw);
    free(block);
}

size_t block_memory(const struct block *block)
{
    return sizeof *block + block->raw_len + block->tx_count * sizeof *block->txs +
           block->in_count * sizeof *block->ins + block->out_count * sizeof *block->outs;
}
