/* Inside this floor only: the tables, and LMDB behind our own results.
 *
 * Views into LMDB's memory (struct bytes) are valid until the next write in the same
 * transaction, whichever the table: decode before writing. */
#ifndef STORE_TABLES_H
#define STORE_TABLES_H

#include <lmdb.h>
#include <pthread.h>

#include "base/bytes.h"
#include "store/store.h"

/* Keys are big-endian, so that a table's order is the order of its numbers. */
enum table {
    TABLE_META,           /* name -> bytes */
    TABLE_HEADERS,        /* height -> 80 bytes */
    TABLE_WORK,           /* height divisible by RETARGET_INTERVAL -> u256, big-endian */
    TABLE_FILTER_HEADERS, /* height -> 32 bytes */
    TABLE_SCRIPTS,        /* script -> struct script_record */
    TABLE_COHORTS,        /* cohort -> struct cohort_record */
    TABLE_COINS,          /* txid, vout -> struct coin */
    TABLE_EVENTS,         /* height, tx index, kind and index -> struct event */
    TABLE_FEEDS,          /* name -> struct feed_record */
    TABLE_MEMBERS,        /* feed, script -> struct member_record */
    TABLE_TALLIES,        /* feed, height -> struct tally; a row where the sum changes */
    TABLE_SAMPLES,        /* feed, sequence -> struct sample */
    TABLE_OUTBOX,         /* feed, round -> struct publication */
    TABLE_EVALUATED,      /* feed -> height */
    TABLE_WHOLE_HEIGHTS,  /* height -> nothing but a version */
    TABLE_ADDRESSES,      /* place in the address book -> struct book_entry */
    TABLE_BANS,           /* a peer's address -> until when, why */
    TABLE_COUNT,
};
const char *table_name(enum table table);

struct store {
    MDB_env *env;
    MDB_dbi tables[TABLE_COUNT];
    const struct network *network;
    char *path;
    enum store_mode mode;
    /* Growing the map needs a moment without any transaction in this process. */
    pthread_mutex_t lock;
    pthread_cond_t idle;
    unsigned transactions;
    bool growing;
    size_t map_size;
    bool map_full; /* the last writer ran out of map: grow before the next one */
    bool broken;   /* the map is gone: only a restart helps */
};

struct store_txn {
    struct store *store;
    MDB_txn *txn;
    enum store_mode mode;
};

/* Say what an LMDB code (or errno) means. `what` names the thing. */
NODISCARD enum store_result store_result_of(struct store *store, int code,
                                            const char *what, struct error *error);
/* A row that can't be what it is. Always STORE_FAILED. */
enum store_result table_damaged(enum table table, const char *what, struct error *error);

/* STORE_NOT_FOUND sets no text: the caller knows better what is missing. */
NODISCARD enum store_result table_get(struct store_txn *txn, struct bytes *value,
                                      enum table table, struct bytes key,
                                      struct error *error);
NODISCARD enum store_result table_put(struct store_txn *txn, enum table table,
                                      struct bytes key, struct bytes value,
                                      struct error *error);
/* The same, packing pages full when the key comes after all others. */
NODISCARD enum store_result table_append(struct store_txn *txn, enum table table,
                                         struct bytes key, struct bytes value,
                                         struct error *error);
NODISCARD enum store_result table_delete(struct store_txn *txn, enum table table,
                                         struct bytes key, struct error *error);
NODISCARD enum store_result table_rows(struct store_txn *txn, uint64_t *rows,
                                       enum table table, struct error *error);
/* Delete every row. */
NODISCARD enum store_result table_clear(struct store_txn *txn, enum table table,
                                        struct error *error);
/* Delete the rows whose keys start with `prefix` and aren't below `from`. */
NODISCARD enum store_result table_delete_from(struct store_txn *txn, enum table table,
                                              struct bytes prefix, struct bytes from,
                                              struct error *error);

/* A place in a table. STORE_NOT_FOUND past either end. */
struct walk {
    MDB_cursor *cursor;
    struct store_txn *txn;
    enum table table;
    struct bytes key, value;
};
NODISCARD enum store_result walk_open(struct walk *walk, struct store_txn *txn,
                                      enum table table, struct error *error);
void walk_close(struct walk *walk); /* a closed or zeroed one is allowed */
NODISCARD enum store_result walk_first(struct walk *walk, struct error *error);
NODISCARD enum store_result walk_last(struct walk *walk, struct error *error);
NODISCARD enum store_result walk_next(struct walk *walk, struct error *error);
NODISCARD enum store_result walk_previous(struct walk *walk, struct error *error);
/* The first row at or after the key; the last row before it. */
NODISCARD enum store_result walk_seek(struct walk *walk, struct bytes key,
                                      struct error *error);
NODISCARD enum store_result walk_seek_before(struct walk *walk, struct bytes key,
                                             struct error *error);
/* Delete the row the walk is at; walk_next goes to the one after it. */
NODISCARD enum store_result walk_delete(struct walk *walk, struct error *error);

typedef bool (*row_decode)(void *out, struct bytes key, struct bytes value);
/* Read a whole small table: *count rows of `size` bytes in *rows, which the caller frees;
 * NULL if there are none, or an error. */
NODISCARD enum store_result table_read_all(struct store_txn *txn, void **rows,
                                           size_t *count, enum table table, size_t size,
                                           row_decode decode, struct error *error);

static inline bool bytes_start_with(struct bytes bytes, struct bytes prefix)
{
    return bytes.len >= prefix.len &&
           bytes_equal((struct bytes){bytes.data, prefix.len}, prefix);
}

#endif
