#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "app/text_table.h"

static void test_columns_are_as_wide_as_their_content(void **state)
{
    static const struct table_column columns[] = {
        {"NAME", ALIGN_LEFT}, {"BTC", ALIGN_RIGHT}, {"NOTE", ALIGN_LEFT}};
    struct text_table table;
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    (void)state;
    assert_non_null(out);
    text_table_init(&table, columns, 3);
    text_table_cell(&table, "%s", "z\xc3\xbcrich");
    text_table_cell(&table, "%d", 7);
    text_table_cell(&table, "a\x1b[2Jb");
    text_table_cell(&table, "x");
    text_table_cell(&table, "12345");
    text_table_cell(&table, "c");
    text_table_print(&table, out);
    text_table_release(&table);
    fclose(out);
    assert_string_equal(text, "NAME      BTC  NOTE\n"
                              "z\xc3\xbcrich      7  a?[2Jb\n"
                              "x       12345  c\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_are_as_wide_as_their_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
