#include "base/sha256_many.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/hex.h"
#include "base/mem.h"

/* This processor's, and last NULL, which stands for libcrypto. */
static const struct sha256_kernel *const *kernels;
static size_t kernel_count;

static int find_kernels(void **state)
{
    (void)state;
    kernels = sha256_kernels();
    while (kernels[kernel_count] != NULL)
        printf("kernel: %s\n", kernels[kernel_count++]->name);
    kernel_count++;
    return 0;
}

static uint64_t next_random(uint64_t *random)
{
    *random = *random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return *random >> 33;
}

static uint8_t *random_bytes(size_t len, uint64_t seed)
{
    uint8_t *bytes = mem_alloc(len);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)next_random(&seed);
    return bytes;
}

static void assert_is_hash_of(const uint8_t hash[static 32], const uint8_t *data,
                              size_t len)
{
    uint8_t expected[32];
    sha256d(expected, data, len);
    assert_memory_equal(hash, expected, 32);
}

/* SHA-256 of FIPS 180-4's examples in every lane, from their padded blocks. */
static void check_published(const struct sha256_kernel *kernel)
{
    static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    uint8_t blocks[3][SHA256_BLOCK] = {"abc\x80"};
    blocks[0][63] = 24;
    memcpy(blocks[1], two, 56);
    blocks[1][56] = 0x80;
    blocks[2][62] = 0x01, blocks[2][63] = 0xc0;
    for (size_t lane = 0; lane < kernel->lanes; lane++) {
        const uint8_t *data[SHA256_LANES_MAX];
        uint32_t states[8 * SHA256_LANES_MAX];
        uint8_t hash[32];
        char text[65];
        for (size_t i = 0; i < kernel->lanes; i++) {
            data[i] = blocks[1];
            for (size_t word = 0; word < 8; word++)
                states[word * kernel->lanes + i] = sha256_initial[word];
        }
        data[lane] = blocks[0];
        kernel->compress(states, data, 1);
        for (size_t word = 0; word < 8; word++)
            put_u32be(hash + 4 * word, states[word * kernel->lanes + lane]);
        hex_encode(text, hash, 32);
        assert_string_equal(
            text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");

        size_t other = (lane + 1) % kernel->lanes;
        data[other] = blocks[2], data[lane] = blocks[2];
        kernel->compress(states, data, 1);
        for (size_t word = 0; word < 8; word++)
            put_u32be(hash + 4 * word, states[word * kernel->lanes + other]);
        hex_encode(text, hash, 32);
        assert_string_equal(
            text, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    }
}

static void test_published(void **state)
{
    (void)state;
    for (size_t k = 0; k + 1 < kernel_count; k++)
        check_published(kernels[k]);
}

/* Every length over three blocks, in every count of messages around those of the lanes.
 */
static void test_each(void **state)
{
    (void)state;
    uint8_t *in = random_bytes(200 * 40, 1);
    for (size_t k = 0; k < kernel_count; k++) {
        for (size_t len = 0; len <= 200; len++) {
            size_t count = len % 41;
            uint8_t out[41][32];
            memset(out, 0xee, sizeof(out));
            sha256d_each_with(out, in, len, count, kernels[k]);
            for (size_t i = 0; i < count; i++)
                assert_is_hash_of(out[i], in + i * len, len);
            for (size_t i = 0; i < 32; i++)
                assert_int_equal(out[count][i], 0xee);
        }
        for (size_t count = 0; count <= 40; count++) {
            uint8_t out[40][32];
            sha256d_each_with(out, in, 80, count, kernels[k]);
            for (size_t i = 0; i < count; i++)
                assert_is_hash_of(out[i], in + i * 80, 80);
        }
    }
    free(in);
}

/* A level of a merkle tree is folded where it stands. */
static void test_each_in_place(void **state)
{
    (void)state;
    for (size_t k = 0; k < kernel_count; k++) {
        for (size_t count = 0; count < 70; count++) {
            uint8_t *nodes = random_bytes(count * 64 + 1, count);
            uint8_t *before = mem_dup(nodes, count * 64 + 1);
            sha256d_each_with((uint8_t(*)[32])nodes, nodes, 64, count, kernels[k]);
            for (size_t i = 0; i < count; i++)
                assert_is_hash_of(nodes + i * 32, before + i * 64, 64);
            free(nodes);
            free(before);
        }
    }
}

/* Where a random message begins, how it is cut up, and how long it is: mostly some
 * blocks, sometimes many. */
struct cut {
    size_t at, lens[SHA256D_PIECES];
};

static size_t random_len(uint64_t *random)
{
    switch (next_random(random) % 8) {
    case 0:
        return 0;
    case 1:
        return 4;
    case 2:
        return next_random(random) % 20000;
    case 3:
        return 64 * (next_random(random) % 9);
    default:
        return next_random(random) % 400;
    }
}

static void check_batch(const struct sha256_kernel *kernel, const uint8_t *data,
                        size_t count, size_t expected, uint64_t random)
{
    struct cut *cuts = mem_zalloc(count, sizeof(*cuts));
    uint8_t(*out)[32] = mem_zalloc(count + 1, sizeof(*out));
    struct sha256d_batch batch;
    sha256d_batch_init_with(&batch, expected, kernel);
    for (size_t i = 0; i < count; i++) {
        struct bytes pieces[SHA256D_PIECES] = {{0}};
        cuts[i].at = next_random(&random) % 1000;
        size_t at = cuts[i].at;
        for (size_t j = 0; j < SHA256D_PIECES; j++) {
            size_t len = cuts[i].lens[j] = random_len(&random);
            pieces[j] = (struct bytes){len > 0 ? data + at : NULL, len};
            at += len;
        }
        sha256d_batch_add(&batch, out[i], pieces);
    }
    sha256d_batch_finish(&batch);
    for (size_t i = 0; i < count; i++) {
        const size_t *lens = cuts[i].lens;
        assert_is_hash_of(out[i], data + cuts[i].at, lens[0] + lens[1] + lens[2]);
    }
    sha256d_batch_release(&batch);
    free(cuts);
    free(out);
}

static void test_batch(void **state)
{
    (void)state;
    uint8_t *data = random_bytes(61000, 2);
    for (size_t k = 0; k < kernel_count; k++) {
        for (size_t count = 0; count <= 70; count++)
            check_batch(kernels[k], data, count, count, count);
        check_batch(kernels[k], data, 3000, 3000, 71);
        check_batch(kernels[k], data, 700, 0, 72);
        check_batch(kernels[k], data, 2 * SHA256D_BATCH_MAX + 1, SIZE_MAX, 73);
    }
    free(data);
}

/* One that is longer than all others together. */
static void test_long_message(void **state)
{
    (void)state;
    size_t len = 4000000;
    uint8_t *data = random_bytes(len, 3);
    for (size_t k = 0; k < kernel_count; k++) {
        struct sha256d_batch batch;
        uint8_t out[40][32];
        sha256d_batch_init_with(&batch, 40, kernels[k]);
        for (size_t i = 0; i < 40; i++) {
            const struct bytes pieces[SHA256D_PIECES] = {
                {data, i}, {data + i, i == 20 ? len - i : 300}};
            sha256d_batch_add(&batch, out[i], pieces);
        }
        sha256d_batch_finish(&batch);
        for (size_t i = 0; i < 40; i++)
            assert_is_hash_of(out[i], data, i == 20 ? len : i + 300);
        sha256d_batch_finish(&batch);
        sha256d_batch_release(&batch);
    }
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published),     cmocka_unit_test(test_each),
        cmocka_unit_test(test_each_in_place), cmocka_unit_test(test_batch),
        cmocka_unit_test(test_long_message),
    };
    return cmocka_run_group_tests(tests, find_kernels, NULL);
}
