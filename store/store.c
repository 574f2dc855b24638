#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/identity.h"
#include "store/tables.h"

#define MAP_SIZE_MOST ((size_t)1 << 40)
#define MAP_SIZE_LEAST ((size_t)64 << 20)
#define MAP_GROWTH_LEAST ((size_t)16 << 20)
/* Address space that is left to the rest of the process: its stacks and heaps. */
#define MAP_MARGIN ((size_t)128 << 20)

/* Values of others in TABLE_META have a prefix of their own. */
#define META_VALUE "value/"
#define META_NAME_MAX 200

/* ---- what LMDB says ---- */

/* LMDB answers a write that the disk took only a part of with EIO: ask the disk itself.
 */
static bool disk_is_full(struct store *store)
{
    static const uint8_t page[4096];
    mdb_filehandle_t fd;
    struct stat stat;
    if (mdb_env_get_fd(store->env, &fd) != 0 || fstat(fd, &stat) != 0)
        return false;
    ssize_t written = pwrite(fd, page, sizeof(page), stat.st_size);
    int reason = errno;
    if (written > 0 && ftruncate(fd, stat.st_size) != 0)
        return false;
    if (written >= 0)
        return written < (ssize_t)sizeof(page);
    return reason == ENOSPC || reason == EDQUOT || reason == EFBIG;
}

static enum store_result full(struct store *store, const char *what, struct error *error)
{
    error_set(
        error,
        "ledger in %s: no room on the disk for %s; free some space, nothing is lost",
        store->path, what);
    return STORE_FULL;
}

static void note_map_full(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    store->map_full = true;
    pthread_mutex_unlock(&store->lock);
}

enum store_result store_result_of(struct store *store, int code, const char *what,
                                  struct error *error)
{
    switch (code) {
    case MDB_SUCCESS:
        return STORE_OK;
    case MDB_MAP_FULL:
        note_map_full(store);
        error_set(error, "ledger in %s: the map has to grow for %s", store->path, what);
        return STORE_AGAIN;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return full(store, what, error);
    case EIO:
        if (store->mode == STORE_WRITE && disk_is_full(store))
            return full(store, what, error);
        break;
    case MDB_READERS_FULL:
        error_set(error,
                  "ledger in %s: too many commands read it at once; end some of them",
                  store->path);
        return STORE_READERS_FULL;
    case EACCES:
    case EPERM:
    case EROFS:
        error_set(error,
                  "ledger in %s: %s: %s; who reads it must be its owner or in its group "
                  "(usually `reservewatch`) and may have to write lock.mdb",
                  store->path, what, strerror(code));
        return STORE_DENIED;
    case MDB_PANIC:
        error_set(error, "ledger in %s: an earlier write to the disk failed; restart",
                  store->path);
        return STORE_FAILED;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
        error_set(
            error,
            "ledger in %s: %s: %s; the file is damaged: restore a backup or sync anew",
            store->path, what, mdb_strerror(code));
        return STORE_FAILED;
    }
    error_set(error, "ledger in %s: %s: %s", store->path, what, mdb_strerror(code));
    return STORE_FAILED;
}

/* ---- the map ---- */

static bool address_space_has(size_t size)
{
    void *probe =
        mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (probe == MAP_FAILED)
        return false;
    munmap(probe, size);
    return true;
}

/* Map at least `need` bytes and preferably twice what is mapped now. Nothing else of this
 * process has a transaction open. LMDB unmaps before it maps and can't go back, so it is
 * asked only for what is sure to be there. Only what `must` be may use up the margin. */
static enum store_result grow_map(struct store *store, size_t need, bool must,
                                  struct error *error)
{
    size_t least = need > store->map_size ? need - store->map_size : MAP_GROWTH_LEAST;
    size_t growth = store->map_size > least ? store->map_size : least;
    while (growth > least && !address_space_has(growth + MAP_MARGIN))
        growth = growth / 2 > least ? growth / 2 : least;
    if (store->map_size + growth > MAP_SIZE_MOST ||
        !address_space_has(growth + (must ? 0 : MAP_MARGIN))) {
        error_set(
            error,
            "ledger in %s: no address space for a map over %zu MiB; raise the limit "
            "(ulimit -v)",
            store->path, store->map_size >> 20);
        return STORE_FULL;
    }
    int code = mdb_env_set_mapsize(store->env, store->map_size + growth);
    if (code != 0) {
        store->broken = true;
        error_set(error, "ledger in %s: the map is gone: %s; restart", store->path,
                  mdb_strerror(code));
        return STORE_FAILED;
    }
    store->map_size += growth;
    store->map_full = false;
    return STORE_OK;
}

