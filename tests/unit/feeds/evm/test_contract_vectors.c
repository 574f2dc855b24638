/* feeds/contracts/vectors, with which the contract's own tests compare it too. */
#include "feed_vectors.h"

#include <stdio.h>

#include <jansson.h>

#include "feeds/evm/abi.h"
#include "feeds/evm/contract_error.h"
#include "feeds/evm/eip712.h"
#include "feeds/evm/signer.h"

static json_t *load(const char *name)
{
    char path[1024];
    json_error_t where;
    const char *folder = getenv("RESERVEWATCH_CONTRACT_VECTORS");
    assert_non_null(folder);
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
    if (root == NULL)
        fail_msg("%s: %s", path, where.text);
    return root;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    if (text == NULL)
        fail_msg("no text '%s'", name);
    return text;
}

static uint64_t number_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_integer(value) ? (uint64_t)json_integer_value(value)
                                  : strtoull(text_of(object, name), NULL, 10);
}

/* Without its 0x. */
static const char *hex_of(const json_t *object, const char *name)
{
    const char *text = text_of(object, name);
    assert_memory_equal(text, "0x", 2);
    return text + 2;
}

static void read_fixed(uint8_t *out, size_t size, const char *text)
{
    assert_true(hex_decode(out, size, text, strlen(text), NULL));
}

/* What our types hold: a block's time has 32 bits, an amount is money. */
static bool fits(const json_t *object)
{
    return number_of(object, "observedAt") <= UINT32_MAX &&
           number_of(object, "balanceSat") <= MAX_MONEY_SAT;
}

static struct evm_report report_of(const json_t *object)
{
    const char *block = hex_of(object, "btcBlockHash");
    struct evm_report report = {
        .round = (uint32_t)number_of(object, "round"),
        .balance = {number_of(object, "balanceSat")},
        .height = (uint32_t)number_of(object, "btcHeight"),
        .observed_at = {(uint32_t)number_of(object, "observedAt")},
    };
    assert_true(block_hash_parse(&report.block, block, strlen(block)));
    read_fixed(report.set_hash, 32, hex_of(object, "setHash"));
    return report;
}

static void check_call(struct writer *call, const char *expected)
{
    assert_hex(call->data, call->len, expected);
    writer_release(call);
}

static void check_calls(const json_t *vector, const struct evm_report *report)
{
    struct writer call = {0};
    uint8_t room[VECTOR_ROOM];
    reserve_feed_write_submit(&call, report,
                              vector_bytes(room, hex_of(vector, "signatures")));
    check_call(&call, hex_of(vector, "submit"));
    reserve_feed_write_attest(&call, report);
    check_call(&call, hex_of(vector, "attest"));
    reserve_feed_write_hash_report(&call, report);
    check_call(&call, hex_of(vector, "hashReport"));
}

static struct evm_hash check_digest(const json_t *vector, const struct evm_report *report)
{
    struct evm_address contract;
    struct evm_hash feed_id, separator, struct_hash, digest;
    read_fixed(contract.b, 20, hex_of(vector, "verifyingContract"));
    reserve_feed_id(&feed_id, text_of(vector, "feedName"));
    assert_hex(feed_id.b, 32, hex_of(vector, "feedId"));
    eip712_domain_separator(&separator, number_of(vector, "chainId"), &contract);
    assert_hex(separator.b, 32, hex_of(vector, "domainSeparator"));
    eip712_report_hash(&struct_hash, report, &feed_id,
                       (uint32_t)number_of(vector, "configId"));
    assert_hex(struct_hash.b, 32, hex_of(vector, "structHash"));
    eip712_digest(&digest, &separator, &struct_hash);
    assert_hex(digest.b, 32, hex_of(vector, "digest"));
    return digest;
}

static void check_signature(const json_t *signed_by, const struct evm_hash *digest)
{
    static const uint8_t seed[32] = {5};
    uint8_t key[32], compact[EVM_COMPACT_SIZE];
    char address[EVM_ADDRESS_TEXT_MAX];
    struct evm_signature signature;
    struct error error;
    read_fixed(key, 32, hex_of(signed_by, "key"));
    struct evm_signer *signer = evm_signer_new(key, seed);
    assert_non_null(signer);
    evm_address_text(address, evm_signer_address(signer));
    assert_string_equal(address, text_of(signed_by, "signer"));
    assert_true(evm_signer_sign(signer, &signature, digest, &error));
    evm_signature_compact(compact, &signature);
    assert_hex(compact, sizeof(compact), hex_of(signed_by, "compact"));
    evm_signer_free(signer);
}

static bool read_event(struct reserve_reported *out, const json_t *event)
{
    struct evm_hash topics[RESERVE_REPORTED_TOPICS];
    uint8_t room[VECTOR_ROOM];
    const json_t *texts = json_object_get(event, "topics");
    assert_int_equal(json_array_size(texts), RESERVE_REPORTED_TOPICS);
    for (size_t i = 0; i < RESERVE_REPORTED_TOPICS; i++)
        read_fixed(topics[i].b, 32, json_string_value(json_array_get(texts, i)) + 2);
    return reserve_reported_read(out, topics, RESERVE_REPORTED_TOPICS,
                                 vector_bytes(room, hex_of(event, "data")));
}

