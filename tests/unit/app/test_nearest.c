#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "app/nearest.h"

static void test_distance(void **state)
{
    (void)state;
    assert_int_equal(word_distance("", ""), 0);
    assert_int_equal(word_distance("connect", "connect"), 0);
    assert_int_equal(word_distance("", "log"), 3);
    assert_int_equal(word_distance("conect", "connect"), 1);
    assert_int_equal(word_distance("netwrok", "network"), 1);
    assert_int_equal(word_distance("kitten", "sitting"), 3);
    assert_int_equal(word_distance("ca", "abc"), 3);
}

static void test_distance_of_long_words(void **state)
{
    char word[200];
    (void)state;
    memset(word, 'a', sizeof(word));
    word[199] = '\0';
    assert_int_equal(word_distance(word, ""), 199);
    assert_int_equal(word_distance("aa", word), 197);
}

static void test_nearest(void **state)
{
    const char *const words[] = {"status", "reserves", "reload"};
    (void)state;
    assert_string_equal(nearest_word("reserve", words, 3), "reserves");
    assert_string_equal(nearest_word("", words, 3), "status");
    assert_null(nearest_word("x", words, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distance),
        cmocka_unit_test(test_distance_of_long_words),
        cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
