#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "base/mem.h"
#include "spv/descriptor.h"

#define MULTISIG                                                                         \
    "512103a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd"             \
    "4104a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd"               \
    "5b8dec5235a0fa8722476c7709c02559e3aa73aa03918ba2d492eea75abea23552ae"

static const struct {
    const char *text;
    const char *script;
} valid[] = {
    /* BIP 380 and BIP 385. */
    {"raw(deadbeef)#89f8spxm", "deadbeef"},
    {"raw(deadbeef)", "deadbeef"},
    {"raw(" MULTISIG ")", MULTISIG},
    {"raw(a9149a4d9901d6af519b2a23d4a2f51650fcba87ce7b87)",
     "a9149a4d9901d6af519b2a23d4a2f51650fcba87ce7b87"},
    {"addr(3PUNyaW7M55oKWJ3kDukwk9bsKvryra15j)",
     "a914eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee87"},
    /* And. */
    {"raw(DEADbeef)", "deadbeef"},
    {"3PUNyaW7M55oKWJ3kDukwk9bsKvryra15j",
     "a914eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee87"},
};

static const struct {
    const char *text;
    const char *reason;
    size_t error_at;
} invalid[] = {
    /* BIP 380 and BIP 385. */
    {"raw(deadbeef)#", "0 characters after '#'", 14},
    {"raw(deadbeef)#89f8spxmx", "9 characters after '#'", 14},
    {"raw(deadbeef)#89f8spx", "7 characters after '#'", 14},
    {"raw(deedbeef)#89f8spxm", "checksum does not match", 14},
    {"raw(deedbeef)##9f8spxm", "checksum does not match", 14},
    {"raw(\xc3\x9c)#00000000", "checksum does not match", 8},
    {"raw(asdf)", "hexadecimal", 5},
    {"addr(asdf)", "too short", 5},
    {"sh(raw(deadbeef))", "sh()", 0},
    {"wsh(addr(3PUNyaW7M55oKWJ3kDukwk9bsKvryra15j))", "wsh()", 0},
    /* And. */
    {"raw(deadbee)", "odd number", 10},
    {"raw()", "empty script", 4},
    {"raw(6a00)", "OP_RETURN", 4},
    {"raw(deadbeef", "doesn't end with ')'", 11},
    {"raw(", "doesn't end with ')'", 3},
    {"(", "descriptor ()", 0},
    {"wsh(multi(1", "descriptor wsh()", 0},
    {"()", "descriptor ()", 0},
    {"#(", "'#'", 1},
    {"#qqqqqqq(", "checksum does not match", 1},
    {"addr(3PUNyaW7M55oKWJ3kDukwk9bsKvryra15O)", "character 'O'", 38},
    {"addr(mpXwg4jMtRhuSpVq4xS3HFHmCmWp9NyGKt)", "this is mainnet", 5},
    {"wpkh([d34db33f/84h/0h/0h]xpub6ERA/0/*)", "give the addresses", 0},
    {"3PUNyaW7M55oKWJ3kDukwk9bsKvryra15j#89f8spxm", "character '#'", 34},
    {"", "empty", 0},
};

static void test_valid(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof valid / sizeof valid[0]; i++) {
        uint8_t *script;
        size_t len, error_at;
        struct error error;
        char hex[512];

        if (!descriptor_parse(&script, &len, network_find("mainnet"), valid[i].text,
                              strlen(valid[i].text), &error_at, &error))
            fail_msg("%s: %s", valid[i].text, error.text);
        hex_encode(hex, script, len);
        assert_string_equal(hex, valid[i].script);
        free(script);
    }
}

static void test_invalid(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++) {
        uint8_t *script;
        size_t len, error_at = 99;
        struct error error;

        assert_false(descriptor_parse(&script, &len, network_find("mainnet"),
                                      invalid[i].text, strlen(invalid[i].text), &error_at,
                                      &error));
        if (strstr(error.text, invalid[i].reason) == NULL ||
            error_at != invalid[i].error_at)
            fail_msg("%s: at %zu: %s", invalid[i].text, error_at, error.text);
    }
}

static void test_longest_script(void **state)
{
    (void)state;
    const size_t len = 2 * (SCRIPT_MAX + 1) + 5;
    char *text = mem_alloc(len + 1);
    uint8_t *script;
    size_t script_len, error_at;
    struct error error;

    memset(text, '5', len);
    memcpy(text, "raw(", 4);
    text[len - 1] = ')';
    assert_false(descriptor_parse(&script, &script_len, network_find("mainnet"), text,
                                  len, &error_at, &error));
    assert_non_null(strstr(error.text, "10001 bytes"));
    text[len - 3] = ')';
    assert_true(descriptor_parse(&script, &script_len, network_find("mainnet"), text,
                                 len - 2, &error_at, &error));
    assert_int_equal(script_len, SCRIPT_MAX);
    free(script);
    free(text);
}

static void test_checksum(void **state)
{
    (void)state;
    char checksum[9];

    assert_true(descriptor_checksum(checksum, "raw(deadbeef)", 13));
    assert_string_equal(checksum, "89f8spxm");
    assert_false(descriptor_checksum(checksum, "raw(\xc3\x9c)", 7));
    assert_false(descriptor_checksum(checksum, "raw(\0)", 6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_longest_script),
        cmocka_unit_test(test_checksum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
