#include "base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void test_mono(void **state)
{
    (void)state;
    const struct mono_time start = {1000};
    assert_int_equal(mono_add(start, 500).ms, 1500);
    assert_int_equal(mono_add(start, -500).ms, 500);
    assert_int_equal(mono_since(mono_add(start, 500), start), 500);
    assert_int_equal(mono_since(start, mono_add(start, 500)), -500);
    assert_false(mono_reached(start, (struct mono_time){1001}));
    assert_true(mono_reached(start, start));
    assert_true(mono_reached(start, (struct mono_time){999}));
}

static void test_mono_never(void **state)
{
    (void)state;
    assert_false(mono_reached((struct mono_time){INT64_MAX}, MONO_NEVER));
    assert_int_equal(mono_add(MONO_NEVER, -1).ms, INT64_MAX);
    assert_int_equal(mono_add(MONO_NEVER, 1).ms, INT64_MAX);
    assert_int_equal(mono_add((struct mono_time){5}, INT64_MAX).ms, INT64_MAX);
    assert_int_equal(mono_since(MONO_NEVER, (struct mono_time){-1}), INT64_MAX);
    assert_int_equal(mono_since((struct mono_time){-2}, MONO_NEVER), INT64_MIN);
}

static void test_format_utc(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z"},
        {-1, "1969-12-31T23:59:59Z"},
        {1231006505, "2009-01-03T18:15:05Z"},
        {1709210096, "2024-02-29T12:34:56Z"},
        {2147483648, "2038-01-19T03:14:08Z"},
        {4294967295, "2106-02-07T06:28:15Z"},
        {253402300799, "9999-12-31T23:59:59Z"},
        {INT64_MAX, "@9223372036854775807"},
        {INT64_MIN, "@-9223372036854775808"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[TIME_TEXT_MAX];
        time_format_utc(text, cases[i].seconds);
        assert_string_equal(text, cases[i].text);
    }
}

static void test_duration_format(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        {0, "0s"},
        {12, "12s"},
        {59, "59s"},
        {60, "1m"},
        {310, "5m 10s"},
        {3599, "59m 59s"},
        {3600, "1h"},
        {3659, "1h"},
        {3660, "1h 1m"},
        {86399, "23h 59m"},
        {86400, "1d"},
        {3 * 86400 + 4 * 3600 + 59 * 60 + 59, "3d 4h"},
        {400 * 86400, "400d"},
        {-310, "-5m 10s"},
        {INT64_MAX, "106751991167300d 15h"},
        {INT64_MIN, "-106751991167300d 15h"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[TIME_TEXT_MAX];
        duration_format(text, cases[i].seconds);
        assert_string_equal(text, cases[i].text);
    }
}

static void test_duration_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {
        {"1", 1},
        {"90", 90},
        {"90s", 90},
        {"10m", 600},
        {"24h", 86400},
        {"7d", 604800},
        {"007m", 420},
        {"3650d", 315360000},
        {"87600h", 315360000},
        {"315360000", 315360000},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t seconds;
        assert_true(duration_parse(&seconds, cases[i].text, strlen(cases[i].text)));
        assert_int_equal(seconds, cases[i].seconds);
    }
}

static void test_duration_parse_refuses(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",     "0",    "0s",   "000d",  "s",      "m5",        "-5",
        "+5",   " 5",   "5 ",   "5 m",   "5ms",    "5M",        "5w",
        "1.5h", "1h5m", "0x10", "3651d", "87601h", "315360001", "99999999999999999999d",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t seconds = 7;
        assert_false(duration_parse(&seconds, cases[i], strlen(cases[i])));
        assert_int_equal(seconds, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mono),
        cmocka_unit_test(test_mono_never),
        cmocka_unit_test(test_format_utc),
        cmocka_unit_test(test_duration_format),
        cmocka_unit_test(test_duration_parse),
        cmocka_unit_test(test_duration_parse_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
