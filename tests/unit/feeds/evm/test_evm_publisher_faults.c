#include "one_publisher.h"

#include <limits.h>

/* With each sample that comes, until the report stands there. */
static void settle(void)
{
    for (uint32_t height = 1001; height < 1010; height++) {
        rig_run(&rig, 120);
        if (rig.stored.state == PUBLICATION_FINAL)
            break;
        rig_sample(&rig, height, 5000);
    }
    rig_run(&rig, 120);
    assert_int_equal(rig.stored.state, PUBLICATION_FINAL);
    assert_int_equal(rig_latest(&rig)->state.balance.sat, 5000);
    assert_int_equal(rig_latest(&rig)->state.round, 1);
    assert_int_equal(fake_reports(chain, 0), 1);
    assert_int_equal(rig_status(&rig).condition, EVM_WORKING);
}

static unsigned mined_reverts(void)
{
    unsigned count = 0;
    for (size_t i = 0; i < chain->transaction_count; i++)
        count += chain->transactions[i].block != 0 && !chain->transactions[i].succeeded;
    return count;
}

/* ---- the endpoint lies or fails ---- */

static void run_with_fault(enum fake_fault fault, uint64_t at, unsigned count)
{
    rig.block_ms = 3000;
    rig.truthful = fault < FAULT_NULL;
    rig.node.fault = fault;
    rig.node.fault_at = at;
    rig.node.fault_count = count;
    rig_sample(&rig, 1000, 5000);
    settle();
    if (rig.truthful) {
        /* What isn't an answer changes nothing but when. */
        assert_string_equal(rig.trace, "DSQPTMF");
        assert_int_equal(chain->transaction_count, 1);
        if (rig.node.fault_count < count)
            assert_int_equal(rig.conditions, 1u << EVM_WORKING | 1u << EVM_ENDPOINT);
    }
    assert_int_equal(mined_reverts(), 0);
}

static void test_fault_at_any_request(void **state)
{
    (void)state;
    rig.block_ms = 3000;
    rig_sample(&rig, 1000, 5000);
    rig_run_to(&rig, PUBLICATION_FINAL);
    uint64_t requests = rig.node.requests;
    assert_true(requests > 20);
    for (unsigned fault = FAULT_TRANSPORT; fault < FAULT_KINDS; fault++) {
        for (uint64_t at = 1; at <= requests; at++) {
            again();
            run_with_fault((enum fake_fault)fault, at, 1);
        }
    }
}

static void test_faults_for_a_while(void **state)
{
    (void)state;
    for (unsigned fault = FAULT_TRANSPORT; fault < FAULT_KINDS; fault++) {
        for (uint64_t at = 1; at <= 40; at += 3) {
            again();
            run_with_fault((enum fake_fault)fault, at, 5);
        }
    }
}

/* A method that fails for good has its name, stops all, and harms nothing. */
static void test_method_fails(void **state)
{
    (void)state;
    static const char *const methods[] = {
        "eth_chainId",
        "eth_getCode",
        "eth_call",
        "eth_getBlockByNumber",
        "eth_feeHistory",
        "eth_getTransactionCount",
        "eth_estimateGas",
        "eth_getBalance",
        "eth_getLogs",
        "eth_sendRawTransaction",
        "eth_getTransactionReceipt",
    };
    for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
        for (unsigned fault = FAULT_TRANSPORT; fault < FAULT_KINDS; fault++) {
            again();
            rig.truthful = fault < FAULT_NULL;
            rig.node.fault = (enum fake_fault)fault;
            rig.node.fault_method = methods[i];
            rig.node.fault_count = UINT_MAX;
            rig_sample(&rig, 1000, 5000);
            rig_run(&rig, 1000);
            assert_true(rig.node.requests < 2000);
            assert_true(fake_reports(chain, 0) <= 1);
            /* What was sent is found without the answer to that. */
            bool found = strcmp(methods[i], "eth_sendRawTransaction") == 0 &&
                         chain->transaction_count > 0;
            if (fault < FAULT_NULL)
                assert_condition(found ? EVM_WORKING : EVM_ENDPOINT, "");
            rig.node.fault_count = 0;
            settle();
            assert_int_equal(mined_reverts(), 0);
        }
    }
}

