#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "base/random.h"
#include "spv/base58.h"

static const struct {
    const char *hex;
    const char *text;
} vectors[] = {
    {"", ""},
    {"61", "2g"},
    {"626262", "a3gV"},
    {"636363", "aPEr"},
    {"73696d706c792061206c6f6e6720737472696e67", "2cFupjhnEsSn59qHXstmK2ffpLv2"},
    {"00eb15231dfceb60925886b67d065299925915aeb172c06647",
     "1NS17iag9jJgTHD1VXjvLCEnZuQ3rJDE9L"},
    {"516b6fcd0f", "ABnLTmg"},
    {"bf4f89001e670274dd", "3SEo3LWLoPntC"},
    {"572e4794", "3EFU7m"},
    {"ecac89cad93923c02321", "EJDM8drfXA6uyA"},
    {"10c8511e", "Rt5zm"},
    {"00000000000000000000", "1111111111"},
    {"00000000000000000000000000000000000000000000000000000000000000000000000000000001",
     "1111111111111111111111111111111111111112"},
    {"000111d38e5fc9071ffcd20b4a763cc9ae4f252bb4e48fd66a835e252ada93ff480d6dd43dc62a64115"
     "5"
     "a5",
     "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"},
    {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627282"
     "9"
     "2a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f5051525"
     "3"
     "5455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7"
     "d"
     "7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a"
     "7"
     "a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d"
     "1"
     "d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9faf"
     "b"
     "fcfdfeff",
     "1cWB5HCBdLjAuqGGReWE3R3CguuwSjw6RHn39s2yuDRTS5NsBgNiFpWgAnEx6VQi8csexkgYw3mdYrMHr8x"
     "9"
     "i7aEwP8kZ7vccXWqKDvGv3u1GxFKPuAkn8JCPPGDMf3vMMnbzm6Nh9zh1gcNsMvH3ZNLmP5fSG6DGbbi2tu"
     "w"
     "MWPthr4boWwCxf7ewSgNQeacyozhKDDQQ1qL5fQFUW52QKUZDZ5fw3KXNQJMcNTcaB723LchjeKun7MuGW5"
     "q"
     "yCBZYzA1KjofN1gYBV3NqyhQJ3Ns746GNuf9N2pQPmHz4xpnSrrfCvy6TVVz5d4PdrjeshsWQwpZsZGzvbd"
     "A"
     "dN8MKV5QsBDY"},
    {"271f359e", "zzzzy"},
    {"271f359f", "zzzzz"},
    {"271f35a0", "211111"},
    {"271f35a1", "211112"},
};

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        uint8_t expected[BASE58_DATA_MAX], data[BASE58_DATA_MAX];
        char text[BASE58_TEXT_MAX];
        size_t len, error_at;
        const size_t expected_len = strlen(vectors[i].hex) / 2;
        assert_true(
            hex_decode(expected, expected_len, vectors[i].hex, 2 * expected_len, NULL));
        assert_int_equal(base58_decode(data, &len, &error_at, sizeof data,
                                       vectors[i].text, strlen(vectors[i].text)),
                         BASE58_OK);
        assert_int_equal(len, expected_len);
        assert_memory_equal(data, expected, len);
        assert_true(base58_encode(text, expected, expected_len));
        assert_string_equal(text, vectors[i].text);
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, 58);
    for (size_t round = 0; round < 2000; round++) {
        uint8_t data[BASE58_DATA_MAX], again[BASE58_DATA_MAX];
        char text[BASE58_TEXT_MAX];
        const size_t len = random_below(&random, sizeof data + 1);
        const size_t zeros = random_below(&random, 4);
        size_t again_len, error_at;
        for (size_t i = 0; i < len; i++)
            data[i] = i < zeros ? 0 : (uint8_t)random_u64(&random);
        assert_true(base58_encode(text, data, len));
        assert_int_equal(
            base58_decode(again, &again_len, &error_at, sizeof again, text, strlen(text)),
            BASE58_OK);
        assert_int_equal(again_len, len);
        assert_memory_equal(again, data, len);
    }
}

static void test_limits(void **state)
{
    (void)state;
    uint8_t data[BASE58_DATA_MAX];
    char text[BASE58_TEXT_MAX];
    size_t len, error_at;

    memset(data, 0xff, sizeof data);
    assert_true(base58_encode(text, data, sizeof data));
    assert_int_equal(strlen(text), BASE58_TEXT_MAX - 1);
    assert_false(base58_encode(text, data, sizeof data + 1));
    assert_int_equal(base58_decode(data, &len, &error_at, 1, "a3gV", 4), BASE58_TOO_LONG);
    assert_int_equal(base58_decode(data, &len, &error_at, 3, "1111", 4), BASE58_TOO_LONG);

    char zs[400];
    memset(zs, 'z', sizeof zs);
    assert_int_equal(base58_decode(data, &len, &error_at, sizeof data, zs, sizeof zs),
                     BASE58_TOO_LONG);
}

static void test_bad_characters(void **state)
{
    (void)state;
    static const char bad[] = {'0', 'O',  'I',    'l',    ' ',   '+',
                               '/', '\0', '\x7f', '\x80', '\xff'};
    for (size_t i = 0; i < sizeof bad; i++) {
        char text[] = "abcdefghX";
        uint8_t data[16];
        size_t len, error_at = 99;
        text[8] = bad[i];
        assert_int_equal(base58_decode(data, &len, &error_at, sizeof data, text, 9),
                         BASE58_BAD_CHARACTER);
        assert_int_equal(error_at, 8);
    }
}

static void test_checksum(void **state)
{
    (void)state;
    uint8_t data[64];
    char text[BASE58_TEXT_MAX];
    size_t len, error_at;
    static const char address[] = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa";

    assert_int_equal(
        base58_decode(data, &len, &error_at, sizeof data, address, strlen(address)),
        BASE58_OK);
    assert_int_equal(len, 25);
    assert_true(base58_checksum_holds(data, len));
    assert_true(base58check_encode(text, data, 21));
    assert_string_equal(text, address);
    data[5] ^= 1;
    assert_false(base58_checksum_holds(data, len));
    assert_false(base58_checksum_holds(data, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),  cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_limits),   cmocka_unit_test(test_bad_characters),
        cmocka_unit_test(test_checksum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
