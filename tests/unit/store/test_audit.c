/* Each damage that is planted is found. */
#include "one_feed.h"
#include "store/outbox.h"
#include "store/records.h"
#include "store/sample.h"
#include "store/whole_heights.h"

/* Change the n-th row of a table: flip a byte of its value, delete it, or put a row. */
struct damage {
    enum table table;
    unsigned row;
    enum { FLIP, DELETE, PUT } how;
    unsigned byte; /* FLIP: from the value's start */
    struct bytes key, value;
};

static enum store_result do_damage(void *context, struct store_txn *txn,
                                   struct error *error)
{
    const struct damage *damage = context;
    if (damage->how == PUT)
        return table_put(txn, damage->table, damage->key, damage->value, error);
    struct walk walk;
    enum store_result result = walk_open(&walk, txn, damage->table, error);
    if (result == STORE_OK)
        result = walk_first(&walk, error);
    for (unsigned i = 0; i < damage->row && result == STORE_OK; i++)
        result = walk_next(&walk, error);
    if (result == STORE_OK && damage->how == DELETE) {
        result = walk_delete(&walk, error);
    } else if (result == STORE_OK) {
        uint8_t *key = mem_dup(walk.key.data, walk.key.len);
        uint8_t *value = mem_dup(walk.value.data, walk.value.len);
        struct bytes k = {key, walk.key.len}, v = {value, walk.value.len};
        value[damage->byte] ^= 1;
        result = table_put(txn, damage->table, k, v, error);
        free(key);
        free(value);
    }
    walk_close(&walk);
    return result;
}

static enum store_result add_rows(void *context, struct store_txn *txn,
                                  struct error *error)
{
    const struct one_feed *one = context;
    struct sample sample = {.state = SAMPLE_GOOD, .has_statement = true};
    struct publication publication = {.round = 1};
    enum store_result result = statement_at(txn, &sample.statement, &one->feed, 9, error);
    publication.report = sample.statement;
    if (result == STORE_OK)
        result = sample_append(txn, one->feed.id, &sample, error);
    if (result == STORE_OK)
        result = outbox_put(txn, one->feed.id, &publication, error);
    if (result == STORE_OK)
        result = whole_heights_add(txn, (const uint32_t[]){7}, 1, error);
    struct filter_header filters[13] = {{{1}}};
    return result == STORE_OK ? chain_rows_add_filter_headers(txn, 0, filters, 13, error)
                              : result;
}

static void open_sound(struct one_feed *one)
{
    struct error error = {""};
    struct ledger_outcome outcome;
    struct outpoint spent = one_feed_paid(3);
    one_feed_open(one, 2, 11);
    expect(one_feed_apply(one, 0, 11, 1, &spent, false, &outcome, &error), STORE_OK);
    expect(store_update(one->fixture.store, add_rows, one, &error), STORE_OK);
    assert_int_equal(count_faults(one->fixture.store, false), 0);
}

