/* What block_parse makes of a block that a test built. */
#ifndef TESTS_UNIT_SPV_JUDGE_BLOCK_H
#define TESTS_UNIT_SPV_JUDGE_BLOCK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "spv/block.h"

#include "build_block.h"

/* All rules in force from the start, and none before height 1,000. */
static const struct network strict = {.name = "strict"};
static const struct network lax = {.bip34_height = 1000, .segwit_height = 1000};

/* What tests build is for this height. */
#define HEIGHT 5

/* Judge a copy of the bytes as the block whose header they carry. */
static inline enum block_verdict judge_at(const uint8_t *raw, size_t len,
                                          const struct network *network, uint32_t height,
                                          struct error *error)
{
    struct block_hash hash;
    struct block *block;

    block_header_hash_bytes(&hash, raw);
    *error = (struct error){"valid"};
    enum block_verdict verdict =
        block_parse(&block, mem_dup(raw, len), len, network, &hash, height, error);
    assert_true((verdict == BLOCK_VALID) == (block != NULL));
    block_free(block);
    return verdict;
}

/* Assert the verdict and that its reason holds this text. */
static inline void expect_at(const struct build_block *block,
                             const struct network *network, uint32_t height,
                             enum block_verdict verdict, const char *reason)
{
    struct writer out = {0};
    struct error error;

    build_write_block(&out, block);
    enum block_verdict got = judge_at(out.data, out.len, network, height, &error);
    if (got != verdict || strstr(error.text, reason) == NULL) {
        fail_msg("verdict %d, not %d with \"%s\": %s", got, verdict, reason, error.text);
    }
    writer_release(&out);
}

static inline void expect(const struct build_block *block, enum block_verdict verdict,
                          const char *reason)
{
    expect_at(block, &strict, HEIGHT, verdict, reason);
}

#endif
