/* Cases of the ledger that deserve a name. */
#include "one_feed.h"

static uint32_t cursor_of(struct one_feed *one, uint32_t id)
{
    struct cohort_table cohorts;
    uint32_t cursor = HEIGHT_NONE;
    ledger_cohorts(one->ledger, &cohorts);
    for (size_t i = 0; i < cohorts.count; i++) {
        if (cohorts.at[i].id == id)
            cursor = cohorts.at[i].cursor;
    }
    cohort_table_release(&cohorts);
    return cursor;
}

static struct reserve tally(struct one_feed *one, uint32_t height)
{
    struct error error = {""};
    struct store_txn *txn;
    struct reserve reserve;
    expect(store_begin(one->fixture.store, &txn, STORE_READ, &error), STORE_OK);
    expect(ledger_tally(txn, &reserve, &one->feed, height, &error), STORE_OK);
    store_abort(txn);
    return reserve;
}

static void test_coinbase_matures(void **state)
{
    (void)state;
    struct one_feed one;
    one_feed_open(&one, 1, 102);
    struct reserve at_100 = tally(&one, 100), at_101 = tally(&one, 101);
    assert_int_equal(at_100.counted.sat, 100 * 1000);
    assert_int_equal(at_100.immature.sat, 100 * 5000);
    assert_int_equal(at_101.counted.sat, 101 * 1000 + 5000);
    assert_int_equal(at_101.immature_coins, 100);
    one_feed_close(&one);
}

static void test_double_spend_is_refused(void **state)
{
    (void)state;
    struct error error = {""};
    struct ledger_outcome outcome;
    struct one_feed one;
    uint8_t before[32], after[32];
    struct outpoint spent = one_feed_paid(3);
    one_feed_open(&one, 1, 10);
    expect(one_feed_apply(&one, 0, 10, 1, &spent, false, &outcome, &error), STORE_OK);
    assert_int_equal(outcome.debits, 1);
    assert_int_equal(tally(&one, 11).counted.sat, 10 * 1000);
    dump_tables(one.fixture.store, before);
    expect(one_feed_apply(&one, 0, 11, 2, &spent, false, &outcome, &error),
           STORE_INVALID_BLOCK);
    assert_int_equal(outcome.invalid_height, 12);
    dump_tables(one.fixture.store, after);
    assert_memory_equal(before, after, 32);
    /* The spend taken back, it may be spent again. */
    expect(one_feed_apply(&one, 0, 10, 2, NULL, true, &outcome, &error), STORE_OK);
    assert_int_equal(outcome.rewound, 1);
    expect(one_feed_apply(&one, 0, 12, 1, &spent, false, &outcome, &error), STORE_OK);
    assert_int_equal(count_faults(one.fixture.store, false), 0);
    one_feed_close(&one);
}

/* A fork deeper than coins are kept: what was spent and pruned is there to be spent. */
static void test_pruned_coin_is_spent_again(void **state)
{
    (void)state;
    struct error error = {""};
    struct ledger_outcome outcome;
    struct one_feed one;
    struct outpoint spent = one_feed_paid(3);
    one_feed_open(&one, 1, 5);
    expect(one_feed_apply(&one, 0, 5, 1, &spent, false, &outcome, &error), STORE_OK);
    expect(one_feed_apply(&one, 0, 6, LEDGER_DEPTH + 4, NULL, false, &outcome, &error),
           STORE_OK);
    expect(one_feed_apply(&one, 0, 5, 1, &spent, true, &outcome, &error), STORE_OK);
    assert_int_equal(outcome.debits, 1);
    assert_int_equal(tally(&one, 6).counted.sat, 5000);
    assert_int_equal(count_faults(one.fixture.store, false), 0);
    one_feed_close(&one);
}

static void test_stale_batches(void **state)
{
    (void)state;
    struct error error = {""};
    struct ledger_outcome outcome;
    struct cohort_table cohorts;
    struct one_feed one;
    one_feed_open(&one, 1, 10);
    expect(one_feed_apply(&one, 0, 9, 1, NULL, false, &outcome, &error), STORE_STALE);
    expect(one_feed_apply(&one, 0, 11, 1, NULL, false, &outcome, &error), STORE_STALE);
    expect(one_feed_apply(&one, 3, 10, 1, NULL, false, &outcome, &error), STORE_STALE);
    expect(one_feed_apply(&one, 0, 11, 0, NULL, true, &outcome, &error), STORE_STALE);
    ledger_cohorts(one.ledger, &cohorts);
    struct block *none = NULL;
    struct ledger_batch batch = {.epoch = cohorts.epoch + 1,
                                 .base = 10,
                                 .rows = one.rows + 11,
                                 .blocks = &none,
                                 .count = 1,
                                 .commit = true};
    cohort_table_release(&cohorts);
    expect(ledger_apply(one.ledger, &batch, &outcome, &error), STORE_STALE);
    batch.epoch--;
    batch.rows = one.rows + 12;
    expect(ledger_apply(one.ledger, &batch, &outcome, &error), STORE_STALE);
    batch.rows = one.rows + 11;
    expect(ledger_apply(one.ledger, &batch, &outcome, &error), STORE_OK);
    one_feed_close(&one);
}

