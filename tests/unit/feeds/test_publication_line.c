#include "feeds/publication_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "feeds/statement.h"

#define GENESIS "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"
#define BLOCK "00000000000000000000000000000000000000000000000000000000000000ab"
#define SET "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
#define TAIL                                                                             \
    ",\"btc_block_hash\":\"" BLOCK "\",\"observed_at\":1713571767,\"set_hash\":\"" SET   \
    "\",\"coins\":12,\"confirmations\":6,\"reason\":\"heartbeat\",\"genesis\":"          \
    "\"" GENESIS "\"}"
#define LINE                                                                             \
    "{\"round\":7,\"feed\":\"wbtc\",\"satoshi\":2100000000000000,\"btc_height\":"        \
    "840000" TAIL

static struct publication_line example(void)
{
    struct publication_line line = {
        .round = 7,
        .feed = "wbtc",
        .due = DUE_HEARTBEAT,
        .confirmations = 6,
        .report = {.height = 840000,
                   .time = {1713571767},
                   .amount = {MAX_MONEY_SAT},
                   .coins = 12},
    };
    assert_true(block_hash_parse(&line.report.genesis, GENESIS, 64));
    line.report.block.b[0] = 0xab;
    memset(line.report.set_hash, 0xcd, 32);
    return line;
}

static void test_format(void **state)
{
    (void)state;
    struct publication_line line = example();
    char text[PUBLICATION_LINE_MAX];
    size_t len = publication_line_format(text, &line);
    assert_int_equal(len, strlen(LINE) + 1);
    assert_memory_equal(text, LINE "\n", len);
}

static void test_longest_fits(void **state)
{
    (void)state;
    struct publication_line line = example();
    line.round = UINT64_MAX;
    memset(line.feed, 'x', 64);
    line.due = DUE_DEVIATION_DOWN;
    line.confirmations = UINT32_MAX;
    line.report.height = line.report.time.s = UINT32_MAX;
    line.report.amount.sat = line.report.coins = UINT64_MAX;
    char text[PUBLICATION_LINE_MAX];
    assert_in_range(publication_line_format(text, &line), 500, 600);
}

static bool parse(struct publication_line *out, const char *text)
{
    struct error error = {""};
    bool read = publication_line_parse(out, text, strlen(text), &error);
    if (!read)
        assert_true(error.text[0] != '\0');
    return read;
}

static void test_reads_back(void **state)
{
    (void)state;
    struct publication_line expected = example(), line;
    for (uint8_t due = DUE_FIRST; due <= DUE_HEARTBEAT; due++) {
        char text[PUBLICATION_LINE_MAX];
        expected.due = (enum due)due;
        expected.round++;
        size_t len = publication_line_format(text, &expected);
        struct error error;
        assert_true(publication_line_parse(&line, text, len - 1, &error));
        assert_int_equal(line.round, expected.round);
        assert_string_equal(line.feed, "wbtc");
        assert_int_equal(line.due, due);
        assert_int_equal(line.confirmations, 6);
        assert_true(statement_equal(&line.report, &expected.report));
        assert_false(publication_line_parse(&line, text, len, &error));
    }
}

static void test_faults(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "7",
        "null",
        "{",
        LINE "\n",
        LINE "x",
        " " LINE,
        LINE LINE,
        /* repeated, missing, further, reordered members */
        "{\"round\":7,\"round\":7,\"feed\":\"wbtc\",\"satoshi\":1,\"btc_height\":1" TAIL,
        "{\"round\":7,\"satoshi\":1,\"btc_height\":1" TAIL,
        "{\"x\":1,\"round\":7,\"feed\":\"wbtc\",\"satoshi\":1,\"btc_height\":1" TAIL,
        "{\"feed\":\"wbtc\",\"round\":7,\"satoshi\":1,\"btc_height\":1" TAIL,
        "{\"round\":7, \"feed\":\"wbtc\",\"satoshi\":1,\"btc_height\":1" TAIL,
        /* numbers */
        "{\"round\":7,\"feed\":\"wbtc\",\"satoshi\":1.0,\"btc_height\":1" TAIL,
        "{\"round\":7,\"feed\":\"wbtc\",\"satoshi\":1e3,\"btc_height\":1" TAIL,
        "{\"round\":7,\"feed\":\"wbtc\",\"satoshi\":\"1\",\"btc_height\":1" TAIL,
        "{\"round\":7,\"feed\":\"wbtc\",\"satoshi\":-1,\"btc_height\":1" TAIL,
        "{\"round\":7,\"feed\":\"wbtc\",\"satoshi\":-0,\"btc_height\":1" TAIL,
        "{\"round\":7,\"feed\":\"wbtc\",\"satoshi\":null,\"btc_height\":1" TAIL,
        "{\"round\":7,\"feed\":\"wbtc\",\"satoshi\":2100000000000001,\"btc_height\":"
        "1" TAIL,
        "{\"round\":7,\"feed\":\"wbtc\",\"satoshi\":18446744073709551616,\"btc_height\":"
        "1" TAIL,
        "{\"round\":0,\"feed\":\"wbtc\",\"satoshi\":1,\"btc_height\":1" TAIL,
        "{\"round\":7,\"feed\":\"wbtc\",\"satoshi\":1,\"btc_height\":4294967296" TAIL,
        /* texts */
        "{\"round\":7,\"feed\":\"w/btc\",\"satoshi\":1,\"btc_height\":1" TAIL,
        "{\"round\":7,\"feed\":\"\",\"satoshi\":1,\"btc_height\":1" TAIL,
        "{\"round\":7,\"feed\":\"\\u0077btc\",\"satoshi\":1,\"btc_height\":1" TAIL,
        "{\"round\":7,\"feed\":\"w\\u0000\",\"satoshi\":1,\"btc_height\":1" TAIL,
    };
    struct publication_line line;
    assert_true(parse(&line, LINE));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        if (parse(&line, bad[i]))
            fail_msg("read: %s", bad[i]);
    }
}

/* No beginning of a line is a line, and no other byte anywhere is the same line. */
static void test_every_byte_counts(void **state)
{
    (void)state;
    struct publication_line expected = example(), line;
    struct error error;
    char text[sizeof(LINE)] = LINE;
    for (size_t len = 0; len < sizeof(LINE) - 1; len++)
        assert_false(publication_line_parse(&line, text, len, &error));
    for (size_t i = 0; i < sizeof(LINE) - 1; i++) {
        for (int bit = 0; bit < 8; bit++) {
            text[i] = (char)(LINE[i] ^ (1 << bit));
            char written[PUBLICATION_LINE_MAX];
            if (publication_line_parse(&line, text, sizeof(LINE) - 1, &error)) {
                size_t len = publication_line_format(written, &line);
                assert_int_equal(len, sizeof(LINE));
                assert_memory_equal(written, text, len - 1);
            }
        }
        text[i] = LINE[i];
    }
    assert_true(parse(&line, text));
    assert_true(statement_equal(&line.report, &expected.report));
}

static void test_too_long(void **state)
{
    (void)state;
    static char longer[1 << 20];
    memset(longer, '[', sizeof(longer));
    struct publication_line line;
    struct error error;
    assert_false(publication_line_parse(&line, longer, sizeof(longer), &error));
    assert_false(publication_line_parse(&line, longer, PUBLICATION_LINE_MAX - 1, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_longest_fits),
        cmocka_unit_test(test_reads_back),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_every_byte_counts),
        cmocka_unit_test(test_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
