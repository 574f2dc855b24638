#include "feeds/evm/evm_publisher.h"

#include "one_publisher.h"

/* ---- the way of a round ---- */

static void assert_published(uint32_t round, uint32_t height, uint64_t satoshi)
{
    const struct fake_contract *contract = rig_latest(&rig);
    assert_int_equal(contract->state.round, round);
    assert_int_equal(contract->state.height, height);
    assert_int_equal(contract->state.balance.sat, satoshi);
    assert_int_equal(fake_reports(chain, 0), round);
    for (size_t i = 0; i < chain->transaction_count; i++)
        assert_true(chain->transactions[i].block == 0 ||
                    chain->transactions[i].succeeded);
}

/* A report whose block leaves our chain before anybody saw it isn't sent. */
static void test_block_gone(void **state)
{
    (void)state;
    rig.block_gone = true;
    rig_sample(&rig, 1000, 5000);
    rig_run_to(&rig, PUBLICATION_SUPERSEDED);
    assert_int_equal(chain->transaction_count, 0);
    rig_sample(&rig, 1001, 5000);
    rig_run_to(&rig, PUBLICATION_FINAL);
    assert_int_equal(chain->transaction_count, 1);
    assert_published(1, 1001, 5000);
}

static void test_round(void **state)
{
    (void)state;
    rig_sample(&rig, 1000, 5000);
    rig_run_to(&rig, PUBLICATION_FINAL);
    assert_string_equal(rig.trace, "DSQPTMF");
    assert_published(1, 1000, 5000);
    const struct evm_report *report = &rig_latest(&rig)->report;
    assert_memory_equal(report->block.b, rig.sample.block.b, 32);
    assert_memory_equal(report->set_hash, rig.sample.set_hash, 32);
    assert_int_equal(report->observed_at.s, rig.sample.time.s);
    assert_int_equal(chain->transaction_count, 1);
    assert_int_equal(chain->transactions[0].sent, 1);

    rig_sample(&rig, 1001, 5050); /* not due */
    rig_run(&rig, 100);
    assert_string_equal(rig.trace, "DSQPTMF");
    assert_int_equal(rig.evaluation.result, EVALUATION_NOT_DUE);
    rig_sample(&rig, 1002, 5200);
    rig_run(&rig, 100);
    assert_string_equal(rig.trace, "DSQPTMFDSQPTMF");
    assert_published(2, 1002, 5200);
    assert_int_equal(rig.conditions, 1u << EVM_WORKING);
}

static void test_status(void **state)
{
    (void)state;
    rig_sample(&rig, 1000, 5000);
    rig_run(&rig, 200);
    struct evm_status status = rig_status(&rig);
    assert_int_equal(status.condition, EVM_WORKING);
    assert_string_equal(status.detail, "");
    assert_true(status.has_published && status.has_evaluation);
    assert_int_equal(status.published.state, PUBLISHED);
    assert_int_equal(status.published.round, 1);
    assert_int_equal(status.published.height, 1000);
    assert_memory_equal(status.published.block.b, rig.sample.block.b, 32);
    assert_int_equal(status.evaluation.result, EVALUATION_NOT_DUE);
    for (unsigned i = 0; i <= EVM_REVERTED; i++)
        assert_true(strlen(evm_condition_name((enum evm_condition)i)) > 0);
}

/* Without anything to do it asks rarely, and never wakes for nothing. */
static void test_rest(void **state)
{
    (void)state;
    rig_run(&rig, 10);
    uint64_t before = rig.node.requests;
    rig_run(&rig, 600);
    assert_true(rig.node.requests - before <= 3 * 600 / 15 + 3);
    assert_int_equal(rig.conditions, 1u << EVM_WORKING);
    assert_string_equal(rig.trace, "");
}

/* A sample that comes while the one before is being evaluated isn't forgotten. */
static void test_sample_during_evaluation(void **state)
{
    (void)state;
    rig_run(&rig, 10);
    rig_sample(&rig, 1000, 0);
    while (rig_waiting(&rig)->kind != EVM_EVALUATE)
        rig_turn(&rig);
    rig.has_sample = false;
    rig_perform(&rig);
    rig.has_sample = true;
    struct evm_effects effects = {0};
    const struct evm_input wake = {.kind = EVM_WAKE, .new_sample = true};
    evm_publisher_step(rig.publisher, &effects, rig.now, (struct wall_time){0}, &wake);
    assert_int_equal(effects.count, 0);
    rig_answer(&rig);
    rig_run(&rig, 5);
    assert_true(strncmp(rig.trace, "DSQPT", 5) == 0);
}

/* ---- crashes ---- */

/* Run to the end with a crash at the `nth` effect, before or after it is performed, and
 * maybe another one `gap` effects later. Returns false if there are fewer effects. */
static bool run_with_crash(uint64_t nth, bool performed, uint64_t gap)
{
    uint64_t second = gap > 0 ? nth + gap : 0;
    bool crashed = false;
    rig_sample(&rig, 1000, 5000);
    while (!rig.has_stored || rig.stored.state != PUBLICATION_FINAL ||
           rig.effects.count > 0) {
        uint64_t next = rig.effects_done + 1;
        if (rig_waiting(&rig) == NULL || (next != nth && next != second)) {
            rig_turn(&rig);
            continue;
        }
        if (performed)
            rig_perform(&rig);
        else
            rig.effects_done++;
        rig_crash(&rig);
        crashed = true;
    }
    return crashed;
}

