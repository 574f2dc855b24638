#include "feeds/evm/transaction.h"

#include "feed_vectors.h"

#define OTHER_KEY "1234567890123456789012345678901234567890123456789012345678901234"

/* Raw bytes and hashes as `cast mktx` of Foundry makes them. */
#define CALL_RAW                                                                         \
    "02f872827a69078477359400850ba43b74008301d4c0945fbdb2315678afecb367f032d93f642f6418" \
    "0"                                                                                  \
    "aa380841141c3b4c001a0c01536a572b6b96ce8a2f41a108b4aac713f79d477354ecd0beb824ae5933" \
    "4"                                                                                  \
    "2da07b2463636b594904ed67f72e4eec763121d9b918158d2950c79d63989d56b2a3"
#define CALL_HASH "8a9843b3273ff74c4e2eb4d61f924f0da6971dca207a91d15e215adabc02c8b5"
#define TRANSFER_RAW                                                                     \
    "02f86d018080018252089400000000000000000000000000000000000000018b661efdf158f2a82c9f" \
    "4b8780c001a0529886c2ab117de01092f6889ba550b76e364cc91debfbe089b17b075189b0daa05923" \
    "63013d16ce7270ce8d8b97301294378b1493c83cb94680869937499e4902"
#define TRANSFER_HASH "79983378a08bd73c0c14116e4d592a8793a74dd77ccdd399153af9f3eba20dfd"

static struct evm_transaction call(void)
{
    static const uint8_t selector[4] = {0x11, 0x41, 0xc3, 0xb4};
    return (struct evm_transaction){
        .chain_id = VECTOR_CHAIN_ID,
        .nonce = 7,
        .max_priority_fee = wei_from_u64(2 * WEI_PER_GWEI),
        .max_fee = wei_from_u64(50 * WEI_PER_GWEI),
        .gas_limit = 120000,
        .to = vector_address(VECTOR_CONTRACT),
        .data = {selector, sizeof(selector)},
    };
}

static struct evm_transaction transfer(void)
{
    static const char value[] = "123456789012345678901234567 wei";
    struct evm_transaction transaction = {
        .chain_id = 1,
        .max_fee = wei_from_u64(1),
        .gas_limit = 21000,
        .to = vector_address("0000000000000000000000000000000000000001"),
    };
    assert_true(wei_parse(&transaction.value, value, sizeof(value) - 1));
    return transaction;
}

static void make(struct writer *out, const struct evm_transaction *transaction,
                 const char *key)
{
    static const uint8_t seed[32] = {1};
    uint8_t room[VECTOR_ROOM];
    struct evm_signer *signer = evm_signer_new(vector_bytes(room, key).data, seed);
    struct evm_signature signature;
    struct evm_hash hash;
    struct error error;
    evm_transaction_signing_hash(&hash, transaction);
    assert_true(evm_signer_sign(signer, &signature, &hash, &error));
    evm_transaction_write(out, transaction, &signature);
    evm_signer_free(signer);
}

static void test_raw_bytes(void **state)
{
    (void)state;
    struct evm_transaction transactions[] = {call(), transfer()};
    static const char *const keys[] = {VECTOR_KEY, OTHER_KEY};
    static const char *const raw[] = {CALL_RAW, TRANSFER_RAW};
    static const char *const hashes[] = {CALL_HASH, TRANSFER_HASH};
    for (size_t i = 0; i < 2; i++) {
        struct writer out = {0};
        struct evm_hash hash;
        make(&out, &transactions[i], keys[i]);
        assert_hex(out.data, out.len, raw[i]);
        evm_transaction_hash(&hash, (struct bytes){out.data, out.len});
        assert_hex(hash.b, 32, hashes[i]);
        writer_release(&out);
    }
}

static void test_read(void **state)
{
    (void)state;
    struct evm_transaction transaction;
    struct evm_signature signature;
    struct evm_address sender, contract = vector_address(VECTOR_CONTRACT);
    struct error error;
    struct writer again = {0};
    uint8_t room[VECTOR_ROOM];
    struct bytes raw = vector_bytes(room, CALL_RAW);
    assert_true(evm_transaction_read(&transaction, &signature, &sender, raw, &error));
    assert_hex(sender.b, 20, VECTOR_OPERATOR);
    assert_int_equal(transaction.chain_id, VECTOR_CHAIN_ID);
    assert_int_equal(transaction.nonce, 7);
    assert_int_equal(transaction.gas_limit, 120000);
    assert_true(evm_address_equal(&transaction.to, &contract));
    assert_int_equal(transaction.data.len, 4);
    evm_transaction_write(&again, &transaction, &signature);
    assert_hex(again.data, again.len, CALL_RAW);
    writer_release(&again);
}

static void test_damaged_bytes(void **state)
{
    (void)state;
    struct evm_transaction transaction;
    struct evm_signature signature;
    struct evm_address sender;
    struct error error;
    uint8_t room[VECTOR_ROOM] = {0};
    struct bytes raw = vector_bytes(room, CALL_RAW);
    for (size_t len = 0; len <= raw.len + 2; len++) {
        struct bytes cut = {room, len};
        assert_true(evm_transaction_read(&transaction, &signature, &sender, cut,
                                         &error) == (len == raw.len));
    }
    /* A flipped bit is another transaction, of another sender, if any. */
    for (size_t i = 0; i < raw.len; i++) {
        room[i] ^= 1;
        if (evm_transaction_read(&transaction, &signature, &sender, raw, &error))
            assert_int_not_equal(sender.b[0], 0x9d);
        room[i] ^= 1;
    }
}

static void test_max_cost(void **state)
{
    (void)state;
    struct evm_transaction transaction = call();
    struct wei cost;
    char text[WEI_TEXT_MAX];
    transaction.value = wei_from_u64(5);
    assert_true(evm_transaction_max_cost(&cost, &transaction));
    wei_format(text, cost);
    assert_string_equal(text, "0.006000000000000005 ether");
    memset(&transaction.max_fee, 0xff, sizeof(transaction.max_fee));
    assert_false(evm_transaction_max_cost(&cost, &transaction));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_raw_bytes),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_damaged_bytes),
        cmocka_unit_test(test_max_cost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
