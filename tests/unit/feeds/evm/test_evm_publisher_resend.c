/* A transaction that was sent comes to nothing, or moves: whether it goes out again. */
#include "one_publisher.h"

/* No transaction of ours was paid for in vain. */
static void assert_no_reverts(void)
{
    for (size_t i = 0; i < chain->transaction_count; i++)
        assert_true(chain->transactions[i].block == 0 ||
                    chain->transactions[i].succeeded);
}

static void sent_and_forgotten(void)
{
    chain->paused = true;
    rig_sample(&rig, 1000, 5000);
    rig_run_to(&rig, PUBLICATION_SENT);
    chain->transactions[0].dropped = true;
}

/* ---- what the contract wouldn't take isn't sent again ---- */

static void test_round_is_taken(void **state)
{
    (void)state;
    sent_and_forgotten();
    fake_report_elsewhere(chain, 0, 1003, 5001);
    chain->paused = false;
    rig_run(&rig, 300);
    assert_string_equal(rig.trace, "DSQPTX");
    assert_int_equal(chain->transactions[0].sent, 1);
    rig_sample(&rig, 1004, 7000);
    rig_run_to(&rig, PUBLICATION_FINAL);
    assert_int_equal(rig_latest(&rig)->state.round, 2);
    assert_no_reverts();
}

static void test_signature_is_void(void **state)
{
    (void)state;
    sent_and_forgotten();
    fake_head(chain)->contracts[0].state.config_id++;
    chain->paused = false;
    rig_run(&rig, 300);
    assert_string_equal(rig.trace, "DSQPTR");
    assert_non_null(strstr(rig.stored.detail, "InvalidSignature"));
    assert_condition(EVM_REVERTED, "InvalidSignature");
    rig_sample(&rig, 1001, 5000);
    rig_run_to(&rig, PUBLICATION_FINAL);
    assert_string_equal(rig.trace, "DSQPTRDSQPTMF");
    assert_int_equal(chain->transactions[0].sent, 1);
    assert_no_reverts();
}

/* Somebody sent our report before us, and our transaction is forgotten. */
static void test_report_is_there(void **state)
{
    (void)state;
    struct fake_submit submit;
    struct writer none = {0};
    sent_and_forgotten();
    assert_true(fake_submit_read(&submit, chain->transactions[0].data));
    fake_mine(chain, 0xaa);
    assert_true(
        fake_submit(rig_latest(&rig), &submit, fake_block_time(chain->head), &none));
    fake_head(chain)->reported[0] = true;
    rig_run_to(&rig, PUBLICATION_FINAL);
    assert_string_equal(rig.trace, "DSQPTF");
    assert_non_null(strstr(rig.stored.detail, "another's"));
    assert_int_equal(chain->transactions[0].sent, 1);
    assert_int_equal(fake_reports(chain, 0), 1);
    assert_no_reverts();
}

/* It can't be taken back while a node has it. */
static void test_still_in_the_pool(void **state)
{
    (void)state;
    sent_and_forgotten();
    chain->transactions[0].dropped = false;
    fake_head(chain)->contracts[0].state.config_id++;
    rig_run(&rig, 300);
    assert_string_equal(rig.trace, "DSQPT");
    assert_int_equal(chain->transactions[0].sent, 1);
    chain->paused = false;
    rig_run(&rig, 60);
    assert_string_equal(rig.trace, "DSQPTR");
}

/* Persisted, a crash, and the contract has moved on: never sent. */
static void test_crash_before_sending(void **state)
{
    (void)state;
    rig_sample(&rig, 1000, 5000);
    rig_run_to(&rig, PUBLICATION_PERSISTED);
    rig_crash(&rig);
    fake_report_elsewhere(chain, 0, 1003, 5001);
    rig_run(&rig, 120);
    assert_string_equal(rig.trace, "DSQPX");
    assert_int_equal(chain->transaction_count, 0);
    rig_sample(&rig, 1004, 7000);
    rig_run_to(&rig, PUBLICATION_FINAL);
    assert_int_equal(chain->transaction_count, 1);
}

