/* Which feeds a script belongs to, in memory: for each script its (slot, birth) pairs. A
 * slot is a feed's place in the caller's array. */
#ifndef STORE_MEMBERSHIP_H
#define STORE_MEMBERSHIP_H

#include "store/ledger.h"

struct membership_entry {
    uint32_t slot;
    uint32_t birth; /* older payments don't count in this feed */
};

struct membership {
    uint32_t limit;  /* above every script's id */
    uint32_t *start; /* limit + 1 indexes into entries */
    struct membership_entry *entries;
};

/* Read the members of `count` feeds; the i-th has slot i. Of a feed that isn't merged
 * only scripts of cohort 0 are taken if `merged_only`. */
NODISCARD enum store_result membership_load(struct store_txn *txn, struct membership *out,
                                            const struct feed_row *const *feeds,
                                            size_t count, bool merged_only,
                                            struct error *error);
void membership_release(struct membership *membership);

/* The pairs of one script: *end is one past the last. */
static inline const struct membership_entry *
membership_of(const struct membership *membership, const struct membership_entry **end,
              uint32_t script)
{
    if (script >= membership->limit) {
        *end = membership->entries;
        return membership->entries;
    }
    *end = membership->entries + membership->start[script + 1];
    return membership->entries + membership->start[script];
}

#endif
