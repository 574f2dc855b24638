/* scantxoutset's answer: amounts to the satoshi, and whatever isn't one refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "feeds/node_scan.h"

#define TXID "b4ba2b24be456aacaf743be5fe5de25eb3ebebb52f3faf75aecf45921a810101"
#define BLOCK "01ac89b6eecf51a836f04723c3655208e13c26115a90ccf75243043be9a5e6e3"
#define COIN(vout, script, amount)                                                       \
    "{\"txid\":\"" TXID "\",\"vout\":" vout ",\"scriptPubKey\":\"" script                \
    "\",\"desc\":\"raw(51)#8lvh9jxk\",\"amount\":" amount                                \
    ",\"coinbase\":true,\"height\":7,\"blockhash\":\"" BLOCK "\",\"confirmations\":2}"
#define ANSWER(coins, total)                                                             \
    "{\"result\":{\"success\":true,\"txouts\":2,\"height\":9,\"bestblock\":\"" BLOCK     \
    "\",\"unspents\":[" coins "],\"total_amount\":" total "},\"error\":null,\"id\":1}"

static struct script_set *scripts(void)
{
    static const struct bytes at[] = {{(const uint8_t *)"\x51", 1},
                                      {(const uint8_t *)"\x52\x53", 2}};
    return script_set_new(at, (uint32_t[]){0, 1}, 2, (uint64_t[]){1, 2});
}

static enum node_scan_outcome read_text(struct node_scan *out, const char *text,
                                        struct error *error)
{
    struct script_set *set = scripts();
    error->text[0] = '\0';
    enum node_scan_outcome outcome = node_scan_read(
        out, (struct bytes){(const uint8_t *)text, strlen(text)}, set, error);
    script_set_unref(set);
    if (outcome != NODE_SCAN_DONE) {
        assert_null(out->coins);
        assert_true(error->text[0]);
    }
    return outcome;
}

static void test_request(void **state)
{
    (void)state;
    struct script_set *set = scripts();
    struct writer out;
    writer_init(&out);
    node_scan_write(&out, set);
    static const char expected[] =
        "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"scantxoutset\",\"params\":"
        "[\"start\",[\"raw(51)\",\"raw(5253)\"]]}";
    assert_int_equal(out.len, strlen(expected));
    assert_memory_equal(out.data, expected, out.len);
    writer_release(&out);
    script_set_unref(set);
}

static void test_coins(void **state)
{
    (void)state;
    struct node_scan scan;
    struct error error;
    assert_int_equal(
        read_text(&scan,
                  ANSWER(COIN("5", "5253", "20999999.97690000") "," COIN(
                             "0", "51", "0.00000001") "," COIN("2", "51", "3"),
                         "21000002.97690001"),
                  &error),
        NODE_SCAN_BROKEN); /* more than there is */
    assert_int_equal(
        read_text(&scan,
                  ANSWER(COIN("5", "5253", "20999.97690000") "," COIN(
                             "0", "51", "0.00000001") "," COIN("2", "51", "3"),
                         "21002.97690001"),
                  &error),
        NODE_SCAN_DONE);
    assert_int_equal(scan.height, 9);
    assert_int_equal(scan.count, 3);
    static const uint64_t sats[] = {1, 300000000, 2099997690000};
    static const uint32_t vouts[] = {0, 2, 5}, ids[] = {0, 0, 1};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(scan.coins[i].outpoint.vout, vouts[i]);
        assert_int_equal(scan.coins[i].amount.sat, sats[i]);
        assert_int_equal(scan.coins[i].script, ids[i]);
        assert_int_equal(scan.coins[i].height, 7);
        assert_true(scan.coins[i].coinbase);
    }
    assert_int_equal(scan.coins[0].outpoint.txid.b[31], 0xb4);
    node_scan_release(&scan);
    assert_int_equal(read_text(&scan, ANSWER("", "0.00000000"), &error), NODE_SCAN_DONE);
    node_scan_release(&scan);
}

