#include "feeds/evm/signer.h"

#include "feed_vectors.h"

#include <stdio.h>

#include "feeds/evm/keccak.h"
#include "feeds/evm/rlp.h"

static const uint8_t seed[32] = {7};

static struct evm_signer *signer_of(const char *key)
{
    uint8_t room[VECTOR_ROOM];
    struct evm_signer *signer = evm_signer_new(vector_bytes(room, key).data, seed);
    assert_non_null(signer);
    return signer;
}

static struct evm_signature sign(const char *key, const struct evm_hash *digest)
{
    struct evm_signer *signer = signer_of(key);
    struct evm_signature signature;
    struct error error;
    assert_true(evm_signer_sign(signer, &signature, digest, &error));
    evm_signer_free(signer);
    return signature;
}

/* EIP-191's form of a text, which EIP-2098's examples sign. */
static struct evm_hash personal_digest(const char *text)
{
    struct evm_hash digest;
    char message[100];
    int len = snprintf(message, sizeof(message),
                       "\x19"
                       "Ethereum Signed Message:\n%zu%s",
                       strlen(text), text);
    keccak256(digest.b, message, (size_t)len);
    return digest;
}

static void test_address(void **state)
{
    (void)state;
    struct evm_signer *signer = signer_of(VECTOR_KEY);
    assert_hex(evm_signer_address(signer)->b, 20, VECTOR_OPERATOR);
    evm_signer_free(signer);
}

static void test_eip2098(void **state)
{
    (void)state;
    static const char key[] =
        "1234567890123456789012345678901234567890123456789012345678901234";
    static const struct {
        const char *text;
        const char *compact;
    } examples[] = {
        {"Hello World",
         "68a020a209d3d56c46f38cc50a33f704f4a9a10a59377f8dd762ac66910e9b90"
         "7e865ad05c4035ab5792787d4a0297a43617ae897930a6fe4d822b8faea52064"},
        {"It's a small(er) world",
         "9328da16089fcba9bececa81663203989f2df5fe1faa6291a45381c81bd17f76"
         "939c6d6b623b42da56557e5e734a43dc83345ddfadec52cbe24d0cc64f550793"},
    };
    for (size_t i = 0; i < 2; i++) {
        struct evm_hash digest = personal_digest(examples[i].text);
        struct evm_signature signature = sign(key, &digest), again;
        uint8_t compact[EVM_COMPACT_SIZE];
        evm_signature_compact(compact, &signature);
        assert_hex(compact, sizeof(compact), examples[i].compact);
        evm_signature_from_compact(&again, compact);
        assert_memory_equal(&again, &signature, sizeof(again));
    }
}

/* EIP-155's example: a legacy transaction whose signature holds on one chain only. */
static void test_eip155(void **state)
{
    (void)state;
    struct writer items = {0}, message = {0};
    struct evm_hash digest;
    uint8_t to[20];
    memset(to, 0x35, sizeof(to));
    rlp_write_u64(&items, 9);
    rlp_write_u64(&items, UINT64_C(20000000000));
    rlp_write_u64(&items, 21000);
    rlp_write_string(&items, to, sizeof(to));
    rlp_write_u64(&items, UINT64_C(1000000000000000000));
    rlp_write_string(&items, NULL, 0);
    rlp_write_u64(&items, 1);
    rlp_write_u64(&items, 0);
    rlp_write_u64(&items, 0);
    rlp_write_list(&message, (struct bytes){items.data, items.len});
    assert_hex(
        message.data, message.len,
        "ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a7"
        "64000080018080");
    keccak256(digest.b, message.data, message.len);
    assert_hex(digest.b, 32,
               "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53");
    struct evm_signature signature = sign(VECTOR_KEY, &digest);
    assert_hex(signature.r, 32,
               "28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276");
    assert_hex(signature.s, 32,
               "67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83");
    assert_int_equal(signature.y_parity + 35 + 2 * 1, 37);
    writer_release(&items);
    writer_release(&message);
}

/* What `cast wallet sign` makes of the same report, and the contract accepted. */
static void test_report(void **state)
{
    (void)state;
    uint8_t room[VECTOR_ROOM], compact[EVM_COMPACT_SIZE];
    struct evm_hash digest;
    memcpy(digest.b, vector_bytes(room, VECTOR_DIGEST).data, 32);
    struct evm_signature signature = sign(VECTOR_KEY, &digest);
    evm_signature_compact(compact, &signature);
    assert_hex(compact, sizeof(compact), VECTOR_SIGNATURE);
}

static void test_recover(void **state)
{
    (void)state;
    struct evm_address signer;
    for (uint32_t i = 0; i < 64; i++) {
        struct evm_hash digest = {{(uint8_t)i, 1}}, other = {{(uint8_t)i, 2}};
        struct evm_signature signature = sign(VECTOR_KEY, &digest);
        assert_true(evm_recover(&signer, &signature, &digest));
        assert_hex(signer.b, 20, VECTOR_OPERATOR);
        assert_int_equal(signature.s[0] & 0x80, 0);
        if (evm_recover(&signer, &signature, &other))
            assert_int_not_equal(signer.b[0], 0x9d);
    }
}

/* order - s signs as well, under the other parity: EIP-2 refuses that twin. */
static void test_high_s_is_refused(void **state)
{
    (void)state;
    uint8_t room[VECTOR_ROOM];
    struct evm_hash digest = {{1}};
    struct evm_address signer;
    struct evm_signature signature = sign(VECTOR_KEY, &digest);
    struct u256 order = u256_from_be(
        vector_bytes(room,
                     "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")
            .data);
    struct u256 s = u256_from_be(signature.s);
    s = u256_sub(&order, &s);
    u256_to_be(signature.s, &s);
    signature.y_parity ^= 1;
    assert_false(evm_recover(&signer, &signature, &digest));
    u256_to_be(signature.s, &order);
    assert_false(evm_recover(&signer, &signature, &digest));
    memset(signature.s, 0, sizeof(signature.s));
    assert_false(evm_recover(&signer, &signature, &digest));
    signature = sign(VECTOR_KEY, &digest);
    signature.y_parity = 2;
    assert_false(evm_recover(&signer, &signature, &digest));
}

static void test_keys_that_are_none(void **state)
{
    (void)state;
    uint8_t room[VECTOR_ROOM];
    static const char *const keys[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    };
    for (size_t i = 0; i < 3; i++)
        assert_null(evm_signer_new(vector_bytes(room, keys[i]).data, seed));
    evm_signer_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address),
        cmocka_unit_test(test_eip2098),
        cmocka_unit_test(test_eip155),
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_recover),
        cmocka_unit_test(test_high_s_is_refused),
        cmocka_unit_test(test_keys_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
