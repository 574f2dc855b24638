/* Blocks looked at again, and what was built on them taken back. */
#include "one_feed.h"
#include "store/outbox.h"
#include "store/records.h"
#include "store/sample.h"

/* Hand on blocks base + 1 .. base + count, of which `hidden` isn't looked into. */
static void apply_hiding(struct one_feed *one, uint32_t base, uint32_t count,
                         uint32_t hidden, bool commit)
{
    struct error error = {""};
    struct ledger_outcome outcome;
    struct cohort_table cohorts;
    struct block **blocks = mem_zalloc(count, sizeof(struct block *));
    for (uint32_t i = 0; i < count; i++)
        blocks[i] =
            base + 1 + i == hidden ? NULL : one_feed_block(one, base + 1 + i, NULL);
    ledger_cohorts(one->ledger, &cohorts);
    const struct ledger_batch batch = {.epoch = cohorts.epoch,
                                       .base = base,
                                       .rows = one->rows + base + 1,
                                       .blocks = blocks,
                                       .count = count,
                                       .commit = commit};
    cohort_table_release(&cohorts);
    expect(ledger_apply(one->ledger, &batch, &outcome, &error), STORE_OK);
    for (uint32_t i = 0; i < count; i++)
        block_free(blocks[i]);
    free(blocks);
}

static enum store_result review(struct one_feed *one, struct ledger_review *out,
                                uint32_t height, const struct outpoint *spends,
                                struct error *error)
{
    struct block *block = one_feed_block(one, height, spends);
    enum store_result result =
        ledger_review(one->ledger, out, height, &one->rows[height].hash, block, error);
    block_free(block);
    return result;
}

static void expect_review(struct one_feed *one, uint32_t height,
                          const struct outpoint *spends, uint32_t credits,
                          uint32_t debits, size_t spent)
{
    struct error error = {""};
    struct ledger_review out;
    expect(review(one, &out, height, spends, &error), STORE_OK);
    assert_int_equal(out.credits, credits);
    assert_int_equal(out.debits, debits);
    assert_int_equal(out.lacks, credits + debits > 0);
    assert_int_equal(script_set_count(out.spent), spent);
    if (spent > 0)
        assert_int_equal(
            script_set_find(out.spent, (struct bytes){one->scripts[0], SCRIPT_LEN}), 0);
    ledger_review_release(&out);
}

static void test_whole_and_hidden(void **state)
{
    (void)state;
    struct error error = {""};
    struct ledger_outcome outcome;
    struct one_feed one;
    struct outpoint spent = one_feed_paid(3), unknown = one_feed_paid(900);
    one_feed_open(&one, 2, 8);
    apply_hiding(&one, 8, 4, 10, true);
    expect(one_feed_apply(&one, 0, 12, 1, &spent, false, &outcome, &error), STORE_OK);
    expect_review(&one, 9, NULL, 0, 0, 0);
    expect_review(&one, 10, NULL, 3, 0, 0);
    expect_review(&one, 10, &spent, 3, 1, 1); /* it would spend a coin, too */
    expect_review(&one, 13, &spent, 0, 0, 1);
    expect_review(&one, 12, &unknown, 0, 0, 0);
    /* A block that creates and spends: the coin's script is known from itself. */
    spent = one_feed_paid(10);
    struct block *block = one_feed_block(&one, 10, NULL);
    struct ledger_review out;
    memset(&block->txs[0].txid, 1, sizeof(block->txs[0].txid));
    block->ins[1].previous = (struct outpoint){.txid = block->txs[0].txid};
    expect(ledger_review(one.ledger, &out, 10, &one.rows[10].hash, block, &error),
           STORE_OK);
    assert_int_equal(out.debits, 1);
    assert_int_equal(script_set_count(out.spent), 1);
    ledger_review_release(&out);
    block_free(block);
    one_feed_close(&one);
}

