#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/hex.h"
#include "base/mem.h"
#include "feeds/watch_list.h"
#include "spv/address.h"

#define GENESIS "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
#define GENESIS_SCRIPT "76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac"
#define SCRIPT_HASH "3PUNyaW7M55oKWJ3kDukwk9bsKvryra15j"
#define WITNESS "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
#define WITNESS_UPPER "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4"
#define WITNESS_SCRIPT "0014751e76e8199196d454941c45d1b3a323f1433bd6"
#define TAPROOT "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"

static const uint64_t seed[2] = {1, 2};

static bool parse_bytes(struct watch_list *list, struct watch_list_errors *errors,
                        const char *text, size_t len)
{
    /* On the heap and of exactly that size, so that a sanitizer sees a byte too far. */
    char *copy = mem_alloc(len);
    memcpy(copy, text, len);
    const bool ok = watch_list_parse(list, errors, network_find("mainnet"), "list.csv",
                                     copy, len, seed);
    free(copy);
    return ok;
}

static void parse_good(struct watch_list *list, const char *text)
{
    struct watch_list_errors errors;
    if (!parse_bytes(list, &errors, text, strlen(text)))
        fail_msg("%s\n%s", text, errors.items[0].text);
}

static void expect_entry(const struct watch_list *list, size_t index, const char *script,
                         const char *label, uint32_t birth, uint32_t line)
{
    assert_true(index < list->count);
    const struct watch_entry *entry = &list->entries[index];
    char hex[256];
    assert_true(entry->script_len < sizeof hex / 2);
    hex_encode(hex, entry->script, entry->script_len);
    assert_string_equal(hex, script);
    if (label == NULL)
        assert_null(entry->label);
    else
        assert_string_equal(entry->label, label);
    assert_int_equal(entry->birth, birth);
    assert_int_equal(entry->line, line);
}

/* The errors, each "line:column: reason", of which the beginning is compared. */
static void expect_errors(const char *text, size_t count, const char *const *expected)
{
    struct watch_list list;
    struct watch_list_errors errors;

    assert_false(parse_bytes(&list, &errors, text, strlen(text)));
    assert_int_equal(list.count, 0);
    assert_null(list.entries);
    for (size_t i = 0; i < count && i < errors.count; i++) {
        char whole[600];
        snprintf(whole, sizeof whole, "list.csv:%s", expected[i]);
        if (strncmp(errors.items[i].text, whole, strlen(whole)) != 0)
            fail_msg("%s\nis: %s\nnot: %s", text, errors.items[i].text, whole);
    }
    assert_int_equal(errors.count, count);
}

static void expect_error(const char *text, const char *expected)
{
    expect_errors(text, 1, &expected);
}

static void test_plain(void **state)
{
    (void)state;
    struct watch_list list;

    parse_good(&list, "# cold wallets\n\n" GENESIS "\n  \t\n   " WITNESS "  \nraw(51)");
    assert_int_equal(list.count, 3);
    expect_entry(&list, 0, GENESIS_SCRIPT, NULL, 0, 3);
    expect_entry(&list, 1, WITNESS_SCRIPT, NULL, 0, 5);
    expect_entry(&list, 2, "51", NULL, 0, 6);
    watch_list_release(&list);
}

static void test_csv(void **state)
{
    (void)state;
    struct watch_list list;

    parse_good(&list, "address,label,birth_height\n" GENESIS ",The first,0\n" WITNESS
                      ",\"cold, \"\"A\"\"\",800000\n"
                      "addr(" SCRIPT_HASH "),,\n"
                      "raw(51), \"a b\" , 2147483647\n"
                      "\"raw(52)\",caf\xc3\xa9\n");
    assert_int_equal(list.count, 5);
    expect_entry(&list, 0, GENESIS_SCRIPT, "The first", 0, 2);
    expect_entry(&list, 1, WITNESS_SCRIPT, "cold, \"A\"", 800000, 3);
    expect_entry(&list, 2, "a914eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee87", NULL, 0, 4);
    expect_entry(&list, 3, "51", "a b", 2147483647, 5);
    expect_entry(&list, 4, "52", "caf\xc3\xa9", 0, 6);
    watch_list_release(&list);
}

