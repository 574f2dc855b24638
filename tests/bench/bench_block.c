/* bench_block: parsing and checking real blocks, and what hashing takes of it. */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "bench.h"
#include "spv/block_body.h"
#include "spv/merkle.h"
#include "tests/unit/spv/shared_data.h"

static const struct network mainnet = {.bip34_height = 227931, .segwit_height = 481824};

struct work {
    uint8_t *raw, *out;
    size_t len;
    struct block_hash hash;
    uint32_t height;
    uint8_t (*nodes)[32];
    size_t txs;
};

/* With a copy of the bytes, which block_parse() takes over: some percent of the whole. */
static void parse(void *context)
{
    struct work *work = context;
    struct block *block;
    struct error error;
    if (block_parse(&block, mem_dup(work->raw, work->len), work->len, &mainnet,
                    &work->hash, work->height, &error) != BLOCK_VALID)
        abort();
    block_free(block);
}

static void parse_body(void *context)
{
    struct work *work = context;
    struct block block = {.raw = work->raw, .raw_len = work->len};
    struct block_body body = {0};
    struct error error;
    if (!block_body_parse(&body, &block, &error))
        abort();
    work->txs = block.tx_count;
    block_body_release(&body);
    free(block.txs);
    free(block.ins);
    free(block.outs);
}

static void fold(void *context)
{
    struct work *work = context;
    uint8_t root[32];
    if (!merkle_root(root, work->nodes, work->txs) && work->out == NULL)
        abort();
}

static void hash_once(void *context)
{
    struct work *work = context;
    uint8_t out[32];
    sha256(out, work->raw, work->len);
}

static void print_row(const char *name, struct bench_time time, double base)
{
    printf("%-28s %9.3f %9.3f %8.1f%% %8.2f\n", name, time.median / 1e6, time.least / 1e6,
           (time.high - time.low) / time.median * 100, time.median / base);
}

static bool bench_file(const char *file, uint32_t height)
{
    struct work work = {.height = height};
    work.raw = shared_data(file, &work.len);
    if (work.raw == NULL)
        return false;
    block_header_hash_bytes(&work.hash, work.raw);
    printf("\nblock %u, %zu bytes; ms\n%-28s %9s %9s %9s %8s\n", height, work.len, "work",
           "median", "least", "spread", "x bytes");
    struct bench_time bytes = bench(hash_once, &work);
    print_row("SHA-256 of its bytes", bytes, bytes.median);
    print_row("parse, txids, wtxids", bench(parse_body, &work), bytes.median);
    work.nodes = mem_zalloc(work.txs, sizeof(*work.nodes));
    for (size_t i = 0; i < work.txs; i++)
        memcpy(work.nodes[i], &i, sizeof(i));
    work.out = work.raw;
    print_row("one merkle tree", bench(fold, &work), bytes.median);
    print_row("all, with every check", bench(parse, &work), bytes.median);
    free(work.nodes);
    free(work.raw);
    return true;
}

int main(void)
{
    bool found = bench_file("mainnet/block-831328.bin", 831328);
    found &= bench_file("mainnet/block-831329.bin", 831329);
    return found ? 0 : 77;
}