/* A script that joins late counts once it has caught up, and not before. */
static void test_backfill(void **state)
{
    (void)state;
    struct error error = {""};
    struct ledger_outcome outcome;
    struct store_txn *txn;
    struct one_feed one;
    struct reserve reserve;
    uint32_t lowest;
    one_feed_open(&one, 1, 20);
    expect(one_feed_define(&one, 2, 5, &error), STORE_OK);
    assert_int_equal(cursor_of(&one, 0), 20);
    assert_int_equal(cursor_of(&one, 1), 4);
    expect(store_begin(one.fixture.store, &txn, STORE_READ, &error), STORE_OK);
    expect(ledger_feed(txn, &one.feed, "wbtc", &error), STORE_OK);
    assert_false(one.feed.merged);
    expect(ledger_tally(txn, &reserve, &one.feed, 20, &error), STORE_NOT_FOUND);
    expect(ledger_lowest_cursor(txn, &lowest, &error), STORE_OK);
    assert_int_equal(lowest, 4);
    store_abort(txn);
    expect(one_feed_apply(&one, 1, 4, 17, NULL, false, &outcome, &error), STORE_STALE);
    expect(one_feed_apply(&one, 1, 4, 10, NULL, false, &outcome, &error), STORE_OK);
    assert_false(outcome.merged);
    expect(one_feed_apply(&one, 1, 14, 6, NULL, false, &outcome, &error), STORE_OK);
    assert_true(outcome.merged);
    assert_int_equal(cursor_of(&one, 1), HEIGHT_NONE);
    one.feed.merged = true;
    assert_int_equal(tally(&one, 20).counted.sat, 20 * 1000 + 16 * 1000);
    assert_int_equal(tally(&one, 4).counted.sat, 4 * 1000);
    assert_int_equal(count_faults(one.fixture.store, false), 0);
    one_feed_close(&one);
}

/* Births in the future need no block; a lower one later moves the start down. */
static void test_future_birth(void **state)
{
    (void)state;
    struct error error = {""};
    struct ledger_outcome outcome;
    struct one_feed one;
    one_feed_open(&one, 1, 0);
    struct ledger_definition nothing = {0};
    expect(ledger_define(one.ledger, &nothing, &error), STORE_OK);
    assert_int_equal(cursor_of(&one, 0), HEIGHT_NONE);
    struct watched_script watched[2] = {{{one.scripts[0], SCRIPT_LEN}, 300},
                                        {{one.scripts[1], SCRIPT_LEN}, 200}};
    struct ledger_definition definition = {.scripts = watched, .script_count = 1};
    expect(ledger_define(one.ledger, &definition, &error), STORE_OK);
    assert_int_equal(cursor_of(&one, 0), 299);
    definition.script_count = 2;
    expect(ledger_define(one.ledger, &definition, &error), STORE_OK);
    assert_int_equal(cursor_of(&one, 0), 199);
    expect(one_feed_apply(&one, 0, 199, 1, NULL, false, &outcome, &error), STORE_STALE);
    expect(one_feed_apply(&one, 0, 0, 0, NULL, true, &outcome, &error), STORE_OK);
    assert_int_equal(cursor_of(&one, 0), 0);
    assert_int_equal(outcome.rewound, 0);
    expect(one_feed_apply(&one, 0, 0, 210, NULL, false, &outcome, &error), STORE_OK);
    assert_int_equal(outcome.credits, 11);
    one_feed_close(&one);
}