static void test_headers(void **state)
{
    (void)state;
    static const char *const headers[] = {"address", "address,", "address,label",
                                          "# list\n\n\"address\" , label,birth_height"};
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        struct watch_list list;
        struct watch_list_errors errors;
        char text[200];
        snprintf(text, sizeof text, "%s\n%s\n", headers[i], GENESIS);
        if (i == 1) {
            expect_error(text, "1:9: column 2 of the header must be 'label'");
            continue;
        }
        assert_true(parse_bytes(&list, &errors, text, strlen(text)));
        assert_int_equal(list.count, 1);
        watch_list_release(&list);
    }
    expect_error("address,birth_height\n", "1:9: column 2 of the header must be 'label'");
    /* Only in front of all entries. */
    expect_error(GENESIS "\naddress,label\n", "2:");
}

static void test_byte_order_mark_and_crlf(void **state)
{
    (void)state;
    struct watch_list list;

    parse_good(&list, "\xef\xbb\xbf" GENESIS ",a\r\n\r\n" WITNESS "\r\n");
    assert_int_equal(list.count, 2);
    expect_entry(&list, 0, GENESIS_SCRIPT, "a", 0, 1);
    expect_entry(&list, 1, WITNESS_SCRIPT, NULL, 0, 3);
    watch_list_release(&list);
    parse_good(&list, "\xef\xbb\xbf[\r\n\"" GENESIS "\"]\r\n");
    expect_entry(&list, 0, GENESIS_SCRIPT, NULL, 0, 2);
    watch_list_release(&list);
    expect_error("\xff\xfe"
                 "1A",
                 "1:1: the list is UTF-16");
}

static void test_empty_lists(void **state)
{
    (void)state;
    static const char *const lists[] = {
        "", "\n\n", "# nothing\n", "address,label\n", " [] ", "{\"addresses\": []}"};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct watch_list list;
        parse_good(&list, lists[i]);
        assert_int_equal(list.count, 0);
        watch_list_release(&list);
    }
}

static void test_json(void **state)
{
    (void)state;
    struct watch_list list;

    parse_good(&list, "{\"addresses\": [\n"
                      "  \"" GENESIS "\",\n"
                      "  {\"address\": \"" WITNESS "\", \"label\": \"caf\\u00e9\",\n"
                      "   \"birth_height\": 481824},\n"
                      "  {\"label\": \"\", \"descriptor\": \"raw(51)\"}\n"
                      "]}\n");
    assert_int_equal(list.count, 3);
    expect_entry(&list, 0, GENESIS_SCRIPT, NULL, 0, 2);
    expect_entry(&list, 1, WITNESS_SCRIPT, "caf\xc3\xa9", 481824, 3);
    expect_entry(&list, 2, "51", NULL, 0, 5);
    watch_list_release(&list);

    parse_good(&list, "[\"raw(51)\", {\"address\": \"raw(5\\u0032)\"}]");
    expect_entry(&list, 0, "51", NULL, 0, 1);
    expect_entry(&list, 1, "52", NULL, 0, 1);
    watch_list_release(&list);
}

