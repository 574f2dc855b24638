/* bench_block: parsing and checking real blocks, and what hashing takes of it. */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/sha256_many.h"
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
    struct bytes *messages; /* about where the transactions are */
    size_t txs;
    const struct sha256_kernel *kernel;
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

/* Fifty bytes, more or less, stand before the first input's script. */
static void find_messages(struct work *work)
{
    struct block *block;
    struct error error;
    if (block_parse(&block, mem_dup(work->raw, work->len), work->len, &mainnet,
                    &work->hash, work->height, &error) != BLOCK_VALID)
        abort();
    work->messages = mem_zalloc(block->tx_count, sizeof(*work->messages));
    size_t end = work->len;
    for (size_t i = block->tx_count; i-- > 0;) {
        const struct tx_in *in = &block->ins[block->txs[i].first_in];
        size_t at = (size_t)(in->script_sig.data - block->raw) - 50;
        work->messages[i] = (struct bytes){work->raw + at, end - at};
        end = at;
    }
    block_free(block);
}

static void hash_messages(void *context)
{
    struct work *work = context;
    struct sha256d_batch batch;
    sha256d_batch_init_with(&batch, work->txs, work->kernel);
    for (size_t i = 0; i < work->txs; i++) {
        const struct bytes pieces[SHA256D_PIECES] = {work->messages[i]};
        sha256d_batch_add(&batch, work->nodes[i], pieces);
    }
    sha256d_batch_finish(&batch);
    sha256d_batch_release(&batch);
}

static void print_row(const char *name, struct bench_time time, double base)
{
    printf("%-28s %9.3f %9.3f %8.1f%% %8.2f\n", name, time.median / 1e6, time.least / 1e6,
           (time.high - time.low) / time.median * 100, time.median / base);
}

/* What the transactions' hashes take in each implementation. */
static void bench_kernels(struct work *work, double base)
{
    const struct sha256_kernel *const *kernels = sha256_kernels();
    find_messages(work);
    for (size_t i = 0; i == 0 || kernels[i - 1] != NULL; i++) {
        char name[40];
        work->kernel = kernels[i];
        snprintf(name, sizeof(name), "wtxids alone, %s",
                 kernels[i] != NULL ? kernels[i]->name : "libcrypto");
        print_row(name, bench(hash_messages, work), base);
    }
    free(work->messages);
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
    bench_kernels(&work, bytes.median);
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
