#include "feeds/statement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static struct statement example(void)
{
    struct statement statement = {
        .height = 0x01020304,
        .time = {0x05060708},
        .amount = {0x00070605040302},
        .coins = 0x1122334455667788,
    };
    memset(statement.genesis.b, 0xaa, 32);
    memset(statement.block.b, 0xbb, 32);
    memset(statement.set_hash, 0xcc, 32);
    statement.block.b[31] = 0x01;
    return statement;
}

static void test_bytes(void **state)
{
    (void)state;
    uint8_t bytes[STATEMENT_SIZE], expected[STATEMENT_SIZE];
    memset(expected, 0xaa, 32);
    memcpy(expected + 32, "\x01\x02\x03\x04", 4);
    memset(expected + 36, 0xbb, 31);
    expected[67] = 0x01;
    memcpy(expected + 68, "\x05\x06\x07\x08", 4);
    memset(expected + 72, 0xcc, 32);
    memcpy(expected + 104, "\x00\x00\x07\x06\x05\x04\x03\x02", 8);
    memcpy(expected + 112, "\x11\x22\x33\x44\x55\x66\x77\x88", 8);
    struct statement in = example(), out;
    statement_to_bytes(bytes, &in);
    assert_memory_equal(bytes, expected, STATEMENT_SIZE);
    assert_false(statement_from_bytes(&out, (struct bytes){bytes, STATEMENT_SIZE - 1}));
    assert_false(statement_from_bytes(&out, (struct bytes){bytes, 0}));
    assert_true(statement_from_bytes(&out, (struct bytes){bytes, STATEMENT_SIZE}));
    assert_true(statement_equal(&in, &out));
    bytes[104] = 0x80; /* more money than there is */
    assert_false(statement_from_bytes(&out, (struct bytes){bytes, STATEMENT_SIZE}));
}

static void test_each_field_counts(void **state)
{
    (void)state;
    struct statement a = example();
    uint8_t bytes[STATEMENT_SIZE];
    statement_to_bytes(bytes, &a);
    for (size_t i = 0; i < STATEMENT_SIZE; i++) {
        if (i == 104) /* too much money */
            continue;
        struct statement b;
        bytes[i] ^= 1;
        assert_true(statement_from_bytes(&b, (struct bytes){bytes, STATEMENT_SIZE}));
        assert_false(statement_equal(&a, &b));
        bytes[i] ^= 1;
    }
}

static void test_json(void **state)
{
    (void)state;
    struct statement statement = example();
    statement.coins = 3;
    json_t *json = statement_json(&statement);
    char *text = json_dumps(json, JSON_COMPACT);
    assert_string_equal(
        text, "{\"genesis\":"
              "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
              "\"height\":16909060,"
              "\"block_hash\":"
              "\"01bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\","
              "\"time\":84281096,"
              "\"set_hash\":"
              "\"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc\","
              "\"satoshi\":7722435347202,\"coins\":3}");
    free(text);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_each_field_counts),
        cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