/* With no transaction open: bring the map to what the next one is likely to need. */
static enum store_result prepare_map(struct store *store, enum store_mode mode,
                                     struct error *error)
{
    MDB_envinfo info;
    MDB_stat stat;
    if (mdb_env_info(store->env, &info) != 0 || mdb_env_stat(store->env, &stat) != 0)
        return STORE_OK;
    size_t used = (info.me_last_pgno + 1) * stat.ms_psize;
    if (mode == STORE_READ) {
        store->map_full = false;
        return used > store->map_size ? grow_map(store, used + used / 4, true, error)
                                      : STORE_OK;
    }
    if (store->map_full)
        return grow_map(store, 0, true, error);
    if (used > store->map_size / 2 && store->map_size < MAP_SIZE_MOST) {
        enum store_result result = grow_map(store, 0, false, error);
        return result == STORE_FULL ? STORE_OK : result; /* there may be room yet */
    }
    return STORE_OK;
}

static bool map_may_change(struct store *store, enum store_mode mode)
{
    if (mode == STORE_WRITE)
        return store->map_full || store->map_size < MAP_SIZE_MOST;
    return store->mode == STORE_READ && store->map_full;
}

/* Count a transaction in; beforehand, alone, let the map grow. */
static enum store_result enter(struct store *store, enum store_mode mode,
                               struct error *error)
{
    enum store_result result = STORE_OK;
    pthread_mutex_lock(&store->lock);
    while (store->growing)
        pthread_cond_wait(&store->idle, &store->lock);
    if (map_may_change(store, mode)) {
        store->growing = true;
        while (store->transactions > 0)
            pthread_cond_wait(&store->idle, &store->lock);
        result = prepare_map(store, mode, error);
        store->growing = false;
        pthread_cond_broadcast(&store->idle);
    }
    if (result == STORE_OK && store->broken) {
        error_set(error, "ledger in %s: the map is gone; restart", store->path);
        result = STORE_FAILED;
    }
    if (result == STORE_OK)
        store->transactions++;
    pthread_mutex_unlock(&store->lock);
    return result;
}

static void leave(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    store->transactions--;
    pthread_cond_broadcast(&store->idle);
    pthread_mutex_unlock(&store->lock);
}

/* ---- transactions ---- */

enum store_result store_begin(struct store *store, struct store_txn **txn,
                              enum store_mode mode, struct error *error)
{
    assert(mode == STORE_READ || store->mode == STORE_WRITE);
    *txn = NULL;
    for (;;) {
        enum store_result result = enter(store, mode, error);
        if (result != STORE_OK)
            return result;
        MDB_txn *inner = NULL;
        int code =
            mdb_txn_begin(store->env, NULL, mode == STORE_READ ? MDB_RDONLY : 0, &inner);
        if (code == 0) {
            *txn = mem_zalloc(1, sizeof(**txn));
            **txn = (struct store_txn){store, inner, mode};
            return STORE_OK;
        }
        leave(store);
        if (code != MDB_MAP_RESIZED)
            return store_result_of(store, code, "a transaction", error);
        note_map_full(store); /* the writer outgrew our map: the next round maps anew */
    }
}

enum store_result store_commit(struct store_txn *txn, struct error *error)
{
    struct store *store = txn->store;
    int code = mdb_txn_commit(txn->txn);
    leave(store);
    free(txn);
    return store_result_of(store, code, "a commit", error);
}

void store_abort(struct store_txn *txn)
{
    if (txn == NULL)
        return;
    mdb_txn_abort(txn->txn);
    leave(txn->store);
    free(txn);
}

