#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fixture.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ADDRESS_SANITIZER 1
#endif
#endif
#ifndef HAS_ADDRESS_SANITIZER
#define HAS_ADDRESS_SANITIZER 0
#endif

#define MIB ((size_t)1 << 20)

/* `count` values of 1 MiB each, all bytes `fill`, in one transaction. */
struct big {
    unsigned first, count;
    uint8_t fill;
};

static enum store_result put_big(void *context, struct store_txn *txn,
                                 struct error *error)
{
    const struct big *big = context;
    uint8_t *data = mem_alloc(MIB);
    enum store_result result = STORE_OK;
    memset(data, big->fill, MIB);
    for (unsigned i = 0; i < big->count && result == STORE_OK; i++) {
        char name[32];
        snprintf(name, sizeof(name), "big%u", big->first + i);
        result = store_put_value(txn, name, (struct bytes){data, MIB}, error);
    }
    free(data);
    return result;
}

/* Whether the value is there, all of `fill`. */
static bool has_big(struct store *store, unsigned number, uint8_t fill)
{
    struct error error;
    struct store_txn *txn;
    uint8_t *value;
    size_t len;
    char name[32];
    snprintf(name, sizeof(name), "big%u", number);
    if (store_begin(store, &txn, STORE_READ, &error) != STORE_OK)
        return false;
    bool found = store_get_value(txn, name, &value, &len, &error) == STORE_OK &&
                 len == MIB && value[0] == fill && value[MIB - 1] == fill;
    free(value);
    store_abort(txn);
    return found;
}

/* Run in a process of its own, whose limits don't outlive it; 0 is success. */
static int in_child(int (*run)(struct fixture *), struct fixture *fixture)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(run(fixture));
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void test_open(void **state)
{
    (void)state;
    struct error error = {""};
    struct fixture fixture;
    struct store *other;
    struct stat stat_data;
    char path[128];
    fixture_open(&fixture);
    expect(store_update(fixture.store, put_big, &(struct big){0, 1, 7}, &error),
           STORE_OK);
    fixture_reopen(&fixture);
    assert_true(has_big(fixture.store, 0, 7));
    assert_false(has_big(fixture.store, 1, 7));
    store_check_readers(fixture.store);

    assert_int_equal(stat(fixture.ledger, &stat_data), 0);
    assert_int_equal(stat_data.st_mode & 027, 0);
    snprintf(path, sizeof(path), "%s/data.mdb", fixture.ledger);
    assert_int_equal(stat(path, &stat_data), 0);
    assert_int_equal(stat_data.st_mode & 0777, 0640);
    snprintf(path, sizeof(path), "%s/lock.mdb", fixture.ledger);
    assert_int_equal(stat(path, &stat_data), 0);
    assert_int_equal(stat_data.st_mode & 0777, 0660);

    store_close(fixture.store);
    fixture.store = NULL;
    expect(
        store_open(&other, fixture.ledger, STORE_WRITE, network_find("signet"), &error),
        STORE_OTHER_NETWORK);
    assert_null(other);
    assert_non_null(strstr(error.text, "regtest"));
    expect(store_open(&other, fixture.ledger, STORE_READ, network_find("signet"), &error),
           STORE_OTHER_NETWORK);
    expect(store_open(&other, fixture.ledger, STORE_READ, regtest(), &error), STORE_OK);
    assert_true(has_big(other, 0, 7));
    store_close(other);
    fixture_close(&fixture);
}

static void test_missing(void **state)
{
    (void)state;
    struct error error = {""};
    struct store *store;
    expect(
        store_open(&store, "/tmp/rw-store-nowhere/ledger", STORE_READ, regtest(), &error),
        STORE_MISSING);
    expect(store_open(&store, "/tmp/rw-store-nowhere/ledger", STORE_WRITE, regtest(),
                      &error),
           STORE_FAILED);
    assert_non_null(strstr(error.text, "/tmp/rw-store-nowhere"));
}

static void write_file(const struct fixture *fixture, const char *name, size_t len)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", fixture->ledger, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (size_t i = 0; i < len; i++)
        fputc('x', file);
    assert_int_equal(fclose(file), 0);
}

static bool file_is_there(const struct fixture *fixture, const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", fixture->ledger, name);
    return access(path, F_OK) == 0;
}

/* What a crash while the ledger was made leaves behind: readers find nothing, and the
 * next writer makes it from the beginning. */
