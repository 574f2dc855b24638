#include "one_feed.h"
#include "store/sample.h"

#define DAY 86400

static enum store_result append(void *context, struct store_txn *txn, struct error *error)
{
    return sample_append(txn, 1, context, error);
}

static struct sample at(int64_t taken, enum sample_state state, uint32_t height)
{
    return (struct sample){.state = state,
                           .has_statement = true,
                           .statement = {.height = height, .coins = 3},
                           .taken = {taken}};
}

static void add(struct store *store, struct sample sample)
{
    struct error error = {""};
    expect(store_update(store, append, &sample, &error), STORE_OK);
}

struct found {
    struct sample at[64];
    size_t count;
};

static bool find(void *context, const struct sample *sample)
{
    struct found *found = context;
    found->at[found->count++] = *sample;
    return found->count < 64;
}

/* Newest first. */
static void list(struct store *store, struct found *found)
{
    struct error error = {""};
    struct store_txn *txn;
    found->count = 0;
    expect(store_begin(store, &txn, STORE_READ, &error), STORE_OK);
    expect(sample_each(txn, 1, find, found, &error), STORE_OK);
    store_abort(txn);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct error error = {""};
    struct store_txn *txn;
    struct one_feed one;
    one_feed_open(&one, 1, 12);
    struct sample sample = {
        .state = SAMPLE_REFUSED,
        .has_statement = true,
        .taken = {1700000000},
        .confirmations = 6,
        .tip_height = 12,
        .scripts = 1,
        .peers_agreeing = 2,
        .single_peer = true,
        .filters_from = 540001,
        .filters_to = 789999,
        .immature = {5000},
        .spent_above = {7},
        .immature_coins = 8,
        .coins_spent_above = 9,
        .reason_count = 2,
        .reasons = {{3, "too few peers"}, {1, ""}},
    };
    expect(store_begin(one.fixture.store, &txn, STORE_READ, &error), STORE_OK);
    expect(sample_newest(txn, &sample, one.feed.id, &error), STORE_NOT_FOUND);
    expect(statement_at(txn, &sample.statement, &one.feed, 7, &error), STORE_OK);
    store_abort(txn);
    assert_int_equal(sample.statement.amount.sat, 7000);
    assert_int_equal(sample.statement.coins, 7);
    assert_int_equal(sample.statement.time.s, one.rows[4].header.time.s);
    assert_memory_equal(&sample.statement.block, &one.rows[7].hash, 32);
    assert_memory_equal(&sample.statement.genesis, &regtest()->genesis_hash, 32);
    memset(sample.reasons[1].text, 'x', SAMPLE_REASON_TEXT_MAX - 1);
    expect(store_update(one.fixture.store, append, &sample, &error), STORE_OK);
    assert_int_equal(sample.sequence, 1);

    struct sample good = sample, got;
    good.state = SAMPLE_GOOD;
    good.reason_count = 0;
    memset(good.reasons, 0, sizeof(good.reasons));
    add(one.fixture.store, good);
    sample.has_statement = false;
    memset(&sample.statement, 0, sizeof(sample.statement));
    expect(store_update(one.fixture.store, append, &sample, &error), STORE_OK);
    assert_int_equal(sample.sequence, 3);
    expect(store_begin(one.fixture.store, &txn, STORE_READ, &error), STORE_OK);
    expect(sample_newest(txn, &got, 1, &error), STORE_OK);
    assert_int_equal(got.sequence, 3);
    assert_false(got.has_statement);
    assert_int_equal(got.reason_count, 2);
    assert_int_equal(got.reasons[0].gate, 3);
    assert_string_equal(got.reasons[1].text, sample.reasons[1].text);
    expect(sample_newest_good(txn, &got, 1, &error), STORE_OK);
    assert_int_equal(got.sequence, 2);
    assert_memory_equal(&got.statement, &good.statement, sizeof(got.statement));
    assert_int_equal(got.taken.s, good.taken.s);
    assert_int_equal(got.coins_spent_above, 9);
    assert_true(got.single_peer && !got.trusted_peer);
    assert_int_equal(got.filters_from, good.filters_from);
    assert_int_equal(got.filters_to, good.filters_to);
    store_abort(txn);
    assert_int_equal(count_faults(one.fixture.store, false), 0);
    one_feed_close(&one);
}

