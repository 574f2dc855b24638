#include "feeds/evm/rpc_request.h"

#include "feed_vectors.h"

static const struct rpc_block_ref latest = {.tag = RPC_BLOCK_LATEST};

static void assert_request(struct writer *out, const char *expected)
{
    write_u8(out, '\0');
    assert_string_equal((const char *)out->data, expected);
    writer_release(out);
}

#define HEAD(id, method)                                                                 \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\",\"params\":"

static void test_plain_requests(void **state)
{
    (void)state;
    struct writer out = {0};
    rpc_write_chain_id(&out, RPC_ID_MAX);
    assert_request(&out, HEAD("9007199254740991", "eth_chainId") "[]}");
    rpc_write_fee_history(&out, 2, 20, 50);
    assert_request(&out, HEAD("2", "eth_feeHistory") "[\"0x14\",\"latest\",[50]]}");
    rpc_write_send_raw_transaction(&out, 3,
                                   (struct bytes){(const uint8_t *)"\x02\xf8", 2});
    assert_request(&out, HEAD("3", "eth_sendRawTransaction") "[\"0x02f8\"]}");
}

static void test_blocks(void **state)
{
    (void)state;
    static const struct {
        struct rpc_block_ref block;
        const char *expected;
    } blocks[] = {
        {{.tag = RPC_BLOCK_LATEST},
         HEAD("4", "eth_getBlockByNumber") "[\"latest\",false]}"},
        {{.tag = RPC_BLOCK_PENDING},
         HEAD("4", "eth_getBlockByNumber") "[\"pending\",false]}"},
        {{.tag = RPC_BLOCK_SAFE}, HEAD("4", "eth_getBlockByNumber") "[\"safe\",false]}"},
        {{.tag = RPC_BLOCK_FINALIZED},
         HEAD("4", "eth_getBlockByNumber") "[\"finalized\",false]}"},
        {{.tag = RPC_BLOCK_NUMBER}, HEAD("4", "eth_getBlockByNumber") "[\"0x0\",false]}"},
        {{.tag = RPC_BLOCK_NUMBER, .number = 4096},
         HEAD("4", "eth_getBlockByNumber") "[\"0x1000\",false]}"},
    };
    for (size_t i = 0; i < sizeof(blocks) / sizeof(*blocks); i++) {
        struct writer out = {0};
        rpc_write_get_block(&out, 4, blocks[i].block);
        assert_request(&out, blocks[i].expected);
    }
}

static void test_calls(void **state)
{
    (void)state;
    struct writer out = {0};
    struct rpc_call call = {
        .to = vector_address(VECTOR_CONTRACT),
        .data = {(const uint8_t *)"\x01", 1},
    };
    struct rpc_block_ref block = {.tag = RPC_BLOCK_HASH};
    memset(block.hash.b, 0xab, 32);
    rpc_write_call(&out, 5, &call, block);
    assert_request(
        &out,
        HEAD(
            "5",
            "eth_call") "[{\"to\":\"0x" VECTOR_CONTRACT
                        "\",\"data\":\"0x01\"},{\"blockHash\":\"0x"
                        "abababababababababababababababababababababababababababababababab"
                        "\",\"requireCanonical\":true}]}");
    call.from = vector_address(VECTOR_OPERATOR);
    call.gas = 100000;
    call.value = wei_from_u64(16);
    rpc_write_estimate_gas(&out, 6, &call);
    assert_request(&out, HEAD("6", "eth_estimateGas") "[{\"from\":\"0x" VECTOR_OPERATOR
                                                      "\",\"to\":\"0x" VECTOR_CONTRACT
                                                      "\",\"gas\":\"0x186a0\",\"value\":"
                                                      "\"0x10\",\"data\":\"0x01\"}]}");
}

static void test_accounts(void **state)
{
    (void)state;
    struct writer out = {0};
    struct evm_address address = vector_address(VECTOR_OPERATOR);
    struct rpc_block_ref pending = {.tag = RPC_BLOCK_PENDING};
    rpc_write_get_code(&out, 7, &address, latest);
    assert_request(&out,
                   HEAD("7", "eth_getCode") "[\"0x" VECTOR_OPERATOR "\",\"latest\"]}");
    rpc_write_get_balance(&out, 7, &address, latest);
    assert_request(&out,
                   HEAD("7", "eth_getBalance") "[\"0x" VECTOR_OPERATOR "\",\"latest\"]}");
    rpc_write_get_transaction_count(&out, 7, &address, pending);
    assert_request(&out, HEAD("7", "eth_getTransactionCount") "[\"0x" VECTOR_OPERATOR
                                                              "\",\"pending\"]}");
}

static void test_receipts_and_logs(void **state)
{
    (void)state;
    struct writer out = {0};
    struct evm_address address = vector_address(VECTOR_CONTRACT);
    struct rpc_block_ref from = {.tag = RPC_BLOCK_NUMBER, .number = 18};
    struct evm_hash hash;
    memset(hash.b, 0xcd, 32);
#define CD "\"0xcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd\""
    rpc_write_get_receipt(&out, 8, &hash);
    assert_request(&out, HEAD("8", "eth_getTransactionReceipt") "[" CD "]}");
    rpc_write_get_logs(&out, 8, &address, (struct evm_hash[]){hash, hash}, 2, from,
                       latest);
    assert_request(&out, HEAD("8", "eth_getLogs") "[{\"address\":\"0x" VECTOR_CONTRACT
                                                  "\",\"topics\":[" CD "," CD
                                                  "],\"fromBlock\":\"0x12\",\"toBlock\":"
                                                  "\"latest\"}]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_requests),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_accounts),
        cmocka_unit_test(test_receipts_and_logs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
