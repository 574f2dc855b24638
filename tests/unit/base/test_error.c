#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void test_set(void **state)
{
    (void)state;
    struct error error;
    assert_false(error_set(&error, "%s: height %d; %s", "store", 5, "run it again"));
    assert_string_equal(error.text, "store: height 5; run it again");
}

static void test_set_cleans_and_cuts(void **state)
{
    (void)state;
    struct error error;
    error_set(&error, "peer says %s", "\x1b[2J\r\n");
    assert_string_equal(error.text, "peer says ?[2J??");

    char longer[2 * ERROR_TEXT_MAX];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    error_set(&error, "%s", longer);
    assert_int_equal(strlen(error.text), ERROR_TEXT_MAX - 1);

    /* A character cut in two isn't left as half of one. */
    error_set(&error, "%.*s\xc3\xa9", ERROR_TEXT_MAX - 2, longer);
    assert_int_equal(error.text[ERROR_TEXT_MAX - 2], '?');
}

static void test_prefix(void **state)
{
    (void)state;
    struct error error;
    error_set(&error, "no such file");
    assert_false(error_prefix(&error, "line %d", 7));
    assert_string_equal(error.text, "line 7: no such file");
    assert_false(error_prefix(&error, "config"));
    assert_string_equal(error.text, "config: line 7: no such file");
}

/* The text that is there may be part of the new one. */
static void test_set_from_itself(void **state)
{
    (void)state;
    struct error error;
    error_set(&error, "reason");
    error_set(&error, "%s; %s", error.text, "remedy");
    assert_string_equal(error.text, "reason; remedy");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_set_cleans_and_cuts),
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_set_from_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