static void assert_one_round(void)
{
    assert_string_equal(rig.trace, "DSQPTMF");
    assert_published(1, 1000, 5000);
    assert_int_equal(chain->transaction_count, 1);
    assert_int_equal(rig.conditions, 1u << EVM_WORKING);
    rig_run(&rig, 200);
    assert_published(1, 1000, 5000);
    assert_int_equal(chain->transaction_count, 1);
}

static void test_crash_anywhere(void **state)
{
    (void)state;
    for (int performed = 0; performed < 2; performed++) {
        uint64_t nth = 1;
        while (run_with_crash(nth++, performed, 0)) {
            assert_one_round();
            again();
        }
        assert_true(nth > 30);
        again();
    }
}

static void test_crash_twice(void **state)
{
    (void)state;
    for (uint64_t gap = 1; gap < 24; gap += gap + 1) {
        for (uint64_t nth = 1; run_with_crash(nth, true, gap); nth++) {
            assert_one_round();
            again();
        }
        again();
    }
}

/* The same bytes go out again, and what the node says of them is as good as sent. */
static void test_already_known(void **state)
{
    (void)state;
    rig.mining = false;
    rig_sample(&rig, 1000, 5000);
    rig_run_to(&rig, PUBLICATION_PERSISTED);
    while (chain->transaction_count == 0) {
        rig_perform(&rig);
        if (chain->transaction_count == 0)
            rig_answer(&rig);
    }
    rig_crash(&rig);
    rig_run_to(&rig, PUBLICATION_SENT);
    assert_int_equal(chain->transactions[0].sent, 2);
    rig.mining = true;
    rig_run_to(&rig, PUBLICATION_FINAL);
    assert_one_round();
}

/* Sent, mined, and not seen: the node calls the nonce too low. */
static void test_mined_unseen(void **state)
{
    (void)state;
    rig_sample(&rig, 1000, 5000);
    rig_run_to(&rig, PUBLICATION_PERSISTED);
    while (chain->transaction_count == 0) {
        rig_perform(&rig);
        if (chain->transaction_count == 0)
            rig_answer(&rig);
    }
    rig_crash(&rig);
    fake_mine(chain, 0xaa);
    rig_run_to(&rig, PUBLICATION_FINAL);
    assert_one_round();
}

/* A transaction that isn't mined is sent again, now and then. */
static void test_sent_again(void **state)
{
    (void)state;
    chain->paused = true;
    rig_sample(&rig, 1000, 5000);
    rig_run(&rig, 301);
    assert_in_range(chain->transactions[0].sent, 9, 11);
    chain->transactions[0].dropped = true; /* out of the pool */
    rig_run(&rig, 40);
    assert_false(chain->transactions[0].dropped);
    chain->paused = false;
    rig_run_to(&rig, PUBLICATION_FINAL);
    assert_one_round();
}

/* ---- one key, two feeds ---- */

static void test_hold(void **state)
{
    (void)state;
    struct rig other;
    rig_init(&other, chain, 1);
    other.mining = false;
    assert_true(evm_publisher_sending(rig.publisher)); /* until it is known not to be */
    rig_sample(&rig, 1000, 5000);
    rig_sample(&other, 1000, 7000);
    rig_run_to(&rig, PUBLICATION_SENT);
    assert_true(evm_publisher_sending(rig.publisher));
    evm_publisher_hold(other.publisher, true);
    rig_run_to(&other, PUBLICATION_QUORUM);
    rig_run(&other, 10);
    assert_string_equal(other.trace, "DSQ");
    assert_int_equal(rig_status(&other).condition, EVM_WORKING);
    rig_run_to(&rig, PUBLICATION_MINED);
    assert_false(evm_publisher_sending(rig.publisher));
    evm_publisher_hold(other.publisher, false);
    rig_run_to(&other, PUBLICATION_SENT);
    rig_run_to(&rig, PUBLICATION_FINAL);
    rig_run(&rig, 60);
    rig_run_to(&other, PUBLICATION_FINAL);
    assert_string_equal(rig.trace, "DSQPTMF");
    assert_string_equal(other.trace, "DSQPTMF");
    assert_int_equal(chain->transactions[1].nonce, 1);
    rig_release(&other);
}

/* Both are about to send when one does: the other's nonce is used up. */
static void test_hold_between_nonce_and_transaction(void **state)
{
    (void)state;
    struct rig other;
    for (unsigned turns = 0; turns < 6; turns++) { /* the seventh effect is its commit */
        rig_init(&other, chain, 1);
        other.mining = false;
        rig_sample(&other, 1000, 7000);
        rig_run_to(&other, PUBLICATION_QUORUM);
        for (unsigned i = 0; i < turns; i++)
            rig_turn(&other);
        rig_sample(&rig, 1000, 5000);
        rig_run_to(&rig, PUBLICATION_SENT);
        evm_publisher_hold(other.publisher, true);
        rig_run_to(&rig, PUBLICATION_MINED);
        evm_publisher_hold(other.publisher, false);
        rig_run_to(&other, PUBLICATION_SENT);
        rig_run(&rig, 60);
        rig_run_to(&other, PUBLICATION_FINAL);
        assert_string_equal(other.trace, "DSQPTMF");
        assert_int_equal(other.conditions, 1u << EVM_WORKING);
        assert_int_equal(chain->transaction_count, 2);
        rig_release(&other);
        again();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round, setup, teardown),
        cmocka_unit_test_setup_teardown(test_block_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_status, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sample_during_evaluation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_crash_anywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_crash_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_already_known, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mined_unseen, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sent_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hold, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hold_between_nonce_and_transaction, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
