#include "spv/script_set.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

/* A place in the hash table. Half of the hash is kept, so that a miss, which nearly every
 * lookup is, touches no script. */
struct slot {
    uint32_t tag;
    uint32_t index_plus_one; /* 0: free */
};

struct script_set {
    atomic_size_t references;
    uint64_t seed[2];
    size_t count;
    size_t slot_mask;
    struct slot *slots;    /* a power of two, at least twice the count */
    struct bytes *scripts; /* views into data */
    uint32_t *ids;
    uint8_t *data;
    struct script_words words;
};

static void copy_scripts(struct script_set *set, const struct bytes *scripts,
                         size_t count)
{
    size_t total = 0, at = 0;

    for (size_t i = 0; i < count; i++) {
        total += scripts[i].len;
    }
    set->data = mem_alloc(total);
    set->scripts = mem_zalloc(count, sizeof(*set->scripts));
    for (size_t i = 0; i < count; i++) {
        if (scripts[i].len > 0) {
            memcpy(set->data + at, scripts[i].data, scripts[i].len);
        }
        set->scripts[i] = (struct bytes){set->data + at, scripts[i].len};
        at += scripts[i].len;
    }
}

/* The slot that holds the script, or the free one where it would go. */
static struct slot *find_slot(const struct script_set *set, uint32_t *tag,
                              struct bytes script)
{
    uint64_t hash = siphash(set->seed[0], set->seed[1], script.data, script.len);

    *tag = (uint32_t)(hash >> 32);
    for (size_t i = (size_t)hash & set->slot_mask;; i = (i + 1) & set->slot_mask) {
        struct slot *slot = &set->slots[i];
        if (slot->index_plus_one == 0 ||
            (slot->tag == *tag &&
             bytes_equal(set->scripts[slot->index_plus_one - 1], script))) {
            return slot;
        }
    }
}

struct script_set *script_set_new(const struct bytes *scripts, const uint32_t *ids,
                                  size_t count, const uint64_t seed[static 2])
{
    struct script_set *set = mem_zalloc(1, sizeof(*set));
    size_t slot_count = 2;

    assert(count < UINT32_MAX / 2);
    while (slot_count < 2 * count) {
        slot_count *= 2;
    }
    atomic_init(&set->references, 1);
    memcpy(set->seed, seed, sizeof(set->seed));
    set->count = count;
    set->slot_mask = slot_count - 1;
    set->slots = mem_zalloc(slot_count, sizeof(*set->slots));
    set->ids = mem_zalloc(count, sizeof(*set->ids));
    copy_scripts(set, scripts, count);
    script_words_init(&set->words, set->scripts, count);

    for (uint32_t i = 0; i < count; i++) {
        uint32_t tag;
        struct slot *slot = find_slot(set, &tag, set->scripts[i]);
        assert(ids[i] != SCRIPT_ID_NONE && slot->index_plus_one == 0);
        *slot = (struct slot){tag, i + 1};
        set->ids[i] = ids[i];
    }
    return set;
}

struct script_set *script_set_ref(struct script_set *set)
{
    if (set != NULL) {
        atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
    }
    return set;
}

void script_set_unref(struct script_set *set)
{
    /* The last to let go must see all that the others did before. */
    if (set == NULL ||
        atomic_fetch_sub_explicit(&set->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    free(set->slots);
    free(set->scripts);
    free(set->ids);
    free(set->data);
    script_words_release(&set->words);
    free(set);
}

size_t script_set_count(const struct script_set *set)
{
    return set->count;
}

struct bytes script_set_at(const struct script_set *set, size_t index)
{
    assert(index < set->count);
    return set->scripts[index];
}

const struct script_words *script_set_words(const struct script_set *set)
{
    return &set->words;
}

uint32_t script_set_find(const struct script_set *set, struct bytes script)
{
    uint32_t tag;
    const struct slot *slot = find_slot(set, &tag, script);

    return slot->index_plus_one == 0 ? SCRIPT_ID_NONE
                                     : set->ids[slot->index_plus_one - 1];
}
