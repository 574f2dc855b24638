#include "base/cipher.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/hex.h"
#include "base/secret.h"

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

/* RFC 7914, section 11. */
static void test_pbkdf2(void **state)
{
    (void)state;
    uint8_t out[64];
    assert_true(pbkdf2_sha256(out, 64, text_bytes("passwd"), text_bytes("salt"), 1));
    assert_hex(out, 64,
               "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
               "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783");
    assert_false(pbkdf2_sha256(out, 64, text_bytes("passwd"), text_bytes("salt"), 0));
}

/* NIST SP 800-38A, F.5.1, which spans blocks; and in place. */
static void test_aes128_ctr(void **state)
{
    (void)state;
    uint8_t key[16], iv[16], data[32];
    assert_true(hex_decode(key, 16, "2b7e151628aed2a6abf7158809cf4f3c", 32, NULL));
    assert_true(hex_decode(iv, 16, "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", 32, NULL));
    assert_true(hex_decode(data, 32,
                           "6bc1bee22e409f96e93d7e117393172a"
                           "ae2d8a571e03ac9c9eb76fac45af8e51",
                           64, NULL));
    assert_true(aes128_ctr(data, data, 32, key, iv));
    assert_hex(data, 32,
               "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff");
}

static void test_secrets(void **state)
{
    (void)state;
    uint8_t a[4] = {1, 2, 3, 4}, b[4] = {1, 2, 3, 5};
    assert_true(secret_equal(a, b, 3));
    assert_false(secret_equal(a, b, 4));
    assert_true(secret_equal(a, b, 0));
    secret_wipe(a, sizeof(a));
    assert_memory_equal(a, "\0\0\0\0", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pbkdf2),
        cmocka_unit_test(test_aes128_ctr),
        cmocka_unit_test(test_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