static void check_event(const json_t *vector, const struct evm_report *report)
{
    const json_t *event = json_object_get(vector, "reserveReported");
    char submitter[EVM_ADDRESS_TEXT_MAX];
    struct reserve_reported found;
    assert_true(read_event(&found, event));
    assert_int_equal(found.report.round, report->round);
    assert_int_equal(found.report.balance.sat, report->balance.sat);
    assert_int_equal(found.report.height, report->height);
    assert_true(block_hash_equal(&found.report.block, &report->block));
    assert_int_equal(found.report.observed_at.s, report->observed_at.s);
    assert_memory_equal(found.report.set_hash, report->set_hash, 32);
    assert_int_equal(found.config_id, number_of(vector, "configId"));
    evm_address_text(submitter, &found.submitter);
    assert_string_equal(submitter, text_of(event, "submitter"));
}

static void test_reports(void **state)
{
    (void)state;
    json_t *root = load("reports.json");
    const json_t *vector;
    size_t index, checked = 0;
    json_array_foreach(json_object_get(root, "reports"), index, vector)
    {
        const json_t *fields = json_object_get(vector, "report");
        struct reserve_reported found;
        if (!fits(fields)) {
            assert_false(read_event(&found, json_object_get(vector, "reserveReported")));
            continue;
        }
        struct evm_report report = report_of(fields);
        struct evm_hash digest = check_digest(vector, &report);
        const json_t *signed_by;
        size_t operator;
        check_calls(vector, &report);
        check_event(vector, &report);
        json_array_foreach(json_object_get(vector, "signed"), operator, signed_by)
            check_signature(signed_by, &digest);
        checked++;
    }
    assert_true(checked >= 2);
    json_decref(root);
}

static void test_states(void **unused)
{
    (void)unused;
    json_t *root = load("state.json");
    const json_t *vector;
    size_t index, checked = 0;
    json_array_foreach(json_object_get(root, "states"), index, vector)
    {
        struct reserve_feed_state state;
        uint8_t room[VECTOR_ROOM];
        struct bytes answer = vector_bytes(room, hex_of(vector, "returned"));
        bool read = reserve_feed_read_state(&state, answer);
        assert_true(read == (fits(vector) && number_of(vector, "count") <= 31));
        if (!read)
            continue;
        assert_int_equal(state.round, number_of(vector, "round"));
        assert_int_equal(state.config_id, number_of(vector, "configId"));
        assert_int_equal(state.threshold, number_of(vector, "threshold"));
        assert_int_equal(state.count, number_of(vector, "count"));
        assert_int_equal(state.balance.sat, number_of(vector, "balanceSat"));
        assert_int_equal(state.height, number_of(vector, "btcHeight"));
        assert_int_equal(state.observed_at.s, number_of(vector, "observedAt"));
        assert_int_equal(state.updated_at.s, number_of(vector, "updatedAt"));
        checked++;
    }
    assert_true(checked >= 2);
    json_decref(root);
}

static void check_arguments(const struct contract_error *error, const json_t *arguments)
{
    const json_t *argument;
    size_t index;
    json_array_foreach(arguments, index, argument)
    {
        const char *text = json_string_value(argument);
        char address[EVM_ADDRESS_TEXT_MAX];
        evm_address_text(address, &error->address);
        if (text[0] == '0' && text[1] == 'x')
            assert_string_equal(address, text);
        else
            assert_int_equal(error->numbers[index], strtoull(text, NULL, 10));
    }
}

static void test_errors(void **state)
{
    (void)state;
    json_t *root = load("abi.json");
    const json_t *errors = json_object_get(root, "errors"), *vector;
    size_t index;
    /* No error of the contract is unknown, and none of ours isn't the contract's. */
    assert_int_equal(json_array_size(errors), CONTRACT_NOT_OWNER + 1);
    json_array_foreach(errors, index, vector)
    {
        struct contract_error error;
        uint8_t room[VECTOR_ROOM];
        const char *signature = text_of(vector, "signature");
        contract_error_decode(&error, vector_bytes(room, hex_of(vector, "encoded")));
        /* The sentence starts with the name. */
        struct error sentence;
        size_t len = strcspn(signature, "(");
        contract_error_explain(&sentence, &error);
        assert_memory_equal(sentence.text, signature, len);
        assert_int_equal(sentence.text[len], ':');
        check_arguments(&error, json_object_get(vector, "arguments"));
    }
    json_decref(root);
}

static void test_selectors(void **state)
{
    (void)state;
    json_t *root = load("abi.json");
    const json_t *vector;
    size_t index;
    json_array_foreach(json_object_get(root, "functions"), index, vector)
    {
        uint8_t selector[4];
        abi_selector(selector, text_of(vector, "signature"));
        assert_hex(selector, 4, hex_of(vector, "selector"));
    }
    json_array_foreach(json_object_get(root, "events"), index, vector)
    {
        struct evm_hash topic;
        abi_event_topic(&topic, text_of(vector, "signature"));
        assert_hex(topic.b, 32, hex_of(vector, "topic"));
    }
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reports),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_selectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