/* 1, 2, 4 ... 60 seconds; or as long as the endpoint asks for. */
static void test_back_off(void **state)
{
    (void)state;
    static const int64_t waits[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
    rig.node.fault = FAULT_TRANSPORT;
    rig.node.fault_at = 1;
    rig.node.fault_count = UINT_MAX;
    rig_sample(&rig, 1000, 5000);
    for (size_t i = 0; i < sizeof(waits) / sizeof(*waits); i++) {
        while (i == 0 ? rig.node.requests == 0 : rig_waiting(&rig) == NULL)
            rig_turn(&rig);
        if (rig_waiting(&rig) != NULL)
            rig_turn(&rig);
        assert_int_equal(mono_since(evm_publisher_deadline(rig.publisher), rig.now),
                         1000 * waits[i]);
        rig_sample(&rig, 1000, 5000); /* doesn't shorten it */
        assert_null(rig_waiting(&rig));
    }
    rig.node.fault = FAULT_TOO_MANY;
    again();
    rig.node.fault = FAULT_TOO_MANY;
    rig.node.fault_at = 1;
    rig.node.fault_count = 1;
    rig_sample(&rig, 1000, 5000);
    while (rig.node.requests == 0)
        rig_turn(&rig);
    assert_condition(EVM_ENDPOINT, "429");
    assert_int_equal(mono_since(evm_publisher_deadline(rig.publisher), rig.now), 30000);
    settle();
}

/* ---- the wrong place ---- */

static void test_wrong_chain(void **state)
{
    (void)state;
    rig_sample(&rig, 1000, 5000);
    rig.node.chain_id = 1;
    rig_run(&rig, 10);
    assert_condition(EVM_WRONG_CHAIN, "chain 1");
    rig.node.chain_id = FAKE_CHAIN_ID;
    settle();
}

static void test_wrong_contract(void **state)
{
    (void)state;
    struct fake_contract *contract = rig_latest(&rig);
    rig_sample(&rig, 1000, 5000);
    contract->absent = true;
    rig_run(&rig, 10);
    assert_condition(EVM_WRONG_CONTRACT, "no contract");
    rig_latest(&rig)->absent = false;
    rig_latest(&rig)->feed_id.b[0] ^= 1;
    rig_run(&rig, 120);
    assert_condition(EVM_WRONG_CONTRACT, "another feed");
    rig_latest(&rig)->feed_id.b[0] ^= 1;
    rig_latest(&rig)->max_report_age = 3600;
    rig_run(&rig, 120);
    assert_condition(EVM_REPORT_AGE, "19800 s");
    rig_latest(&rig)->max_report_age = 86400 * 365;
    rig_latest(&rig)->operator.b[0] ^= 1;
    rig_run(&rig, 120);
    assert_condition(EVM_NOT_OPERATOR, "operator");
    rig_latest(&rig)->operator.b[0] ^= 1;
    rig_latest(&rig)->state.count = 3;
    rig_latest(&rig)->state.threshold = 2;
    rig_run(&rig, 120);
    assert_condition(EVM_NEEDS_SIGNATURES, "2 signatures");
    rig_latest(&rig)->state.threshold = rig_latest(&rig)->state.count = 1;
    settle();
}

/* The chain starts over with the contract gone, while nothing is to do. */
static void test_contract_vanishes(void **state)
{
    (void)state;
    rig_run(&rig, 30);
    rig_latest(&rig)->absent = true;
    rig_run(&rig, 30);
    assert_condition(EVM_WRONG_CONTRACT, "");
    rig_latest(&rig)->absent = false;
    rig_sample(&rig, 1000, 5000);
    settle();
}

static void test_no_funds(void **state)
{
    (void)state;
    chain->balance = wei_from_u64(1000);
    rig_sample(&rig, 1000, 5000);
    rig_run(&rig, 300);
    assert_condition(EVM_NO_FUNDS, "1000 wei");
    assert_string_equal(rig.trace, "DSQ");
    chain->balance = wei_from_u64(WEI_PER_ETHER);
    settle();
    assert_string_equal(rig.trace, "DSQPTMF");
}

static void test_key_used_elsewhere(void **state)
{
    (void)state;
    rig.node.foreign_pending = 2;
    rig_sample(&rig, 1000, 5000);
    rig_run(&rig, 300);
    assert_condition(EVM_KEY_USED_ELSEWHERE, "2 transactions");
    assert_int_equal(chain->transaction_count, 0);
    rig.node.foreign_pending = 0;
    settle();
}

/* What is in the outbox isn't ours: nothing is sent until it is again. */
static void test_other_key(void **state)
{
    (void)state;
    rig_sample(&rig, 1000, 5000);
    rig_run_to(&rig, PUBLICATION_SENT);
    rig_crash(&rig);
    rig.stored.payload[rig.stored.payload_len - 40] ^= 1; /* in the signature */
    rig_run(&rig, 300);
    assert_condition(EVM_KEY_USED_ELSEWHERE, "key_file=");
    assert_int_equal(chain->transactions[0].sent, 1);
    rig_crash(&rig);
    rig.stored.payload[rig.stored.payload_len - 40] ^= 1;
    settle();
    assert_int_equal(chain->transaction_count, 1);
}

/* Another transaction of the key takes the nonce between commit and sending. */
static void test_nonce_taken(void **state)
{
    (void)state;
    rig_sample(&rig, 1000, 5000);
    rig_run_to(&rig, PUBLICATION_PERSISTED);
    fake_head(chain)->nonce++;
    rig_run(&rig, 120);
    assert_string_equal(rig.trace, "DSQPTR");
    assert_non_null(strstr(rig.stored.detail, "nonce"));
    rig_sample(&rig, 1001, 5000);
    settle();
    assert_string_equal(rig.trace, "DSQPTRDSQPTMF");
}

/* ---- the contract says no ---- */

/* Found out before it is sent: each sample is tried once. */
static void test_simulation_reverts(void **state)
{
    (void)state;
    rig_sample(&rig, 1000, 5000);
    rig.sample.time.s = (uint32_t)FAKE_GENESIS_TIME + 4000;
    rig_run(&rig, 600);
    assert_string_equal(rig.trace, "DSQR");
    assert_condition(EVM_REVERTED, "TimeInFuture");
    assert_non_null(strstr(rig.stored.detail, "TimeInFuture"));
    assert_true(rig.node.requests < 200);
    rig_sample(&rig, 1001, 5000);
    rig.sample.time.s = (uint32_t)FAKE_GENESIS_TIME + 5000;
    rig_run(&rig, 600);
    assert_string_equal(rig.trace, "DSQRDSQR");
    assert_int_equal(rig.evaluations, 2);
    rig_sample(&rig, 1002, 5000);
    settle();
    assert_int_equal(chain->transaction_count, 1);
}

static void test_mined_revert(void **state)
{
    (void)state;
    chain->paused = true;
    rig_sample(&rig, 1000, 5000);
    rig_run_to(&rig, PUBLICATION_SENT);
    fake_head(chain)->contracts[0].state.config_id++; /* our signature is worth nothing */
    chain->paused = false;
    rig_run(&rig, 600);
    assert_string_equal(rig.trace, "DSQPTR");
    assert_condition(EVM_REVERTED, "reverted");
    assert_int_equal(rig.evaluations, 1);
    rig_sample(&rig, 1001, 5000);
    settle();
    assert_string_equal(rig.trace, "DSQPTRDSQPTMF");
    assert_int_equal(mined_reverts(), 1);
}

/* Somebody copied report and signature from the pool, and was first. */
static void test_front_run(void **state)
{
    (void)state;
    struct fake_submit submit;
    struct writer none = {0};
    chain->paused = true;
    rig_sample(&rig, 1000, 5000);
    rig_run_to(&rig, PUBLICATION_SENT);
    assert_true(fake_submit_read(&submit, chain->transactions[0].data));
    fake_mine(chain, 0xaa);
    assert_true(
        fake_submit(rig_latest(&rig), &submit, fake_block_time(chain->head), &none));
    fake_head(chain)->reported[0] = true;
    chain->paused = false;
    settle();
    assert_string_equal(rig.trace, "DSQPTMF");
    assert_int_equal(mined_reverts(), 1);
    assert_int_equal(chain->transaction_count, 1);
}

/* Another report takes the round, at every moment of ours. */
static void test_superseded(void **state)
{
    (void)state;
    static const enum publication_state moments[] = {
        PUBLICATION_DUE,       PUBLICATION_SIGNED, PUBLICATION_QUORUM,
        PUBLICATION_PERSISTED, PUBLICATION_SENT,
    };
    for (size_t i = 0; i < sizeof(moments) / sizeof(*moments); i++) {
        again();
        chain->paused = true;
        rig_sample(&rig, 1000, 5000);
        rig_run_to(&rig, moments[i]);
        fake_report_elsewhere(chain, 0, 1003, 5001);
        chain->paused = false;
        rig_run(&rig, 300);
        assert_int_equal(fake_reports(chain, 0), 1);
        /* Within a cycle it is the simulation that finds out. */
        assert_int_equal(rig.stored.state, moments[i] < PUBLICATION_PERSISTED
                                               ? PUBLICATION_REFUSED
                                               : PUBLICATION_SUPERSEDED);
        assert_int_equal(rig_status(&rig).published.height, 1003);
        rig_sample(&rig, 1004, 7000);
        rig_run_to(&rig, PUBLICATION_FINAL);
        assert_int_equal(fake_reports(chain, 0), 2);
        assert_int_equal(rig.stored.position, 2);
    }
}

/* ---- the chain moves ---- */

/* A block comes between any two requests. */
static void test_block_at_any_request(void **state)
{
    (void)state;
    for (uint64_t at = 1; at < 60; at++) {
        again();
        chain->paused = true;
        rig_sample(&rig, 1000, 5000);
        while (!rig.has_stored || rig.stored.state != PUBLICATION_FINAL) {
            rig_turn(&rig);
            if (rig.node.requests >= at && chain->paused) {
                chain->paused = false;
                fake_mine(chain, 0xaa);
            }
        }
        assert_string_equal(rig.trace, "DSQPTMF");
        assert_int_equal(fake_reports(chain, 0), 1);
        assert_int_equal(rig.conditions, 1u << EVM_WORKING);
    }
}

/* A node that knows of the receipt now and then doesn't make us spin. */
static void test_receipt_comes_and_goes(void **state)
{
    (void)state;
    rig.mining = false;
    rig_sample(&rig, 1000, 5000);
    rig_run_to(&rig, PUBLICATION_SENT);
    fake_mine(chain, 0xaa);
    for (int i = 0; i < 200; i++) {
        uint64_t before = rig.node.requests;
        rig_turn(&rig);
        if (rig.node.requests > before &&
            strcmp(rig.node.method, "eth_getTransactionReceipt") == 0)
            rig.node.receipts_hidden = !rig.node.receipts_hidden;
    }
    rig.node.receipts_hidden = false;
    rig.mining = true;
    settle();
    assert_int_equal(chain->transaction_count, 1);
}

/* The node has forgotten its receipts: the contract tells. */
static void test_no_receipts(void **state)
{
    (void)state;
    rig.node.receipts_hidden = true;
    rig_sample(&rig, 1000, 5000);
    settle();
    assert_string_equal(rig.trace, "DSQPTF");
}

static void test_finality_by_depth(void **state)
{
    (void)state;
    static const uint32_t depths[] = {1, 3, 9};
    for (size_t i = 0; i < 3; i++) {
        again();
        evm_publisher_free(rig.publisher);
        rig.settings.finality = depths[i];
        rig.publisher = evm_publisher_new(&rig.settings);
        rig_sample(&rig, 1000, 5000);
        rig_run_to(&rig, PUBLICATION_FINAL);
        uint64_t depth = chain->head - chain->transactions[0].block;
        assert_in_range(depth, depths[i], depths[i] + 1);
    }
}

/* ---- what is there already ---- */

/* The outbox has been writing to another contract: the rounds here are its own. */
static void test_new_contract(void **state)
{
    (void)state;
    rig.stored = (struct publication){.round = 7,
                                      .state = PUBLICATION_FINAL,
                                      .position = 7,
                                      .report = {.height = 990, .amount = {5000}}};
    rig.has_stored = true;
    rig_sample(&rig, 1000, 5000);
    rig_run(&rig, 120);
    assert_string_equal(rig.trace, "DSQPTMF");
    assert_int_equal(rig.stored.round, 8);
    assert_int_equal(rig.stored.position, 1);
    assert_int_equal(rig_latest(&rig)->state.round, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fault_at_any_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_faults_for_a_while, setup, teardown),
        cmocka_unit_test_setup_teardown(test_method_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_back_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_chain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_contract, setup, teardown),
        cmocka_unit_test_setup_teardown(test_contract_vanishes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_funds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_key_used_elsewhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_key, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nonce_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_simulation_reverts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mined_revert, setup, teardown),
        cmocka_unit_test_setup_teardown(test_front_run, setup, teardown),
        cmocka_unit_test_setup_teardown(test_superseded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_block_at_any_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_receipt_comes_and_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_receipts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_finality_by_depth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_new_contract, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
