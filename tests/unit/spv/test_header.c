#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "spv/header.h"
#include "tests/unit/spv/mainnet_headers.h"

static void header_bytes(uint8_t out[static BLOCK_HEADER_SIZE], const char *hex)
{
    assert_true(hex_decode(out, BLOCK_HEADER_SIZE, hex, strlen(hex), NULL));
}

static void test_fields(void **state)
{
    (void)state;
    uint8_t raw[BLOCK_HEADER_SIZE];
    header_bytes(raw, mainnet_headers[0]);
    struct block_header header;
    block_header_decode(&header, raw);
    assert_int_equal(header.version, 0x2f54e000);
    assert_int_equal(header.previous.b[0], 0xc9);
    assert_int_equal(header.previous.b[31], 0);
    assert_int_equal(header.merkle_root[0], 0x1a);
    assert_int_equal(header.merkle_root[31], 0xdf);
    assert_int_equal(header.time.s, 0x6598a1bc);
    assert_int_equal(header.bits, 0x1703d869);
    assert_true(header.nonce == 0xc14ac601);
}

static void test_encode_is_inverse(void **state)
{
    (void)state;
    uint8_t raw[BLOCK_HEADER_SIZE];
    for (size_t i = 0; i < sizeof(raw); i++) {
        raw[i] = (uint8_t)(0xff - i);
    }
    struct block_header header;
    block_header_decode(&header, raw);
    assert_true(header.version < 0);
    uint8_t back[BLOCK_HEADER_SIZE];
    block_header_encode(back, &header);
    assert_memory_equal(back, raw, sizeof(raw));
}

static void test_hash_links_headers(void **state)
{
    (void)state;
    uint8_t raw[BLOCK_HEADER_SIZE];
    header_bytes(raw, mainnet_period_last);
    struct block_hash previous;
    block_header_hash_bytes(&previous, raw);
    for (size_t i = 0; i < MAINNET_HEADERS; i++) {
        header_bytes(raw, mainnet_headers[i]);
        struct block_header header;
        block_header_decode(&header, raw);
        assert_true(block_hash_equal(&header.previous, &previous));
        struct block_hash hash;
        block_header_hash(&hash, &header);
        block_header_hash_bytes(&previous, raw);
        assert_true(block_hash_equal(&hash, &previous));
    }
}

/* Many at once, in counts around those that are hashed together. */
static void test_hashes_of_many(void **state)
{
    (void)state;
    enum { MOST = 200 };
    static struct block_header headers[MOST];
    static uint8_t raw[MOST][BLOCK_HEADER_SIZE];
    static struct block_hash expected[MOST], hashes[MOST + 1];
    header_bytes(raw[0], mainnet_headers[0]);
    block_header_decode(&headers[0], raw[0]);
    for (uint32_t i = 0; i < MOST; i++) {
        headers[i] = headers[0];
        headers[i].nonce += i;
        block_header_encode(raw[i], &headers[i]);
        block_header_hash(&expected[i], &headers[i]);
    }
    for (size_t count = 0; count <= MOST; count += count < 70 ? 1 : 13) {
        memset(hashes, 0, sizeof(hashes));
        block_headers_hash(hashes, headers, count);
        assert_memory_equal(hashes, expected, count * sizeof(hashes[0]));
        memset(hashes, 0, sizeof(hashes));
        block_headers_hash_bytes(hashes, raw[0], count);
        assert_memory_equal(hashes, expected, count * sizeof(hashes[0]));
        static const struct block_hash zero;
        assert_true(block_hash_equal(&hashes[count], &zero));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_encode_is_inverse),
        cmocka_unit_test(test_hash_links_headers),
        cmocka_unit_test(test_hashes_of_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
