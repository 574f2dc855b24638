#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/hex.h"
#include "spv/pow.h"
#include "tests/unit/spv/mainnet_headers.h"
#include "tests/unit/spv/shared_data.h"

static const uint32_t two_weeks = 14 * 24 * 60 * 60;

static struct block_header header_of(const char *hex)
{
    uint8_t raw[BLOCK_HEADER_SIZE];
    assert_true(hex_decode(raw, sizeof(raw), hex, strlen(hex), NULL));
    struct block_header header;
    block_header_decode(&header, raw);
    return header;
}

static void test_compact(void **state)
{
    (void)state;
    static const struct {
        uint32_t bits;
        const char *target;
        uint32_t back;
    } cases[] = {
        {0x01120000, "0000000000000000000000000000000000000000000000000000000000000012",
         0x01120000},
        {0x01123456, "0000000000000000000000000000000000000000000000000000000000000012",
         0x01120000},
        {0x02123456, "0000000000000000000000000000000000000000000000000000000000001234",
         0x02123400},
        {0x02008000, "0000000000000000000000000000000000000000000000000000000000000080",
         0x02008000},
        {0x03123456, "0000000000000000000000000000000000000000000000000000000000123456",
         0x03123456},
        {0x04123456, "0000000000000000000000000000000000000000000000000000000012345600",
         0x04123456},
        {0x05009234, "0000000000000000000000000000000000000000000000000000000092340000",
         0x05009234},
        {0x1d00ffff, "00000000ffff0000000000000000000000000000000000000000000000000000",
         0x1d00ffff},
        {0x20123456, "1234560000000000000000000000000000000000000000000000000000000000",
         0x20123456},
        {0x207fffff, "7fffff0000000000000000000000000000000000000000000000000000000000",
         0x207fffff},
        {0x2100ffff, "ffff000000000000000000000000000000000000000000000000000000000000",
         0x2100ffff},
        {0x220000ff, "ff00000000000000000000000000000000000000000000000000000000000000",
         0x2100ff00},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct u256 target;
        assert_true(compact_to_target(&target, cases[i].bits));
        uint8_t raw[32];
        u256_to_be(raw, &target);
        char text[65];
        hex_encode(text, raw, sizeof(raw));
        assert_string_equal(text, cases[i].target);
        assert_int_equal(target_to_compact(&target), cases[i].back);
    }
}

static void test_compact_refuses(void **state)
{
    (void)state;
    static const uint32_t cases[] = {
        0,          0x00123456, 0x01003456, 0x02000056, 0x03000000, /* zero */
        0x04000000, 0xff000000, 0x00923456, 0x01803456,             /* zero */
        0x01fedcba, 0x04923456, 0x1d80ffff,                         /* negative */
        0x21010000, 0x22000100, 0x23000001, 0xff123456,             /* above 2^256 */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct u256 target;
        assert_false(compact_to_target(&target, cases[i]));
    }
}

static void test_check(void **state)
{
    (void)state;
    const struct network *mainnet = network_find("mainnet");
    struct block_hash hash = {{0}};
    /* The target of 1d00ffff exactly, then one above it. */
    hash.b[26] = 0xff;
    hash.b[27] = 0xff;
    assert_true(pow_check(mainnet, &hash, 0x1d00ffff));
#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    hash.b[0] = 1;
    assert_false(pow_check(mainnet, &hash, 0x1d00ffff));
#endif
    /* Easier than the limit, however good the hash. */
    memset(hash.b, 0, sizeof(hash.b));
    assert_false(pow_check(mainnet, &hash, 0x1d010000));
    assert_false(pow_check(mainnet, &hash, 0x207fffff));
    assert_false(pow_check(mainnet, &hash, 0));
    assert_true(pow_check(network_find("regtest"), &hash, 0x207fffff));
}

static void test_work(void **state)
{
    (void)state;
    static const struct {
        uint32_t bits;
        uint64_t work;
    } cases[] = {{0x207fffff, 2}, {0x2100ffff, 1}, {0x1d00ffff, 0x100010001}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct u256 work = pow_work(cases[i].bits);
        struct u256 expected = u256_from_u64(cases[i].work);
        assert_true(u256_compare(&work, &expected) == 0);
    }
}