static void test_line_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *error;
    } bad[] = {
        {"\n  1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfO", "2:35: character 'O'"},
        {"addr(1A1zO)", "1:10: character 'O'"},
        {"\"1A1zO\"", "1:6: character 'O'"},
        {",label", "1:1: empty address"},
        {GENESIS ",a,b", "1:38: the birth height"},
        {GENESIS ",caf\xc3\xa9, 1.5", "1:42: the birth height"},
        {GENESIS ",,-1", "1:37: the birth height"},
        {GENESIS ",,2147483648", "1:37: the birth height"},
        {GENESIS ",,99999999999999999999999999", "1:37: the birth height"},
        {GENESIS ",a,1,", "1:40: more than 3 columns"},
        {GENESIS ",\"a", "1:36: the quote isn't closed"},
        {GENESIS ",\"a\"b", "1:39: text after the closing quote"},
        {GENESIS ",a\"b\"", "1:37: a quote inside a field"},
        {GENESIS ",a\tb", "1:37: control character U+0009"},
        {GENESIS ",a\x7f", "1:37: control character U+007F"},
        {GENESIS ",\xc3\xa9\xc2\x85", "1:37: control character U+0085"},
        {GENESIS ",a\xe2\x80\xae", "1:37: control character U+202E"},
        {GENESIS ",a\xff", "1:37: label isn't UTF-8 at byte 0xff"},
        {GENESIS ",a\xc0\x80", "1:37: label isn't UTF-8"},
        {GENESIS ",a\xed\xa0\x80", "1:37: label isn't UTF-8"},
        {GENESIS ",a\xf4\x90\x80\x80", "1:37: label isn't UTF-8"},
        {GENESIS ",a\xe2\x82", "1:37: label isn't UTF-8"},
        {GENESIS "\r" WITNESS, "1:35: byte 0x0d"},
        {"mpXwg4jMtRhuSpVq4xS3HFHmCmWp9NyGKt", "1:1: address of testnet3"},
        {"raw(6a)", "1:5: OP_RETURN"},
        {"wpkh(xpub/0/*)", "1:1: descriptor wpkh()"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_error(bad[i].text, bad[i].error);
}

static void test_json_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *error;
    } bad[] = {
        {"[\"1A1zO\"]", "1:7: character 'O'"},
        {"[\n\n {\"label\": \"x\",\n  \"address\": \"1A1zO\"}]", "4:19: character 'O'"},
        /* An escape leaves the string as the nearest place. */
        {"[\"1A\\u0031zO\"]", "1:3: character 'O'"},
        {"[1]", "1:2: the entry, if it isn't an object, must be a string"},
        {"[null]", "1:2: the entry"},
        {"[[\"" GENESIS "\"]]", "1:2: the entry"},
        {"[{}]", "1:2: an entry without address or descriptor"},
        {"[{\"label\": \"x\"}]", "1:2: an entry without address"},
        {"[{\"adress\": \"x\"}]", "1:3: unknown key 'adress'"},
        {"[{\"address\": 1}]", "1:14: the address or descriptor must be a string"},
        {"[{\"address\": \"raw(51)\", \"descriptor\": \"raw(51)\"}]",
         "1:39: a second address or descriptor"},
        {"[{\"address\": \"raw(51)\", \"address\": \"raw(52)\"}]",
         "1:36: a second address"},
        {"[{\"address\": \"raw(51)\", \"label\": null}]",
         "1:34: the label must be a string"},
        {"[{\"address\": \"raw(51)\", \"label\": \"a\", \"label\": \"a\"}]",
         "1:48: a second label"},
        {"[{\"address\": \"raw(51)\", \"label\": \"a\\n\"}]",
         "1:35: control character U+000A"},
        {"[{\"address\": \"raw(51)\", \"birth_height\": \"1\"}]",
         "1:41: the birth height"},
        {"[{\"address\": \"raw(51)\", \"birth_height\": 1.0}]", "1:41: the birth height"},
        {"[{\"address\": \"raw(51)\", \"birth_height\": -1}]", "1:41: the birth height"},
        {"[{\"address\": \"raw(51)\", \"birth_height\": 2147483648}]",
         "1:41: the birth height"},
        {"[{\"address\": \"raw(51)\", \"birth_height\": 1, \"birth_height\": 1}]",
         "1:60: a second birth height"},
        {"{}", "1:1: the object has no key 'addresses'"},
        {"{\"addresses\": {}}", "1:15: 'addresses' must be an array"},
        {"{\"addresses\": [], \"addresses\": []}", "1:19: a second key 'addresses'"},
        {"{\"addresses\": [], \"list\": [1, {}]}", "1:19: unknown key 'list'"},
        {"[] []", "1:4: text after the end"},
        {"[", "1:2: JSON:"},
        {"[\"raw(51)\"", "1:11: JSON: ',' or ']' is expected"},
        {"[\"raw(51)\",]", "1:12: JSON:"},
        {"[\"raw(51)\" \"raw(52)\"]", "1:12: JSON: ',' or ']' is expected"},
        {"[{\"address\"}]", "1:12: JSON: ':' is expected"},
        {"[{\"address\": \"raw(51)\",}]", "1:24: JSON: a key in double quotes"},
        {"[{\"address\": \"raw(51)\"", "1:23: JSON: ',' or '}' is expected"},
        {"[{address: 1}]", "1:3: JSON: a key in double quotes"},
        {"{\"addresses\":\n[\"raw(51)\",\n nope]}", "3:"},
        {"[\"raw(51)\\u0000\"]", "1:"},
        {"[\"raw(51)\xff\"]", "1:"},
        {"[# no comments\n]", "1:"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_error(bad[i].text, bad[i].error);
}

static void test_duplicates(void **state)
{
    (void)state;
    expect_error(WITNESS "\n" GENESIS "\naddr(" WITNESS_UPPER ")\n",
                 "3:1: the same script as in line 1");
    expect_error("raw(" WITNESS_SCRIPT ")\n\n" WITNESS ",again\n",
                 "3:1: the same script as in line 1");
    expect_error("[\"" WITNESS "\",\n\"" TAPROOT "\",\n{\"address\": \"" WITNESS_UPPER
                 "\"}]",
                 "3:14: the same script as in line 1");
}

static void test_all_errors_are_collected(void **state)
{
    (void)state;
    static const char *const lines[] = {"1:38: control character",
                                        "1:40: the birth height", "2:1: the same script",
                                        "4:5: OP_RETURN"};
    expect_errors(GENESIS ",\t.\x01,x\n" GENESIS "\n" WITNESS "\nraw(6a)\n", 4, lines);
    static const char *const quotes[] = {"1:36: the quote isn't closed",
                                         "2:2: a quote inside a field"};
    expect_errors(GENESIS ",\"a\nb\"\n", 2, quotes);
    static const char *const json[] = {"1:6: character 'O'", "2:3: unknown key 'x'",
                                       "2:23: character 'O'"};
    expect_errors("[\"1A1O\",\n {\"x\": 1, \"address\": \"O\"}]", 3, json);

    char text[30 * 3 + 1];
    struct watch_list list;
    struct watch_list_errors errors;
    for (size_t i = 0; i < 30; i++)
        memcpy(text + 3 * i, "1O\n", 4);
    assert_false(parse_bytes(&list, &errors, text, strlen(text)));
    assert_int_equal(errors.count, WATCH_LIST_ERRORS_MAX);
    assert_int_equal(errors.more, 10);
}

static void test_label_length(void **state)
{
    (void)state;
    char text[2 * WATCH_LABEL_MAX + 64];
    struct watch_list list;
    struct watch_list_errors errors;

    snprintf(text, sizeof text, "raw(51),%0*d", WATCH_LABEL_MAX, 7);
    parse_good(&list, text);
    assert_int_equal(strlen(list.entries[0].label), WATCH_LABEL_MAX);
    watch_list_release(&list);
    snprintf(text, sizeof text, "raw(51),%0*d", WATCH_LABEL_MAX + 1, 7);
    expect_error(text, "1:9: label of 257 bytes");

    /* Doubled quotes count as what they stand for. */
    size_t len = (size_t)snprintf(text, sizeof text, "raw(51),\"");
    for (size_t i = 0; i < 2 * WATCH_LABEL_MAX; i++)
        text[len++] = '"';
    text[len++] = '"';
    assert_true(parse_bytes(&list, &errors, text, len));
    assert_int_equal(strlen(list.entries[0].label), WATCH_LABEL_MAX);
    watch_list_release(&list);
    memcpy(text + len, "\"\"", 2);
    assert_false(parse_bytes(&list, &errors, text, len + 2));
}

static void test_size_limit(void **state)
{
    (void)state;
    struct watch_list list;
    struct watch_list_errors errors;

    /* Refused before a byte is looked at. */
    assert_false(watch_list_parse(&list, &errors, network_find("mainnet"), "list.csv",
                                  GENESIS, WATCH_LIST_SIZE_MAX + 1, seed));
    assert_non_null(strstr(errors.items[0].text, "split it"));
}

/* Many entries, each of its own script, in the order of the list. */
static void test_large_list(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    const struct network *network = network_find("mainnet");
    char *text = mem_alloc(COUNT * 64);
    size_t len = 0;
    struct watch_list list;
    struct watch_list_errors errors;

    for (uint32_t i = 0; i < COUNT; i++) {
        uint8_t script[22] = {0x00, 0x14};
        char address[ADDRESS_TEXT_MAX];
        put_u32be(script + 2, i);
        assert_true(address_encode(address, network, (struct bytes){script, 22}));
        len += (size_t)sprintf(text + len, "%s,,%u\n", address, i);
    }
    assert_true(watch_list_parse(&list, &errors, network, "list.csv", text, len, seed));
    assert_int_equal(list.count, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(get_u32be(list.entries[i].script + 2), i);
        assert_int_equal(list.entries[i].birth, i);
        assert_int_equal(list.entries[i].line, i + 1);
    }
    watch_list_release(&list);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_byte_order_mark_and_crlf),
        cmocka_unit_test(test_empty_lists),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_line_errors),
        cmocka_unit_test(test_json_errors),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_all_errors_are_collected),
        cmocka_unit_test(test_label_length),
        cmocka_unit_test(test_size_limit),
        cmocka_unit_test(test_large_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
