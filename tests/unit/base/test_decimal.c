#include "base/decimal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static uint64_t parsed(const char *text, uint64_t max)
{
    uint64_t value = 0;
    assert_true(decimal_parse(&value, text, strlen(text), max));
    return value;
}

static void refused(const char *text, uint64_t max)
{
    uint64_t value = 7;
    assert_false(decimal_parse(&value, text, strlen(text), max));
    assert_true(value == 7);
}

static void test_up_to_max(void **state)
{
    (void)state;
    assert_true(parsed("0", 0) == 0);
    assert_true(parsed("007", 9) == 7);
    assert_true(parsed("2016", 2016) == 2016);
    assert_true(parsed("18446744073709551615", UINT64_MAX) == UINT64_MAX);
    refused("2017", 2016);
    refused("5", 4);
    refused("18446744073709551616", UINT64_MAX);
    refused("99999999999999999999999", UINT64_MAX);
}

static void test_digits_only(void **state)
{
    (void)state;
    refused("", 9);
    refused("-1", 9);
    refused("+1", 9);
    refused(" 1", 9);
    refused("1 ", 9);
    refused("0x1", 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_up_to_max),
        cmocka_unit_test(test_digits_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