/* What a cohort hasn't reached isn't lacking; what it has staged is reached. */
static void test_reach(void **state)
{
    (void)state;
    struct one_feed one;
    struct outpoint spent = one_feed_paid(3);
    one_feed_open(&one, 1, 8);
    apply_hiding(&one, 8, 4, 10, false);
    expect_review(&one, 9, NULL, 0, 0, 0);
    expect_review(&one, 10, NULL, 2, 0, 0);
    expect_review(&one, 10, &spent, 2, 1, 1);
    ledger_unstage(one.ledger, 0);
    struct error error = {""};
    struct ledger_review out;
    expect(review(&one, &out, 9, NULL, &error), STORE_STALE); /* no such header now */
    ledger_review_release(&out);
    one_feed_close(&one);
}

/* Payments below a birth are nobody's; nor are those to scripts still behind. */
static void test_birth(void **state)
{
    (void)state;
    struct error error = {""};
    struct ledger_outcome outcome;
    struct one_feed one;
    one_feed_open(&one, 1, 20);
    expect(one_feed_define(&one, 2, 12, &error), STORE_OK); /* script 1, in cohort 1 */
    expect(one_feed_apply(&one, 1, 11, 4, NULL, false, &outcome, &error), STORE_OK);
    for (uint32_t height = 9; height <= 20; height++)
        expect_review(&one, height, NULL, 0, 0, 0);
    one_feed_close(&one);
}

static void test_stale(void **state)
{
    (void)state;
    struct error error = {""};
    struct one_feed one;
    struct ledger_review out;
    one_feed_open(&one, 1, 8);
    struct block *block = one_feed_block(&one, 7, NULL);
    expect(ledger_review(one.ledger, &out, 8, &block->hash, block, &error), STORE_STALE);
    ledger_review_release(&out);
    expect(ledger_review(one.ledger, &out, 8, &one.rows[8].hash, block, &error),
           STORE_STALE);
    ledger_review_release(&out);
    expect(ledger_review(one.ledger, &out, 9, &one.rows[9].hash, block, &error),
           STORE_STALE);
    ledger_review_release(&out);
    block_free(block);
    one_feed_close(&one);
}

static enum store_result lose_event(void *context, struct store_txn *txn,
                                    struct error *error)
{
    struct key key = event_key(context);
    return table_delete(txn, TABLE_EVENTS, key_bytes(&key), error);
}

/* What the ledger says beyond the block is damage. */
static void test_damage(void **state)
{
    (void)state;
    struct error error = {""};
    struct ledger_outcome outcome;
    struct ledger_review out;
    struct one_feed one;
    struct outpoint spent = one_feed_paid(3), other = one_feed_paid(4);
    one_feed_open(&one, 1, 8);
    expect(one_feed_apply(&one, 0, 8, 1, &spent, false, &outcome, &error), STORE_OK);
    expect(review(&one, &out, 9, NULL, &error), STORE_FAILED);
    assert_non_null(strstr(error.text, "height 9"));
    assert_non_null(strstr(error.text, "doesn't hold"));
    ledger_review_release(&out);
    expect(review(&one, &out, 9, &other, &error), STORE_FAILED);
    ledger_review_release(&out);
    struct block *block = one_feed_block(&one, 9, &spent);
    block->outs[1].amount.sat++;
    expect(ledger_review(one.ledger, &out, 9, &block->hash, block, &error), STORE_FAILED);
    ledger_review_release(&out);
    block->outs[1].amount.sat--;
    block->tx_count = 1;
    expect(ledger_review(one.ledger, &out, 9, &block->hash, block, &error), STORE_FAILED);
    ledger_review_release(&out);
    block_free(block);
    /* A coin says that it was spent here, and no event does. */
    struct event debit = {.height = 9, .tx_index = 1, .kind = EVENT_DEBIT};
    expect(store_update(one.fixture.store, lose_event, &debit, &error), STORE_OK);
    expect(review(&one, &out, 9, &spent, &error), STORE_FAILED);
    ledger_review_release(&out);
    one_feed_close(&one);
}

/* ---- taking back ---- */

