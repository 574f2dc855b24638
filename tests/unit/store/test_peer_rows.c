#include "store/peer_rows.h"
#include "tests/unit/store/fixture.h"

struct job {
    enum store_result (*work)(struct job *job, struct store_txn *txn,
                              struct error *error);
    const struct book_row *rows;
    size_t count;
    const struct spv_ban *ban;
    const char *address;
    struct wall_time now;
    struct peer_rows_lost lost;
    uint64_t key[2], fresh[2];
    struct bytes name, value;
    enum table table;
};

static enum store_result run_job(void *context, struct store_txn *txn,
                                 struct error *error)
{
    struct job *job = context;
    return job->work(job, txn, error);
}

static void run(struct fixture *fixture, struct job *job)
{
    struct error error;
    expect(store_update(fixture->store, run_job, job, &error), STORE_OK);
}

static enum store_result put_book(struct job *job, struct store_txn *txn,
                                  struct error *error)
{
    return peer_rows_put_book(txn, job->rows, job->count, error);
}

static enum store_result put_ban(struct job *job, struct store_txn *txn,
                                 struct error *error)
{
    return peer_rows_put_ban(txn, job->ban, job->now, error);
}

static enum store_result lift_ban(struct job *job, struct store_txn *txn,
                                  struct error *error)
{
    return peer_rows_lift_ban(txn, job->address, error);
}

static enum store_result take_key(struct job *job, struct store_txn *txn,
                                  struct error *error)
{
    return peer_rows_key(txn, job->key, job->fresh, error);
}

static enum store_result put_raw(struct job *job, struct store_txn *txn,
                                 struct error *error)
{
    return table_put(txn, job->table, job->name, job->value, error);
}

static enum store_result mend(struct job *job, struct store_txn *txn, struct error *error)
{
    return peer_rows_mend(txn, &job->lost, error);
}

static size_t read_book(struct fixture *fixture, struct book_row **rows,
                        enum store_result want)
{
    struct error error;
    struct store_txn *txn;
    size_t count;
    expect(store_begin(fixture->store, &txn, STORE_READ, &error), STORE_OK);
    expect(peer_rows_book(txn, rows, &count, &error), want);
    store_abort(txn);
    return count;
}

static size_t read_bans(struct fixture *fixture, struct spv_ban **bans,
                        enum store_result want)
{
    struct error error;
    struct store_txn *txn;
    size_t count;
    expect(store_begin(fixture->store, &txn, STORE_READ, &error), STORE_OK);
    expect(peer_rows_bans(txn, bans, &count, &error), want);
    store_abort(txn);
    return count;
}

static struct book_row row_of(uint32_t place, uint16_t kind)
{
    struct book_row row = {.place = place};
    row.entry = (struct book_entry){.address = {.kind = kind, .port = 8333},
                                    .services = UINT64_C(0x8000000000000049),
                                    .source = UINT64_C(0x0114000000000000),
                                    .seen = 1700000000,
                                    .tried_at = 1700000001,
                                    .answered_at = 1700000002,
                                    .failures = 3};
    memset(row.entry.address.b, 0x5a, kind == NET_IPV4 ? 4 : kind == NET_IPV6 ? 16 : 32);
    return row;
}

static void the_book_there_and_back(void **state)
{
    (void)state;
    struct fixture fixture;
    struct book_row rows[3] = {row_of(0, NET_IPV4), row_of(700, NET_IPV6),
                               row_of(BOOK_PLACES - 1, NET_ONION)};
    struct book_row *back;
    fixture_open(&fixture);
    assert_int_equal(read_book(&fixture, &back, STORE_OK), 0);
    assert_null(back);
    run(&fixture, &(struct job){.work = put_book, .rows = rows, .count = 3});
    fixture_reopen(&fixture);
    assert_int_equal(read_book(&fixture, &back, STORE_OK), 3);
    assert_memory_equal(back, rows, sizeof(rows));
    free(back);
    rows[1].entry = (struct book_entry){0};
    run(&fixture, &(struct job){.work = put_book, .rows = rows, .count = 3});
    run(&fixture, &(struct job){.work = put_book, .rows = rows + 1, .count = 1});
    assert_int_equal(read_book(&fixture, &back, STORE_OK), 2);
    assert_int_equal(back[1].place, BOOK_PLACES - 1);
    free(back);
    fixture_close(&fixture);
}

