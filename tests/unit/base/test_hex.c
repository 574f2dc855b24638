#include "base/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/random.h"

static void test_encode(void **state)
{
    (void)state;
    static const uint8_t data[] = {0x00, 0x1f, 0xa0, 0xff};
    char text[9];
    hex_encode(text, data, sizeof(data));
    assert_string_equal(text, "001fa0ff");
    hex_encode_reversed(text, data, sizeof(data));
    assert_string_equal(text, "ffa01f00");
    hex_encode(text, NULL, 0);
    assert_string_equal(text, "");
}

static void test_decode(void **state)
{
    (void)state;
    uint8_t out[4];
    assert_true(hex_decode(out, 4, "001fA0fF", 8, NULL));
    assert_memory_equal(out, ((const uint8_t[]){0x00, 0x1f, 0xa0, 0xff}), 4);
    assert_true(hex_decode_reversed(out, 4, "001fA0fF", 8));
    assert_memory_equal(out, ((const uint8_t[]){0xff, 0xa0, 0x1f, 0x00}), 4);
    assert_true(hex_decode_reversed(out, 3, "010203", 6));
    assert_memory_equal(out, ((const uint8_t[]){3, 2, 1}), 3);
    assert_true(hex_decode(out, 0, "", 0, NULL));
    assert_true(hex_decode_reversed(out, 0, "", 0));
}

static void test_decode_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t error_at;
    } cases[] = {
        {"", 0},
        {"0", 1},
        {"00", 2},
        {"000", 3},
        {"00000", 4},
        {"000000", 4},
        {"g000", 0},
        {"0g00", 1},
        {"000G", 3},
        {"00 0", 2},
        {"/000", 0},
        {":000", 0},
        {"@000", 0},
        {"`000", 0},
        {"0x00", 1},
        {"-100", 0},
        {"00\xff"
         "0",
         2},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t out[2];
        size_t error_at = 99;
        size_t len = strlen(cases[i].text);
        assert_false(hex_decode(out, sizeof(out), cases[i].text, len, &error_at));
        assert_int_equal(error_at, cases[i].error_at);
        assert_false(hex_decode_reversed(out, sizeof(out), cases[i].text, len));
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, 3);
    for (size_t len = 0; len < 100; len++) {
        uint8_t data[100], back[100];
        for (size_t i = 0; i < len; i++)
            data[i] = (uint8_t)random_u64(&random);
        char text[201];
        hex_encode(text, data, len);
        assert_true(hex_decode(back, len, text, strlen(text), NULL));
        assert_memory_equal(back, data, len);
        hex_encode_reversed(text, data, len);
        assert_true(hex_decode_reversed(back, len, text, strlen(text)));
        assert_memory_equal(back, data, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_decode_refuses),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
