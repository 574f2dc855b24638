#include "store/membership.h"

#include <stdlib.h>

#include "base/mem.h"
#include "store/records.h"
#include "store/tables.h"

/* Pairs as the table has them, by feed. */
struct pairs {
    struct pair {
        uint32_t script;
        struct membership_entry entry;
    } * at;
    size_t count, capacity;
    uint32_t limit;
};

static enum store_result script_is_merged(struct store_txn *txn, bool *merged,
                                          uint32_t script, struct error *error)
{
    struct key key = key_u32(script);
    struct bytes value;
    struct script_record record;
    enum store_result result =
        table_get(txn, &value, TABLE_SCRIPTS, key_bytes(&key), error);
    if (result == STORE_NOT_FOUND ||
        (result == STORE_OK && !script_decode(&record, key_bytes(&key), value)))
        return table_damaged(TABLE_SCRIPTS, "a member's script isn't there", error);
    if (result == STORE_OK)
        *merged = record.cohort == 0;
    return result;
}

static enum store_result load_feed(struct store_txn *txn, struct pairs *pairs,
                                   struct walk *walk, const struct feed_row *feed,
                                   uint32_t slot, bool merged_only, struct error *error)
{
    struct key start = key_u32(feed->id);
    enum store_result result = walk_seek(walk, key_bytes(&start), error);
    for (; result == STORE_OK && bytes_start_with(walk->key, key_bytes(&start));
         result = walk_next(walk, error)) {
        struct member_record member;
        bool take = true;
        if (!member_decode(&member, walk->key, walk->value) ||
            member.script == SCRIPT_ID_NONE)
            return table_damaged(TABLE_MEMBERS, "a row is malformed", error);
        if (merged_only && !feed->merged) {
            enum store_result found = script_is_merged(txn, &take, member.script, error);
            if (found != STORE_OK)
                return found;
        }
        if (!take)
            continue;
        pairs->at =
            mem_grow(pairs->at, &pairs->capacity, pairs->count + 1, sizeof(*pairs->at));
        pairs->at[pairs->count++] =
            (struct pair){member.script, {.slot = slot, .birth = member.birth}};
        if (member.script >= pairs->limit)
            pairs->limit = member.script + 1;
    }
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

/* Sort by script, counting. */
static void arrange(struct membership *out, const struct pairs *pairs)
{
    out->limit = pairs->limit;
    out->start = mem_zalloc((size_t)pairs->limit + 2, sizeof(*out->start));
    out->entries = mem_zalloc(pairs->count + 1, sizeof(*out->entries));
    /* Shifted by one more, so that filling leaves each start where it belongs. */
    for (size_t i = 0; i < pairs->count; i++)
        out->start[pairs->at[i].script + 2]++;
    for (size_t i = 2; i < (size_t)pairs->limit + 2; i++)
        out->start[i] += out->start[i - 1];
    for (size_t i = 0; i < pairs->count; i++)
        out->entries[out->start[pairs->at[i].script + 1]++] = pairs->at[i].entry;
}

enum store_result membership_load(struct store_txn *txn, struct membership *out,
                                  const struct feed_row *const *feeds, size_t count,
                                  bool merged_only, struct error *error)
{
    struct pairs pairs = {0};
    struct walk walk;
    *out = (struct membership){0};
    enum store_result result = walk_open(&walk, txn, TABLE_MEMBERS, error);
    for (size_t i = 0; i < count && result == STORE_OK; i++)
        result = load_feed(txn, &pairs, &walk, feeds[i], (uint32_t)i, merged_only, error);
    walk_close(&walk);
    if (result == STORE_OK)
        arrange(out, &pairs);
    free(pairs.at);
    return result;
}

void membership_release(struct membership *membership)
{
    free(membership->start);
    free(membership->entries);
    *membership = (struct membership){0};
}