static void test_window(void **state)
{
    (void)state;
    const struct network *mainnet = network_find("mainnet");
    struct pow_context context = {
        .height = 4031,
        .previous_bits = 0x1b0404cb,
        .previous_time = {two_weeks + 1000},
        .time = {two_weeks + 100000}, /* no exception on mainnet */
        .first_time = {1000},
        .last_normal_bits = 0x1a000001,
    };
    assert_int_equal(pow_next_bits(mainnet, &context), 0x1b0404cb);
    context.height = 4032;
    assert_int_equal(pow_next_bits(mainnet, &context), 0x1b0404cb);
    /* At most four times either way, also when time ran backwards. */
    context.previous_time.s = 1;
    assert_int_equal(pow_next_bits(mainnet, &context), 0x1b010132);
    context.previous_time.s = 1000 + two_weeks / 4;
    assert_int_equal(pow_next_bits(mainnet, &context), 0x1b010132);
    context.previous_time.s = 1000 + 4 * two_weeks;
    assert_int_equal(pow_next_bits(mainnet, &context), 0x1b10132c);
    context.previous_time.s = 1000 + 40 * two_weeks;
    assert_int_equal(pow_next_bits(mainnet, &context), 0x1b10132c);
    /* Never easier than the limit. */
    context.previous_bits = 0x1d00ffff;
    assert_int_equal(pow_next_bits(mainnet, &context), 0x1d00ffff);
    assert_int_equal(pow_next_bits(network_find("regtest"), &context), 0x1d00ffff);
}

static void test_twenty_minutes(void **state)
{
    (void)state;
    static const char *const names[] = {"testnet3", "testnet4"};
    for (size_t i = 0; i < 2; i++) {
        const struct network *network = network_find(names[i]);
        struct pow_context context = {
            .height = 4031,
            .previous_bits = 0x1d00ffff,
            .previous_time = {5000},
            .time = {6201},
            .last_normal_bits = 0x1b0404cb,
        };
        assert_int_equal(pow_next_bits(network, &context), 0x1d00ffff);
        context.time.s = 6200;
        assert_int_equal(pow_next_bits(network, &context), 0x1b0404cb);
        context.time.s = 0;
        assert_int_equal(pow_next_bits(network, &context), 0x1b0404cb);
    }
}

/* The period ends with an exception: testnet3 goes on from that, testnet4 (BIP 94) from
 * the period's first. */
static void test_boundary_after_exception(void **state)
{
    (void)state;
    struct pow_context context = {
        .height = 4032,
        .previous_bits = 0x1d00ffff,
        .previous_time = {two_weeks},
        .time = {two_weeks + 5000},
        .first_bits = 0x1b0404cb,
        .last_normal_bits = 0x1b0404cb,
    };
    assert_int_equal(pow_next_bits(network_find("testnet3"), &context), 0x1d00ffff);
    assert_int_equal(pow_next_bits(network_find("testnet4"), &context), 0x1b0404cb);
}

static void test_mainnet_boundary(void **state)
{
    (void)state;
    const struct network *mainnet = network_find("mainnet");
    struct block_header first = header_of(mainnet_period_first);
    struct block_header last = header_of(mainnet_period_last);
    struct block_header next = header_of(mainnet_headers[0]);
    struct pow_context context = {
        .height = MAINNET_BOUNDARY,
        .previous_bits = last.bits,
        .previous_time = last.time,
        .time = next.time,
        .first_bits = first.bits,
        .first_time = first.time,
    };
    assert_int_not_equal(next.bits, last.bits);
    assert_int_equal(pow_next_bits(mainnet, &context), next.bits);
}

/* Every retarget of mainnet's history, and the work of each whole period. */
static void test_mainnet_history(void **state)
{
    (void)state;
    size_t len = 0;
    uint8_t *data = shared_data("mainnet/retargets-0-832608.bin", &len);
    if (data == NULL) {
        skip();
    }
    const struct network *mainnet = network_find("mainnet");
    struct block_header first = {0};
    struct block_header previous = {0};
    struct u256 work = {{0}};
    size_t records = 0;
    for (size_t at = 0; at + 116 <= len; at += 116, records++) {
        uint32_t height = get_u32le(data + at);
        struct block_header header;
        block_header_decode(&header, data + at + 4);
        struct block_hash hash;
        block_header_hash(&hash, &header);
        assert_true(pow_check(mainnet, &hash, header.bits));
        bool boundary = height % RETARGET_INTERVAL == 0;
        if (height > 0) {
            struct pow_context context = {
                .height = height,
                .previous_bits = previous.bits,
                .previous_time = previous.time,
                .time = header.time,
                .first_bits = first.bits,
                .first_time = first.time,
            };
            assert_int_equal(pow_next_bits(mainnet, &context), header.bits);
        }
        struct u256 one = pow_work(header.bits);
        struct u256 more = u256_mul_u32(&one, boundary ? 1 : RETARGET_INTERVAL - 1);
        work = u256_add(&work, &more);
        struct u256 expected = u256_from_be(data + at + 84);
        assert_true(u256_compare(&work, &expected) == 0);
        previous = header;
        first = boundary ? header : first;
    }
    free(data);
    assert_int_equal(records, 827);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compact),
        cmocka_unit_test(test_compact_refuses),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_work),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_twenty_minutes),
        cmocka_unit_test(test_boundary_after_exception),
        cmocka_unit_test(test_mainnet_boundary),
        cmocka_unit_test(test_mainnet_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
