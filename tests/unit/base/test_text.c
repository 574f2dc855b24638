#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void test_make_printable(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", ""},
        {"plain ~ text", "plain ~ text"},
        {"a\nb\tc\x1b[31m\x7f", "a?b?c?[31m?"},
        /* U+00E9, U+20AC, U+1F680 stay. */
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x9a\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x9a\x80"},
        /* U+009B, a terminal's CSI; U+00A0 stays. */
        {"\xc2\x9b\xc2\xa0", "??\xc2\xa0"},
        /* Overlong: '/' in two and three bytes. */
        {"\xc0\xaf\xe0\x80\xaf\xf0\x80\x80\xaf", "?????????"},
        /* A surrogate, U+110000, bytes that never occur. */
        {"\xed\xa0\x80\xf4\x90\x80\x80\xfe\xff", "?????????"},
        /* Cut short at the end, and by another character. */
        {"\xe2\x82", "??"},
        {"\xe2\x82x\xf0\x9f\x9a", "??x???"},
        {"\x80x", "?x"},
        /* The edges: U+0080 to U+009F out, U+07FF, U+0800, U+FFFF, U+10000, U+10FFFF in.
         */
        {"\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
         "\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[64];
        strcpy(text, cases[i].text);
        text_make_printable(text);
        assert_string_equal(text, cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_make_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