static enum store_result add_rows(void *context, struct store_txn *txn,
                                  struct error *error)
{
    const struct one_feed *one = context;
    static const struct {
        uint32_t height;
        enum publication_state state;
    } published[] = {{9, PUBLICATION_FINAL},    {11, PUBLICATION_FINAL},
                     {12, PUBLICATION_REFUSED}, {13, PUBLICATION_FINAL},
                     {14, PUBLICATION_SENT},    {15, PUBLICATION_QUORUM},
                     {16, PUBLICATION_WAITING}};
    enum store_result result = STORE_OK;
    for (uint32_t height = 9; height <= 16 && result == STORE_OK; height++) {
        struct sample sample = {
            .state = height == 12 ? SAMPLE_REFUSED : SAMPLE_GOOD,
            .has_statement = true,
            .taken = {height},
            .statement = {.height = height, .block = one->rows[height].hash}};
        result = sample_append(txn, one->feed.id, &sample, error);
    }
    for (uint32_t i = 0; i < 7 && result == STORE_OK; i++) {
        uint32_t height = published[i].height;
        const struct publication publication = {
            .round = i + 1,
            .state = published[i].state,
            .report = {.height = height, .block = one->rows[height].hash}};
        result = outbox_put(txn, one->feed.id, &publication, error);
    }
    return result == STORE_OK ? outbox_set_evaluated(txn, one->feed.id, 16, error)
                              : result;
}

static enum store_result retract(struct one_feed *one, uint32_t base,
                                 struct ledger_outcome *outcome, struct error *error)
{
    struct cohort_table cohorts;
    ledger_cohorts(one->ledger, &cohorts);
    const struct ledger_batch batch = {.epoch = cohorts.epoch,
                                       .base = base,
                                       .reorganise = true,
                                       .commit = true,
                                       .retract = true};
    cohort_table_release(&cohorts);
    return ledger_apply(one->ledger, &batch, outcome, error);
}

static bool check_sample(void *context, const struct sample *sample)
{
    uint32_t *seen = context, height = sample->statement.height;
    bool published = height == 11 || height == 13 || height == 14;
    ++*seen;
    assert_int_equal(sample->state, height <= 10   ? SAMPLE_GOOD
                                    : height == 12 ? SAMPLE_REFUSED
                                                   : SAMPLE_RETRACTED);
    assert_int_equal(sample->published, published);
    return true;
}

static bool check_publication(void *context, const struct publication *publication)
{
    static const enum publication_state want[] = {
        PUBLICATION_FINAL,     PUBLICATION_FINAL, PUBLICATION_REFUSED,
        PUBLICATION_FINAL,     PUBLICATION_SENT,  PUBLICATION_SUPERSEDED,
        PUBLICATION_SUPERSEDED};
    uint64_t round = publication->round;
    ++*(uint32_t *)context;
    assert_int_equal(publication->state, want[round - 1]);
    assert_int_equal(publication->retracted, round == 2 || round == 4 || round == 5);
    return true;
}

/* Samples and publications above are taken back, the chain stays, and scanning again ends
 * with the sum that it would have been. */
