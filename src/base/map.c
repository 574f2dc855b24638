#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

/* Open addressing with linear probing. A slot's byte in `used` is 0 when it is free, else
 * the top bit and seven bits of the hash, which spare most comparisons of keys. */

static size_t map_stride(const struct map *map)
{
    return map->key_size + map->value_size;
}

static uint8_t *map_slot(const struct map *map, size_t index)
{
    return map->slots + index * map_stride(map);
}

static uint64_t map_hash(const struct map *map, const void *key)
{
    return siphash(map->seed[0], map->seed[1], key, map->key_size);
}

static uint8_t hash_mark(uint64_t hash)
{
    return (uint8_t)(0x80 | hash >> 57);
}

/* The slot that holds the key, or the free one where it belongs. */
static size_t map_probe(const struct map *map, const void *key, uint64_t hash)
{
    size_t mask = map->capacity - 1;
    size_t index = (size_t)hash & mask;
    uint8_t mark = hash_mark(hash);
    while (map->used[index] != 0) {
        if (map->used[index] == mark &&
            memcmp(map_slot(map, index), key, map->key_size) == 0)
            break;
        index = (index + 1) & mask;
    }
    return index;
}

void map_init(struct map *map, size_t key_size, size_t value_size,
              const uint64_t seed[static 2])
{
    *map = (struct map){
        .key_size = key_size, .value_size = value_size, .seed = {seed[0], seed[1]}};
}

void map_release(struct map *map)
{
    free(map->slots);
    free(map->used);
    map->slots = NULL;
    map->used = NULL;
    map->count = 0;
    map->capacity = 0;
}

void *map_find(const struct map *map, const void *key)
{
    if (map->count == 0)
        return NULL;
    size_t index = map_probe(map, key, map_hash(map, key));
    return map->used[index] != 0 ? map_slot(map, index) + map->key_size : NULL;
}

/* At most 7 of 8 slots in use keeps probes short and always leaves a free one. */
static size_t map_room(size_t capacity)
{
    return capacity / 8 * 7;
}

static void map_resize(struct map *map, size_t capacity)
{
    struct map old = *map;
    map->capacity = capacity;
    map->slots = mem_realloc(NULL, map->capacity, map_stride(map));
    map->used = mem_zalloc(map->capacity, 1);
    for (size_t i = 0; i < old.capacity; i++) {
        if (old.used[i] == 0)
            continue;
        const uint8_t *slot = map_slot(&old, i);
        size_t index = map_probe(map, slot, map_hash(map, slot));
        memcpy(map_slot(map, index), slot, map_stride(map));
        map->used[index] = old.used[i];
    }
    map_release(&old);
}

void map_reserve(struct map *map, size_t count)
{
    size_t capacity = map->capacity > 0 ? map->capacity : 16;
    while (map_room(capacity) < count)
        capacity *= 2;
    if (capacity > map->capacity)
        map_resize(map, capacity);
}

void *map_put(struct map *map, const void *key, bool *added)
{
    uint64_t hash = map_hash(map, key);
    size_t index = 0;
    bool found = false;
    if (map->capacity > 0) {
        index = map_probe(map, key, hash);
        found = map->used[index] != 0;
    }
    if (added != NULL)
        *added = !found;
    if (!found) {
        if (map->count + 1 > map_room(map->capacity)) {
            map_reserve(map, map->count + 1);
            index = map_probe(map, key, hash);
        }
        uint8_t *slot = map_slot(map, index);
        memcpy(slot, key, map->key_size);
        memset(slot + map->key_size, 0, map->value_size);
        map->used[index] = hash_mark(hash);
        map->count++;
    }
    return map_slot(map, index) + map->key_size;
}

bool map_remove(struct map *map, const void *key)
{
    if (map->count == 0)
        return false;
    size_t mask = map->capacity - 1;
    size_t hole = map_probe(map, key, map_hash(map, key));
    if (map->used[hole] == 0)
        return false;

    /* Move back every later entry of the run that a probe couldn't reach across the hole:
     * one whose home isn't between the hole and itself. */
    for (size_t i = (hole + 1) & mask; map->used[i] != 0; i = (i + 1) & mask) {
        size_t home = (size_t)map_hash(map, map_slot(map, i)) & mask;
        if (((i - home) & mask) < ((i - hole) & mask))
            continue;
        memcpy(map_slot(map, hole), map_slot(map, i), map_stride(map));
        map->used[hole] = map->used[i];
        hole = i;
    }
    map->used[hole] = 0;
    map->count--;
    return true;
}

bool map_next(const struct map *map, size_t *at, const void **key, void **value)
{
    for (; *at < map->capacity; ++*at) {
        if (map->used[*at] == 0)
            continue;
        uint8_t *slot = map_slot(map, *at);
        if (key != NULL)
            *key = slot;
        if (value != NULL)
            *value = slot + map->key_size;
        ++*at;
        return true;
    }
    return false;
}
