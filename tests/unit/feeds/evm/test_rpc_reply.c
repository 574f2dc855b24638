#include "feeds/evm/rpc_reply.h"

#include "feed_vectors.h"

#include "feeds/evm/contract_error.h"

#define H1 "0x74f55b936627a639f7002aa8e2b206a3f9fe5210f59abfc6ddec11c1f9f5b18d"
#define H2 "0x3239c4d27032f4282045b93f47fb1bc976b9822facb5d5c97779238a8234549c"
#define RESULT(value) "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":" value "}"
#define FAULT(value) "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":" value "}"

static struct error error;

static enum rpc_outcome parse(struct rpc_reply *reply, const char *body)
{
    return rpc_reply_parse(reply, body, strlen(body), 7, &error);
}

static void parse_result(struct rpc_reply *reply, const char *body)
{
    if (parse(reply, body) != RPC_RESULT)
        fail_msg("%s: %s", body, error.text);
}

/* Neither crashes nor passes for a reply; the error says what it is. */
static void test_broken(void **state)
{
    (void)state;
    static const struct {
        const char *body, *says;
    } broken[] = {
        {"", "empty"},
        {" \n", "empty"},
        {"<html><body>502 Bad Gateway</body></html>", "web page"},
        {"\n <!DOCTYPE html>", "web page"},
        {"Too Many Requests", "isn't JSON"},
        {"{\"jsonrpc\":\"2.0\",\"id\":7,\"resu", "cut off"},
        {"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"0x1\"", "cut off"},
        {"{\"jsonrpc\":\"2.0\",\"id\":8,\"result\":\"0x1\"}", "another request"},
        {"{\"jsonrpc\":\"2.0\",\"id\":\"7\",\"result\":\"0x1\"}", "another request"},
        {"{\"jsonrpc\":\"2.0\",\"id\":7.0,\"result\":\"0x1\"}", "another request"},
        {"{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":\"0x1\"}", "another request"},
        {"{\"jsonrpc\":\"2.0\",\"result\":\"0x1\"}", "another request"},
        {"{\"jsonrpc\":\"2.0\",\"id\":7}", "neither"},
        {"{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":null}", "neither"},
        {"{\"jsonrpc\":\"1.0\",\"id\":7,\"result\":1}", "JSON-RPC 2.0"},
        {"{\"id\":7,\"result\":1}", "JSON-RPC 2.0"},
        {"[{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":1}]", "JSON-RPC 2.0"},
        {"\"x\"", "isn't JSON"},
        {"{\"jsonrpc\":\"2.0\",\"id\":7,\"id\":7,\"result\":1}", "isn't JSON"},
        {FAULT("\"no\""), "error isn't"},
        {FAULT("{\"message\":\"no code\"}"), "error isn't"},
        {RESULT("[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]"), "nested"},
    };
    for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
        struct rpc_reply reply;
        assert_int_equal(parse(&reply, broken[i].body), RPC_BROKEN);
        if (strstr(error.text, broken[i].says) == NULL)
            fail_msg("%s: '%s' has no '%s'", broken[i].body, error.text, broken[i].says);
        rpc_reply_release(&reply);
    }
}

static void test_huge(void **state)
{
    (void)state;
    struct rpc_reply reply;
    char *body = mem_alloc(RPC_REPLY_MAX + 1);
    memset(body, ' ', RPC_REPLY_MAX + 1);
    assert_int_equal(rpc_reply_parse(&reply, body, RPC_REPLY_MAX + 1, 7, &error),
                     RPC_BROKEN);
    assert_non_null(strstr(error.text, "more than"));
    /* Within the size, but all small values. */
    memset(body, ',', RPC_REPLY_MAX);
    body[0] = '[';
    assert_int_equal(rpc_reply_parse(&reply, body, RPC_REPLY_MAX, 7, &error), RPC_BROKEN);
    assert_non_null(strstr(error.text, "too many values"));
    memset(body, '[', RPC_REPLY_MAX);
    assert_int_equal(rpc_reply_parse(&reply, body, RPC_REPLY_MAX, 7, &error), RPC_BROKEN);
    /* Brackets within a string aren't structure. */
    static const char head[] = "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"\\\"";
    memset(body, '[', 100000);
    memcpy(body, head, sizeof(head) - 1);
    memcpy(body + 100000, "\"}", 2);
    assert_int_equal(rpc_reply_parse(&reply, body, 100002, 7, &error), RPC_RESULT);
    rpc_reply_release(&reply);
    free(body);
}

