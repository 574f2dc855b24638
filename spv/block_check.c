#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "base/map.h"
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

/* An input that spends a transaction of this block: only an earlier one, an output that
 * it has, and never the coinbase, which takes 100 blocks to mature. */
static bool check_spend_inside(const struct block *block, const struct map *txids,
                               const struct outpoint *previous, uint32_t spender,
                               struct error *error)
{
    const void *found = map_find(txids, &previous->txid);
    uint32_t index;

    if (found == NULL) {
        return true;
    }
    memcpy(&index, found, sizeof(index));
    if (index >= spender) {
        return error_set(
            error, "it spends transaction %" PRIu32 ", which isn't before it", index);
    }
    if (index == 0) {
        return error_set(error, "it spends this block's coinbase");
    }
    if (previous->vout >= block->txs[index].out_count) {
        return error_set(error, "it spends an output that transaction %" PRIu32 " lacks",
                         index);
    }
    return true;
}

static bool check_links(const struct block *block, struct map *txids, struct map *spent,
                        struct error *error)
{
    bool added;

    for (uint32_t t = 0; t < block->tx_count; t++) {
        memcpy(map_put(txids, &block->txs[t].txid, &added), &t, sizeof(t));
        if (!added) {
            return error_set(error, "transaction %" PRIu32 " is there twice", t);
        }
    }
    for (uint32_t t = 1; t < block->tx_count; t++) {
        const struct tx *tx = &block->txs[t];
        for (uint32_t i = 0; i < tx->in_count; i++) {
            const struct outpoint *previous = &block->ins[tx->first_in + i].previous;
            (void)map_put(spent, previous, &added);
            if (!added) {
                return error_set(
                    error, "transaction %" PRIu32 " spends an outpoint spent before it",
                    t);
            }
            if (!check_spend_inside(block, txids, previous, t, error)) {
                return error_prefix(error, "transaction %" PRIu32, t);
            }
        }
    }
    return true;
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

    /* The block's hash covers every key that goes into the maps, so nobody can choose
     * keys that collide under it. */
    uint64_t seed[2] = {get_u64le(block->hash.b), get_u64le(block->hash.b + 8)};
    struct map txids, spent;
    map_init(&txids, sizeof(struct txid), sizeof(uint32_t), seed);
    map_init(&spent, sizeof(struct outpoint), 0, seed);
    map_reserve(&txids, block->tx_count);
    map_reserve(&spent, block->in_count);
    bool ok = check_links(block, &txids, &spent, error);
    map_release(&spent);
    map_release(&txids);
    return ok;
}

static bool check_inputs_distinct(const struct block *block, struct error *error)
{
    const uint8_t *id = block->txs[0].txid.b;
    /* As above: the txid covers every key. */
    uint64_t seed[2] = {get_u64le(id), get_u64le(id + 8)};
    struct map spent;
    bool added = true;

    map_init(&spent, sizeof(struct outpoint), 0, seed);
    for (uint32_t i = 0; i < block->in_count && added; i++) {
        (void)map_put(&spent, &block->ins[i].previous, &added);
    }
    map_release(&spent);
    return added || error_set(error, "it spends an outpoint twice");
}

bool block_check_lone_transaction(const struct block *block, struct error *error)
{
    return check_tx(block, &block->txs[0], false, error) &&
           check_inputs_distinct(block, error);
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
