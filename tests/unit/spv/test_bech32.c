#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "spv/bech32.h"

/* BIP 173. */
static const char *const valid_bech32[] = {
    "A12UEL5L",
    "a12uel5l",
    "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1"
    "tt5t"
    "gs",
    "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
    "11qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"
    "c8247"
    "j",
    "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
    "?1ezyfcl",
};

/* BIP 350. */
static const char *const valid_bech32m[] = {
    "A1LQFN3A",
    "a1lqfn3a",
    "an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11"
    "sg7h"
    "g6",
    "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx",
    "11llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll"
    "ludsr"
    "8",
    "split1checkupstagehandshakeupstreamerranterredcaperredlc445v",
    "?1v759aa",
};

static const struct {
    const char *text;
    enum bech32_result result;
    size_t error_at;
} invalid[] = {
    /* BIP 173. */
    {"\x20"
     "1nwldj5",
     BECH32_BAD_CHARACTER, 0},
    {"\x7f"
     "1axkwrx",
     BECH32_BAD_CHARACTER, 0},
    {"\x80"
     "1eym55h",
     BECH32_BAD_CHARACTER, 0},
    {"an84characterslonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbi"
     "o1569"
     "pvx",
     BECH32_TOO_LONG, 0},
    {"pzry9x0s0muk", BECH32_NO_SEPARATOR, 0},
    {"1pzry9x0s0muk", BECH32_EMPTY_HRP, 0},
    {"x1b4n0q5v", BECH32_BAD_CHARACTER, 2},
    {"li1dgmt3", BECH32_TOO_SHORT, 0},
    {"de1lg7wt\xff", BECH32_BAD_CHARACTER, 8},
    {"A1G7SGD8", BECH32_BAD_CHECKSUM, 0},
    {"10a06t8", BECH32_EMPTY_HRP, 0},
    {"1qzzfhee", BECH32_EMPTY_HRP, 0},
    /* BIP 350. */
    {"\x20"
     "1xj0phk",
     BECH32_BAD_CHARACTER, 0},
    {"\x7f"
     "1g6xzxy",
     BECH32_BAD_CHARACTER, 0},
    {"\x80"
     "1vctc34",
     BECH32_BAD_CHARACTER, 0},
    {"an84characterslonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber"
     "11d6p"
     "ts4",
     BECH32_TOO_LONG, 0},
    {"qyrz8wqd2c9m", BECH32_NO_SEPARATOR, 0},
    {"1qyrz8wqd2c9m", BECH32_EMPTY_HRP, 0},
    {"y1b0jsk6g", BECH32_BAD_CHARACTER, 2},
    {"lt1igcx5c0", BECH32_BAD_CHARACTER, 3},
    {"in1muywd", BECH32_TOO_SHORT, 0},
    {"mm1crxm3i", BECH32_BAD_CHARACTER, 8},
    {"au1s5cgom", BECH32_BAD_CHARACTER, 7},
    {"M1VUXWEZ", BECH32_BAD_CHECKSUM, 0},
    {"16plkw9", BECH32_EMPTY_HRP, 0},
    {"1p2gdwpf", BECH32_EMPTY_HRP, 0},
    /* And. */
    {"a12Uel5l", BECH32_MIXED_CASE, 3},
    {"", BECH32_NO_SEPARATOR, 0},
};

static void check_valid(const char *text, enum bech32_variant variant)
{
    struct bech32 decoded;
    size_t error_at;
    char again[BECH32_TEXT_MAX];

    assert_int_equal(bech32_decode(&decoded, &error_at, text, strlen(text)), BECH32_OK);
    assert_int_equal(decoded.variant, variant);
    assert_true(bech32_encode(again, &decoded));
    assert_int_equal(strlen(again), strlen(text));
    for (size_t i = 0; text[i] != '\0'; i++)
        assert_int_equal(again[i], tolower((unsigned char)text[i]));
}

static void test_valid(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof valid_bech32 / sizeof valid_bech32[0]; i++)
        check_valid(valid_bech32[i], BECH32);
    for (size_t i = 0; i < sizeof valid_bech32m / sizeof valid_bech32m[0]; i++)
        check_valid(valid_bech32m[i], BECH32M);
}

static void test_invalid(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++) {
        struct bech32 decoded;
        size_t error_at = 99;
        const enum bech32_result result =
            bech32_decode(&decoded, &error_at, invalid[i].text, strlen(invalid[i].text));
        if (result != invalid[i].result || error_at != invalid[i].error_at)
            fail_msg("%s: result %d at %zu", invalid[i].text, (int)result, error_at);
    }
}

/* A single wrong character is always found, wherever it is. */
static void test_locate_error(void **state)
{
    (void)state;
    static const char address[] =
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0";
    for (size_t at = 3; at < strlen(address); at++) {
        char text[sizeof address];
        struct bech32 decoded;
        size_t error_at, found;
        memcpy(text, address, sizeof address);
        text[at] = text[at] == 'q' ? 'p' : 'q';
        assert_int_equal(bech32_decode(&decoded, &error_at, text, strlen(text)),
                         BECH32_BAD_CHECKSUM);
        assert_true(bech32_locate_error(&found, text, strlen(text), BECH32M));
        assert_int_equal(found, at);
    }
}

static void test_regroup(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, 32);
    for (size_t round = 0; round < 1000; round++) {
        uint8_t data[40], values[65], again[41];
        const size_t len = random_below(&random, sizeof data + 1);
        size_t again_len;
        for (size_t i = 0; i < len; i++)
            data[i] = (uint8_t)random_u64(&random);
        const size_t count = bech32_from_bytes(values, data, len);
        assert_int_equal(count, (len * 8 + 4) / 5);
        assert_int_equal(bech32_to_bytes(again, &again_len, values, count),
                         BECH32_PADDING_OK);
        assert_int_equal(again_len, len);
        assert_memory_equal(again, data, len);
        values[count] = 0;
        if (len % 5 == 0)
            assert_int_equal(bech32_to_bytes(again, &again_len, values, count + 1),
                             BECH32_PADDING_TOO_LONG);
    }
    static const uint8_t not_zero[] = {0, 1};
    uint8_t out[1];
    size_t out_len;
    assert_int_equal(bech32_to_bytes(out, &out_len, not_zero, 2),
                     BECH32_PADDING_NOT_ZERO);
}

static void test_encode_refuses(void **state)
{
    (void)state;
    char text[BECH32_TEXT_MAX];
    struct bech32 upper = {.hrp = "Bc"}, empty = {.hrp = ""}, large = {.hrp = "bc"};

    assert_false(bech32_encode(text, &upper));
    assert_false(bech32_encode(text, &empty));
    large.count = 81;
    assert_true(bech32_encode(text, &large));
    large.count = 82;
    assert_false(bech32_encode(text, &large));
    large.count = 1;
    large.values[0] = 32;
    assert_false(bech32_encode(text, &large));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),          cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_locate_error),   cmocka_unit_test(test_regroup),
        cmocka_unit_test(test_encode_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
