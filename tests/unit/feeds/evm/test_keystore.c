#include "feeds/evm/keystore.h"

#include "feed_vectors.h"

#include <stdio.h>

#include <jansson.h>

static const uint8_t seed[32] = {3};
static const struct bytes password = {(const uint8_t *)"testpassword", 12};

/* The examples of the Web3 Secret Storage Definition, both of one key. */
#define EXAMPLE_KEY "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"
#define EXAMPLE_ADDRESS "008aeeda4d805471df9b2a5b0f38a0c3bcba786b"
static const char scrypt_example[] =
    "{\"crypto\":{\"cipher\":\"aes-128-ctr\",\"cipherparams\":{\"iv\":"
    "\"83dbcc02d8ccb40e466191a123791e0e\"},\"ciphertext\":"
    "\"d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c\","
    "\"kdf\":\"scrypt\",\"kdfparams\":{\"dklen\":32,\"n\":262144,\"r\":1,\"p\":8,"
    "\"salt\":\"ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19\"},"
    "\"mac\":\"2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097\"},"
    "\"id\":\"3198bc9c-6672-5ab3-d995-4942343ae5b6\",\"version\":3}";
static const char pbkdf2_example[] =
    "{\"crypto\":{\"cipher\":\"aes-128-ctr\",\"cipherparams\":{\"iv\":"
    "\"6087dab2f9fdbbfaddc31a909735c1e6\"},\"ciphertext\":"
    "\"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46\","
    "\"kdf\":\"pbkdf2\",\"kdfparams\":{\"c\":262144,\"dklen\":32,\"prf\":\"hmac-sha256\","
    "\"salt\":\"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd\"},"
    "\"mac\":\"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2\"},"
    "\"id\":\"3198bc9c-6672-5ab3-d995-4942343ae5b6\",\"version\":3}";

static void test_published_examples(void **state)
{
    (void)state;
    static const char *const examples[] = {scrypt_example, pbkdf2_example};
    uint8_t room[VECTOR_ROOM];
    struct evm_signer *expected =
        evm_signer_new(vector_bytes(room, EXAMPLE_KEY).data, seed);
    assert_hex(evm_signer_address(expected)->b, 20, EXAMPLE_ADDRESS);
    for (size_t i = 0; i < 2; i++) {
        struct error error;
        struct evm_signer *signer =
            keystore_open(examples[i], strlen(examples[i]), password, seed, &error);
        assert_non_null(signer);
        assert_true(
            evm_address_equal(evm_signer_address(signer), evm_signer_address(expected)));
        evm_signer_free(signer);
    }
    evm_signer_free(expected);
}

/* A file of little cost, its text a string. */
static void make(struct writer *out, const char *address)
{
    const struct keystore_cost cheap = {4, 8, 1};
    struct keystore_entropy entropy;
    struct evm_address named = vector_address(address);
    struct error error;
    uint8_t key[VECTOR_ROOM];
    memset(&entropy, 0xa5, sizeof(entropy));
    vector_bytes(key, VECTOR_KEY);
    assert_true(keystore_make(out, key, &named, password, &entropy, cheap, &error));
    write_u8(out, '\0');
}

static struct evm_signer *open_text(const char *text, struct bytes with,
                                    struct error *error)
{
    return keystore_open(text, strlen(text), with, seed, error);
}

static void test_make_and_open(void **state)
{
    (void)state;
    struct writer out = {0};
    struct error error;
    struct evm_address address;
    bool known;
    make(&out, VECTOR_OPERATOR);
    const char *text = (const char *)out.data;
    struct evm_signer *signer = open_text(text, password, &error);
    assert_non_null(signer);
    assert_hex(evm_signer_address(signer)->b, 20, VECTOR_OPERATOR);
    evm_signer_free(signer);
    assert_true(keystore_address(&address, &known, text, strlen(text), &error));
    assert_true(known);
    assert_hex(address.b, 20, VECTOR_OPERATOR);
    assert_null(strstr(text, VECTOR_KEY));
    assert_non_null(strstr(text, "\"a5a5a5a5-a5a5-45a5-a5a5-a5a5a5a5a5a5\""));
    writer_release(&out);
}