static void test_numbers(void **state)
{
    (void)state;
    struct rpc_reply reply;
    uint64_t number;
    struct wei balance;
    char text[WEI_TEXT_MAX];
    parse_result(&reply, RESULT("\"0x7a69\""));
    assert_true(rpc_result_u64(&reply, &number, &error));
    assert_int_equal(number, 31337);
    rpc_reply_release(&reply);
    parse_result(&reply, RESULT("\"0x21e19e0c9bab2400000\""));
    assert_false(rpc_result_u64(&reply, &number, &error));
    assert_true(rpc_result_wei(&reply, &balance, &error));
    wei_format(text, balance);
    assert_string_equal(text, "10000 ether");
    rpc_reply_release(&reply);
    static const char *const wrong[] = {RESULT("31337"), RESULT("\"0x\""),
                                        RESULT("null"),  RESULT("\"0x01\""),
                                        RESULT("{}"),    RESULT("\"0x1\\u0000\"")};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        parse_result(&reply, wrong[i]);
        assert_false(rpc_result_u64(&reply, &number, &error));
        assert_false(rpc_result_wei(&reply, &balance, &error));
        rpc_reply_release(&reply);
    }
}

static void test_data_and_hash(void **state)
{
    (void)state;
    struct rpc_reply reply;
    struct writer out = {0};
    struct evm_hash hash;
    parse_result(&reply, RESULT("\"0x" VECTOR_STATE "\""));
    assert_true(rpc_result_data(&reply, &out, &error));
    assert_hex(out.data, out.len, VECTOR_STATE);
    assert_false(rpc_result_hash(&reply, &hash, &error));
    rpc_reply_release(&reply);
    writer_release(&out);
    parse_result(&reply, RESULT("\"" H2 "\""));
    assert_true(rpc_result_hash(&reply, &hash, &error));
    assert_hex(hash.b, 32, &H2[2]);
    rpc_reply_release(&reply);
    parse_result(&reply, RESULT("null"));
    assert_false(rpc_result_data(&reply, &out, &error));
    rpc_reply_release(&reply);
}

/* A local node's revert, whose text holds NUL. */
#define BAD_ROUND_DATA                                                                   \
    "036d0d6d0000000000000000000000000000000000000000000000000000000000000002"           \
    "0000000000000000000000000000000000000000000000000000000000000001"

static void assert_bad_round(const char *body)
{
    struct rpc_reply reply;
    struct contract_error reason;
    if (parse(&reply, body) != RPC_FAULT)
        fail_msg("%s: %s", body, error.text);
    assert_true(reply.fault.has_revert);
    contract_error_decode(&reason,
                          (struct bytes){reply.fault.revert, reply.fault.revert_len});
    assert_int_equal(reason.kind, CONTRACT_BAD_ROUND);
    rpc_reply_release(&reply);
}

static void test_reverts(void **state)
{
    (void)state;
    assert_bad_round(
        FAULT("{\"code\":3,\"message\":\"execution reverted: "
              "\\u0003m\\rm\\u0000\\u0000\\u0002\",\"data\":\"0x" BAD_ROUND_DATA "\"}"));
    assert_bad_round(
        FAULT("{\"code\":-32015,\"message\":\"VM execution error.\",\"data\":"
              "\"Reverted 0x" BAD_ROUND_DATA "\"}"));
    assert_bad_round(
        FAULT("{\"code\":-32603,\"message\":\"x\",\"data\":{\"code\":3,\"data\":"
              "\"0x" BAD_ROUND_DATA "\"}}"));
    assert_bad_round(
        FAULT("{\"code\":-32603,\"message\":\"x\",\"data\":{\"originalError\":{"
              "\"code\":3,\"data\":\"0x" BAD_ROUND_DATA "\"}}}"));
}

static void test_faults(void **state)
{
    (void)state;
    struct rpc_reply reply;
    assert_int_equal(parse(&reply, FAULT("{\"code\":3,\"message\":\"execution reverted\","
                                         "\"data\":\"0x\"}")),
                     RPC_FAULT);
    assert_true(reply.fault.has_revert);
    assert_int_equal(reply.fault.revert_len, 0);
    rpc_reply_release(&reply);
    assert_int_equal(
        parse(&reply, FAULT("{\"code\":-32602,\"message\":\"a\\u0000b\\u001b\","
                            "\"data\":\"revert\"}")),
        RPC_FAULT);
    assert_int_equal(reply.fault.code, -32602);
    assert_string_equal(reply.fault.message, "a?b?");
    assert_false(reply.fault.has_revert);
    assert_string_equal(error.text, "it answers with error -32602: a?b?");
    rpc_reply_release(&reply);
    /* A proxy that couldn't read the request, or didn't want to. */
    assert_int_equal(parse(&reply,
                           "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":429,"
                           "\"message\":\"rate limit\"}}"),
                     RPC_FAULT);
    assert_int_equal(reply.fault.code, 429);
    rpc_reply_release(&reply);
}