/* More definitions than there can be cohorts: the hindmost one takes the rest on. */
static void test_many_cohorts(void **state)
{
    (void)state;
    struct error error = {""};
    struct ledger_outcome outcome;
    struct cohort_table cohorts;
    struct one_feed one;
    uint8_t scripts[40][SCRIPT_LEN];
    struct watched_script watched[40];
    one_feed_open(&one, 1, 100);
    memcpy(scripts[0], one.scripts[0], SCRIPT_LEN);
    watched[0] = (struct watched_script){{scripts[0], SCRIPT_LEN}, 1};
    for (uint32_t i = 1; i < 40; i++) {
        make_script(scripts[i], 1000 + i);
        watched[i] = (struct watched_script){{scripts[i], SCRIPT_LEN}, 90 - i};
        struct ledger_definition definition = {.scripts = watched, .script_count = i + 1};
        expect(ledger_define(one.ledger, &definition, &error), STORE_OK);
    }
    ledger_cohorts(one.ledger, &cohorts);
    assert_int_equal(cohorts.count, COHORTS_MAX);
    uint32_t lowest = 100;
    for (size_t i = 0; i < cohorts.count; i++)
        lowest = cohorts.at[i].cursor < lowest ? cohorts.at[i].cursor : lowest;
    assert_int_equal(lowest, 90 - 39 - 1);
    cohort_table_release(&cohorts);
    assert_int_equal(count_faults(one.fixture.store, false), 0);
    /* A fork below them all brings them together. */
    expect(one_feed_apply(&one, 0, 30, 0, NULL, true, &outcome, &error), STORE_OK);
    assert_true(outcome.merged);
    ledger_cohorts(one.ledger, &cohorts);
    assert_int_equal(cohorts.count, 1);
    assert_int_equal(script_set_count(cohorts.at[0].scripts), 40);
    cohort_table_release(&cohorts);
    one_feed_close(&one);
}

static void test_bad_definitions(void **state)
{
    (void)state;
    struct error error = {""};
    struct one_feed one;
    uint8_t before[32], after[32];
    one_feed_open(&one, 1, 3);
    dump_tables(one.fixture.store, before);
    struct watched_script watched[2] = {{{one.scripts[0], SCRIPT_LEN}, 1},
                                        {{one.scripts[0], SCRIPT_LEN}, 1}};
    struct feed_member members[2] = {{0, 1, "a", "b"}, {0, 1, "a", "b"}};
    struct feed_definition feeds[2] = {
        {.name = "x", .members = members, .member_count = 2}, {.name = "x"}};
    struct ledger_definition twice = {.scripts = watched, .script_count = 2};
    expect(ledger_define(one.ledger, &twice, &error), STORE_FAILED);
    struct ledger_definition member_twice = {watched, 1, feeds, 1};
    expect(ledger_define(one.ledger, &member_twice, &error), STORE_FAILED);
    feeds[0].member_count = 1;
    struct ledger_definition feed_twice = {watched, 1, feeds, 2};
    expect(ledger_define(one.ledger, &feed_twice, &error), STORE_FAILED);
    feeds[0].name = "";
    struct ledger_definition nameless = {watched, 1, feeds, 1};
    expect(ledger_define(one.ledger, &nameless, &error), STORE_FAILED);
    dump_tables(one.fixture.store, after);
    assert_memory_equal(before, after, 32);
    one_feed_close(&one);
}

struct seen {
    size_t credits, debits;
};

static bool see(void *context, const struct event_view *view)
{
    struct seen *seen = context;
    assert_string_equal(view->custodian, "BitGo");
    *(view->event.kind == EVENT_CREDIT ? &seen->credits : &seen->debits) += 1;
    return true;
}

static void test_events(void **state)
{
    (void)state;
    struct error error = {""};
    struct ledger_outcome outcome;
    struct store_txn *txn;
    struct one_feed one;
    struct seen seen = {0};
    struct outpoint spent = one_feed_paid(3);
    one_feed_open(&one, 1, 10);
    expect(one_feed_apply(&one, 0, 10, 1, &spent, false, &outcome, &error), STORE_OK);
    expect(store_begin(one.fixture.store, &txn, STORE_READ, &error), STORE_OK);
    expect(ledger_each_event(txn, &one.feed, 5, 11, see, &seen, &error), STORE_OK);
    assert_int_equal(seen.credits, 14);
    assert_int_equal(seen.debits, 1);
    struct readd readd = {.feed = &one.feed, .height = 10};
    expect(ledger_readd(txn, &readd, 1, &error), STORE_OK);
    assert_int_equal(readd.by_coins.spent_above.sat, 1000);
    assert_int_equal(readd.by_coins.counted.sat, 10000);
    readd.height = 12;
    expect(ledger_readd(txn, &readd, 1, &error), STORE_NOT_FOUND);
    store_abort(txn);
    one_feed_close(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_coinbase_matures),
        cmocka_unit_test(test_double_spend_is_refused),
        cmocka_unit_test(test_pruned_coin_is_spent_again),
        cmocka_unit_test(test_stale_batches),
        cmocka_unit_test(test_backfill),
        cmocka_unit_test(test_future_birth),
        cmocka_unit_test(test_many_cohorts),
        cmocka_unit_test(test_bad_definitions),
        cmocka_unit_test(test_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
