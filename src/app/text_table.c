#include "app/text_table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

/* The longest cell: a label with its custodian. */
#define CELL_MAX 1024

void text_table_init(struct text_table *table, const struct table_column *columns,
                     size_t count)
{
    assert(count > 0 && count <= TABLE_COLUMNS_MAX);
    *table = (struct text_table){.columns = columns, .column_count = count};
}

void text_table_release(struct text_table *table)
{
    for (size_t i = 0; i < table->cell_count; i++)
        free(table->cells[i]);
    free(table->cells);
    *table = (struct text_table){0};
}

void text_table_cell(struct text_table *table, const char *format, ...)
{
    char text[CELL_MAX];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    text_make_printable(text);
    table->cells = mem_grow(table->cells, &table->capacity, table->cell_count + 1,
                            sizeof(*table->cells));
    table->cells[table->cell_count++] = mem_strdup(text);
}

/* Characters of UTF-8 text. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void print_blanks(FILE *out, size_t count)
{
    fprintf(out, "%*s", (int)count, "");
}

static void print_cell(const struct text_table *table, FILE *out, size_t column,
                       size_t width, const char *text)
{
    bool last = column + 1 == table->column_count;
    size_t blanks = width - width_of(text);
    if (table->columns[column].align == ALIGN_RIGHT)
        print_blanks(out, blanks);
    fputs(text, out);
    if (last)
        fputc('\n', out);
    else
        print_blanks(out, 2 + (table->columns[column].align == ALIGN_LEFT ? blanks : 0));
}

void text_table_print(const struct text_table *table, FILE *out)
{
    size_t widths[TABLE_COLUMNS_MAX] = {0};
    const size_t columns = table->column_count;
    assert(columns > 0);
    for (size_t i = 0; i < columns; i++)
        widths[i] = width_of(table->columns[i].heading);
    for (size_t i = 0; i < table->cell_count; i++) {
        size_t width = width_of(table->cells[i]);
        if (width > widths[i % columns])
            widths[i % columns] = width;
    }
    for (size_t i = 0; i < columns; i++)
        print_cell(table, out, i, widths[i], table->columns[i].heading);
    for (size_t i = 0; i < table->cell_count; i++)
        print_cell(table, out, i % columns, widths[i % columns], table->cells[i]);
}
