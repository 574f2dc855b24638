/* Blocks for tests, written field by field and without help from the code under test. */
#ifndef TEST_BUILD_BLOCK_H
#define TEST_BUILD_BLOCK_H

#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "spv/ids.h"

#define BUILD_ITEMS_MAX 8

#define BYTES(...)                                                                       \
    ((struct bytes){(const uint8_t[]){__VA_ARGS__},                                      \
                    sizeof((const uint8_t[]){__VA_ARGS__})})

struct build_in {
    struct outpoint previous;
    struct bytes script_sig;
    struct bytes witness; /* one item; none if empty */
};

struct build_out {
    uint64_t sat;
    struct bytes script;
};

struct build_tx {
    struct build_in ins[BUILD_ITEMS_MAX];
    size_t in_count;
    struct build_out outs[BUILD_ITEMS_MAX];
    size_t out_count;
};

struct build_block {
    struct build_tx txs[BUILD_ITEMS_MAX];
    size_t tx_count;
    uint8_t commitment[38]; /* room for the coinbase's commitment script */
};

static inline bool build_has_witness(const struct build_tx *tx)
{
    for (size_t i = 0; i < tx->in_count; i++) {
        if (tx->ins[i].witness.len > 0) {
            return true;
        }
    }
    return false;
}

static inline void build_write_tx(struct writer *out, const struct build_tx *tx,
                                  bool witness)
{
    witness = witness && build_has_witness(tx);
    write_u32le(out, 2);
    if (witness) {
        write_bytes(out, "\x00\x01", 2);
    }
    write_compact_size(out, tx->in_count);
    for (size_t i = 0; i < tx->in_count; i++) {
        write_bytes(out, tx->ins[i].previous.txid.b, 32);
        write_u32le(out, tx->ins[i].previous.vout);
        write_var_bytes(out, tx->ins[i].script_sig);
        write_u32le(out, 0xffffffff);
    }
    write_compact_size(out, tx->out_count);
    for (size_t i = 0; i < tx->out_count; i++) {
        write_u64le(out, tx->outs[i].sat);
        write_var_bytes(out, tx->outs[i].script);
    }
    for (size_t i = 0; witness && i < tx->in_count; i++) {
        write_u8(out, tx->ins[i].witness.len > 0);
        if (tx->ins[i].witness.len > 0) {
            write_var_bytes(out, tx->ins[i].witness);
        }
    }
    write_u32le(out, 0);
}

static inline struct txid build_txid(const struct build_tx *tx, bool witness)
{
    struct writer out = {0};
    struct txid id;

    build_write_tx(&out, tx, witness);
    sha256d(id.b, out.data, out.len);
    writer_release(&out);
    return id;
}

/* The root by recursion: the left part is the largest power of two below the count, and a
 * part too short for its depth counts as if repeated. */
static inline void build_root(uint8_t root[32], uint8_t (*leaves)[32], size_t count,
                              size_t width)
{
    uint8_t pair[64];

    if (width == 1) {
        memcpy(root, leaves[0], 32);
        return;
    }
    size_t half = width / 2;
    build_root(pair, leaves, count < half ? count : half, half);
    if (count > half) {
        build_root(pair + 32, leaves + half, count - half, half);
    } else {
        memcpy(pair + 32, pair, 32);
    }
    sha256d(root, pair, sizeof(pair));
}

static inline void build_merkle(uint8_t root[32], uint8_t (*leaves)[32], size_t count)
{
    size_t width = 1;

    memset(root, 0, 32);
    while (width < count) {
        width *= 2;
    }
    if (count > 0) {
        build_root(root, leaves, count, width);
    }
}

/* Add an output with BIP 141's commitment to the coinbase, and its reserved value. */
static inline void build_commit(struct build_block *block)
{
    static const uint8_t reserved[32];
    struct build_tx *coinbase = &block->txs[0];
    uint8_t ids[BUILD_ITEMS_MAX][32] = {0}, pair[64] = {0};

    for (size_t i = 1; i < block->tx_count; i++) {
        struct txid id = build_txid(&block->txs[i], true);
        memcpy(ids[i], id.b, 32);
    }
    build_merkle(pair, ids, block->tx_count);
    memcpy(block->commitment, "\x6a\x24\xaa\x21\xa9\xed", 6);
    sha256d(block->commitment + 6, pair, sizeof(pair));
    coinbase->outs[coinbase->out_count++] =
        (struct build_out){0, {block->commitment, sizeof(block->commitment)}};
    coinbase->ins[0].witness = (struct bytes){reserved, sizeof(reserved)};
}

static inline void build_write_header(struct writer *out, const uint8_t root[32])
{
    static const uint8_t previous[32] = {1};

    write_u32le(out, 0x20000000);
    write_bytes(out, previous, 32);
    write_bytes(out, root, 32);
    write_u32le(out, 1700000000);
    write_u32le(out, 0x207fffff);
    write_u32le(out, 7);
}

/* The whole block with a header that commits to it. */
static inline void build_write_block(struct writer *out, const struct build_block *block)
{
    uint8_t ids[BUILD_ITEMS_MAX][32], root[32];

    for (size_t i = 0; i < block->tx_count; i++) {
        struct txid id = build_txid(&block->txs[i], false);
        memcpy(ids[i], id.b, 32);
    }
    build_merkle(root, ids, block->tx_count);
    build_write_header(out, root);
    write_compact_size(out, block->tx_count);
    for (size_t i = 0; i < block->tx_count; i++) {
        build_write_tx(out, &block->txs[i], true);
    }
}

/* A coinbase and two transactions, the second of which spends the first; heights up to
 * 16 fit the coinbase's script. */
static inline struct build_block build_valid(uint8_t height)
{
    static uint8_t script_sig[2];
    static const uint8_t pay[] = {0x51, 0x52}, other[] = {0x53};
    static const uint8_t signature[] = {0xde, 0xad};
    struct build_block block = {.tx_count = 3};

    script_sig[0] = (uint8_t)(0x50 + height);
    block.txs[0] = (struct build_tx){
        .ins = {{.previous.vout = UINT32_MAX, .script_sig = {script_sig, 2}}},
        .in_count = 1,
        .outs = {{UINT64_C(5000000000), {other, 1}}},
        .out_count = 1,
    };
    block.txs[1] = (struct build_tx){
        .ins = {{.previous = {{{9}}, 3}, .script_sig = {signature, 2}},
                {.previous = {{{9}}, 4}}},
        .in_count = 2,
        .outs = {{1000, {pay, 2}}, {0, {NULL, 0}}, {2000, {other, 1}}},
        .out_count = 3,
    };
    block.txs[2] = (struct build_tx){
        .ins = {{.previous = {build_txid(&block.txs[1], false), 2}}},
        .in_count = 1,
        .outs = {{1500, {other, 1}}},
        .out_count = 1,
    };
    return block;
}

#endif
