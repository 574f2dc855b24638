#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "spv/header_file.h"

#define MOST 1000000

static bool layout(struct header_file_layout *out, struct error *error,
                   enum header_file_kind kind, const char *head, size_t len,
                   uint64_t size)
{
    const struct bytes bytes = {(const uint8_t *)head, len};
    return header_file_layout_of(out, kind, bytes, size, MOST, network_find("regtest"),
                                 error);
}

static void test_without_prefix(void **state)
{
    (void)state;
    struct header_file_layout out;
    struct error error;
    assert_true(
        layout(&out, &error, HEADER_FILE_BLOCKS, "\1\0\0\0\0\0\0\0\0\0", 10, 800));
    assert_int_equal(out.offset, 0);
    assert_int_equal(out.count, 10);
    assert_int_equal(out.record_size, 80);
    assert_true(
        layout(&out, &error, HEADER_FILE_FILTERS, "\1\2\3\4\5\6\7\10\11\12", 10, 96));
    assert_int_equal(out.count, 3);
    assert_int_equal(out.record_size, 32);
    assert_true(layout(&out, &error, HEADER_FILE_BLOCKS, "\1\0\0\0\0\0\0\0\0\0", 10,
                       80ull * MOST));
    assert_int_equal(out.count, MOST);
    assert_int_equal(header_file_size_max(HEADER_FILE_BLOCKS, MOST), 80ull * MOST + 10);
    assert_int_equal(header_file_size_max(HEADER_FILE_FILTERS, MOST), 32ull * MOST + 10);
}

static void test_with_prefix(void **state)
{
    (void)state;
    struct header_file_layout out;
    struct error error;
    assert_true(layout(&out, &error, HEADER_FILE_BLOCKS, "\xfa\xbf\xb5\xda\0\0\0\0\0\0",
                       10, 170));
    assert_int_equal(out.offset, 10);
    assert_int_equal(out.count, 2);
    assert_true(layout(&out, &error, HEADER_FILE_FILTERS, "\xfa\xbf\xb5\xda\0\1\0\0\0\0",
                       10, 42));
    assert_int_equal(out.offset, 10);
    assert_int_equal(out.count, 1);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        size_t len;
        uint64_t size;
        const char *reason;
    } cases[] = {
        {"", 0, 0, "it has no block headers"},
        {"\1", 1, 1, "1 bytes follow 0 records of 80"},
        {"\1\0\0\0\0\0\0\0\0\0", 10, 159, "79 bytes follow 1 records of 80"},
        {"\1\0\0\0\0\0\0\0\0\0", 10, 80ull * MOST + 80,
         "there can't be more than 1000000"},
        {"\1\0\0\0\0\0\0\0\0\0", 10, UINT64_MAX / 80 * 80, "there can't be more than"},
        {"\xfa\xbf\xb5\xda\0\0\0\0\0\0", 10, 10, "it has no block headers"},
        {"\xfa\xbf\xb5\xda\0\0\0\0\0\0", 10, 160, "70 bytes follow 1 records"},
        {"\xfa\xbf\xb5\xda\1\0\0\0\0\0", 10, 90, "version 1; only 0 is known"},
        {"\xfa\xbf\xb5\xda\0\1\0\0\0\0", 10, 90, "kind 1, block headers are 0"},
        {"\xfa\xbf\xb5\xda\0\0\0\0\0\1", 10, 90, "begins at height 16777216"},
        {"\xf9\xbe\xb4\xd9\0\0\0\0\0\0", 10, 90, "it is of mainnet"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct header_file_layout out;
        struct error error = {""};
        assert_false(layout(&out, &error, HEADER_FILE_BLOCKS, cases[i].head, cases[i].len,
                            cases[i].size));
        if (strstr(error.text, cases[i].reason) == NULL)
            fail_msg("case %zu: %s", i, error.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_prefix),
        cmocka_unit_test(test_with_prefix),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