enum store_result store_update(struct store *store, store_change *change, void *context,
                               struct error *error)
{
    enum store_result result;
    do {
        struct store_txn *txn;
        result = store_begin(store, &txn, STORE_WRITE, error);
        if (result != STORE_OK)
            return result;
        result = change(context, txn, error);
        if (result == STORE_OK)
            result = store_commit(txn, error);
        else
            store_abort(txn);
    } while (result == STORE_AGAIN);
    return result;
}

/* ---- opening ---- */

static enum store_result open_environment(struct store *store, unsigned flags,
                                          size_t map_size, struct error *error)
{
    int code = mdb_env_create(&store->env);
    if (code != 0)
        return store_result_of(store, code, "an environment", error);
    if ((code = mdb_env_set_maxdbs(store->env, TABLE_COUNT)) == 0 &&
        (code = mdb_env_set_mapsize(store->env, map_size)) == 0)
        code = mdb_env_open(store->env, store->path, flags, 0660);
    bool tight = code == 0 && !address_space_has(MAP_MARGIN);
    MDB_envinfo info;
    if (code == 0 && (!tight || map_size / 2 < MAP_SIZE_LEAST)) {
        (void)mdb_env_info(store->env, &info);
        store->map_size = info.me_mapsize; /* at least what is in the file */
        return STORE_OK;
    }
    mdb_env_close(store->env);
    store->env = NULL;
    if ((code == ENOMEM || tight) && map_size / 2 >= MAP_SIZE_LEAST)
        return open_environment(store, flags, map_size / 2, error);
    if (code == ENOENT && store->mode == STORE_READ) {
        error_set(error, "ledger in %s: there is none yet; start the watcher first",
                  store->path);
        return STORE_MISSING;
    }
    return store_result_of(store, code, "data.mdb or lock.mdb", error);
}

/* Table handles live on after the transaction that opened them only if it commits. */
static enum store_result open_tables(struct store *store, struct error *error)
{
    struct store_txn *txn;
    enum store_result result = store_begin(store, &txn, store->mode, error);
    if (txn == NULL)
        return result;
    for (int table = 0; table < TABLE_COUNT && result == STORE_OK; table++) {
        const char *name = table_name((enum table)table);
        int code =
            mdb_dbi_open(txn->txn, name, store->mode == STORE_WRITE ? MDB_CREATE : 0,
                         &store->tables[table]);
        if (code == MDB_NOTFOUND) {
            error_set(error,
                      "ledger in %s: table %s isn't there; start the watcher first",
                      store->path, name);
            result = STORE_MISSING;
        } else {
            result = store_result_of(store, code, name, error);
        }
        if (table == TABLE_META && result == STORE_OK && txn->mode == STORE_READ)
            result = identity_check(txn, error);
    }
    if (result == STORE_OK && txn->mode == STORE_WRITE)
        result = identity_check(txn, error);
    if (result == STORE_OK)
        return store_commit(txn, error);
    store_abort(txn);
    return result;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    assert(store->transactions == 0);
    if (store->env != NULL)
        mdb_env_close(store->env);
    pthread_cond_destroy(&store->idle);
    pthread_mutex_destroy(&store->lock);
    free(store->path);
    free(store);
}

static enum store_result open_at(struct store **out, const char *path, unsigned flags,
                                 enum store_mode mode, const struct network *network,
                                 struct error *error)
{
    struct store *store = mem_zalloc(1, sizeof(*store));
    *store = (struct store){.network = network, .path = mem_strdup(path), .mode = mode};
    pthread_mutex_init(&store->lock, NULL);
    pthread_cond_init(&store->idle, NULL);
    *out = NULL;

    flags |= MDB_NOTLS | (mode == STORE_READ ? MDB_RDONLY : 0);
    enum store_result result = open_environment(store, flags, MAP_SIZE_MOST, error);
    do {
        if (result == STORE_OK || result == STORE_AGAIN)
            result = open_tables(store, error);
    } while (result == STORE_AGAIN);
    if (result == STORE_OK)
        *out = store;
    else
        store_close(store);
    return result;
}

/* ---- making ---- */

