#include "feeds/evm/reserve_feed.h"

#include "feed_vectors.h"

#include "feeds/evm/abi.h"

static void test_selectors(void **state)
{
    (void)state;
    uint8_t selector[4];
    abi_selector(selector, "submit((uint32,uint64,uint32,bytes32,uint64,bytes32),bytes)");
    assert_hex(selector, 4, "1141c3b4");
    abi_selector(selector, "attest((uint32,uint64,uint32,bytes32,uint64,bytes32))");
    assert_hex(selector, 4, "27032c94");
}

static void test_calls(void **state)
{
    (void)state;
    struct evm_report report = vector_report();
    struct writer out = {0};
    uint8_t room[VECTOR_ROOM];
    reserve_feed_write_submit(&out, &report, vector_bytes(room, VECTOR_SIGNATURE));
    assert_hex(out.data, out.len, VECTOR_SUBMIT_CALL);
    writer_release(&out);
    reserve_feed_write_attest(&out, &report);
    assert_hex(out.data, out.len, VECTOR_ATTEST_CALL);
    writer_release(&out);
    reserve_feed_write_hash_report(&out, &report);
    assert_hex(out.data, out.len, VECTOR_HASH_REPORT_CALL);
    writer_release(&out);
}

/* Selectors of Chainlink's interface and of EIP-5267, as published. */
static void test_getters(void **state)
{
    (void)state;
    static const struct {
        enum reserve_feed_getter getter;
        const char *selector;
    } known[] = {
        {RESERVE_FEED_DECIMALS, "313ce567"},
        {RESERVE_FEED_DOMAIN_SEPARATOR, "3644e515"},
        {RESERVE_FEED_EIP712_DOMAIN, "84b0196e"},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        struct writer out = {0};
        reserve_feed_write_getter(&out, known[i].getter);
        assert_hex(out.data, out.len, known[i].selector);
        writer_release(&out);
    }
}

static void test_statement(void **state)
{
    (void)state;
    struct statement statement = {.height = 5, .time = {6}, .amount = {7}};
    memset(statement.block.b, 8, 32);
    memset(statement.set_hash, 9, 32);
    struct evm_report report = evm_report_of(&statement, 4);
    assert_int_equal(report.round, 4);
    assert_int_equal(report.height, 5);
    assert_int_equal(report.observed_at.s, 6);
    assert_int_equal(report.balance.sat, 7);
    assert_memory_equal(report.block.b, statement.block.b, 32);
    assert_memory_equal(report.set_hash, statement.set_hash, 32);
}

static void test_state(void **unused)
{
    (void)unused;
    struct reserve_feed_state state;
    uint8_t room[VECTOR_ROOM];
    assert_true(reserve_feed_read_state(&state, vector_bytes(room, VECTOR_STATE_EMPTY)));
    assert_int_equal(state.round, 0);
    assert_int_equal(state.config_id, 1);
    assert_int_equal(state.threshold, 1);
    assert_int_equal(state.count, 1);
    assert_true(reserve_feed_read_state(&state, vector_bytes(room, VECTOR_STATE)));
    assert_int_equal(state.round, 1);
    assert_int_equal(state.balance.sat, UINT64_C(123456789012));
    assert_int_equal(state.height, 840000);
    assert_int_equal(state.observed_at.s, 1700000000);
    assert_int_equal(state.updated_at.s, 1700000603);
}

static void test_operators(void **unused)
{
    (void)unused;
    struct reserve_feed_operators operators;
    struct evm_address operator= vector_address(VECTOR_OPERATOR);
    struct evm_address other = vector_address(VECTOR_SUBMITTER);
    uint8_t room[VECTOR_ROOM];
    struct bytes answer = vector_bytes(room, VECTOR_OPERATORS);
    assert_true(reserve_feed_read_operators(&operators, answer));
    assert_int_equal(operators.count, 1);
    assert_true(reserve_feed_has_operator(&operators, &operator));
    assert_false(reserve_feed_has_operator(&operators, &other));
    room[2 * ABI_WORD - 1] = 2; /* more than there are */
    assert_false(reserve_feed_read_operators(&operators, answer));
    memset(room + ABI_WORD, 0xff, ABI_WORD);
    assert_false(reserve_feed_read_operators(&operators, answer));
}

