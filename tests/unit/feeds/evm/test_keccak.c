#include "feeds/evm/keccak.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <openssl/evp.h>

#include "base/hex.h"

static void assert_keccak(const char *text, const char *expected)
{
    uint8_t hash[32];
    char shown[65];
    keccak256(hash, text, strlen(text));
    hex_encode(shown, hash, sizeof(hash));
    assert_string_equal(shown, expected);
}

static void test_published_values(void **state)
{
    (void)state;
    assert_keccak("", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
    assert_keccak("abc",
                  "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
    assert_keccak("Transfer(address,address,uint256)",
                  "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
}

/* libcrypto's SHA3-256 is the same but for the padding: every length over four blocks. */
static void test_permutation_against_libcrypto(void **state)
{
    (void)state;
    uint8_t data[4 * KECCAK256_RATE + 1], expected[32], found[32];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 167 + 13);
    for (size_t len = 0; len <= sizeof(data); len++) {
        struct keccak256 hash;
        assert_int_equal(EVP_Digest(data, len, expected, NULL, EVP_sha3_256(), NULL), 1);
        keccak256_init(&hash);
        keccak256_update(&hash, data, len);
        keccak256_final_padded(&hash, found, SHA3_PADDING);
        assert_memory_equal(found, expected, sizeof(found));
    }
}

static void test_pieces_are_the_whole(void **state)
{
    (void)state;
    uint8_t data[400], whole[32], pieces[32];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)i;
    keccak256(whole, data, sizeof(data));
    for (size_t step = 1; step < 150; step++) {
        struct keccak256 hash;
        keccak256_init(&hash);
        for (size_t at = 0; at < sizeof(data); at += step)
            keccak256_update(&hash, data + at,
                             step < sizeof(data) - at ? step : sizeof(data) - at);
        keccak256_final(&hash, pieces);
        assert_memory_equal(pieces, whole, sizeof(whole));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_values),
        cmocka_unit_test(test_permutation_against_libcrypto),
        cmocka_unit_test(test_pieces_are_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