#define DATA_NAME "data.mdb"
#define LOCK_NAME "lock.mdb"
/* With LMDB's name for the lock file of a ledger that has no folder of its own. */
#define NEW_DATA_NAME "data.mdb.new"
#define NEW_LOCK_NAME "data.mdb.new-lock"
#define PATH_ROOM 4096

struct place {
    char text[PATH_ROOM];
};

static struct place place_in(const char *folder, const char *name)
{
    struct place place;
    snprintf(place.text, sizeof(place.text), "%s/%s", folder, name);
    return place;
}

/* A name is on the disk only when its folder is. */
static bool sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return synced;
}

static bool ledger_exists(const char *path)
{
    struct place data = place_in(path, DATA_NAME);
    struct stat status;
    return stat(data.text, &status) == 0 && status.st_size > 0;
}

static enum store_result system_result(const char *path, int code, const char *what,
                                       struct error *error)
{
    struct store store = {.path = mem_strdup(path), .mode = STORE_READ};
    enum store_result result = store_result_of(&store, code, what, error);
    free(store.path);
    return result;
}

/* LMDB makes its file in steps. A crash between them leaves nothing under the ledger's
 * name: the file is made under another one and takes its place when its first
 * transaction is on the disk. Readers of the group read the data and write only the lock
 * file. */
static enum store_result make_ledger(const char *path, const struct network *network,
                                     struct error *error)
{
    struct place data = place_in(path, DATA_NAME), fresh = place_in(path, NEW_DATA_NAME);
    struct place fresh_lock = place_in(path, NEW_LOCK_NAME);
    struct store *store;
    (void)!unlink(fresh.text);
    (void)!unlink(fresh_lock.text);
    enum store_result result =
        open_at(&store, fresh.text, MDB_NOSUBDIR, STORE_WRITE, network, error);
    store_close(store);
    (void)!unlink(fresh_lock.text);
    if (result != STORE_OK)
        return result;
    (void)!chmod(fresh.text, 0640);
    if (rename(fresh.text, data.text) != 0 || !sync_folder(path) ||
        !sync_folder(place_in(path, "..").text))
        return system_result(path, errno, "making it", error);
    return STORE_OK;
}

enum store_result store_open(struct store **out, const char *path, enum store_mode mode,
                             const struct network *network, struct error *error)
{
    bool fresh = mode == STORE_WRITE && !ledger_exists(path);
    *out = NULL;
    if (fresh && mkdir(path, 0750) != 0 && errno != EEXIST)
        return system_result(path, errno, "the folder", error);
    enum store_result result = fresh ? make_ledger(path, network, error) : STORE_OK;
    if (result == STORE_OK)
        result = open_at(out, path, 0, mode, network, error);
    if (result == STORE_OK && fresh)
        (void)!chmod(place_in(path, LOCK_NAME).text, 0660);
    return result;
}

void store_check_readers(struct store *store)
{
    int dead;
    (void)mdb_reader_check(store->env, &dead);
}

/* ---- named values ---- */

static struct bytes value_key(char key[static META_NAME_MAX], const char *name)
{
    int len = snprintf(key, META_NAME_MAX, META_VALUE "%s", name);
    assert(len > 0 && len < META_NAME_MAX);
    return (struct bytes){(const uint8_t *)key, (size_t)len};
}

enum store_result store_put_value(struct store_txn *txn, const char *name,
                                  struct bytes value, struct error *error)
{
    char key[META_NAME_MAX];
    return table_put(txn, TABLE_META, value_key(key, name), value, error);
}

enum store_result store_get_value(struct store_txn *txn, const char *name,
                                  uint8_t **value, size_t *len, struct error *error)
{
    char key[META_NAME_MAX];
    struct bytes found;
    *value = NULL;
    *len = 0;
    enum store_result result =
        table_get(txn, &found, TABLE_META, value_key(key, name), error);
    if (result == STORE_NOT_FOUND)
        error_set(error, "ledger: no value %s yet", name);
    if (result != STORE_OK)
        return result;
    *value = mem_alloc(found.len);
    if (found.len > 0)
        memcpy(*value, found.data, found.len);
    *len = found.len;
    return STORE_OK;
}
