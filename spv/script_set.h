/* An immutable set of scriptPubKeys, shared between threads by reference count: what
 * filters are matched against and what blocks are scanned for. */
#ifndef SPV_SCRIPT_SET_H
#define SPV_SCRIPT_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "spv/script_words.h"

struct script_set;

#define SCRIPT_ID_NONE UINT32_MAX

/* Copy `count` different scripts, each with its id (any number but SCRIPT_ID_NONE). The
 * seed keys the hash table: choose it at random for each process. One reference, the
 * caller's. */
struct script_set *script_set_new(const struct bytes *scripts, const uint32_t *ids,
                                  size_t count, const uint64_t seed[static 2]);
/* Atomic; safe from any thread. NULL is allowed and nothing happens. */
struct script_set *script_set_ref(struct script_set *set);
void script_set_unref(struct script_set *set);

size_t script_set_count(const struct script_set *set);
/* The i-th script in the order given; valid as long as the set. */
struct bytes script_set_at(const struct script_set *set, size_t index);
/* All of them laid out for hashing; valid as long as the set. */
const struct script_words *script_set_words(const struct script_set *set);
/* The id of this script, or SCRIPT_ID_NONE. */
uint32_t script_set_find(const struct script_set *set, struct bytes script);

#endif