static void test_half_made(void **state)
{
    (void)state;
    struct error error = {""};
    struct fixture fixture;
    struct store *reader;
    char path[128];
    fixture_open(&fixture);
    store_close(fixture.store);
    fixture.store = NULL;
    snprintf(path, sizeof(path), "%s/data.mdb", fixture.ledger);
    assert_int_equal(unlink(path), 0);
    write_file(&fixture, "data.mdb.new", 5000);
    write_file(&fixture, "data.mdb.new-lock", 100);
    expect(store_open(&reader, fixture.ledger, STORE_READ, regtest(), &error),
           STORE_MISSING);
    expect(store_open(&fixture.store, fixture.ledger, STORE_WRITE, regtest(), &error),
           STORE_OK);
    assert_false(file_is_there(&fixture, "data.mdb.new"));
    assert_false(file_is_there(&fixture, "data.mdb.new-lock"));

    store_close(fixture.store);
    fixture.store = NULL;
    write_file(&fixture, "data.mdb", 0);
    expect(store_open(&fixture.store, fixture.ledger, STORE_WRITE, regtest(), &error),
           STORE_OK);
    expect(store_update(fixture.store, put_big, &(struct big){0, 1, 7}, &error),
           STORE_OK);
    fixture_reopen(&fixture);
    assert_true(has_big(fixture.store, 0, 7));
    fixture_close(&fixture);
}

static enum store_result make_newer(void *context, struct store_txn *txn,
                                    struct error *error)
{
    (void)context;
    uint8_t version[4];
    put_u32be(version, STORE_SCHEMA + 1);
    return table_put(txn, TABLE_META, (struct bytes){(const uint8_t *)"schema", 6},
                     (struct bytes){version, 4}, error);
}

static void test_newer(void **state)
{
    (void)state;
    struct error error = {""};
    struct fixture fixture;
    struct store *other;
    fixture_open(&fixture);
    expect(store_update(fixture.store, make_newer, NULL, &error), STORE_OK);
    store_close(fixture.store);
    fixture.store = NULL;
    expect(store_open(&other, fixture.ledger, STORE_WRITE, regtest(), &error),
           STORE_NEWER);
    expect(store_open(&other, fixture.ledger, STORE_READ, regtest(), &error),
           STORE_NEWER);
    fixture_close(&fixture);
}

static enum store_result make_older(void *context, struct store_txn *txn,
                                    struct error *error)
{
    (void)context;
    uint8_t version[4];
    put_u32be(version, 1);
    int code = mdb_drop(txn->txn, txn->store->tables[TABLE_WHOLE_HEIGHTS], 1);
    enum store_result result = store_result_of(txn->store, code, "a table", error);
    return result == STORE_OK
               ? table_put(txn, TABLE_META, (struct bytes){(const uint8_t *)"schema", 6},
                           (struct bytes){version, 4}, error)
               : result;
}

/* The writer brings an older ledger up to date; readers say so until it has. */
static void test_older(void **state)
{
    (void)state;
    struct error error = {""};
    struct fixture fixture;
    struct store *reader;
    fixture_open(&fixture);
    expect(store_update(fixture.store, put_big, &(struct big){0, 1, 7}, &error),
           STORE_OK);
    expect(store_update(fixture.store, make_older, NULL, &error), STORE_OK);
    store_close(fixture.store);
    expect(store_open(&reader, fixture.ledger, STORE_READ, regtest(), &error),
           STORE_FAILED);
    assert_non_null(strstr(error.text, "older version (schema 1"));
    expect(store_open(&fixture.store, fixture.ledger, STORE_WRITE, regtest(), &error),
           STORE_OK);
    assert_true(has_big(fixture.store, 0, 7));
    expect(store_open(&reader, fixture.ledger, STORE_READ, regtest(), &error), STORE_OK);
    store_close(reader);
    assert_int_equal(count_faults(fixture.store, false), 0);
    fixture_close(&fixture);
}

static int run_damaged(struct fixture *fixture)
{
    struct error error;
    struct store *store;
    char path[128];
    snprintf(path, sizeof(path), "%s/data.mdb", fixture->ledger);
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 10000; i++)
        fputc('x', file);
    fclose(file);
    return store_open(&store, fixture->ledger, STORE_WRITE, regtest(), &error) !=
           STORE_FAILED;
}

static void test_damaged(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture);
    store_close(fixture.store);
    fixture.store = NULL;
    assert_int_equal(in_child(run_damaged, &fixture), 0);
    fixture_close(&fixture);
}

