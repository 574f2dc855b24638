/* What an endpoint can't make us spend, or ask of it. */
#include "one_publisher.h"

/* ---- fees ---- */

static struct evm_transaction sent_transaction(void)
{
    struct evm_transaction fields;
    struct evm_signature signature;
    struct evm_address sender;
    struct error error;
    const struct fake_transaction *sent = &chain->transactions[0];
    assert_int_equal(chain->transaction_count, 1);
    assert_true(evm_transaction_read(&fields, &signature, &sender,
                                     (struct bytes){sent->raw, sent->raw_len}, &error));
    return fields;
}

static void assert_fees(uint64_t priority_gwei, uint64_t max_gwei)
{
    struct evm_transaction sent = sent_transaction();
    struct wei priority = wei_from_u64(priority_gwei * WEI_PER_GWEI);
    struct wei max = wei_from_u64(max_gwei * WEI_PER_GWEI);
    assert_int_equal(wei_compare(sent.max_priority_fee, priority), 0);
    assert_int_equal(wei_compare(sent.max_fee, max), 0);
}

static void test_fees(void **state)
{
    (void)state;
    rig_sample(&rig, 1000, 5000);
    rig_run_to(&rig, PUBLICATION_FINAL);
    assert_fees(1, 3);
}

/* The endpoint says that others pay a fortune for priority. */
static void test_priority_is_capped(void **state)
{
    (void)state;
    rig.node.priority_fee = 40 * WEI_PER_GWEI;
    rig_sample(&rig, 1000, 5000);
    rig_run_to(&rig, PUBLICATION_FINAL);
    assert_fees(5, 7);
}

/* There is less room than for twice the base fee. */
static void test_maximum_is_capped(void **state)
{
    (void)state;
    rig.node.base_fee = 30 * WEI_PER_GWEI;
    rig_sample(&rig, 1000, 5000);
    rig_run_to(&rig, PUBLICATION_FINAL);
    assert_fees(1, 50);
}

/* Not even the next block would take what may be paid: nothing is sent until it does. */
static void test_gas_is_too_dear(void **state)
{
    (void)state;
    static const uint64_t fees[] = {60, 18000000000}; /* gwei; the second near 2^64 wei */
    for (size_t i = 0; i < sizeof fees / sizeof *fees; i++) {
        rig.node.base_fee = fees[i] * WEI_PER_GWEI;
        rig_sample(&rig, 1000, 5000);
        rig_run(&rig, 300);
        assert_condition(EVM_FEE_CAP, "max_fee= allows 50 gwei");
        assert_string_equal(rig.trace, "DSQ");
        assert_int_equal(chain->transaction_count, 0);
    }
    rig.node.base_fee = 0;
    rig_run_to(&rig, PUBLICATION_FINAL);
    assert_string_equal(rig.trace, "DSQPTMF");
    assert_fees(1, 3);
}

/* ---- the search for a round's log ---- */

/* Which block the contract's round was about is found far back, window by window. */
static void test_log_search(void **state)
{
    (void)state;
    fake_report_elsewhere(chain, 0, 900, 5000);
    uint64_t at = chain->head;
    fake_head(chain)->contracts[0].report.block.b[0] = 9;
    while (chain->head < at + 5000)
        fake_mine(chain, 0xaa);
    rig_sample(&rig, 1000, 5000);
    rig_run(&rig, 5);
    assert_string_equal(rig.trace, "");
    assert_int_equal(rig.published.round, 1);
    assert_int_equal(rig.published.height, 900);
    assert_int_equal(rig.published.block.b[0], 9);
    assert_int_equal(rig.node.logs_asked, 2000);
    chain->blocks[at].reported[0] = false; /* its logs are lost */
    rig_crash(&rig);
    rig_run(&rig, 5);
    assert_condition(EVM_ENDPOINT, "no log of round 1");
    chain->blocks[at].reported[0] = true;
    rig_run(&rig, 120);
    assert_int_equal(rig_status(&rig).condition, EVM_WORKING);
}

/* Farther back than one cycle looks: no burst of requests, and it is found all the same.
 */
static void test_log_search_takes_cycles(void **state)
{
    (void)state;
    fake_report_elsewhere(chain, 0, 900, 5000);
    uint64_t at = chain->head;
    while (chain->head < at + 36000)
        fake_mine(chain, 0xaa);
    rig_sample(&rig, 1000, 7000);
    while (rig.node.requests == 0 || rig_waiting(&rig) != NULL)
        rig_turn(&rig);
    assert_in_range(rig.node.requests, 16, 30);
    assert_condition(EVM_WORKING, "looking for the log of round 1");
    assert_false(rig_status(&rig).has_published);
    assert_in_range(mono_since(evm_publisher_deadline(rig.publisher), rig.now), 1000,
                    5000);
    rig_run(&rig, 5);
    assert_int_equal(rig.published.round, 1);
    assert_int_equal(rig.node.logs_asked, 2000);
    rig_run_to(&rig, PUBLICATION_FINAL);
    assert_int_equal(rig_latest(&rig)->state.round, 2);
}

/* Another round comes meanwhile: that one's log is looked for. */
static void test_log_search_begins_anew(void **state)
{
    (void)state;
    fake_report_elsewhere(chain, 0, 900, 5000);
    uint64_t at = chain->head;
    while (chain->head < at + 36000)
        fake_mine(chain, 0xaa);
    rig_sample(&rig, 1000, 7000);
    while (rig.node.requests == 0 || rig_waiting(&rig) != NULL)
        rig_turn(&rig);
    fake_report_elsewhere(chain, 0, 950, 6000);
    rig_run(&rig, 5);
    assert_int_equal(rig.published.round, 2);
    assert_int_equal(rig.published.height, 950);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fees, setup, teardown),
        cmocka_unit_test_setup_teardown(test_priority_is_capped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_maximum_is_capped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gas_is_too_dear, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_search, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_search_takes_cycles, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_search_begins_anew, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
