#include "feeds/evm/contract_error.h"

#include "feed_vectors.h"

#include <stdio.h>

#include "feeds/evm/abi.h"

#define WORD_1 "0000000000000000000000000000000000000000000000000000000000000001"
#define WORD_2 "0000000000000000000000000000000000000000000000000000000000000002"
#define WORD_20 "0000000000000000000000000000000000000000000000000000000000000020"
#define WORD_OPERATOR "000000000000000000000000" VECTOR_OPERATOR

static struct contract_error decoded(const char *data)
{
    struct contract_error error;
    uint8_t room[VECTOR_ROOM];
    contract_error_decode(&error, vector_bytes(room, data));
    return error;
}

static void assert_explained(const struct contract_error *error, const char *part)
{
    struct error text;
    contract_error_explain(&text, error);
    if (strstr(text.text, part) == NULL)
        fail_msg("'%s' has no '%s'", text.text, part);
}

/* As the contract reverted on a local node. */
static void test_bad_round(void **state)
{
    (void)state;
    struct contract_error error = decoded("036d0d6d" WORD_2 WORD_1);
    assert_int_equal(error.kind, CONTRACT_BAD_ROUND);
    assert_int_equal(error.numbers[0], 2);
    assert_int_equal(error.numbers[1], 1);
    assert_explained(&error, "expects round 2, the report is for round 1");
}

/* Every error of the contract, by its declaration, becomes itself and has a sentence of
 * its own that starts with its name. */
static void test_every_error(void **state)
{
    (void)state;
    static const struct {
        const char *declaration, *words, *part;
        enum contract_error_kind kind;
    } errors[] = {
        {"BadRound(uint32,uint32)", WORD_2 WORD_1, "round 2", CONTRACT_BAD_ROUND},
        {"HeightNotIncreasing(uint32,uint32)", WORD_2 WORD_1, "height 2",
         CONTRACT_HEIGHT_NOT_INCREASING},
        {"TimeDecreasing(uint64,uint64)", WORD_2 WORD_1, "1970-01-01T00:00:01Z",
         CONTRACT_TIME_DECREASING},
        {"TimeInFuture(uint64,uint64)", WORD_1 WORD_2, "1970-01-01T00:00:02Z",
         CONTRACT_TIME_IN_FUTURE},
        {"ReportTooOld(uint64,uint64)", WORD_2 WORD_1, "maxReportAge",
         CONTRACT_REPORT_TOO_OLD},
        {"BalanceAboveSupply(uint64)", WORD_2, "0.00000002 BTC",
         CONTRACT_BALANCE_ABOVE_SUPPLY},
        {"WrongSignatureCount(uint256,uint256)", WORD_2 WORD_1, "2 signatures",
         CONTRACT_WRONG_SIGNATURE_COUNT},
        {"InvalidSignature(uint256)", WORD_1, "signature 1", CONTRACT_INVALID_SIGNATURE},
        {"NotOperator(address)", WORD_OPERATOR,
         "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F", CONTRACT_NOT_OPERATOR},
        {"SignersNotAscending(uint256)", WORD_1, "signature 1",
         CONTRACT_SIGNERS_NOT_ASCENDING},
        {"AlreadyAttested(address)", WORD_OPERATOR,
         "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F", CONTRACT_ALREADY_ATTESTED},
        {"NoDataPresent()", "", "first report", CONTRACT_NO_DATA_PRESENT},
        {"BadOperatorSet()", "", "1 to 31", CONTRACT_BAD_OPERATOR_SET},
        {"NoSuchProposal()", "", "propose", CONTRACT_NO_SUCH_PROPOSAL},
        {"TooEarly(uint256)", WORD_2, "1970-01-01T00:00:02Z", CONTRACT_TOO_EARLY},
        {"NotOwner(address)", WORD_OPERATOR, "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F",
         CONTRACT_NOT_OWNER},
        {"Panic(uint256)", WORD_1, "code 1", CONTRACT_PANIC},
    };
    for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
        uint8_t selector[4];
        char text[9], data[512], longer[520];
        abi_selector(selector, errors[i].declaration);
        hex_encode(text, selector, sizeof(selector));
        snprintf(data, sizeof(data), "%s%s", text, errors[i].words);
        struct contract_error error = decoded(data);
        assert_int_equal(error.kind, errors[i].kind);
        assert_explained(&error, errors[i].part);
        char name[32];
        size_t len = strcspn(errors[i].declaration, "(");
        snprintf(name, sizeof(name), "%.*s", (int)len, errors[i].declaration);
        assert_explained(&error, name);
        /* One byte too many: something else. */
        snprintf(longer, sizeof(longer), "%s00", data);
        assert_int_equal(decoded(longer).kind, CONTRACT_UNKNOWN);
    }
}

static void test_text(void **state)
{
    (void)state;
    struct contract_error error =
        decoded("08c379a0" WORD_20
                "000000000000000000000000000000000000000000000000000000000000000a"
                "6e6f001b5b316d20ff7a00000000000000000000000000000000000000000000");
    assert_int_equal(error.kind, CONTRACT_ERROR_TEXT);
    assert_string_equal(error.text, "no??[1m ?z");
    assert_explained(&error, "\"no??[1m ?z\"");
}

static void test_what_is_none(void **state)
{
    (void)state;
    struct contract_error error = decoded("");
    assert_int_equal(error.kind, CONTRACT_NO_REASON);
    assert_explained(&error, "without a reason");
    assert_int_equal(decoded("036d0d").kind, CONTRACT_UNKNOWN);
    /* A round of 33 bits. */
    assert_int_equal(
        decoded("036d0d6d" WORD_1
                "0000000000000000000000000000000000000000000000000000000100000000")
            .kind,
        CONTRACT_UNKNOWN);
    error = decoded("deadbeef" WORD_1);
    assert_int_equal(error.kind, CONTRACT_UNKNOWN);
    assert_explained(&error, "0xdeadbeef");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_round),
        cmocka_unit_test(test_every_error),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
