#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "spv/block_body.h"
#include "spv/merkle.h"

#define COINBASE_SCRIPT_MIN 2
#define COINBASE_SCRIPT_MAX 100
/* BIP 141: OP_RETURN, a push of 36 bytes, aa21a9ed, the hash. */
#define COMMITMENT_SCRIPT_MIN 38

static bool outpoint_is_null(const struct outpoint *outpoint)
{
    static const struct txid zero;

    return outpoint->vout == UINT32_MAX &&
           memcmp(&outpoint->txid, &zero, sizeof(zero)) == 0;
}

bool tx_is_coinbase(const struct block *block, const struct tx *tx)
{
    return tx->in_count == 1 && outpoint_is_null(&block->ins[tx->first_in].previous);
}

/* BIP 34: "the first item" is the height, serialised as a script pushes a number. */
static size_t height_push(uint8_t out[static 6], uint32_t height)
{
    size_t len = 0;

    if (height <= 16) {
        out[0] = height == 0 ? 0x00 : (uint8_t)(0x50 + height);
        return 1;
    }
    for (uint32_t rest = height; rest != 0; rest >>= 8) {
        out[++len] = (uint8_t)rest;
    }
    if (out[len] & 0x80) {
        out[++len] = 0; /* else the number would be negative */
    }
    out[0] = (uint8_t)len;
    return len + 1;
}

static bool check_coinbase(const struct block *block, const struct network *network,
                           uint32_t height, struct error *error)
{
    if (block->tx_count == 0 || !tx_is_coinbase(block, &block->txs[0])) {
        return error_set(error, "the first transaction isn't a coinbase");
    }
    struct bytes script = block->ins[0].script_sig;
    if (script.len < COINBASE_SCRIPT_MIN || script.len > COINBASE_SCRIPT_MAX) {
        return error_set(error, "the coinbase script has %zu bytes, not 2 to 100",
                         script.len);
    }
    if (height >= network->bip34_height) {
        uint8_t push[6] = {0};
        size_t len = height_push(push, height);
        if (script.len < len || memcmp(script.data, push, len) != 0) {
            return error_set(error,
                             "the coinbase doesn't start with the height (BIP 34)");
        }
    }
    return true;
}

static bool check_amounts(const struct block *block, const struct tx *tx,
                          struct error *error)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < tx->out_count; i++) {
        uint64_t sat = block->outs[tx->first_out + i].amount.sat;
        if (sat > MAX_MONEY_SAT || sum + sat > MAX_MONEY_SAT) {
            return error_set(error, "outputs above 21 million BTC");
        }
        sum += sat;
    }
    return true;
}

static bool check_tx(const struct block *block, const struct tx *tx, bool first,
                     struct error *error)
{
    if (tx->in_count == 0 || tx->out_count == 0) {
        return error_set(error, "no %s", tx->in_count == 0 ? "inputs" : "outputs");
    }
    for (uint32_t i = 0; i < tx->in_count && !first; i++) {
        if (outpoint_is_null(&block->ins[tx->first_in + i].previous)) {
            return error_set(error, "a coinbase's input, but it isn't the first");
        }
    }
    return check_amounts(block, tx, error);
}

bool block_check_transactions(const struct block *block, const struct network *network,
                              uint32_t height, struct error *error)
{
    if (!check_coinbase(block, network, height, error)) {
        return false;
    }
    for (uint32_t t = 0; t < block->tx_count; t++) {
        if (!check_tx(block, &block->txs[t], t == 0, error)) {
            return error_prefix(error, "transaction %" PRIu32, t);
        }
    }
    return block_check_links(block, error);
}

bool block_check_lone_transaction(const struct block *block, struct error *error)
{
    return check_tx(block, &block->txs[0], false, error) &&
           block_check_inputs_distinct(block, error);
}

struct bytes block_witness_commitment(const struct block *block)
{
    static const uint8_t prefix[6] = {0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed};

    if (block->tx_count == 0) {
        return (struct bytes){0};
    }
    /* BIP 141: "If there are more than one scriptPubKey matching the pattern, the one
     * with highest output index is assumed to be the commitment." */
    for (uint32_t i = block->txs[0].out_count; i-- > 0;) {
        struct bytes script = block->outs[i].script;
        if (script.len >= COMMITMENT_SCRIPT_MIN &&
            memcmp(script.data, prefix, sizeof(prefix)) == 0) {
            return (struct bytes){script.data + sizeof(prefix), 32};
        }
    }
    return (struct bytes){0};
}

bool block_check_witnesses(const struct block_body *body, const struct network *network,
                           uint32_t height, struct error *error)
{
    struct bytes commitment = {0};

    if (height >= network->segwit_height) {
        commitment = block_witness_commitment(body->block);
    }
    if (commitment.len == 0) {
        return !body->has_witness ||
               error_set(error, "witnesses that nothing commits to (BIP 141)");
    }
    if (body->reserved_value.len != 32) {
        return error_set(error,
                         "the coinbase's witness isn't one item of 32 bytes (BIP 141)");
    }
    uint8_t pair[64], hash[32];
    /* Equal siblings were ruled out in the tree of txids, which has the same leaves. */
    (void)!merkle_root(pair, body->wtxids, body->block->tx_count);
    memcpy(pair + 32, body->reserved_value.data, 32);
    sha256d(hash, pair, sizeof(pair));
    return memcmp(hash, commitment.data, 32) == 0 ||
           error_set(error, "the witnesses aren't those committed to (BIP 141)");
}
