#include "store/ledger_feeds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/ledger_state.h"

bool feeds_written_changed(const struct feeds_written *written, uint32_t feed)
{
    for (size_t i = 0; i < written->count; i++) {
        if (written->changed[i] == feed)
            return true;
    }
    return false;
}

void feeds_written_release(struct feeds_written *written)
{
    free(written->changed);
    *written = (struct feeds_written){0};
}

static void note_changed(struct feeds_written *written, uint32_t feed)
{
    written->changed = mem_grow(written->changed, &written->capacity, written->count + 1,
                                sizeof(*written->changed));
    written->changed[written->count++] = feed;
}

/* ---- members ---- */

static struct bytes text_bytes(const char *text)
{
    return (struct bytes){(const uint8_t *)text, text == NULL ? 0 : strlen(text)};
}

static int compare_members(const void *a, const void *b)
{
    const struct member_record *x = a, *y = b;
    return (x->script > y->script) - (x->script < y->script);
}

/* The feed's members as they ought to be, in the table's order. */
static enum store_result arrange_members(struct member_record **out,
                                         const struct feed_definition *feed, uint32_t id,
                                         const uint32_t *ids, struct error *error)
{
    struct member_record *members = mem_zalloc(feed->member_count, sizeof(*members));
    *out = members;
    for (size_t i = 0; i < feed->member_count; i++) {
        const struct feed_member *member = &feed->members[i];
        members[i] = (struct member_record){.feed = id,
                                            .script = ids[member->script],
                                            .birth = member->birth,
                                            .label = text_bytes(member->label),
                                            .custodian = text_bytes(member->custodian)};
        if (members[i].label.len > MEMBER_TEXT_MAX ||
            members[i].custodian.len > MEMBER_TEXT_MAX) {
            error_set(error, "feed %s: a label or custodian is longer than %d bytes",
                      feed->name, MEMBER_TEXT_MAX);
            return STORE_FAILED;
        }
    }
    if (feed->member_count > 0)
        qsort(members, feed->member_count, sizeof(*members), compare_members);
    for (size_t i = 1; i < feed->member_count; i++) {
        if (members[i].script != members[i - 1].script)
            continue;
        error_set(error, "feed %s: a script is there twice", feed->name);
        return STORE_FAILED;
    }
    return STORE_OK;
}

/* How the stored members differ: in what counts, or only in their texts. */
struct difference {
    bool set;
    bool text;
};

