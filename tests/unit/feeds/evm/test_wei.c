#include "feeds/evm/wei.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static struct wei parsed(const char *text)
{
    struct wei value = {0};
    assert_true(wei_parse(&value, text, strlen(text)));
    return value;
}

static const struct u256 all_ones = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};

static void test_arithmetic_reports_overflow(void **state)
{
    (void)state;
    struct wei most = {all_ones}, one = wei_from_u64(1), out = wei_from_u64(7);
    assert_false(wei_add(&out, most, one));
    assert_false(wei_mul(&out, most, 2));
    assert_false(wei_mul(&out, most, UINT64_C(1) << 32));
    assert_int_equal(out.value.limb[0], 7);
    assert_true(wei_mul(&out, most, 1));
    assert_int_equal(wei_compare(out, most), 0);
    assert_true(wei_mul(&out, most, 0));
    assert_true(wei_is_zero(out));
    assert_true(wei_mul(&out, wei_from_u64(UINT64_MAX), UINT64_MAX));
    assert_true(out.value.limb[0] == 1 && out.value.limb[1] == UINT64_MAX - 1);
    assert_true(wei_add(&out, wei_from_u64(UINT64_MAX), one));
    assert_true(out.value.limb[0] == 0 && out.value.limb[1] == 1);
}

/* A replacement's fee: at least an eighth more, rounded up. */
static void test_scale_up(void **state)
{
    (void)state;
    struct wei out;
    assert_true(wei_scale_up(&out, wei_from_u64(8), 9, 8));
    assert_int_equal(out.value.limb[0], 9);
    assert_true(wei_scale_up(&out, wei_from_u64(1), 9, 8));
    assert_int_equal(out.value.limb[0], 2);
    assert_true(wei_scale_up(&out, wei_from_u64(1000000007), 9, 8));
    assert_int_equal(out.value.limb[0], 1125000008);
    assert_false(wei_scale_up(&out, (struct wei){all_ones}, 9, 8));
}

static void assert_format(struct wei value, const char *expected)
{
    char text[WEI_TEXT_MAX];
    wei_format(text, value);
    assert_string_equal(text, expected);
}

static void test_text(void **state)
{
    (void)state;
    assert_format(wei_from_u64(0), "0 wei");
    assert_format(wei_from_u64(999999), "999999 wei");
    assert_format(parsed("0.001 gwei"), "0.001 gwei");
    assert_format(parsed("50 gwei"), "50 gwei");
    assert_format(parsed("2.000000001gwei"), "2.000000001 gwei");
    assert_format(parsed("0.2 ETH"), "0.2 ether");
    assert_format(parsed("10000 Ether"), "10000 ether");
    assert_format(parsed("0.001 ether"), "0.001 ether");
    assert_format((struct wei){all_ones},
                  "115792089237316195423570985008687907853269984665640564039457."
                  "584007913129639935 ether");
    assert_int_equal(wei_compare(parsed("1 eth"), wei_from_u64(WEI_PER_ETHER)), 0);
    assert_int_equal(wei_compare(parsed("1 gwei"), wei_from_u64(WEI_PER_GWEI)), 0);
    assert_int_equal(parsed("7 wei").value.limb[0], 7);
}

static void test_refused_text(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "1",
                                        "gwei",
                                        "1 szabo",
                                        "1. gwei",
                                        ".5 gwei",
                                        "-1 gwei",
                                        "1e9 wei",
                                        "0.5 wei",
                                        "1  gwei",
                                        "1 gwei ",
                                        "0.0000000001 gwei",
                                        "340282366920938463463374607431768211456 wei",
                                        "1,5 gwei"};
    struct wei value;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_false(wei_parse(&value, wrong[i], strlen(wrong[i])));
    value = parsed("340282366920938463463374607431768211455 wei");
    assert_true(value.value.limb[1] == UINT64_MAX && value.value.limb[2] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arithmetic_reports_overflow),
        cmocka_unit_test(test_scale_up),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_refused_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