static void test_domain(void **unused)
{
    (void)unused;
    struct evm_address contract, expected = vector_address(VECTOR_CONTRACT);
    uint64_t chain_id;
    uint8_t room[VECTOR_ROOM];
    struct bytes answer = vector_bytes(room, VECTOR_DOMAIN);
    assert_true(reserve_feed_read_domain(&chain_id, &contract, answer));
    assert_int_equal(chain_id, VECTOR_CHAIN_ID);
    assert_true(evm_address_equal(&contract, &expected));
    room[8 * ABI_WORD] = 'X'; /* the name's first letter */
    assert_false(reserve_feed_read_domain(&chain_id, &contract, answer));
}

static void test_numbers(void **unused)
{
    (void)unused;
    uint8_t word[ABI_WORD] = {0};
    struct evm_hash hash;
    uint64_t value;
    word[31] = 8;
    assert_true(reserve_feed_read_u64(&value, (struct bytes){word, 32}));
    assert_int_equal(value, 8);
    assert_true(reserve_feed_read_hash(&hash, (struct bytes){word, 32}));
    assert_false(reserve_feed_read_u64(&value, (struct bytes){word, 31}));
    assert_false(reserve_feed_read_u64(&value, (struct bytes){word, 0}));
    word[0] = 1;
    assert_false(reserve_feed_read_u64(&value, (struct bytes){word, 32}));
}

/* An answer that is cut off, or has a byte too many, is none. */
static void test_every_length_matters(void **unused)
{
    (void)unused;
    static const char *const answers[] = {VECTOR_STATE, VECTOR_OPERATORS, VECTOR_DOMAIN};
    for (size_t i = 0; i < 3; i++) {
        uint8_t room[VECTOR_ROOM] = {0};
        size_t whole = vector_bytes(room, answers[i]).len;
        for (size_t len = 0; len <= whole + 64; len++) {
            struct reserve_feed_state state;
            struct reserve_feed_operators operators;
            struct evm_address contract;
            uint64_t chain_id;
            struct bytes answer = {room, len};
            assert_true(reserve_feed_read_state(&state, answer) ==
                        (i == 0 && len == whole));
            assert_true(reserve_feed_read_operators(&operators, answer) ==
                        (i == 1 && len == whole));
            assert_true(reserve_feed_read_domain(&chain_id, &contract, answer) ==
                        (i == 2 && len == whole));
        }
    }
}

static void test_event(void **unused)
{
    (void)unused;
    struct reserve_reported reported;
    struct evm_report expected = vector_report();
    struct evm_address submitter = vector_address(VECTOR_SUBMITTER);
    struct evm_hash topics[4];
    uint8_t room[VECTOR_ROOM];
    vector_bytes(room, VECTOR_LOG_TOPICS);
    memcpy(topics, room, sizeof(topics));
    struct bytes data = vector_bytes(room, VECTOR_LOG_DATA);
    assert_true(reserve_reported_read(&reported, topics, 4, data));
    assert_int_equal(reported.report.round, expected.round);
    assert_int_equal(reported.report.balance.sat, expected.balance.sat);
    assert_int_equal(reported.report.height, expected.height);
    assert_true(block_hash_equal(&reported.report.block, &expected.block));
    assert_int_equal(reported.report.observed_at.s, expected.observed_at.s);
    assert_memory_equal(reported.report.set_hash, expected.set_hash, 32);
    assert_int_equal(reported.config_id, 1);
    assert_true(evm_address_equal(&reported.submitter, &submitter));

    assert_false(reserve_reported_read(&reported, topics, 3, data));
    data.len--;
    assert_false(reserve_reported_read(&reported, topics, 4, data));
    data.len++;
    topics[0].b[0] ^= 1;
    assert_false(reserve_reported_read(&reported, topics, 4, data));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selectors),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_getters),
        cmocka_unit_test(test_statement),
        cmocka_unit_test(test_state),
        cmocka_unit_test(test_operators),
        cmocka_unit_test(test_domain),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_every_length_matters),
        cmocka_unit_test(test_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
