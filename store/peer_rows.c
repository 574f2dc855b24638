#include "store/peer_rows.h"

#include <string.h>

#include "store/records.h"
#include "store/tables.h"

#define META_BOOK_KEY "book_key"
#define BOOK_VERSION 1
#define BAN_VERSION 1

static struct bytes text_bytes(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

typedef bool (*row_wanted)(struct bytes key, struct bytes value, struct wall_time now);

/* Delete the rows that aren't wanted. */
static enum store_result forget(struct store_txn *txn, size_t *forgotten,
                                enum table table, row_wanted wanted, struct wall_time now,
                                struct error *error)
{
    struct walk walk;
    *forgotten = 0;
    enum store_result result = walk_open(&walk, txn, table, error);
    if (result != STORE_OK)
        return result;
    for (result = walk_first(&walk, error); result == STORE_OK;
         result = walk_next(&walk, error)) {
        if (wanted(walk.key, walk.value, now))
            continue;
        result = walk_delete(&walk, error);
        if (result != STORE_OK)
            break;
        ++*forgotten;
    }
    walk_close(&walk);
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

/* ---- the address book ---- */

enum store_result peer_rows_key(struct store_txn *txn, uint64_t key[static 2],
                                const uint64_t fresh[static 2], struct error *error)
{
    struct bytes name = text_bytes(META_BOOK_KEY), value;
    uint8_t bytes[16];
    enum store_result result = table_get(txn, &value, TABLE_META, name, error);
    if (result == STORE_OK && value.len == sizeof(bytes)) {
        key[0] = get_u64be(value.data);
        key[1] = get_u64be(value.data + 8);
        return STORE_OK;
    }
    if (result != STORE_OK && result != STORE_NOT_FOUND)
        return result;
    key[0] = fresh[0];
    key[1] = fresh[1];
    put_u64be(bytes, key[0]);
    put_u64be(bytes + 8, key[1]);
    return table_put(txn, TABLE_META, name, (struct bytes){bytes, sizeof(bytes)}, error);
}

static void book_encode(struct writer *out, const struct book_entry *entry)
{
    write_u8(out, BOOK_VERSION);
    write_u8(out, (uint8_t)entry->address.kind);
    write_u16be(out, entry->address.port);
    write_bytes(out, entry->address.b, sizeof(entry->address.b));
    write_u64be(out, entry->services);
    write_u64be(out, entry->source);
    write_u32be(out, entry->seen);
    write_u32be(out, entry->tried_at);
    write_u32be(out, entry->answered_at);
    write_u32be(out, entry->failures);
}

static bool book_decode(void *out, struct bytes key, struct bytes value)
{
    struct book_row *row = out;
    struct book_entry *entry = &row->entry;
    struct reader reader;
    *row = (struct book_row){0};
    if (!key_u32_decode(&row->place, key) || row->place >= BOOK_PLACES)
        return false;
    reader_init(&reader, value.data, value.len);
    bool known = read_u8(&reader) == BOOK_VERSION;
    entry->address.kind = read_u8(&reader);
    entry->address.port = read_u16be(&reader);
    read_bytes(&reader, entry->address.b, sizeof(entry->address.b));
    entry->services = read_u64be(&reader);
    entry->source = read_u64be(&reader);
    entry->seen = read_u32be(&reader);
    entry->tried_at = read_u32be(&reader);
    entry->answered_at = read_u32be(&reader);
    entry->failures = read_u32be(&reader);
    bool sound = entry->address.kind == NET_IPV4 || entry->address.kind == NET_IPV6 ||
                 entry->address.kind == NET_ONION;
    return known && sound && reader_done(&reader);
}

static enum store_result put_row(struct store_txn *txn, const struct book_row *row,
                                 struct error *error)
{
    struct key key = key_u32(row->place);
    if (row->entry.address.kind == NET_NONE) {
        enum store_result result =
            table_delete(txn, TABLE_ADDRESSES, key_bytes(&key), error);
        return result == STORE_NOT_FOUND ? STORE_OK : result;
    }
    struct writer value;
    writer_init(&value);
    book_encode(&value, &row->entry);
    enum store_result result = table_put(txn, TABLE_ADDRESSES, key_bytes(&key),
                                         (struct bytes){value.data, value.len}, error);
    writer_release(&value);
    return result;
}

enum store_result peer_rows_put_book(struct store_txn *txn, const struct book_row *rows,
                                     size_t count, struct error *error)
{
    enum store_result result = STORE_OK;
    for (size_t i = 0; i < count && result == STORE_OK; i++)
        result = put_row(txn, &rows[i], error);
    return result;
}

enum store_result peer_rows_book(struct store_txn *txn, struct book_row **rows,
                                 size_t *count, struct error *error)
{
    void *all;
    enum store_result result = table_read_all(txn, &all, count, TABLE_ADDRESSES,
                                              sizeof(**rows), book_decode, error);
    *rows = all;
    return result;
}

/* ---- bans ---- */

static bool ban_decode(void *out, struct bytes key, struct bytes value)
{
    struct spv_ban *ban = out;
    struct reader reader;
    memset(ban, 0, sizeof(*ban));
    reader_init(&reader, value.data, value.len);
    bool known = read_u8(&reader) == BAN_VERSION;
    ban->until.s = (int64_t)read_u64be(&reader);
    if (!known || reader.failed || key.len >= sizeof(ban->address) ||
        reader.left >= sizeof(ban->reason))
        return false;
    memcpy(ban->address, key.data, key.len);
    read_bytes(&reader, ban->reason, reader.left);
    return true;
}

static bool ban_in_force(struct bytes key, struct bytes value, struct wall_time now)
{
    struct spv_ban ban;
    return ban_decode(&ban, key, value) && ban.until.s > now.s;
}

enum store_result peer_rows_put_ban(struct store_txn *txn, const struct spv_ban *ban,
                                    struct wall_time now, struct error *error)
{
    size_t forgotten;
    enum store_result result =
        forget(txn, &forgotten, TABLE_BANS, ban_in_force, now, error);
    if (result != STORE_OK)
        return result;
    struct writer value;
    writer_init(&value);
    write_u8(&value, BAN_VERSION);
    write_u64be(&value, (uint64_t)ban->until.s);
    write_bytes(&value, ban->reason, strlen(ban->reason));
    result = table_put(txn, TABLE_BANS, text_bytes(ban->address),
                       (struct bytes){value.data, value.len}, error);
    writer_release(&value);
    return result;
}

enum store_result peer_rows_lift_ban(struct store_txn *txn, const char *address,
                                     struct error *error)
{
    enum store_result result = table_delete(txn, TABLE_BANS, text_bytes(address), error);
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

enum store_result peer_rows_bans(struct store_txn *txn, struct spv_ban **bans,
                                 size_t *count, struct error *error)
{
    void *all;
    enum store_result result =
        table_read_all(txn, &all, count, TABLE_BANS, sizeof(**bans), ban_decode, error);
    *bans = all;
    return result;
}

/* ---- both ---- */

static bool book_readable(struct bytes key, struct bytes value, struct wall_time now)
{
    (void)now;
    struct book_row row;
    return book_decode(&row, key, value);
}

static bool ban_readable(struct bytes key, struct bytes value, struct wall_time now)
{
    (void)now;
    struct spv_ban ban;
    return ban_decode(&ban, key, value);
}

enum store_result peer_rows_mend(struct store_txn *txn, struct peer_rows_lost *lost,
                                 struct error *error)
{
    const struct wall_time any = {0};
    *lost = (struct peer_rows_lost){0};
    enum store_result result =
        forget(txn, &lost->addresses, TABLE_ADDRESSES, book_readable, any, error);
    if (result != STORE_OK)
        return result;
    return forget(txn, &lost->bans, TABLE_BANS, ban_readable, any, error);
}