static void test_wrong_password(void **state)
{
    (void)state;
    static const struct bytes wrong[] = {
        {(const uint8_t *)"testpassworD", 12}, {(const uint8_t *)"", 0}, {NULL, 0}};
    struct writer out = {0};
    struct error error;
    make(&out, VECTOR_OPERATOR);
    for (size_t i = 0; i < 3; i++) {
        assert_null(open_text((const char *)out.data, wrong[i], &error));
        assert_non_null(strstr(error.text, "password is wrong"));
    }
    writer_release(&out);
}

static void test_another_address(void **state)
{
    (void)state;
    struct writer out = {0};
    struct error error;
    make(&out, VECTOR_SUBMITTER);
    assert_null(open_text((const char *)out.data, password, &error));
    assert_non_null(strstr(error.text, "holds the key of 0x9d8A62f656a8d1615C1294fd"));
    writer_release(&out);
}

/* The text with one part replaced. */
static char *with(const char *text, const char *part, const char *by)
{
    const char *at = strstr(text, part);
    assert_non_null(at);
    char *out = mem_alloc(strlen(text) + strlen(by) + 1);
    sprintf(out, "%.*s%s%s", (int)(at - text), text, by, at + strlen(part));
    return out;
}

static void test_strict_form(void **state)
{
    (void)state;
    static const struct {
        const char *part, *by, *says;
    } changes[] = {
        {"\"version\": 3", "\"version\": 1", "'version' isn't 3"},
        {"\"version\": 3", "\"version\": \"3\"", "'version' isn't 3"},
        {"aes-128-ctr", "aes-128-cbc", "'cipher' isn't aes-128-ctr"},
        {"\"kdf\": \"scrypt\"", "\"kdf\": \"argon2\"", "scrypt or pbkdf2"},
        {"\"dklen\": 32", "\"dklen\": 16", "'dklen' isn't 32"},
        {"\"n\": 4", "\"n\": 5", "power of two"},
        {"\"n\": 4", "\"n\": 0", "whole number"},
        {"\"n\": 4", "\"n\": 4.0", "whole number"},
        {"\"n\": 4", "\"n\": 16777216", "more than 512 MiB"},
        {"\"n\": 4", "\"n\": 18014398509481984", "whole number"},
        {"\"r\": 8", "\"r\": 2000", "whole number"},
        {"\"p\": 1", "\"p\": -1", "whole number"},
        {"\"salt\": \"a5", "\"salt\": \"5", "'salt'"},
        {"\"iv\": \"a5", "\"iv\": \"g5", "'iv' isn't 32 hex digits"},
        {"\"mac\": \"", "\"mac\": \"00", "'mac' isn't 64 hex digits"},
        {"\"address\": \"", "\"address\": \"00", "'address'"},
        {"\"version\": 3", "\"version\": 3, \"version\": 3", "line"},
        {"\"crypto\"", "\"Crypto\"", "'crypto' isn't an object"},
        {"\n}\n", "\n} x", "line"},
        {"{", "", "line"},
    };
    struct writer out = {0};
    make(&out, VECTOR_OPERATOR);
    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        char *text = with((const char *)out.data, changes[i].part, changes[i].by);
        struct error error;
        assert_null(open_text(text, password, &error));
        if (strstr(error.text, changes[i].says) == NULL)
            fail_msg("'%s' has no '%s'", error.text, changes[i].says);
        free(text);
    }
    writer_release(&out);
}

/* With 0x, and with keys of others' own. */
static void test_lenient_where_others_differ(void **state)
{
    (void)state;
    struct writer out = {0};
    struct error error;
    make(&out, VECTOR_OPERATOR);
    char *text = with((const char *)out.data, "\"address\": \"",
                      "\"x-other\": {\"y\": 1}, \"address\": \"0x");
    struct evm_signer *signer = open_text(text, password, &error);
    assert_non_null(signer);
    evm_signer_free(signer);
    free(text);
    writer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_examples),
        cmocka_unit_test(test_make_and_open),
        cmocka_unit_test(test_wrong_password),
        cmocka_unit_test(test_another_address),
        cmocka_unit_test(test_strict_form),
        cmocka_unit_test(test_lenient_where_others_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
