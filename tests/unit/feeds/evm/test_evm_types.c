#include "feeds/evm/evm_types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/* EIP-55's examples. */
static const char *const checksummed[] = {
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
};

static void test_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(checksummed) / sizeof(*checksummed); i++) {
        char text[EVM_ADDRESS_TEXT_MAX];
        struct evm_address address;
        struct error error;
        assert_true(evm_address_parse(&address, checksummed[i], 42, &error));
        evm_address_text(text, &address);
        assert_string_equal(text, checksummed[i]);
    }
}

static void test_mistyped_addresses(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed", /* a capital lost */
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAee", /* a digit changed */
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",
        "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed00",
        "0X5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeg",
        "",
    };
    struct evm_address address, lower;
    struct error error;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_false(evm_address_parse(&address, wrong[i], strlen(wrong[i]), &error));
    assert_false(evm_address_parse(&address, wrong[0], 42, &error));
    assert_non_null(strstr(error.text, "EIP-55"));
    /* In one case there is nothing to check. */
    assert_true(evm_address_parse(&lower, "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
                                  42, &error));
    assert_true(evm_address_parse(&address, "0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED",
                                  42, &error));
    assert_true(evm_address_equal(&address, &lower));
}

static bool quantity(uint64_t *out, const char *text)
{
    return evm_quantity_parse_u64(out, text, strlen(text));
}

static void test_quantities(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "0x",   "0x00", "0x0400", "ff",  "0xg", "", "0x10000000000000000",
        " 0x1", "0x1 ", "0X1",    "-0x1"};
    uint64_t value;
    assert_true(quantity(&value, "0x0") && value == 0);
    assert_true(quantity(&value, "0x41") && value == 65);
    assert_true(quantity(&value, "0x400") && value == 1024);
    assert_true(quantity(&value, "0xFFffFFffFFffFFff") && value == UINT64_MAX);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_false(quantity(&value, wrong[i]));

    char text[EVM_QUANTITY_TEXT_MAX], again[EVM_QUANTITY_TEXT_MAX];
    struct u256 wide;
    memset(text, 'f', sizeof(text));
    memcpy(text, "0x", 2);
    text[66] = '\0';
    assert_true(evm_quantity_parse(&wide, text, 66));
    evm_quantity_text(again, &wide);
    assert_string_equal(again, text);
    wide = u256_from_u64(0);
    evm_quantity_text(again, &wide);
    assert_string_equal(again, "0x0");
}

static void test_data(void **state)
{
    (void)state;
    struct writer out = {0};
    struct evm_hash hash;
    assert_true(evm_data_parse(&out, "0x", 2));
    assert_int_equal(out.len, 0);
    assert_true(evm_data_parse(&out, "0x004200", 8));
    assert_int_equal(out.len, 3);
    assert_memory_equal(out.data, "\0\x42\0", 3);
    assert_false(evm_data_parse(&out, "0xf0f", 5));
    assert_false(evm_data_parse(&out, "004200", 6));
    assert_false(evm_data_parse(&out, "0x0g", 4));
    assert_int_equal(out.len, 3);
    writer_release(&out);
    evm_data_write(&out, (struct bytes){(const uint8_t *)"\x00\xab", 2});
    assert_int_equal(out.len, 6);
    assert_memory_equal(out.data, "0x00ab", 6);
    writer_release(&out);
    assert_false(evm_hash_parse(&hash, "0x00", 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_mistyped_addresses),
        cmocka_unit_test(test_quantities),
        cmocka_unit_test(test_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