static void the_key_stays(void **state)
{
    (void)state;
    struct fixture fixture;
    struct job job = {.work = take_key, .fresh = {5, UINT64_MAX}};
    fixture_open(&fixture);
    run(&fixture, &job);
    assert_true(job.key[0] == 5 && job.key[1] == UINT64_MAX);
    fixture_reopen(&fixture);
    struct job later = {.work = take_key, .fresh = {6, 7}};
    run(&fixture, &later);
    assert_true(later.key[0] == 5 && later.key[1] == UINT64_MAX);
    fixture_close(&fixture);
}

static void bans_there_and_back(void **state)
{
    (void)state;
    struct fixture fixture;
    struct spv_ban one = {"one.test:8333", {2000}, "its filter of block 7 is false"};
    struct spv_ban two = {"20.0.0.1", {3000}, ""};
    struct spv_ban *back;
    memset(two.reason, 'x', BAN_REASON_MAX - 1);
    fixture_open(&fixture);
    assert_int_equal(read_bans(&fixture, &back, STORE_OK), 0);
    run(&fixture, &(struct job){.work = put_ban, .ban = &one, .now = {1000}});
    run(&fixture, &(struct job){.work = put_ban, .ban = &two, .now = {1500}});
    fixture_reopen(&fixture);
    assert_int_equal(read_bans(&fixture, &back, STORE_OK), 2);
    assert_memory_equal(&back[0], &two, sizeof(two));
    assert_memory_equal(&back[1], &one, sizeof(one));
    free(back);
    /* A new ban takes those away that have ended. */
    run(&fixture, &(struct job){.work = put_ban, .ban = &two, .now = {2000}});
    assert_int_equal(read_bans(&fixture, &back, STORE_OK), 1);
    free(back);
    run(&fixture, &(struct job){.work = lift_ban, .address = "20.0.0.1"});
    run(&fixture, &(struct job){.work = lift_ban, .address = "20.0.0.1"});
    assert_int_equal(read_bans(&fixture, &back, STORE_OK), 0);
    fixture_close(&fixture);
}

static void damage(struct fixture *fixture, enum table table, const char *name,
                   const char *value)
{
    run(fixture, &(struct job){.work = put_raw,
                               .table = table,
                               .name = {(const uint8_t *)name, 4},
                               .value = {(const uint8_t *)value, strlen(value)}});
}

/* A start can do without them, but says so; nothing else is lost. */
static void damaged_rows_are_forgotten(void **state)
{
    (void)state;
    struct fixture fixture;
    const struct book_row row = row_of(700, NET_IPV6);
    const struct spv_ban ban = {"one.test:8333", {2000}, "proved"};
    struct book_row *rows;
    struct spv_ban *bans;
    fixture_open(&fixture);
    run(&fixture, &(struct job){.work = put_book, .rows = &row, .count = 1});
    run(&fixture, &(struct job){.work = put_ban, .ban = &ban, .now = {1000}});
    damage(&fixture, TABLE_ADDRESSES, "\0\0\0\1", "\1\1");
    damage(&fixture, TABLE_ADDRESSES, "\377\0\0\1", "\1\1");
    damage(&fixture, TABLE_BANS, "host", "\2abcdefgh");
    read_book(&fixture, &rows, STORE_FAILED);
    read_bans(&fixture, &bans, STORE_FAILED);
    struct job job = {.work = mend};
    run(&fixture, &job);
    assert_int_equal(job.lost.addresses, 2);
    assert_int_equal(job.lost.bans, 1);
    assert_int_equal(read_book(&fixture, &rows, STORE_OK), 1);
    assert_memory_equal(rows, &row, sizeof(row));
    free(rows);
    assert_int_equal(read_bans(&fixture, &bans, STORE_OK), 1);
    assert_memory_equal(bans, &ban, sizeof(ban));
    free(bans);
    run(&fixture, &job);
    assert_int_equal(job.lost.addresses + job.lost.bans, 0);
    fixture_close(&fixture);
}

static void a_damaged_key_is_replaced(void **state)
{
    (void)state;
    struct fixture fixture;
    struct job job = {.work = take_key, .fresh = {5, 6}}, later = {.work = take_key};
    fixture_open(&fixture);
    run(&fixture, &(struct job){.work = put_raw,
                                .table = TABLE_META,
                                .name = {(const uint8_t *)"book_key", 8},
                                .value = {(const uint8_t *)"short", 5}});
    run(&fixture, &job);
    run(&fixture, &later);
    assert_true(later.key[0] == 5 && later.key[1] == 6);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_book_there_and_back),
        cmocka_unit_test(the_key_stays),
        cmocka_unit_test(bans_there_and_back),
        cmocka_unit_test(damaged_rows_are_forgotten),
        cmocka_unit_test(a_damaged_key_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