static void test_send_faults(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        enum rpc_send_fault meaning;
    } known[] = {
        {"already known", RPC_SEND_ALREADY_KNOWN},
        {"AlreadyKnown", RPC_SEND_ALREADY_KNOWN},
        {"transaction already imported", RPC_SEND_ALREADY_KNOWN},
        {"nonce too low: next nonce 8, tx nonce 7", RPC_SEND_NONCE_TOO_LOW},
        {"replacement transaction underpriced", RPC_SEND_UNDERPRICED},
        {"transaction underpriced: tip needed 1", RPC_SEND_FEE_TOO_LOW},
        {"max fee per gas less than block base fee: address 0x0", RPC_SEND_FEE_TOO_LOW},
        {"insufficient funds for gas * price + value", RPC_SEND_NO_FUNDS},
        {"Insufficient funds for gas * price + value", RPC_SEND_NO_FUNDS},
        {"nonce too high", RPC_SEND_OTHER},
        {"", RPC_SEND_OTHER},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        struct rpc_fault fault = {0};
        memcpy(fault.message, known[i].message, strlen(known[i].message));
        assert_int_equal(rpc_send_fault(&fault), known[i].meaning);
    }
}

#define BLOCK_BODY                                                                       \
    "{\"hash\":\"" H1 "\",\"parentHash\":\"" H2                                          \
    "\",\"number\":\"0x2\",\"timestamp\":\"0x6553f35b\","                                \
    "\"baseFeePerGas\":\"0x35a66fb9\",\"transactions\":[],\"size\":\"0x267\"}"

static void test_block(void **state)
{
    (void)state;
    struct rpc_reply reply;
    struct rpc_block block;
    parse_result(&reply, RESULT(BLOCK_BODY));
    assert_true(rpc_result_block(&reply, &block, &error));
    assert_hex(block.hash.b, 32, &H1[2]);
    assert_hex(block.parent.b, 32, &H2[2]);
    assert_int_equal(block.number, 2);
    assert_int_equal(block.time.s, 1700000603);
    assert_int_equal(block.base_fee.value.limb[0], 0x35a66fb9);
    rpc_reply_release(&reply);
    parse_result(&reply, RESULT("null"));
    assert_false(rpc_result_block(&reply, &block, &error));
    rpc_reply_release(&reply);
    parse_result(&reply, RESULT("{\"hash\":null,\"number\":null}"));
    assert_false(rpc_result_block(&reply, &block, &error));
    assert_non_null(strstr(error.text, "hash"));
    rpc_reply_release(&reply);
}

static void test_fee_history(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        RESULT("{}"),
        RESULT("{\"baseFeePerGas\":[\"0x1\"],\"reward\":[[\"0x1\"]]}"),
        RESULT("{\"baseFeePerGas\":[\"0x1\",\"0x1\"],\"reward\":[[]]}"),
        RESULT("{\"baseFeePerGas\":[\"0x1\",\"0x1\"],\"reward\":[[1]]}"),
        RESULT("{\"baseFeePerGas\":[\"0x1\",2],\"reward\":[[\"0x1\"]]}"),
        RESULT("{\"baseFeePerGas\":[\"0x1\"],\"reward\":null}"),
    };
    struct rpc_reply reply;
    struct rpc_fee_history fees;
    parse_result(&reply,
                 RESULT("{\"baseFeePerGas\":[\"0x3b9aca00\",\"0x3b9aca00\","
                        "\"0x35a66fb9\",\"0x2ef9aabf\"],\"gasUsedRatio\":[0.0,"
                        "0.1004001,0.0023401333333333335],\"oldestBlock\":\"0x0\","
                        "\"reward\":[[\"0x0\"],[\"0x1\"],[\"0x2\"]]}"));
    assert_true(rpc_result_fee_history(&reply, &fees, &error));
    assert_int_equal(fees.next_base_fee.value.limb[0], 0x2ef9aabf);
    assert_int_equal(fees.count, 3);
    assert_int_equal(fees.rewards[2].value.limb[0], 2);
    rpc_reply_release(&reply);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        parse_result(&reply, wrong[i]);
        assert_false(rpc_result_fee_history(&reply, &fees, &error));
        rpc_reply_release(&reply);
    }
}