static void test_reorganisation_orphans(void **state)
{
    (void)state;
    struct error error = {""};
    struct ledger_outcome outcome;
    struct one_feed one;
    struct found found;
    one_feed_open(&one, 1, 20);
    add(one.fixture.store, at(1, SAMPLE_GOOD, 14));
    add(one.fixture.store, at(2, SAMPLE_GOOD, 15));
    add(one.fixture.store, at(3, SAMPLE_REFUSED, 16));
    add(one.fixture.store, at(4, SAMPLE_GOOD, 13));
    expect(one_feed_apply(&one, 0, 14, 3, NULL, true, &outcome, &error), STORE_OK);
    assert_int_equal(outcome.orphaned, 1);
    list(one.fixture.store, &found);
    assert_int_equal(found.count, 4);
    assert_int_equal(found.at[0].state, SAMPLE_GOOD);
    assert_int_equal(found.at[1].state, SAMPLE_REFUSED);
    assert_int_equal(found.at[2].state, SAMPLE_ORPHANED);
    assert_int_equal(found.at[3].state, SAMPLE_GOOD);
    one_feed_close(&one);
}

static enum store_result thin(void *context, struct store_txn *txn, struct error *error)
{
    return sample_thin(txn, 1, (struct wall_time){10 * DAY}, *(size_t *)context, error);
}

/* Kept: first of each run of a state, last of each day, and what is young. */
static void test_thinning(void **state)
{
    (void)state;
    struct error error = {""};
    struct one_feed one;
    struct found found;
    static const struct {
        int64_t taken;
        enum sample_state state;
        bool kept;
    } rows[] = {
        {8 * DAY + 10, SAMPLE_GOOD, true},     {8 * DAY + 20, SAMPLE_GOOD, false},
        {8 * DAY + 30, SAMPLE_REFUSED, true},  {8 * DAY + 40, SAMPLE_REFUSED, false},
        {8 * DAY + 50, SAMPLE_REFUSED, false}, {8 * DAY + 60, SAMPLE_GOOD, true},
        {8 * DAY + 70, SAMPLE_GOOD, false},    {8 * DAY + 80, SAMPLE_GOOD, true},
        {9 * DAY + 10, SAMPLE_GOOD, false},    {9 * DAY + 20, SAMPLE_GOOD, true},
        {10 * DAY + 10, SAMPLE_GOOD, true},    {10 * DAY + 20, SAMPLE_GOOD, true},
    };
    const size_t count = sizeof(rows) / sizeof(rows[0]);
    for (size_t limit = 1; limit <= 20; limit += 3) {
        one_feed_open(&one, 1, 1);
        for (size_t i = 0; i < count; i++)
            add(one.fixture.store, at(rows[i].taken, rows[i].state, 1));
        for (size_t call = 0; call < count + 1; call++)
            expect(store_update(one.fixture.store, thin, &limit, &error), STORE_OK);
        list(one.fixture.store, &found);
        for (size_t i = 0; i < count; i++) {
            if (!rows[i].kept)
                continue;
            assert_true(found.count > 0);
            assert_int_equal(found.at[--found.count].sequence, i + 1);
        }
        assert_int_equal(found.count, 0);
        one_feed_close(&one);
    }
}

static enum store_result thin_all(void *context, struct store_txn *txn,
                                  struct error *error)
{
    (void)context;
    return sample_thin(txn, 1, (struct wall_time){10 * DAY}, 100, error);
}

/* A sum that went out and was taken back is kept. */
static void test_published_stay(void **state)
{
    (void)state;
    struct error error = {""};
    struct one_feed one;
    struct found found;
    one_feed_open(&one, 1, 1);
    for (int64_t i = 0; i < 20; i++) {
        struct sample sample = at(DAY + i, SAMPLE_RETRACTED, 1);
        sample.published = i == 7 || i == 8;
        add(one.fixture.store, sample);
    }
    expect(store_update(one.fixture.store, thin_all, NULL, &error), STORE_OK);
    list(one.fixture.store, &found);
    assert_int_equal(found.count, 4);
    assert_int_equal(found.at[0].sequence, 20);
    assert_int_equal(found.at[1].sequence, 9);
    assert_int_equal(found.at[2].sequence, 8);
    assert_int_equal(found.at[3].sequence, 1);
    one_feed_close(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_reorganisation_orphans),
        cmocka_unit_test(test_thinning),
        cmocka_unit_test(test_published_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
