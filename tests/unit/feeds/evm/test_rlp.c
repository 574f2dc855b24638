#include "feeds/evm/rlp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"

static void assert_written(struct writer *out, const char *expected)
{
    char *text = mem_alloc(2 * out->len + 1);
    hex_encode(text, out->data, out->len);
    assert_string_equal(text, expected);
    free(text);
    writer_release(out);
}

/* The examples of Ethereum's RLP page and of its rlptest.json. */
static void test_strings(void **state)
{
    (void)state;
    static const char lorem[] =
        "Lorem ipsum dolor sit amet, consectetur adipisicing elit";
    struct writer out = {0};
    rlp_write_string(&out, "dog", 3);
    assert_written(&out, "83646f67");
    rlp_write_string(&out, "", 0);
    assert_written(&out, "80");
    rlp_write_string(&out, "\0", 1);
    assert_written(&out, "00");
    rlp_write_string(&out, "\x7f", 1);
    assert_written(&out, "7f");
    rlp_write_string(&out, "\x80", 1);
    assert_written(&out, "8180");
    rlp_write_string(&out, lorem, sizeof(lorem) - 1);
    assert_int_equal(out.data[0], 0xb8);
    assert_int_equal(out.data[1], 0x38);
    assert_int_equal(out.len, 2 + 56);
    writer_release(&out);
    /* One byte shorter fits into the first byte. */
    rlp_write_string(&out, lorem, sizeof(lorem) - 2);
    assert_int_equal(out.data[0], 0x80 + 55);
    writer_release(&out);
}

static void test_integers(void **state)
{
    (void)state;
    struct writer out = {0};
    uint8_t big[32];
    rlp_write_u64(&out, 0);
    assert_written(&out, "80");
    rlp_write_u64(&out, 15);
    assert_written(&out, "0f");
    rlp_write_u64(&out, 1024);
    assert_written(&out, "820400");
    rlp_write_u64(&out, UINT64_MAX);
    assert_written(&out, "88ffffffffffffffff");
    assert_true(hex_decode(
        big, 32, "00000000000000000102030405060708090a0b0c0d0e0f101112131415161718", 64,
        NULL));
    struct u256 value = u256_from_be(big);
    rlp_write_u256(&out, &value);
    assert_written(&out, "980102030405060708090a0b0c0d0e0f101112131415161718");
}

static void test_lists(void **state)
{
    (void)state;
    struct writer items = {0}, out = {0}, inner = {0};
    rlp_write_list(&out, (struct bytes){0});
    assert_written(&out, "c0");
    rlp_write_string(&items, "cat", 3);
    rlp_write_string(&items, "dog", 3);
    rlp_write_list(&out, (struct bytes){items.data, items.len});
    assert_written(&out, "c88363617483646f67");
    writer_release(&items);
    /* [[], [[]], [[], [[]]]] */
    rlp_write_list(&inner, (struct bytes){0});
    rlp_write_list(&items, (struct bytes){0});
    rlp_write_list(&items, (struct bytes){inner.data, inner.len});
    writer_release(&inner);
    write_bytes(&inner, items.data, items.len);
    rlp_write_list(&items, (struct bytes){inner.data, inner.len});
    rlp_write_list(&out, (struct bytes){items.data, items.len});
    assert_written(&out, "c7c0c1c0c3c0c1c0");
    writer_release(&items);
    writer_release(&inner);
}

/* Whether there is nothing but items, `single`: exactly one. */
static bool items_valid(struct bytes data, bool single)
{
    struct reader reader;
    size_t count = 0;
    reader_init(&reader, data.data, data.len);
    for (; reader.left > 0; count++) {
        struct rlp_item item = rlp_read(&reader);
        if (item.is_list && !items_valid(item.content, false))
            return false;
    }
    return reader_done(&reader) && (!single || count == 1);
}

static bool valid(const char *text)
{
    uint8_t data[128];
    size_t len = strlen(text) / 2;
    assert_true(hex_decode(data, len, text, strlen(text), NULL));
    return items_valid((struct bytes){data, len}, true);
}

/* ethereum/tests: RLPTests/invalidRLPTest.json. */
static void test_invalid(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "bf0f000000000000021111",
        "ff0f000000000000021111",
        "f80180",
        "f80100",
        "b9002100dc2b275d0f74e8a53e6f4ec61b27f24278820be3f82ea2110e582081b0565df0",
        "8100",
        "8101",
        "817f",
        "b90040000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
        "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f",
        "b800",
        "fb00000040000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
        "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f",
        "f800",
        "b81000112233445566778899aabbccddeeff",
        "b801ff",
        "f810000102030405060708090a0b0c0d0e0f",
        "f803112233",
        "8080",   /* two items */
        "c282",   /* cut off within */
        "c28100", /* within a list */
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        assert_false(valid(texts[i]));
    assert_true(valid("80"));
    assert_true(valid("c7c0c1c0c3c0c1c0"));
}

static void test_reading(void **state)
{
    (void)state;
    static const uint8_t data[] = {0xc9, 0x83, 'd',  'o',  'g',
                                   0x80, 0x82, 0x04, 0x00, 0x7f};
    struct reader reader, items;
    reader_init(&reader, data, sizeof(data));
    rlp_read_list(&items, &reader);
    assert_true(reader_done(&reader));
    struct bytes dog = rlp_read_string(&items, 3, 3);
    assert_memory_equal(dog.data, "dog", 3);
    assert_int_equal(rlp_read_u64(&items), 0);
    assert_int_equal(rlp_read_u64(&items), 1024);
    struct u256 last = rlp_read_u256(&items);
    assert_int_equal(last.limb[0], 0x7f);
    assert_true(reader_done(&items));
}

static void test_readers_refuse(void **state)
{
    (void)state;
    static const uint8_t leading_zero[] = {0x82, 0x00, 0x01};
    static const uint8_t zero[] = {0x00};
    static const uint8_t nine[] = {0x89, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    static const uint8_t list[] = {0xc0};
    struct reader reader, items;
    reader_init(&reader, leading_zero, sizeof(leading_zero));
    rlp_read_u64(&reader);
    assert_false(reader_done(&reader));
    reader_init(&reader, zero, sizeof(zero));
    rlp_read_u64(&reader);
    assert_false(reader_done(&reader));
    reader_init(&reader, nine, sizeof(nine));
    rlp_read_u64(&reader);
    assert_false(reader_done(&reader));
    reader_init(&reader, list, sizeof(list));
    rlp_read_string(&reader, 0, 10);
    assert_false(reader_done(&reader));
    reader_init(&reader, nine, sizeof(nine));
    rlp_read_list(&items, &reader);
    assert_false(reader_done(&reader));
    assert_false(reader_done(&items));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings), cmocka_unit_test(test_integers),
        cmocka_unit_test(test_lists),   cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_reading), cmocka_unit_test(test_readers_refuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
