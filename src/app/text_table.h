/* Tables for people: columns as wide as what is in them. */
#ifndef APP_TEXT_TABLE_H
#define APP_TEXT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/attr.h"

#define TABLE_COLUMNS_MAX 12

enum table_align { ALIGN_LEFT, ALIGN_RIGHT };

struct table_column {
    const char *heading;
    enum table_align align;
};

struct text_table {
    const struct table_column *columns;
    size_t column_count;
    char **cells; /* row by row */
    size_t cell_count;
    size_t capacity;
};

/* `columns` must outlive it. */
void text_table_init(struct text_table *table, const struct table_column *columns,
                     size_t count);
void text_table_release(struct text_table *table);
/* Add the next cell, left to right, row after row. Control characters become '?'. */
void text_table_cell(struct text_table *table, const char *format, ...) PRINTF_LIKE(2, 3);
/* Print headings and rows, two blanks between columns. */
void text_table_print(const struct text_table *table, FILE *out);

#endif
