#include "feeds/feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void test_names(void **state)
{
    (void)state;
    static const char *const good[] = {"wbtc", "a", "9", "w-1_b.2", "WBTC"};
    static const char *const bad[] = {"",     "-a",  ".a",        "_a",  "a b",  "a/b",
                                      "a\"b", "a:b", "w\xc3\xa4", "a\n", "../x", "a%2fb"};
    struct error error;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        assert_true(feed_name_valid(good[i], strlen(good[i]), &error));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(feed_name_valid(bad[i], strlen(bad[i]), &error));
    char longest[FEED_NAME_MAX + 1];
    memset(longest, 'x', sizeof(longest));
    assert_true(feed_name_valid(longest, FEED_NAME_MAX, &error));
    assert_false(feed_name_valid(longest, FEED_NAME_MAX + 1, &error));
    assert_false(feed_name_valid("a\0b", 3, &error));
}

static void test_confirmations(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",     "0",   "-1",  "+1",  " 1",         "1 ",
        "2017", "6.0", "0x6", "six", "4294967297", "99999999999999999999999"};
    struct error error;
    uint32_t out = 7;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(feed_parse_confirmations(&out, bad[i], strlen(bad[i]), &error));
    assert_int_equal(out, 7);
    assert_true(feed_parse_confirmations(&out, "1", 1, &error));
    assert_int_equal(out, 1);
    assert_true(feed_parse_confirmations(&out, "2016", 4, &error));
    assert_int_equal(out, 2016);
}

static void test_immature_and_defaults(void **state)
{
    (void)state;
    struct error error;
    struct feed feed;
    feed_init(&feed);
    assert_int_equal(feed.confirmations, 6);
    assert_false(feed.count_immature);
    assert_int_equal(feed.policy.up.kind, DEVIATION_NONE);
    assert_int_equal(feed.policy.heartbeat, 0);
    assert_true(feed_parse_immature(&feed.count_immature, "include", 7, &error));
    assert_true(feed.count_immature);
    assert_true(feed_parse_immature(&feed.count_immature, "exclude", 7, &error));
    assert_false(feed.count_immature);
    assert_false(feed_parse_immature(&feed.count_immature, "included", 8, &error));
    assert_false(feed_parse_immature(&feed.count_immature, "", 0, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_confirmations),
        cmocka_unit_test(test_immature_and_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
