#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

static _Noreturn void out_of_memory(size_t count, size_t size)
{
    fprintf(stderr, "reservewatch: out of memory for %zu x %zu bytes; stopping\n", count,
            size);
    abort();
}

void *mem_alloc(size_t size)
{
    void *memory = malloc(size > 0 ? size : 1);
    if (memory == NULL)
        out_of_memory(1, size);
    return memory;
}

void *mem_zalloc(size_t count, size_t size)
{
    void *memory = count > 0 && size > 0 ? calloc(count, size) : calloc(1, 1);
    if (memory == NULL)
        out_of_memory(count, size);
    return memory;
}

void *mem_realloc(void *old, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        out_of_memory(count, size);
    void *memory = realloc(old, total > 0 ? total : 1);
    if (memory == NULL)
        out_of_memory(count, size);
    return memory;
}

void *mem_dup(const void *data, size_t len)
{
    if (len == 0)
        return NULL;
    return memcpy(mem_alloc(len), data, len);
}

char *mem_strdup(const char *text)
{
    return mem_dup(text, strlen(text) + 1);
}

void *mem_grow(void *items, size_t *capacity, size_t need, size_t size)
{
    if (need <= *capacity)
        return items;
    size_t grown = *capacity + *capacity / 2;
    if (grown < 8)
        grown = 8;
    if (grown < need)
        grown = need;
    items = mem_realloc(items, grown, size);
    *capacity = grown;
    return items;
}

void mem_trim(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}