static void test_retraction(void **state)
{
    (void)state;
    struct error error = {""};
    struct ledger_outcome outcome;
    struct store_txn *txn;
    struct chain_extent extent;
    struct sample good;
    struct reserve reserve;
    uint32_t samples = 0, publications = 0, evaluated;
    struct one_feed one;
    one_feed_open(&one, 1, 8);
    apply_hiding(&one, 8, 12, 11, true);
    apply_hiding(&one, 20, 2, 22, false);
    expect(store_update(one.fixture.store, add_rows, &one, &error), STORE_OK);
    expect_review(&one, 11, NULL, 2, 0, 0);
    expect(retract(&one, 10, &outcome, &error), STORE_OK);
    assert_int_equal(outcome.base, 10);
    assert_int_equal(outcome.rewound, 10);
    assert_int_equal(outcome.orphaned, 0);
    assert_int_equal(outcome.retracted, 5);
    assert_int_equal(outcome.report_count, 1);
    assert_string_equal(outcome.reports[0].feed, "wbtc");
    assert_int_equal(outcome.reports[0].count, 3);
    assert_int_equal(outcome.reports[0].first_round, 2);
    assert_int_equal(outcome.reports[0].last_round, 5);
    free(outcome.reports);

    expect(store_begin(one.fixture.store, &txn, STORE_READ, &error), STORE_OK);
    expect(chain_extent(txn, &extent, &error), STORE_OK);
    assert_int_equal(extent.header_height, 20);
    expect(sample_each(txn, one.feed.id, check_sample, &samples, &error), STORE_OK);
    assert_int_equal(samples, 8);
    expect(sample_newest_good(txn, &good, one.feed.id, &error), STORE_OK);
    assert_int_equal(good.statement.height, 10);
    expect(outbox_each(txn, one.feed.id, check_publication, &publications, &error),
           STORE_OK);
    assert_int_equal(publications, 7);
    expect(outbox_evaluated(txn, &evaluated, one.feed.id, &error), STORE_OK);
    assert_int_equal(evaluated, 10);
    store_abort(txn);

    apply_hiding(&one, 10, 10, 0, true); /* what was staged is forgotten */
    expect(store_begin(one.fixture.store, &txn, STORE_READ, &error), STORE_OK);
    expect(ledger_tally(txn, &reserve, &one.feed, 20, &error), STORE_OK);
    assert_int_equal(reserve.counted.sat, 20000);
    store_abort(txn);
    expect_review(&one, 11, NULL, 0, 0, 0);
    /* Once more changes nothing that was retracted before. */
    expect(retract(&one, 10, &outcome, &error), STORE_OK);
    assert_int_equal(outcome.retracted, 0);
    free(outcome.reports);
    one_feed_close(&one);
}

/* A cohort that is behind and below stays where it is; none goes below what it needs. */
static void test_retraction_of_cohorts(void **state)
{
    (void)state;
    struct error error = {""};
    struct ledger_outcome outcome;
    struct cohort_table cohorts;
    struct one_feed one;
    one_feed_open(&one, 1, 20);
    expect(one_feed_define(&one, 2, 5, &error), STORE_OK);
    ledger_cohorts(one.ledger, &cohorts);
    uint64_t epoch = cohorts.epoch;
    cohort_table_release(&cohorts);
    expect(retract(&one, 9, &outcome, &error), STORE_OK);
    assert_false(outcome.merged);
    ledger_cohorts(one.ledger, &cohorts);
    assert_true(cohorts.epoch > epoch); /* what is on its way is stale */
    assert_int_equal(cohorts.count, 2);
    assert_int_equal(cohorts.at[0].cursor, 9);
    assert_int_equal(cohorts.at[1].cursor, 4);
    cohort_table_release(&cohorts);
    expect(retract(&one, 0, &outcome, &error), STORE_OK);
    assert_true(outcome.merged);
    assert_int_equal(count_faults(one.fixture.store, false), 0);
    one_feed_close(&one);
}

/* Nothing is scanned again below the lowest birth. */
static void test_retraction_to_birth(void **state)
{
    (void)state;
    struct error error = {""};
    struct ledger_outcome outcome;
    struct one_feed one;
    one_feed_open(&one, 1, 5);
    const struct watched_script watched = {{one.scripts[1], SCRIPT_LEN}, 6};
    const struct feed_member member = {0, 6, "cold", "BitGo"};
    const struct feed_definition feed = {
        .name = "wbtc", .confirmations = 6, .members = &member, .member_count = 1};
    const struct ledger_definition definition = {&watched, 1, &feed, 1};
    expect(ledger_define(one.ledger, &definition, &error), STORE_OK);
    apply_hiding(&one, 5, 7, 0, true);
    expect(retract(&one, 0, &outcome, &error), STORE_OK);
    assert_int_equal(outcome.base, 5);
    assert_int_equal(outcome.rewound, 7);
    apply_hiding(&one, 5, 7, 0, true);
    expect(retract(&one, 8, &outcome, &error), STORE_OK);
    assert_int_equal(outcome.base, 8);
    assert_int_equal(count_faults(one.fixture.store, false), 0);
    one_feed_close(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_and_hidden),
        cmocka_unit_test(test_reach),
        cmocka_unit_test(test_birth),
        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_retraction),
        cmocka_unit_test(test_retraction_of_cohorts),
        cmocka_unit_test(test_retraction_to_birth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
