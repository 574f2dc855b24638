#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "spv/ids.h"

#define GENESIS "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"

static void test_text_is_reversed(void **state)
{
    (void)state;
    struct block_hash hash;
    assert_true(block_hash_parse(&hash, GENESIS, 64));
    assert_int_equal(hash.b[0], 0x6f);
    assert_int_equal(hash.b[31], 0);
    char text[ID_TEXT_MAX];
    block_hash_text(text, &hash);
    assert_string_equal(text, GENESIS);
    struct txid txid;
    memcpy(txid.b, hash.b, sizeof(txid.b));
    txid_text(text, &txid);
    assert_string_equal(text, GENESIS);
}

static void test_parse_refuses(void **state)
{
    (void)state;
    struct block_hash hash;
    struct filter_header header;
    assert_false(block_hash_parse(&hash, GENESIS, 63));
    assert_false(block_hash_parse(&hash, GENESIS "0", 65));
    assert_false(block_hash_parse(&hash, "", 0));
    char text[] = GENESIS;
    text[40] = 'g';
    assert_false(block_hash_parse(&hash, text, 64));
    assert_false(filter_header_parse(&header, text, 64));
    assert_true(filter_header_parse(&header, GENESIS, 64));
    char back[ID_TEXT_MAX];
    filter_header_text(back, &header);
    assert_string_equal(back, GENESIS);
}

static void test_equality(void **state)
{
    (void)state;
    struct block_hash a = {{0}};
    struct block_hash b = {{0}};
    assert_true(block_hash_equal(&a, &b));
    b.b[31] = 1;
    assert_false(block_hash_equal(&a, &b));
    struct filter_header f = {{1}};
    struct filter_header g = {{1}};
    assert_true(filter_header_equal(&f, &g));
    g.b[16] = 1;
    assert_false(filter_header_equal(&f, &g));
    struct outpoint p = {.vout = 1};
    struct outpoint q = {.vout = 1};
    assert_true(outpoint_equal(&p, &q));
    q.vout = 2;
    assert_false(outpoint_equal(&p, &q));
    q = p;
    q.txid.b[0] = 1;
    assert_false(outpoint_equal(&p, &q));
}

static void test_outpoint_text(void **state)
{
    (void)state;
    struct outpoint outpoint = {.vout = UINT32_MAX};
    assert_true(hex_decode_reversed(outpoint.txid.b, 32, GENESIS, 64));
    char text[OUTPOINT_TEXT_MAX];
    outpoint_text(text, &outpoint);
    assert_string_equal(text, GENESIS ":4294967295");
    assert_int_equal(strlen(text), OUTPOINT_TEXT_MAX - 1);
}

static void test_read(void **state)
{
    (void)state;
    uint8_t raw[32 + 32 + 36];
    for (size_t i = 0; i < sizeof(raw); i++) {
        raw[i] = (uint8_t)i;
    }
    struct reader reader;
    reader_init(&reader, raw, sizeof(raw));
    struct block_hash hash = read_block_hash(&reader);
    struct filter_header header = read_filter_header(&reader);
    struct outpoint outpoint = read_outpoint(&reader);
    assert_true(reader_done(&reader));
    assert_memory_equal(hash.b, raw, 32);
    assert_memory_equal(header.b, raw + 32, 32);
    assert_memory_equal(outpoint.txid.b, raw + 64, 32);
    assert_int_equal(outpoint.vout, 0x63626160);

    reader_init(&reader, raw, 35);
    outpoint = read_outpoint(&reader);
    assert_false(reader_done(&reader));
    assert_int_equal(outpoint.vout, 0);
}

/* BIP 158's vectors: testnet3's genesis block. */
static void test_filter_header(void **state)
{
    (void)state;
    static const char filter_hex[] = "019dfca8";
    uint8_t filter[4];
    assert_true(hex_decode(filter, sizeof(filter), filter_hex, strlen(filter_hex), NULL));
    struct filter_hash hash;
    filter_hash_of(&hash, (struct bytes){filter, sizeof(filter)});
    struct filter_header previous = {{0}};
    struct filter_header next;
    filter_header_next(&next, &hash, &previous);
    char text[ID_TEXT_MAX];
    filter_header_text(text, &next);
    assert_string_equal(
        text, "21584579b7eb08997773e5aeff3a7f932700042d0ed2a6129012b7d7ae81b750");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_reversed),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_equality),
        cmocka_unit_test(test_outpoint_text),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_filter_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
