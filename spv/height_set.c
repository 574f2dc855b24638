#include "spv/height_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define BITS 64

void height_set_add(struct height_set *set, uint32_t height)
{
    size_t word = height / BITS;
    if (word >= set->count) {
        set->words = mem_grow(set->words, &set->capacity, word + 1, sizeof *set->words);
        memset(set->words + set->count, 0,
               (set->capacity - set->count) * sizeof *set->words);
        set->count = set->capacity;
    }
    set->words[word] |= UINT64_C(1) << height % BITS;
}

bool height_set_has(const struct height_set *set, uint32_t height)
{
    size_t word = height / BITS;
    return word < set->count && set->words[word] >> height % BITS & 1;
}

void height_set_remove(struct height_set *set, uint32_t height)
{
    if (height_set_has(set, height))
        set->words[height / BITS] &= ~(UINT64_C(1) << height % BITS);
}

void height_set_cut(struct height_set *set, uint32_t height)
{
    size_t word = height / BITS;
    if (word >= set->count)
        return;
    set->words[word] &= (UINT64_C(1) << height % BITS) - 1;
    memset(set->words + word + 1, 0, (set->count - word - 1) * sizeof *set->words);
}

void height_set_copy(struct height_set *out, const struct height_set *from)
{
    out->words = mem_dup(from->words, from->count * sizeof *from->words);
    out->count = out->capacity = from->count;
}

void height_set_release(struct height_set *set)
{
    free(set->words);
    *set = (struct height_set){0};
}