static bool limit_address_space(size_t more)
{
    unsigned long pages;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lu", &pages) != 1)
        return false;
    fclose(file);
    struct rlimit limit = {pages * 4096 + more, RLIM_INFINITY};
    return setrlimit(RLIMIT_AS, &limit) == 0;
}

static int run_growing(struct fixture *fixture)
{
    struct error error;
    struct store *store;
    const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    if (!limit_address_space(100 * MIB) ||
        store_open(&store, fixture->ledger, STORE_WRITE, regtest(), &error) != STORE_OK)
        return 1;
    if (store->map_size != 64 * MIB || setrlimit(RLIMIT_AS, &none) != 0)
        return 2;
    /* More than the map at once, then more than half of it bit by bit. */
    if (store_update(store, put_big, &(struct big){0, 80, 1}, &error) != STORE_OK)
        return 3;
    for (unsigned i = 80; i < 100; i++) {
        if (store_update(store, put_big, &(struct big){i, 1, 1}, &error) != STORE_OK)
            return 4;
    }
    bool grown = store->map_size > 100 * MIB;
    bool kept = has_big(store, 0, 1) && has_big(store, 79, 1) && has_big(store, 99, 1);
    store_close(store);
    return grown && kept ? 0 : 5;
}

static int run_without_space(struct fixture *fixture)
{
    struct error error;
    struct store *store;
    const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    if (!limit_address_space(100 * MIB) ||
        store_open(&store, fixture->ledger, STORE_WRITE, regtest(), &error) != STORE_OK)
        return 1;
    if (store_update(store, put_big, &(struct big){0, 10, 2}, &error) != STORE_OK)
        return 2;
    /* LMDB's own buffers may be refused first: both say that there's no room. */
    if (!limit_address_space(70 * MIB) ||
        store_update(store, put_big, &(struct big){10, 60, 2}, &error) == STORE_OK)
        return 3;
    if (setrlimit(RLIMIT_AS, &none) != 0 || !has_big(store, 9, 2) ||
        has_big(store, 10, 2))
        return 4;
    if (store_update(store, put_big, &(struct big){10, 60, 2}, &error) != STORE_OK)
        return 5;
    store_close(store);
    return 0;
}

static void test_small_address_space(void **state)
{
    (void)state;
    struct fixture fixture;
    if (HAS_ADDRESS_SANITIZER) {
        print_message(
            "skipped: the address sanitizer needs address space without limit\n");
        skip();
    }
    fixture_open(&fixture);
    store_close(fixture.store);
    fixture.store = NULL;
    assert_int_equal(in_child(run_growing, &fixture), 0);
    fixture_close(&fixture);
    fixture_open(&fixture);
    store_close(fixture.store);
    fixture.store = NULL;
    assert_int_equal(in_child(run_without_space, &fixture), 0);
    fixture_close(&fixture);
}