/* A report that wasn't sent waits for the first sample of the next run; one that was
 * doesn't. */
static void test_crash_without_a_sample(void **state)
{
    (void)state;
    static const enum publication_state moments[] = {
        PUBLICATION_DUE, PUBLICATION_SIGNED, PUBLICATION_QUORUM, PUBLICATION_PERSISTED};
    for (size_t i = 0; i < sizeof(moments) / sizeof(*moments); i++) {
        again();
        rig_sample(&rig, 1000, 5000);
        rig_run_to(&rig, moments[i]);
        rig_crash(&rig);
        rig.untold = false;
        rig_run(&rig, 200);
        bool sent = moments[i] == PUBLICATION_PERSISTED;
        assert_int_equal(rig.stored.state, sent ? PUBLICATION_FINAL : moments[i]);
        assert_int_equal(chain->transaction_count, sent);
        rig_sample(&rig, 1001, 5000);
        rig_run_to(&rig, PUBLICATION_FINAL);
        assert_string_equal(rig.trace, "DSQPTMF");
    }
}

/* The contract is as it was before: the very same bytes are good again. */
static void test_refusal_passes(void **state)
{
    (void)state;
    sent_and_forgotten();
    fake_report_elsewhere(chain, 0, 1003, 5001);
    rig_run(&rig, 5);
    fake_reorganise(chain, 1);
    chain->paused = false;
    rig_run_to(&rig, PUBLICATION_FINAL);
    assert_string_equal(rig.trace, "DSQPTMF");
    assert_int_equal(rig_latest(&rig)->state.height, 1000);
    assert_int_equal(chain->transaction_count, 1);
}

/* ---- its block leaves the chain ---- */

static void test_reorganisation(void **state)
{
    (void)state;
    rig_sample(&rig, 1000, 5000);
    rig_run_to(&rig, PUBLICATION_MINED);
    fake_reorganise(chain, chain->head - chain->transactions[0].block + 1);
    assert_int_equal(rig_latest(&rig)->state.round, 0);
    rig_run_to(&rig, PUBLICATION_FINAL);
    assert_string_equal(rig.trace, "DSQPTMTMF");
    assert_int_equal(chain->transaction_count, 1);
    assert_int_equal(chain->transactions[0].sent, 2);
    assert_int_equal(fake_reports(chain, 0), 1);
}

/* It comes back in another block, of the same height or another, seen by the same process
 * or by the next: back to SENT, and on. */
static void test_reorganised_into_another_block(void **state)
{
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        again();
        rig_sample(&rig, 1000, 5000);
        rig_run_to(&rig, PUBLICATION_MINED);
        uint64_t depth = chain->head - chain->transactions[0].block + 1;
        uint8_t first[32];
        memcpy(first, rig.stored.mined_in, sizeof first);
        chain->head -= depth;
        chain->transactions[0].block = 0;
        chain->paused = variant & 1;
        fake_mine(chain, 0xbb);
        chain->paused = false;
        for (uint64_t i = 0; i < depth; i++)
            fake_mine(chain, 0xbb);
        if (variant & 2)
            rig_crash(&rig);
        rig_run_to(&rig, PUBLICATION_FINAL);
        assert_string_equal(rig.trace, "DSQPTMTMF");
        assert_memory_not_equal(rig.stored.mined_in, first, sizeof first);
        assert_int_equal(chain->transaction_count, 1);
        assert_int_equal(chain->transactions[0].sent, 1);
        assert_int_equal(fake_reports(chain, 0), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_is_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_signature_is_void, setup, teardown),
        cmocka_unit_test_setup_teardown(test_report_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_still_in_the_pool, setup, teardown),
        cmocka_unit_test_setup_teardown(test_crash_before_sending, setup, teardown),
        cmocka_unit_test_setup_teardown(test_crash_without_a_sample, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusal_passes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reorganisation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reorganised_into_another_block, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
