#include "store/tables.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

static MDB_val to_val(struct bytes bytes)
{
    union {
        const void *in;
        void *out;
    } data = {.in =
                  bytes.data}; /* LMDB reads keys and values, but takes them as void * */
    return (MDB_val){bytes.len, data.out};
}

static struct bytes to_bytes(MDB_val val)
{
    return (struct bytes){val.mv_data, val.mv_size};
}

const char *table_name(enum table table)
{
    static const char *const names[TABLE_COUNT] = {
        [TABLE_META] = "meta",
        [TABLE_HEADERS] = "headers",
        [TABLE_WORK] = "work",
        [TABLE_FILTER_HEADERS] = "filter_headers",
        [TABLE_SCRIPTS] = "scripts",
        [TABLE_COHORTS] = "cohorts",
        [TABLE_COINS] = "coins",
        [TABLE_EVENTS] = "events",
        [TABLE_FEEDS] = "feeds",
        [TABLE_MEMBERS] = "members",
        [TABLE_TALLIES] = "tallies",
        [TABLE_SAMPLES] = "samples",
        [TABLE_OUTBOX] = "outbox",
        [TABLE_EVALUATED] = "evaluated",
        [TABLE_WHOLE_HEIGHTS] = "whole_heights",
        [TABLE_ADDRESSES] = "addresses",
        [TABLE_BANS] = "bans",
    };
    assert(table < TABLE_COUNT);
    return names[table];
}

enum store_result table_damaged(enum table table, const char *what, struct error *error)
{
    error_set(error,
              "ledger table %s: %s; run `reservewatch audit`, then rescan or restore a "
              "backup",
              table_name(table), what);
    return STORE_FAILED;
}

static enum store_result row_result(struct store_txn *txn, int code, enum table table,
                                    struct error *error)
{
    if (code == MDB_SUCCESS)
        return STORE_OK;
    if (code == MDB_NOTFOUND)
        return STORE_NOT_FOUND;
    return store_result_of(txn->store, code, table_name(table), error);
}

enum store_result table_get(struct store_txn *txn, struct bytes *value, enum table table,
                            struct bytes key, struct error *error)
{
    MDB_val k = to_val(key), v = {0};
    int code = mdb_get(txn->txn, txn->store->tables[table], &k, &v);
    *value = to_bytes(v);
    return row_result(txn, code, table, error);
}

static enum store_result put(struct store_txn *txn, enum table table, struct bytes key,
                             struct bytes value, unsigned flags, struct error *error)
{
    assert(txn->mode == STORE_WRITE);
    MDB_val k = to_val(key), v = to_val(value);
    int code = mdb_put(txn->txn, txn->store->tables[table], &k, &v, flags);
    if (code == MDB_KEYEXIST && flags == MDB_APPEND)
        code = mdb_put(txn->txn, txn->store->tables[table], &k, &v, 0);
    return row_result(txn, code, table, error);
}

enum store_result table_put(struct store_txn *txn, enum table table, struct bytes key,
                            struct bytes value, struct error *error)
{
    return put(txn, table, key, value, 0, error);
}

enum store_result table_append(struct store_txn *txn, enum table table, struct bytes key,
                               struct bytes value, struct error *error)
{
    return put(txn, table, key, value, MDB_APPEND, error);
}

enum store_result table_delete(struct store_txn *txn, enum table table, struct bytes key,
                               struct error *error)
{
    assert(txn->mode == STORE_WRITE);
    MDB_val k = to_val(key);
    int code = mdb_del(txn->txn, txn->store->tables[table], &k, NULL);
    return row_result(txn, code, table, error);
}

enum store_result table_rows(struct store_txn *txn, uint64_t *rows, enum table table,
                             struct error *error)
{
    MDB_stat stat = {0};
    int code = mdb_stat(txn->txn, txn->store->tables[table], &stat);
    *rows = stat.ms_entries;
    return row_result(txn, code, table, error);
}

enum store_result table_clear(struct store_txn *txn, enum table table,
                              struct error *error)
{
    assert(txn->mode == STORE_WRITE);
    int code = mdb_drop(txn->txn, txn->store->tables[table], 0);
    return row_result(txn, code, table, error);
}

enum store_result table_delete_from(struct store_txn *txn, enum table table,
                                    struct bytes prefix, struct bytes from,
                                    struct error *error)
{
    struct walk walk;
    enum store_result result = walk_open(&walk, txn, table, error);
    if (result != STORE_OK)
        return result;
    result = walk_seek(&walk, from, error);
    while (result == STORE_OK && bytes_start_with(walk.key, prefix)) {
        result = walk_delete(&walk, error);
        if (result == STORE_OK)
            result = walk_seek(&walk, from, error);
    }
    walk_close(&walk);
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

enum store_result walk_open(struct walk *walk, struct store_txn *txn, enum table table,
                            struct error *error)
{
    *walk = (struct walk){.txn = txn, .table = table};
    int code = mdb_cursor_open(txn->txn, txn->store->tables[table], &walk->cursor);
    return row_result(txn, code, table, error);
}

void walk_close(struct walk *walk)
{
    if (walk->cursor != NULL)
        mdb_cursor_close(walk->cursor);
    walk->cursor = NULL;
}

static enum store_result step(struct walk *walk, MDB_cursor_op op, struct error *error)
{
    MDB_val k = to_val(walk->key), v = {0};
    int code = mdb_cursor_get(walk->cursor, &k, &v, op);
    walk->key = to_bytes(k);
    walk->value = to_bytes(v);
    return row_result(walk->txn, code, walk->table, error);
}

enum store_result walk_first(struct walk *walk, struct error *error)
{
    return step(walk, MDB_FIRST, error);
}

enum store_result walk_last(struct walk *walk, struct error *error)
{
    return step(walk, MDB_LAST, error);
}

enum store_result walk_next(struct walk *walk, struct error *error)
{
    return step(walk, MDB_NEXT, error);
}

enum store_result walk_previous(struct walk *walk, struct error *error)
{
    return step(walk, MDB_PREV, error);
}

enum store_result walk_seek(struct walk *walk, struct bytes key, struct error *error)
{
    walk->key = key;
    return step(walk, MDB_SET_RANGE, error);
}

enum store_result walk_seek_before(struct walk *walk, struct bytes key,
                                   struct error *error)
{
    enum store_result result = walk_seek(walk, key, error);
    if (result == STORE_NOT_FOUND)
        return walk_last(walk, error);
    return result == STORE_OK ? walk_previous(walk, error) : result;
}

enum store_result walk_delete(struct walk *walk, struct error *error)
{
    assert(walk->txn->mode == STORE_WRITE);
    return row_result(walk->txn, mdb_cursor_del(walk->cursor, 0), walk->table, error);
}

enum store_result table_read_all(struct store_txn *txn, void **rows, size_t *count,
                                 enum table table, size_t size, row_decode decode,
                                 struct error *error)
{
    struct walk walk = {0};
    uint8_t *read = NULL;
    size_t capacity = 0, used = 0;
    *rows = NULL;
    *count = 0;
    enum store_result result = walk_open(&walk, txn, table, error);
    if (result == STORE_OK)
        result = walk_first(&walk, error);
    for (; result == STORE_OK; result = walk_next(&walk, error)) {
        read = mem_grow(read, &capacity, used + 1, size);
        if (!decode(read + used * size, walk.key, walk.value)) {
            result = table_damaged(table, "a row is malformed", error);
            break;
        }
        used++;
    }
    walk_close(&walk);
    if (result != STORE_NOT_FOUND) {
        free(read);
        return result;
    }
    *rows = read;
    *count = used;
    return STORE_OK;
}
