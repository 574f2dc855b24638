#include "base/scrypt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/hex.h"

static struct bytes text_bytes(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static void assert_hex(const uint8_t *data, size_t len, const char *expected)
{
    char text[129];
    hex_encode(text, data, len);
    assert_string_equal(text, expected);
}

/* RFC 7914, section 12. */
static void test_scrypt(void **state)
{
    (void)state;
    uint8_t out[64];
    assert_true(scrypt(out, 64, (struct bytes){0}, text_bytes(""), 16, 1, 1, 1 << 20));
    assert_hex(out, 64,
               "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
               "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906");
    assert_true(scrypt(out, 64, text_bytes("password"), text_bytes("NaCl"), 1024, 8, 16,
                       UINT64_C(2) << 20));
    assert_hex(out, 64,
               "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
               "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640");
}

static void test_scrypt_refuses(void **state)
{
    (void)state;
    uint8_t out[32];
    const struct bytes any = text_bytes("x");
    /* 128 * r * (n + p + 2), and a byte less. */
    assert_true(scrypt(out, 32, any, any, 1024, 8, 1, 128 * 8 * 1027));
    assert_false(scrypt(out, 32, any, any, 1024, 8, 1, 128 * 8 * 1027 - 1));
    assert_false(scrypt(out, 32, any, any, 1000, 8, 1, 1 << 24));
    assert_false(scrypt(out, 32, any, any, 1024, 0, 1, 1 << 24));
    assert_false(scrypt(out, 32, any, any, 1, 8, 1, 1 << 24));
}

/* Ours and libcrypto's are one function. */
static void test_portable(void **state)
{
    (void)state;
    const struct bytes password = text_bytes("pleaseletmein"), salt = text_bytes("NaCl");
    for (uint32_t r = 1; r <= 9; r += 4) {
        for (uint32_t p = 1; p <= 3; p++) {
            for (uint64_t n = 2; n <= 2048; n *= 8) {
                uint8_t theirs[40], ours[40];
                assert_true(scrypt(theirs, 40, password, salt, n, r, p, 1 << 24));
                assert_true(scrypt_portable(ours, 40, password, salt, n, r, p));
                assert_memory_equal(ours, theirs, 40);
            }
        }
    }
}

/* r = 1 with n above 2^16 - 1, which RFC 7914 leaves out. */
static void test_beyond_the_rfc(void **state)
{
    (void)state;
    uint8_t out[32], portable[32];
    const struct bytes any = text_bytes("x");
    assert_true(scrypt(out, 32, any, any, 65536, 1, 1, UINT64_C(1) << 24));
    assert_true(scrypt_portable(portable, 32, any, any, 65536, 1, 1));
    assert_memory_equal(out, portable, 32);
    assert_false(scrypt(out, 32, any, any, 65536, 1, 1, 1 << 20));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scrypt),
        cmocka_unit_test(test_scrypt_refuses),
        cmocka_unit_test(test_portable),
        cmocka_unit_test(test_beyond_the_rfc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
