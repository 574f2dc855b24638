#include "one_feed.h"
#include "store/outbox.h"
#include "store/records.h"
#include "store/statement_record.h"

static enum store_result put(void *context, struct store_txn *txn, struct error *error)
{
    return outbox_put(txn, 1, context, error);
}

static enum store_result set_evaluated(void *context, struct store_txn *txn,
                                       struct error *error)
{
    return outbox_set_evaluated(txn, 1, *(uint32_t *)context, error);
}

static bool count_up(void *context, const struct publication *publication)
{
    size_t *count = context;
    assert_int_equal(publication->round, ++*count);
    return *count < 3;
}

static void test_round_trip(void **state)
{
    (void)state;
    struct error error = {""};
    struct fixture fixture;
    struct store_txn *txn;
    struct publication got;
    size_t seen = 0;
    fixture_open(&fixture);
    uint8_t *payload = mem_zalloc(1, PUBLICATION_PAYLOAD_MAX + 1);
    struct publication publication = {.state = PUBLICATION_DUE,
                                      .due = 2,
                                      .report = {.genesis = regtest()->genesis_hash,
                                                 .height = 77,
                                                 .amount = {123456789},
                                                 .coins = 9,
                                                 .set_hash = {1, 2, 3}},
                                      .created = {1700000000},
                                      .changed = {1700000001},
                                      .position = 42,
                                      .mined_in = {[31] = 7},
                                      .detail = "waits for a quorum"};
    for (publication.round = 1; publication.round <= 4; publication.round++)
        expect(store_update(fixture.store, put, &publication, &error), STORE_OK);
    publication.round = 4;
    publication.state = PUBLICATION_SENT;
    publication.payload = payload;
    publication.payload_len = PUBLICATION_PAYLOAD_MAX + 1;
    payload[PUBLICATION_PAYLOAD_MAX - 1] = 9;
    expect(store_update(fixture.store, put, &publication, &error), STORE_FAILED);
    publication.payload_len = PUBLICATION_PAYLOAD_MAX;
    expect(store_update(fixture.store, put, &publication, &error), STORE_OK);

    expect(store_begin(fixture.store, &txn, STORE_READ, &error), STORE_OK);
    expect(outbox_newest(txn, &got, 1, &error), STORE_OK);
    assert_int_equal(got.round, 4);
    assert_int_equal(got.state, PUBLICATION_SENT);
    assert_int_equal(got.payload_len, PUBLICATION_PAYLOAD_MAX);
    assert_memory_equal(got.payload, payload, PUBLICATION_PAYLOAD_MAX);
    assert_memory_equal(&got.report, &publication.report, sizeof(got.report));
    assert_string_equal(got.detail, "waits for a quorum");
    assert_int_equal(got.position, 42);
    assert_memory_equal(got.mined_in, publication.mined_in, sizeof(got.mined_in));
    assert_int_equal(got.changed.s, 1700000001);
    publication_release(&got);
    expect(outbox_get(txn, &got, 1, 3, &error), STORE_OK);
    assert_int_equal(got.state, PUBLICATION_DUE);
    assert_null(got.payload);
    publication_release(&got);
    expect(outbox_get(txn, &got, 1, 5, &error), STORE_NOT_FOUND);
    expect(outbox_newest(txn, &got, 2, &error), STORE_NOT_FOUND);
    expect(outbox_each(txn, 1, count_up, &seen, &error), STORE_OK);
    assert_int_equal(seen, 3);
    store_abort(txn);
    free(payload);
    fixture_close(&fixture);
}

/* Rows of before there was `mined_in`: shorter by it. */
static void test_older_row(void **state)
{
    (void)state;
    struct writer row = {0};
    struct publication got;
    struct key key = key_u32_u64(1, 5);
    const struct statement report = {.height = 77};
    write_u8(&row, 1);
    write_u8(&row, PUBLICATION_MINED);
    write_u8(&row, 2);
    statement_encode(&row, &report);
    for (uint64_t i = 0; i < 3; i++)
        write_u64be(&row, i);
    write_var_bytes(&row, (struct bytes){(const uint8_t *)"old", 3});
    write_var_bytes(&row, (struct bytes){(const uint8_t *)"raw", 3});
    assert_true(
        publication_decode(&got, key_bytes(&key), (struct bytes){row.data, row.len}));
    assert_string_equal(got.detail, "old");
    assert_int_equal(got.position, 2);
    assert_int_equal(got.payload_len, 3);
    publication_release(&got);
    row.data[0] = 2;
    assert_false(
        publication_decode(&got, key_bytes(&key), (struct bytes){row.data, row.len}));
    row.data[0] = 3;
    assert_false(
        publication_decode(&got, key_bytes(&key), (struct bytes){row.data, row.len}));
    writer_release(&row);
}

static void test_evaluated(void **state)
{
    (void)state;
    struct error error = {""};
    struct ledger_outcome outcome;
    struct store_txn *txn;
    struct one_feed one;
    uint32_t height = 18;
    one_feed_open(&one, 1, 20);
    expect(store_begin(one.fixture.store, &txn, STORE_READ, &error), STORE_OK);
    expect(outbox_evaluated(txn, &height, 1, &error), STORE_NOT_FOUND);
    store_abort(txn);
    expect(store_update(one.fixture.store, set_evaluated, &height, &error), STORE_OK);
    for (uint32_t fork = 19; fork >= 16; fork--) {
        expect(one_feed_apply(&one, 0, fork, 1, NULL, true, &outcome, &error), STORE_OK);
        expect(store_begin(one.fixture.store, &txn, STORE_READ, &error), STORE_OK);
        expect(outbox_evaluated(txn, &height, 1, &error), STORE_OK);
        assert_int_equal(height, fork < 18 ? fork : 18);
        store_abort(txn);
    }
    one_feed_close(&one);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(publication_state_name(PUBLICATION_DUE), "due");
    assert_string_equal(publication_state_name(PUBLICATION_REFUSED), "refused");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_older_row),
        cmocka_unit_test(test_evaluated),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
