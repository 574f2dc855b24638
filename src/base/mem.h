/* Memory. Running out of it ends the process here and nowhere else. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* Allocate `size` bytes (0 is taken as 1); the caller frees with free(). */
void *mem_alloc(size_t size);
/* Allocate `count` zeroed items; aborts when the product overflows. */
void *mem_zalloc(size_t count, size_t size);
/* Resize to `count` items of `size`; aborts when the product overflows. */
void *mem_realloc(void *old, size_t count, size_t size);
/* A copy of `len` bytes; NULL for len 0. */
void *mem_dup(const void *data, size_t len);
char *mem_strdup(const char *text);

/* Make room for at least `need` items of `size` in a growing array: returns `items`,
 * possibly moved, and updates *capacity. Grows by half at least, so that pushing is
 * linear. */
void *mem_grow(void *items, size_t *capacity, size_t need, size_t size);

/* Give freed memory back to the system where the C library would keep it: after work that
 * needs much more than stays. */
void mem_trim(void);

#endif