/* Each would be some number to a parser that takes amounts for floating point. */
static void test_amounts_that_are_none(void **state)
{
    (void)state;
    static const char *const amounts[] = {
        "-0.10000000", "1e-1", "0.100000000",         "1E1",  "1.",  "\"0x1\"",
        "0.1.0",       "null", "21000000.00000001",   "true", "1 0", "+1",
        "[1]",         "{}",   "99999999999999999999"};
    struct node_scan scan;
    struct error error;
    for (size_t i = 0; i < sizeof(amounts) / sizeof(*amounts); i++) {
        static const char around[] = ANSWER(COIN("0", "51", "@"), "0.1");
        const char *at = strchr(around, '@');
        char text[2048];
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - around), around, amounts[i],
                 at + 1);
        if (read_text(&scan, text, &error) != NODE_SCAN_BROKEN)
            fail_msg("%s passes for an amount", amounts[i]);
    }
}

static void test_answers_that_are_none(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "<html>",
        "{}",
        "[]",
        "{\"result\":null,\"error\":null,\"id\":1}",
        "{\"result\":{\"success\":true},\"error\":null,\"id\":2}",
        ANSWER(COIN("0", "51", "1"), "2"), /* one was left out */
        ANSWER(COIN("0", "51", "1") "," COIN("0", "51", "1"),
               "2"),                       /* one is there twice */
        ANSWER(COIN("0", "54", "1"), "1"), /* nobody asked about it */
        ANSWER("null", "0"),
        ANSWER("[" COIN("0", "51", "1") "]", "1"),
        ANSWER(COIN("4294967296", "51", "1"), "1"),
        ANSWER(COIN("0", "51", "1"), "1") "x",
        "{\"result\":{\"unspents\":[{\"txid\":\"unterminated",
    };
    struct node_scan scan;
    struct error error;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        if (read_text(&scan, texts[i], &error) != NODE_SCAN_BROKEN)
            fail_msg("passes: %s", texts[i]);
}

static void test_faults(void **state)
{
    (void)state;
    struct node_scan scan;
    struct error error;
    assert_int_equal(read_text(&scan,
                               "{\"result\":null,\"error\":{\"code\":-8,\"message\":"
                               "\"Scan already in progress, use action\"},\"id\":1}",
                               &error),
                     NODE_SCAN_BUSY);
    assert_non_null(strstr(error.text, "already in progress"));
    assert_int_equal(read_text(&scan,
                               "{\"result\":null,\"error\":{\"code\":-28,\"message\":"
                               "\"Loading\\u0007\"},\"id\":1}",
                               &error),
                     NODE_SCAN_REFUSED);
    assert_non_null(strstr(error.text, "Loading?"));
    assert_int_equal(read_text(&scan,
                               "{\"result\":{\"success\":false},\"error\":null,\"id\":1}",
                               &error),
                     NODE_SCAN_REFUSED);
}

static void test_bounds(void **state)
{
    (void)state;
    struct node_scan scan;
    struct error error;
    char *text = mem_alloc(NODE_SCAN_REPLY_MAX + 2);
    memset(text, ' ', NODE_SCAN_REPLY_MAX + 1);
    text[NODE_SCAN_REPLY_MAX + 1] = '\0';
    assert_int_equal(read_text(&scan, text, &error), NODE_SCAN_BROKEN);
    assert_non_null(strstr(error.text, "longer than"));
    memset(text, '[', 1000);
    assert_int_equal(read_text(&scan, text, &error), NODE_SCAN_BROKEN);
    for (size_t i = 1; i < NODE_SCAN_REPLY_MAX; i += 2)
        memcpy(text + i, "1,", 2);
    assert_int_equal(read_text(&scan, text, &error), NODE_SCAN_BROKEN);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_coins),
        cmocka_unit_test(test_amounts_that_are_none),
        cmocka_unit_test(test_answers_that_are_none),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
