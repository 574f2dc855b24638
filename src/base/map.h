/* A hash map with keys and values of fixed sizes in flat memory. Keys may come from
 * attackers: the hash is SipHash under a secret seed. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map {
    uint8_t *slots;
    uint8_t *used;
    size_t key_size;
    size_t value_size;
    size_t count;
    size_t capacity; /* a power of two, or 0 */
    uint64_t seed[2];
};

/* An empty map; allocates nothing until the first put. value_size may be 0 (a set).
 * Values are reached at any alignment a memcpy needs: copy structs in and out. */
void map_init(struct map *map, size_t key_size, size_t value_size,
              const uint64_t seed[static 2]);
void map_release(struct map *map);
/* Make room for so many entries at once; bound a count from outside first. */
void map_reserve(struct map *map, size_t count);

/* The value of the key, or NULL (for a set: any non-NULL pointer says it is there).
 * Valid until the next put or remove. */
void *map_find(const struct map *map, const void *key);
/* The key's value, zeroed if the key is new; *added (if given) says which. */
void *map_put(struct map *map, const void *key, bool *added);
bool map_remove(struct map *map, const void *key);

/* Walk in no particular order: start with *at = 0; false at the end. The map must not
 * change meanwhile. */
bool map_next(const struct map *map, size_t *at, const void **key, void **value);

#endif
