#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "base/mem.h"
#include "spv/script.h"

#define KEY_33 "0260b2003c386519fc9eadf2b5cf124dd8eea4c4e68d5e154050a9346ea98ce600"
#define KEY_65                                                                           \
    "04a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd"                 \
    "5b8dec5235a0fa8722476c7709c02559e3aa73aa03918ba2d492eea75abea235"
#define HASH_20 "751e76e8199196d454941c45d1b3a323f1433bd6"
#define HASH_32 "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"

static const struct {
    const char *hex;
    enum script_kind kind;
} kinds[] = {
    {"76a914" HASH_20 "88ac", SCRIPT_P2PKH},
    {"76a914" HASH_20 "88ad", SCRIPT_OTHER},
    {"a914" HASH_20 "87", SCRIPT_P2SH},
    {"a914" HASH_20 "88", SCRIPT_OTHER},
    {"0014" HASH_20, SCRIPT_P2WPKH},
    {"0020" HASH_32, SCRIPT_P2WSH},
    {"5120" HASH_32, SCRIPT_P2TR},
    {"0002751e", SCRIPT_WITNESS},
    {"51024e73", SCRIPT_WITNESS},
    {"6002751e", SCRIPT_WITNESS},
    {"6102751e", SCRIPT_OTHER}, /* OP_NOP is no version */
    {"5101aa", SCRIPT_OTHER},   /* a program has two bytes or more */
    {"5120" HASH_32 "00", SCRIPT_OTHER},
    {"21" KEY_33 "ac", SCRIPT_P2PK},
    {"41" KEY_65 "ac", SCRIPT_P2PK},
    {"21" KEY_33, SCRIPT_OTHER},
    {"5121" KEY_33 "51ae", SCRIPT_MULTISIG},
    {"5121" KEY_33 "41" KEY_65 "52ae", SCRIPT_MULTISIG},
    {"5321" KEY_33 "41" KEY_65 "52ae", SCRIPT_OTHER}, /* three of two */
    {"5121" KEY_33 "52ae", SCRIPT_OTHER},             /* a key is missing */
    {"0051ae", SCRIPT_OTHER},
    {"6a", SCRIPT_OP_RETURN},
    {"6a0568656c6c6f", SCRIPT_OP_RETURN},
    {"", SCRIPT_OTHER},
    {"ac", SCRIPT_OTHER},
    {"51", SCRIPT_OTHER},
};

static void test_classify(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const size_t len = strlen(kinds[i].hex) / 2;
        /* On the heap and of exactly that size, so that a sanitizer sees a byte too far.
         */
        uint8_t *data = mem_alloc(len);
        assert_true(hex_decode(data, len, kinds[i].hex, 2 * len, NULL));
        const enum script_kind kind = script_classify((struct bytes){data, len});
        if (kind != kinds[i].kind)
            fail_msg("%s is %s, not %s", kinds[i].hex, script_kind_name(kind),
                     script_kind_name(kinds[i].kind));
        free(data);
    }
}

static void test_truncated_multisig(void **state)
{
    (void)state;
    static const char hex[] = "5121" KEY_33 "41" KEY_65 "52ae";
    const size_t len = strlen(hex) / 2;
    uint8_t whole[256];
    assert_true(hex_decode(whole, len, hex, 2 * len, NULL));
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *data = mem_alloc(cut);
        memcpy(data, whole, cut);
        assert_int_not_equal(script_classify((struct bytes){data, cut}), SCRIPT_MULTISIG);
        free(data);
    }
}

static void test_witness_program(void **state)
{
    (void)state;
    static const uint8_t script[] = {0x60, 0x02, 0x75, 0x1e};
    unsigned version;
    struct bytes program;

    assert_true(script_witness_program((struct bytes){script, 4}, &version, &program));
    assert_int_equal(version, 16);
    assert_ptr_equal(program.data, script + 2);
    assert_int_equal(program.len, 2);
    assert_false(script_witness_program((struct bytes){script, 3}, &version, &program));
}

static void test_watchable(void **state)
{
    (void)state;
    static const uint8_t op_return[] = {0x6a, 0x01, 0xaa};
    static const uint8_t op_true[] = {0x51};
    uint8_t *large = mem_zalloc(SCRIPT_MAX + 1, 1);
    struct error error;

    assert_false(script_watchable((struct bytes){NULL, 0}, &error));
    assert_non_null(strstr(error.text, "empty"));
    assert_false(script_watchable((struct bytes){op_return, 3}, &error));
    assert_non_null(strstr(error.text, "OP_RETURN"));
    assert_true(script_watchable((struct bytes){op_true, 1}, &error));
    assert_true(script_watchable((struct bytes){large, SCRIPT_MAX}, &error));
    assert_false(script_watchable((struct bytes){large, SCRIPT_MAX + 1}, &error));
    assert_non_null(strstr(error.text, "10001 bytes"));
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classify),
        cmocka_unit_test(test_truncated_multisig),
        cmocka_unit_test(test_witness_program),
        cmocka_unit_test(test_watchable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
