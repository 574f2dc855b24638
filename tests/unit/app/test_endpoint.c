#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "app/endpoint.h"

static void expect(const char *text, const char *expected)
{
    char out[ENDPOINT_TEXT_MAX];
    struct error error;
    if (!endpoint_parse(out, text, 8333, &error))
        fail_msg("%s", error.text);
    assert_string_equal(out, expected);
}

static void refuse(const char *text)
{
    char out[ENDPOINT_TEXT_MAX];
    struct error error;
    if (endpoint_parse(out, text, 8333, &error))
        fail_msg("'%s' was read as %s", text, out);
    assert_non_null(strstr(error.text, text));
}

static void test_hosts_with_and_without_port(void **state)
{
    (void)state;
    expect("node", "node:8333");
    expect("node.example.", "node.example.:8333");
    expect("my_node-1.local:1", "my_node-1.local:1");
    expect("10.0.0.1:65535", "10.0.0.1:65535");
    expect("[::1]", "[::1]:8333");
    expect("[2001:db8::1]:18444", "[2001:db8::1]:18444");
}

static void test_what_is_no_host_is_refused(void **state)
{
    (void)state;
    refuse("");
    refuse(":8333");
    refuse("a b");
    refuse("-a");
    refuse("a..b");
    refuse(".a");
    refuse("a:");
    refuse("a:0");
    refuse("a:65536");
    refuse("a:123456");
    refuse("a:8x");
    refuse("a:1:2");
    refuse("::1");
    refuse("[::1");
    refuse("[node]:1");
    refuse("[::1]x");
    refuse("http://a");
}

static void test_lengths_are_bounded(void **state)
{
    char name[300];
    (void)state;
    memset(name, 'a', sizeof(name));
    for (size_t i = 63; i < sizeof(name); i += 64)
        name[i] = '.';
    assert_true(host_name_valid(name, 253));
    assert_false(host_name_valid(name, 255));
    memset(name, 'a', 64);
    assert_true(host_name_valid(name, 63));
    assert_false(host_name_valid(name, 64));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts_with_and_without_port),
        cmocka_unit_test(test_what_is_no_host_is_refused),
        cmocka_unit_test(test_lengths_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
