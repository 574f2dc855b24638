/* A set of heights, a bit for each: 120 kB a million. */
#ifndef SPV_HEIGHT_SET_H
#define SPV_HEIGHT_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialised is empty. */
struct height_set {
    uint64_t *words;
    size_t count, capacity;
};

/* The caller bounds the heights: they are those of a chain that it has. */
void height_set_add(struct height_set *set, uint32_t height);
bool height_set_has(const struct height_set *set, uint32_t height);
void height_set_remove(struct height_set *set, uint32_t height);
void height_set_cut(struct height_set *set, uint32_t height); /* and all above */
/* `out` is empty before. */
void height_set_copy(struct height_set *out, const struct height_set *from);
void height_set_release(struct height_set *set);

#endif
