#include "app/faults.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

void faults_release(struct faults *faults)
{
    free(faults->items);
    *faults = (struct faults){0};
}

bool faults_add(struct faults *faults, const char *format, ...)
{
    if (faults->count == FAULTS_MAX) {
        faults->more++;
        return false;
    }
    char text[ERROR_TEXT_MAX];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    faults->items = mem_grow(faults->items, &faults->capacity, faults->count + 1,
                             sizeof(*faults->items));
    return error_set(&faults->items[faults->count++], "%s", text);
}

void faults_print(const struct faults *faults)
{
    for (size_t i = 0; i < faults->count; i++)
        fprintf(stderr, "%s\n", faults->items[i].text);
    if (faults->more > 0)
        fprintf(stderr, "and %zu more\n", faults->more);
}