static void test_planted_damage(void **state)
{
    (void)state;
    struct error error = {""};
    uint8_t coin_key_bytes[COIN_KEY_SIZE] = {9}, coin_value[COIN_VALUE_SIZE];
    uint8_t tally_value[TALLY_VALUE_SIZE];
    uint8_t cohort[COHORT_VALUE_SIZE];
    struct coin coin = {.amount = {5}, .created = 3, .spent = HEIGHT_NONE};
    struct tally tally = {.mature = {1}};
    struct key tally_key = key_u32_u32(1, 400), cohort_key = key_u32(2);
    coin_encode(coin_value, &coin);
    tally_encode(tally_value, &tally);
    cohort_encode(cohort, &(struct cohort_record){2, 12});
    const struct damage damages[] = {
        {.table = TABLE_HEADERS, .row = 5, .how = FLIP, .byte = 70},
        {.table = TABLE_HEADERS, .row = 12, .how = DELETE},
        {.table = TABLE_HEADERS, .row = 4, .how = DELETE},
        {.table = TABLE_HEADERS, .row = 0, .how = FLIP, .byte = 76},
        {.table = TABLE_WORK, .row = 0, .how = FLIP, .byte = 31},
        {.table = TABLE_WORK, .row = 0, .how = DELETE},
        {.table = TABLE_FILTER_HEADERS, .row = 4, .how = DELETE},
        {.table = TABLE_SCRIPTS, .row = 0, .how = FLIP, .byte = 0},
        {.table = TABLE_SCRIPTS, .row = 0, .how = FLIP, .byte = 4}, /* cohort */
        {.table = TABLE_SCRIPTS, .row = 1, .how = FLIP, .byte = 7}, /* birth */
        {.table = TABLE_SCRIPTS, .row = 1, .how = DELETE},
        {.table = TABLE_COHORTS, .row = 0, .how = FLIP, .byte = 4}, /* cursor */
        {.table = TABLE_COHORTS, .row = 0, .how = DELETE},
        {.table = TABLE_COHORTS,
         .how = PUT,
         .key = key_bytes(&cohort_key),
         .value = {cohort, sizeof(cohort)}},
        {.table = TABLE_COINS, .row = 3, .how = DELETE},
        {.table = TABLE_COINS, .row = 3, .how = FLIP, .byte = 13}, /* amount */
        {.table = TABLE_COINS, .row = 3, .how = FLIP, .byte = 17}, /* created */
        {.table = TABLE_COINS, .row = 3, .how = FLIP, .byte = 1},  /* coinbase */
        {.table = TABLE_COINS,
         .how = PUT,
         .key = {coin_key_bytes, sizeof(coin_key_bytes)},
         .value = {coin_value, sizeof(coin_value)}},
        {.table = TABLE_EVENTS, .row = 3, .how = DELETE},
        {.table = TABLE_EVENTS, .row = 33, .how = DELETE}, /* the debit */
        {.table = TABLE_EVENTS, .row = 3, .how = FLIP, .byte = 13},
        {.table = TABLE_EVENTS, .row = 3, .how = FLIP, .byte = 0},
        {.table = TABLE_FEEDS, .row = 0, .how = FLIP, .byte = 45}, /* members */
        {.table = TABLE_FEEDS, .row = 0, .how = FLIP, .byte = 0},
        {.table = TABLE_MEMBERS, .row = 0, .how = DELETE},
        {.table = TABLE_MEMBERS, .row = 0, .how = FLIP, .byte = 4}, /* birth */
        {.table = TABLE_TALLIES, .row = 6, .how = FLIP, .byte = 8},
        {.table = TABLE_TALLIES, .row = 6, .how = DELETE},
        {.table = TABLE_TALLIES,
         .how = PUT,
         .key = key_bytes(&tally_key),
         .value = {tally_value, sizeof(tally_value)}},
        {.table = TABLE_SAMPLES, .row = 0, .how = FLIP, .byte = 40}, /* block */
        {.table = TABLE_SAMPLES, .row = 0, .how = FLIP, .byte = 0},
        {.table = TABLE_SAMPLES, .row = 0, .how = FLIP, .byte = 114}, /* amount */
        {.table = TABLE_WHOLE_HEIGHTS, .row = 0, .how = FLIP, .byte = 0},
        {.table = TABLE_OUTBOX, .row = 0, .how = FLIP, .byte = 0},
        {.table = TABLE_OUTBOX, .row = 0, .how = FLIP, .byte = 10},
    };
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        struct one_feed one;
        struct damage damage = damages[i];
        open_sound(&one);
        expect(store_update(one.fixture.store, do_damage, &damage, &error), STORE_OK);
        if (count_faults(one.fixture.store, true) == 0)
            fail_msg("damage %zu to %s isn't found", i, table_name(damage.table));
        one_feed_close(&one);
    }
}

static bool stop(void *context, const char *what, uint64_t done)
{
    (void)what;
    (void)done;
    ++*(int *)context;
    return false;
}

static void test_counts_and_stops(void **state)
{
    (void)state;
    struct error error = {""};
    struct store_txn *txn;
    struct audit audit;
    struct one_feed one;
    int calls = 0;
    open_sound(&one);
    expect(store_begin(one.fixture.store, &txn, STORE_READ, &error), STORE_OK);
    expect(audit_run(txn, &audit, NULL, NULL, &error), STORE_OK);
    assert_int_equal(audit.headers, 13);
    assert_int_equal(audit.coins, 36);
    assert_int_equal(audit.scripts, 2);
    assert_int_equal(audit.samples, 1);
    audit_release(&audit);
    expect(audit_run(txn, &audit, stop, &calls, &error), STORE_FAILED);
    assert_int_equal(calls, 1);
    audit_release(&audit);
    store_abort(txn);
    one_feed_close(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_planted_damage),
        cmocka_unit_test(test_counts_and_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