/* A reader with a small map, while another process outgrows it. */
static void test_reader_maps_anew(void **state)
{
    (void)state;
    struct error error = {""};
    struct fixture fixture;
    int ready[2], go[2], status;
    char byte = 0;
    if (HAS_ADDRESS_SANITIZER) {
        print_message(
            "skipped: the address sanitizer needs address space without limit\n");
        skip();
    }
    fixture_open(&fixture);
    store_close(fixture.store);
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    pid_t child = fork();
    if (child == 0) {
        struct store *store;
        const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
        bool sound = limit_address_space(100 * MIB) &&
                     store_open(&store, fixture.ledger, STORE_READ, regtest(), &error) ==
                         STORE_OK &&
                     setrlimit(RLIMIT_AS, &none) == 0;
        if (!sound || write(ready[1], "", 1) != 1 || read(go[0], &byte, 1) != 1)
            _exit(1);
        sound = has_big(store, 0, 3) && has_big(store, 79, 3);
        store_close(store);
        _exit(sound ? 0 : 2);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    expect(store_open(&fixture.store, fixture.ledger, STORE_WRITE, regtest(), &error),
           STORE_OK);
    expect(store_update(fixture.store, put_big, &(struct big){0, 80, 3}, &error),
           STORE_OK);
    assert_int_equal(write(go[1], "", 1), 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 0);
    for (int i = 0; i < 2; i++) {
        close(ready[i]);
        close(go[i]);
    }
    fixture_close(&fixture);
}

/* The disk has no more room than this: write() says so in the middle or at once. */
static int run_full(struct fixture *fixture)
{
    struct error error;
    struct store *store;
    struct stat stat_data;
    char path[128];
    const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    snprintf(path, sizeof(path), "%s/data.mdb", fixture->ledger);
    signal(SIGXFSZ, SIG_IGN);
    if (store_open(&store, fixture->ledger, STORE_WRITE, regtest(), &error) != STORE_OK ||
        store_update(store, put_big, &(struct big){0, 2, 4}, &error) != STORE_OK ||
        stat(path, &stat_data) != 0)
        return 1;
    struct rlimit limit = {(rlim_t)stat_data.st_size + MIB / 2 + 100, RLIM_INFINITY};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 2;
    for (int i = 0; i < 5; i++) {
        if (store_update(store, put_big, &(struct big){2, 4, 5}, &error) != STORE_FULL)
            return 3;
        if (!has_big(store, 0, 4) || has_big(store, 2, 5))
            return 4;
    }
    if (setrlimit(RLIMIT_FSIZE, &none) != 0 ||
        store_update(store, put_big, &(struct big){2, 4, 6}, &error) != STORE_OK)
        return 5;
    bool kept = has_big(store, 0, 4) && has_big(store, 5, 6);
    store_close(store);
    return kept ? 0 : 6;
}

static void test_full_disk(void **state)
{
    (void)state;
    struct error error = {""};
    struct fixture fixture;
    fixture_open(&fixture);
    store_close(fixture.store);
    assert_int_equal(in_child(run_full, &fixture), 0);
    expect(store_open(&fixture.store, fixture.ledger, STORE_WRITE, regtest(), &error),
           STORE_OK);
    assert_true(has_big(fixture.store, 1, 4) && has_big(fixture.store, 5, 6));
    fixture_close(&fixture);
}

/* Killed with a transaction open: the one before stands. */
static int run_killed(struct fixture *fixture)
{
    struct error error;
    struct store *store;
    struct store_txn *txn;
    if (store_open(&store, fixture->ledger, STORE_WRITE, regtest(), &error) != STORE_OK ||
        store_update(store, put_big, &(struct big){0, 1, 8}, &error) != STORE_OK ||
        store_begin(store, &txn, STORE_WRITE, &error) != STORE_OK ||
        put_big(&(struct big){0, 3, 9}, txn, &error) != STORE_OK)
        return 1;
    raise(SIGKILL);
    return 2;
}

static void test_killed(void **state)
{
    (void)state;
    struct error error = {""};
    struct fixture fixture;
    fixture_open(&fixture);
    store_close(fixture.store);
    assert_int_equal(in_child(run_killed, &fixture), 1000 + SIGKILL);
    expect(store_open(&fixture.store, fixture.ledger, STORE_WRITE, regtest(), &error),
           STORE_OK);
    store_check_readers(fixture.store);
    assert_true(has_big(fixture.store, 0, 8));
    assert_false(has_big(fixture.store, 1, 9));
    expect(store_update(fixture.store, put_big, &(struct big){1, 1, 9}, &error),
           STORE_OK);
    fixture_close(&fixture);
}

static void test_readers_full(void **state)
{
    (void)state;
    struct error error = {""};
    struct fixture fixture;
    struct store_txn *txns[200];
    enum store_result result = STORE_OK;
    size_t count = 0;
    fixture_open(&fixture);
    while (count < 200 && result == STORE_OK) {
        result = store_begin(fixture.store, &txns[count], STORE_READ, &error);
        count += result == STORE_OK;
    }
    assert_int_equal(result, STORE_READERS_FULL);
    while (count > 0)
        store_abort(txns[--count]);
    expect(store_begin(fixture.store, &txns[0], STORE_READ, &error), STORE_OK);
    store_abort(txns[0]);
    fixture_close(&fixture);
}

static int run_denied(struct fixture *fixture)
{
    struct error error;
    struct store *store;
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        return 77;
    return store_open(&store, fixture->ledger, STORE_READ, regtest(), &error) ==
                       STORE_DENIED &&
                   strstr(error.text, "group") != NULL
               ? 0
               : 1;
}

static void test_denied(void **state)
{
    (void)state;
    struct fixture fixture;
    if (geteuid() != 0) {
        print_message("skipped: only root can become somebody else\n");
        skip();
    }
    fixture_open(&fixture);
    store_close(fixture.store);
    fixture.store = NULL;
    assert_int_equal(chmod(fixture.folder, 0755), 0);
    int result = in_child(run_denied, &fixture);
    fixture_close(&fixture);
    assert_int_equal(result, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_half_made),
        cmocka_unit_test(test_newer),
        cmocka_unit_test(test_older),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_small_address_space),
        cmocka_unit_test(test_reader_maps_anew),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_readers_full),
        cmocka_unit_test(test_denied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