static enum store_result compare_stored(struct store_txn *txn, struct difference *out,
                                        uint32_t feed,
                                        const struct member_record *members, size_t count,
                                        struct error *error)
{
    struct key prefix = key_u32(feed);
    struct walk walk;
    size_t seen = 0;
    *out = (struct difference){false, false};
    enum store_result result = walk_open(&walk, txn, TABLE_MEMBERS, error);
    if (result == STORE_OK)
        result = walk_seek(&walk, key_bytes(&prefix), error);
    for (; result == STORE_OK && bytes_start_with(walk.key, key_bytes(&prefix));
         result = walk_next(&walk, error)) {
        struct member_record stored;
        if (!member_decode(&stored, walk.key, walk.value)) {
            result = table_damaged(TABLE_MEMBERS, "a row is malformed", error);
            break;
        }
        if (seen == count || stored.script != members[seen].script ||
            stored.birth != members[seen].birth) {
            out->set = true;
            break;
        }
        if (!bytes_equal(stored.label, members[seen].label) ||
            !bytes_equal(stored.custodian, members[seen].custodian))
            out->text = true;
        seen++;
    }
    walk_close(&walk);
    out->set = out->set || seen < count;
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

static enum store_result write_members(struct store_txn *txn, uint32_t feed,
                                       const struct member_record *members, size_t count,
                                       struct error *error)
{
    struct key prefix = key_u32(feed);
    struct writer value;
    writer_init(&value);
    enum store_result result = table_delete_from(txn, TABLE_MEMBERS, key_bytes(&prefix),
                                                 key_bytes(&prefix), error);
    for (size_t i = 0; i < count && result == STORE_OK; i++) {
        struct key key = key_u32_u32(feed, members[i].script);
        value.len = 0;
        member_encode(&value, &members[i]);
        result = table_append(txn, TABLE_MEMBERS, key_bytes(&key),
                              (struct bytes){value.data, value.len}, error);
    }
    writer_release(&value);
    return result;
}

/* ---- feeds ---- */

static bool is_merged(const struct member_record *members, size_t count,
                      const uint32_t *cohort_of)
{
    for (size_t i = 0; i < count; i++) {
        if (cohort_of[members[i].script] != 0)
            return false;
    }
    return true;
}

static enum store_result write_feed(struct store_txn *txn, struct feeds_written *written,
                                    const struct feed_definition *feed,
                                    const struct feed_record *old, uint32_t id,
                                    const uint32_t *ids, const uint32_t *cohort_of,
                                    struct error *error)
{
    struct member_record *members;
    struct difference difference;
    size_t count = feed->member_count;
    enum store_result result = arrange_members(&members, feed, id, ids, error);
    if (result == STORE_OK)
        result = compare_stored(txn, &difference, id, members, count, error);
    if (result == STORE_OK && (difference.set || difference.text))
        result = write_members(txn, id, members, count, error);
    if (result == STORE_OK) {
        struct feed_record record = {
            .row = {.id = id,
                    .confirmations = feed->confirmations,
                    .count_immature = feed->count_immature,
                    .members = (uint32_t)count,
                    .merged = is_merged(members, count, cohort_of)}};
        snprintf(record.row.name, sizeof(record.row.name), "%s", feed->name);
        memcpy(record.row.set_hash, feed->set_hash, sizeof(record.row.set_hash));
        if (difference.set || old == NULL || old->retired ||
            old->row.merged != record.row.merged)
            note_changed(written, id);
        result = feed_put(txn, &record, error);
    }
    free(members);
    return result;
}

/* Its samples and publications stay, for the record. */
static enum store_result retire_feed(struct store_txn *txn, struct feed_record *feed,
                                     struct error *error)
{
    struct key prefix = key_u32(feed->row.id);
    enum store_result result = table_delete_from(txn, TABLE_MEMBERS, key_bytes(&prefix),
                                                 key_bytes(&prefix), error);
    if (result == STORE_OK)
        result = tally_delete_from(txn, feed->row.id, 0, error);
    feed->retired = true;
    feed->row.merged = false;
    feed->row.members = 0;
    return result == STORE_OK ? feed_put(txn, feed, error) : result;
}

static int compare_definitions(const void *a, const void *b)
{
    const struct feed_definition *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* The definitions by name, each of which is good and there once; the caller frees it. */
static enum store_result arrange_feeds(const struct feed_definition ***out,
                                       const struct ledger_definition *definition,
                                       struct error *error)
{
    size_t count = definition->feed_count;
    const struct feed_definition **feeds = mem_zalloc(count, sizeof(*feeds));
    *out = feeds;
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(definition->feeds[i].name);
        feeds[i] = &definition->feeds[i];
        if (len > 0 && len < sizeof(((struct feed_row *)NULL)->name))
            continue;
        error_set(error, "feed %s: a name has 1 to 64 bytes", feeds[i]->name);
        return STORE_FAILED;
    }
    if (count > 0)
        qsort(feeds, count, sizeof(*feeds), compare_definitions);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(feeds[i]->name, feeds[i - 1]->name) == 0) {
            error_set(error, "feed %s: defined twice", feeds[i]->name);
            return STORE_FAILED;
        }
    }
    return STORE_OK;
}

static int compare_record(const void *name, const void *record)
{
    return strcmp(name, ((const struct feed_record *)record)->row.name);
}

/* The table has them by name. */
static const struct feed_record *find_record(const struct feed_record *records,
                                             size_t count, const char *name)
{
    return count > 0 ? bsearch(name, records, count, sizeof(*records), compare_record)
                     : NULL;
}

static int compare_definition(const void *name, const void *definition)
{
    const struct feed_definition *const *x = definition;
    return strcmp(name, (*x)->name);
}

static bool is_defined(const struct feed_definition *const *feeds, size_t count,
                       const char *name)
{
    return count > 0 &&
           bsearch(name, feeds, count, sizeof(*feeds), compare_definition) != NULL;
}

static enum store_result write_feeds(struct store_txn *txn, struct feeds_written *written,
                                     const struct ledger_definition *definition,
                                     const struct feed_definition *const *by_name,
                                     const uint32_t *ids, const uint32_t *cohort_of,
                                     struct error *error)
{
    struct feed_record *old;
    size_t old_count;
    uint32_t next_id = 1;
    enum store_result result = feed_records(txn, &old, &old_count, error);
    for (size_t i = 0; i < old_count && result == STORE_OK; i++) {
        if (old[i].row.id >= next_id)
            next_id = old[i].row.id + 1;
        if (!old[i].retired &&
            !is_defined(by_name, definition->feed_count, old[i].row.name))
            result = retire_feed(txn, &old[i], error);
    }
    for (size_t i = 0; i < definition->feed_count && result == STORE_OK; i++) {
        const struct feed_definition *feed = &definition->feeds[i];
        const struct feed_record *record = find_record(old, old_count, feed->name);
        result = write_feed(txn, written, feed, record,
                            record != NULL ? record->row.id : next_id++, ids, cohort_of,
                            error);
    }
    free(old);
    return result;
}

enum store_result ledger_write_feeds(struct store_txn *txn, struct feeds_written *written,
                                     const struct ledger_definition *definition,
                                     const uint32_t *ids, const uint32_t *cohort_of,
                                     struct error *error)
{
    const struct feed_definition **by_name;
    *written = (struct feeds_written){0};
    enum store_result result = arrange_feeds(&by_name, definition, error);
    if (result == STORE_OK)
        result = write_feeds(txn, written, definition, by_name, ids, cohort_of, error);
    free(by_name);
    return result;
}