#define RECEIPT(status)                                                                  \
    RESULT("{\"status\":" status ",\"transactionHash\":\"" H2 "\",\"blockHash\":\"" H1   \
           "\",\"blockNumber\":\"0x2\",\"gasUsed\":\"0x1123c\",\"logs\":[],"             \
           "\"effectiveGasPrice\":\"0x35a66fba\",\"contractAddress\":null}")

static void test_receipt(void **state)
{
    (void)state;
    struct rpc_reply reply;
    struct rpc_receipt receipt;
    bool found;
    parse_result(&reply, RECEIPT("\"0x1\""));
    assert_true(rpc_result_receipt(&reply, &receipt, &found, &error));
    assert_true(found && receipt.succeeded);
    assert_int_equal(receipt.block_number, 2);
    assert_int_equal(receipt.gas_used, 70204);
    assert_hex(receipt.block.b, 32, &H1[2]);
    assert_hex(receipt.transaction.b, 32, &H2[2]);
    rpc_reply_release(&reply);
    parse_result(&reply, RECEIPT("\"0x0\""));
    assert_true(rpc_result_receipt(&reply, &receipt, &found, &error));
    assert_true(found && !receipt.succeeded);
    rpc_reply_release(&reply);
    parse_result(&reply, RESULT("null"));
    assert_true(rpc_result_receipt(&reply, &receipt, &found, &error));
    assert_false(found);
    rpc_reply_release(&reply);
    static const char *const wrong[] = {RECEIPT("\"0x2\""), RECEIPT("null"), RECEIPT("1"),
                                        RESULT("{}"), RESULT("\"0x\"")};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        parse_result(&reply, wrong[i]);
        assert_false(rpc_result_receipt(&reply, &receipt, &found, &error));
        rpc_reply_release(&reply);
    }
}

#define LOG_WITH(extra)                                                                  \
    "{\"address\":\"0x" VECTOR_CONTRACT "\",\"topics\":[\"" H1 "\",\"" H2                \
    "\"],\"data\":\"0x0102\",\"blockHash\":\"" H1                                        \
    "\",\"blockNumber\":\"0x2\",\"transactionHash\":\"" H2                               \
    "\",\"logIndex\":\"0x3\"" extra "}"

static void test_logs(void **state)
{
    (void)state;
    struct rpc_reply reply;
    struct rpc_logs logs;
    parse_result(&reply, RESULT("[" LOG_WITH(",\"removed\":false") "," LOG_WITH(
                             ",\"removed\":true") "," LOG_WITH("") "]"));
    assert_true(rpc_result_logs(&reply, &logs, &error));
    assert_int_equal(logs.count, 3);
    assert_int_equal(logs.at[0].topic_count, 2);
    assert_hex(logs.at[0].topics[1].b, 32, &H2[2]);
    assert_hex(logs.at[0].address.b, 20, VECTOR_CONTRACT);
    assert_hex(logs.at[0].data, logs.at[0].data_len, "0102");
    assert_int_equal(logs.at[0].index, 3);
    assert_true(!logs.at[0].removed && logs.at[1].removed && !logs.at[2].removed);
    rpc_logs_release(&logs);
    rpc_reply_release(&reply);
    parse_result(&reply, RESULT("[]"));
    assert_true(rpc_result_logs(&reply, &logs, &error));
    assert_int_equal(logs.count, 0);
    rpc_logs_release(&logs);
    rpc_reply_release(&reply);
    static const char *const wrong[] = {
        RESULT("null"), RESULT("[1]"), RESULT("[" LOG_WITH("") ",{}]"),
        RESULT("[" LOG_WITH(",\"removed\":1") "]"),
        RESULT("[" LOG_WITH(",\"topics\":[\"" H1 "\",\"" H1 "\",\"" H1 "\",\"" H1
                            "\",\"" H1 "\"]") "]")};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        if (parse(&reply, wrong[i]) == RPC_RESULT)
            assert_false(rpc_result_logs(&reply, &logs, &error));
        rpc_reply_release(&reply);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broken),      cmocka_unit_test(test_huge),
        cmocka_unit_test(test_numbers),     cmocka_unit_test(test_data_and_hash),
        cmocka_unit_test(test_reverts),     cmocka_unit_test(test_faults),
        cmocka_unit_test(test_send_faults), cmocka_unit_test(test_block),
        cmocka_unit_test(test_fee_history), cmocka_unit_test(test_receipt),
        cmocka_unit_test(test_logs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
