/* What a block's transactions have to do with each other: ids and outpoints that must
 * differ, and spends of outputs that the block itself makes. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "spv/block_body.h"

/* A hash of ids in which no choice of them makes more collisions than chance would, since
 * the keys come from a hash that covers them: the multilinear family over 32-bit words
 * (Lemire and Kaser, "Strongly universal string hashing is fast"). */
struct id_hash {
    uint64_t keys[10];
};

static void id_hash_init(struct id_hash *hash, const uint8_t covering[static 32])
{
    for (uint64_t i = 0; i < 10; i++) {
        hash->keys[i] =
            siphash(get_u64le(covering), get_u64le(covering + 8), &i, sizeof(i));
    }
}

static uint64_t hash_txid(const struct id_hash *hash, const struct txid *txid)
{
    uint64_t sum = hash->keys[0];

    for (size_t i = 0; i < 8; i++) {
        sum += hash->keys[i + 1] * get_u32le(txid->b + 4 * i);
    }
    return sum;
}

/* Of the outpoint with the txid that has this hash. */
static uint64_t hash_vout(const struct id_hash *hash, uint64_t txid_hash, uint32_t vout)
{
    return txid_hash + hash->keys[9] * vout;
}

/* Places by their ids, in slots at most half of which are taken; 0 is a free one, and a
 * place is kept as one more than it is. */
struct places {
    uint32_t *slots;
    uint32_t mask;
};

static void places_init(struct places *places, size_t count)
{
    size_t size = 2;

    while (size < 2 * count) {
        size *= 2;
    }
    places->slots = mem_zalloc(size, sizeof(*places->slots));
    places->mask = (uint32_t)(size - 1);
}

/* Sums are linear: outputs of one transaction have sums at equal distances, and one key
 * in some ten thousand puts these side by side. A txid with such a key is soon found. So
 * the bits are mixed, by which no two sums become the same (MurmurHash3's last step). */
static uint32_t home_of(const struct places *places, uint64_t sum)
{
    sum = (sum ^ sum >> 33) * UINT64_C(0xff51afd7ed558ccd);
    sum = (sum ^ sum >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return (uint32_t)(sum >> 32) & places->mask;
}

/* The slot of the transaction, or the free one where it would go. */
static uint32_t *find_tx(const struct places *places, const struct block *block,
                         uint64_t hash, const struct txid *txid)
{
    uint32_t i = home_of(places, hash);

    while (places->slots[i] != 0 &&
           memcmp(&block->txs[places->slots[i] - 1].txid, txid, sizeof(*txid)) != 0) {
        i = (i + 1) & places->mask;
    }
    return &places->slots[i];
}

/* The slot of the input that spends it, or the free one where such would go. */
static uint32_t *find_spend(const struct places *places, const struct block *block,
                            uint64_t hash, const struct outpoint *outpoint)
{
    uint32_t i = home_of(places, hash);

    while (places->slots[i] != 0 &&
           !outpoint_equal(&block->ins[places->slots[i] - 1].previous, outpoint)) {
        i = (i + 1) & places->mask;
    }
    return &places->slots[i];
}

/* An input that spends a transaction of this block: only an earlier one, an output that
 * it has, and never the coinbase, which takes 100 blocks to mature. */
static bool check_spend_inside(const struct block *block, uint32_t index,
                               const struct outpoint *previous, uint32_t spender,
                               struct error *error)
{
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

struct links {
    const struct block *block;
    struct id_hash hash;
    struct places txs, spends;
};

static void links_init(struct links *links, const struct block *block,
                       const uint8_t covering[static 32])
{
    links->block = block;
    id_hash_init(&links->hash, covering);
    places_init(&links->txs, block->tx_count);
    places_init(&links->spends, block->in_count);
}

static void links_release(struct links *links)
{
    free(links->txs.slots);
    free(links->spends.slots);
}

static bool add_txs(struct links *links, struct error *error)
{
    for (uint32_t t = 0; t < links->block->tx_count; t++) {
        const struct txid *txid = &links->block->txs[t].txid;
        uint32_t *slot =
            find_tx(&links->txs, links->block, hash_txid(&links->hash, txid), txid);
        if (*slot != 0) {
            return error_set(error, "transaction %" PRIu32 " is there twice", t);
        }
        *slot = t + 1;
    }
    return true;
}

static bool add_spends(struct links *links, uint32_t t, struct error *error)
{
    const struct block *block = links->block;
    const struct tx *tx = &block->txs[t];

    for (uint32_t i = tx->first_in; i < tx->first_in + tx->in_count; i++) {
        const struct outpoint *previous = &block->ins[i].previous;
        uint64_t hash = hash_txid(&links->hash, &previous->txid);
        uint32_t *spend =
            find_spend(&links->spends, block,
                       hash_vout(&links->hash, hash, previous->vout), previous);
        if (*spend != 0) {
            return error_set(
                error, "transaction %" PRIu32 " spends an outpoint spent before it", t);
        }
        *spend = i + 1;
        uint32_t source = *find_tx(&links->txs, block, hash, &previous->txid);
        if (source != 0 && !check_spend_inside(block, source - 1, previous, t, error)) {
            return error_prefix(error, "transaction %" PRIu32, t);
        }
    }
    return true;
}

bool block_check_links(const struct block *block, struct error *error)
{
    struct links links;

    links_init(&links, block, block->hash.b);
    bool ok = add_txs(&links, error);
    for (uint32_t t = 1; t < block->tx_count && ok; t++) {
        ok = add_spends(&links, t, error);
    }
    links_release(&links);
    return ok;
}

bool block_check_inputs_distinct(const struct block *block, struct error *error)
{
    struct links links;
    bool distinct = true;

    links_init(&links, block, block->txs[0].txid.b);
    for (uint32_t i = 0; i < block->in_count && distinct; i++) {
        const struct outpoint *previous = &block->ins[i].previous;
        uint64_t hash = hash_vout(&links.hash, hash_txid(&links.hash, &previous->txid),
                                  previous->vout);
        uint32_t *spend = find_spend(&links.spends, block, hash, previous);
        distinct = *spend == 0;
        *spend = i + 1;
    }
    links_release(&links);
    return distinct || error_set(error, "it spends an outpoint twice");
}
