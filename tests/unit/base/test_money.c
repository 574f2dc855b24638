#include "base/money.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/random.h"

#define SAT(N) ((struct amount){UINT64_C(N)})

static void test_add_and_sub(void **state)
{
    (void)state;
    const struct amount most = {UINT64_MAX};
    struct amount out = SAT(7);
    assert_true(amount_add(&out, SAT(1), SAT(2)));
    assert_int_equal(out.sat, 3);
    assert_true(amount_add(&out, most, SAT(0)));
    assert_int_equal(out.sat, UINT64_MAX);
    assert_true(amount_sub(&out, most, most));
    assert_int_equal(out.sat, 0);
    assert_true(amount_sub(&out, SAT(5), SAT(3)));
    assert_int_equal(out.sat, 2);

    out = SAT(7);
    assert_false(amount_add(&out, most, SAT(1)));
    assert_false(amount_add(&out, SAT(1), most));
    assert_false(amount_add(&out, most, most));
    assert_false(amount_sub(&out, SAT(0), SAT(1)));
    assert_int_equal(out.sat, 7);

    /* The result may be one of the operands. */
    assert_true(amount_add(&out, out, out));
    assert_int_equal(out.sat, 14);
}

static void test_format(void **state)
{
    (void)state;
    static const struct {
        uint64_t sat;
        const char *text;
    } cases[] = {
        {0, "0.00000000"},
        {1, "0.00000001"},
        {99999999, "0.99999999"},
        {100000000, "1.00000000"},
        {1234567890, "12.34567890"},
        {MAX_MONEY_SAT, "21000000.00000000"},
        {UINT64_MAX, "184467440737.09551615"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[AMOUNT_TEXT_MAX];
        amount_format_btc(text, (struct amount){cases[i].sat});
        assert_string_equal(text, cases[i].text);
    }
}

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t sat;
    } cases[] = {
        {"0", 0},
        {"0.0", 0},
        {"1", 100000000},
        {"0.1", 10000000},
        {"0.00000001", 1},
        {"12.3456789", 1234567890},
        {"007.5", 750000000},
        {"20999999.99999999", MAX_MONEY_SAT - 1},
        {"21000000", MAX_MONEY_SAT},
        {"21000000.00000000", MAX_MONEY_SAT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct amount out;
        assert_true(amount_parse_btc(&out, cases[i].text, strlen(cases[i].text)));
        assert_int_equal(out.sat, cases[i].sat);
    }
}

static void test_parse_refuses(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        ".",
        ".5",
        "5.",
        "1..2",
        "1.2.3",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1e3",
        "0x1",
        "1,5",
        "0.000000001",
        "1.000000000",
        "21000000.00000001",
        "21000001",
        "2100000000000000",
        "2100000000000001",
        "184467440737.09551616",
        "18446744073709551616",
        "99999999999999999999999999999999999999",
        "nan",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct amount out = SAT(7);
        assert_false(amount_parse_btc(&out, cases[i], strlen(cases[i])));
        assert_int_equal(out.sat, 7);
    }
}

/* The length bounds the text, not a NUL. */
static void test_parse_takes_length(void **state)
{
    (void)state;
    struct amount out;
    assert_true(amount_parse_btc(&out, "1.59", 3));
    assert_int_equal(out.sat, 150000000);
    assert_false(amount_parse_btc(&out, "1\0", 2));
}

static void test_format_then_parse(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, 2);
    for (int i = 0; i < 20000; i++) {
        struct amount amount = {random_below(&random, MAX_MONEY_SAT + 1) >>
                                random_below(&random, 50)};
        char text[AMOUNT_TEXT_MAX];
        amount_format_btc(text, amount);
        struct amount back;
        assert_true(amount_parse_btc(&back, text, strlen(text)));
        assert_int_equal(back.sat, amount.sat);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_and_sub),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_parse_takes_length),
        cmocka_unit_test(test_format_then_parse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
