#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/random.h"
#include "spv/block_body.h"

#include "judge_block.h"
#include "shared_data.h"

static const struct network mainnet = {.bip34_height = 227931, .segwit_height = 481824};

static void parses_a_block(void **state)
{
    (void)state;
    struct build_block built = build_valid(HEIGHT);
    struct writer out = {0};
    struct block_hash hash;
    struct block *block;
    struct error error;
    size_t len;

    built.txs[2].ins[0].witness = BYTES(1, 2, 3);
    build_commit(&built);
    build_write_block(&out, &built);
    uint8_t *raw = writer_take(&out, &len);
    block_header_hash_bytes(&hash, raw);
    assert_int_equal(block_parse(&block, raw, len, &strict, &hash, HEIGHT, &error),
                     BLOCK_VALID);

    assert_true(block_hash_equal(&block->hash, &hash));
    assert_int_equal(block->header.time.s, 1700000000);
    assert_int_equal(block->tx_count, 3);
    assert_int_equal(block->in_count, 4);
    assert_int_equal(block->out_count, 6);
    for (uint32_t t = 0; t < 3; t++) {
        const struct tx *tx = &block->txs[t];
        struct txid id = build_txid(&built.txs[t], false);
        assert_memory_equal(tx->txid.b, id.b, 32);
        assert_int_equal(tx->has_witness, t != 1);
        assert_int_equal(tx->in_count, built.txs[t].in_count);
        assert_int_equal(tx->out_count, built.txs[t].out_count);
        for (uint32_t i = 0; i < tx->in_count; i++) {
            const struct tx_in *in = &block->ins[tx->first_in + i];
            assert_true(outpoint_equal(&in->previous, &built.txs[t].ins[i].previous));
            assert_true(bytes_equal(in->script_sig, built.txs[t].ins[i].script_sig));
        }
        for (uint32_t i = 0; i < tx->out_count; i++) {
            const struct tx_out *tx_out = &block->outs[tx->first_out + i];
            assert_int_equal(tx_out->amount.sat, built.txs[t].outs[i].sat);
            assert_true(bytes_equal(tx_out->script, built.txs[t].outs[i].script));
        }
    }
    block_free(block);
}

static void valid_with_and_without_witnesses(void **state)
{
    (void)state;
    struct build_block block = build_valid(HEIGHT);

    expect(&block, BLOCK_VALID, "");
    block.txs[1].ins[1].witness = BYTES(7);
    struct build_block committed = block;
    build_commit(&committed);
    expect(&committed, BLOCK_VALID, "");
    block = build_valid(HEIGHT);
    build_commit(&block); /* a commitment is allowed where it isn't needed */
    expect(&block, BLOCK_VALID, "");
    block.tx_count = 1;
    block.txs[0].out_count = 1;
    block.txs[0].ins[0].witness = (struct bytes){0};
    expect(&block, BLOCK_VALID, "");
}

static void another_header_is_a_wrong_body(void **state)
{
    (void)state;
    struct build_block built = build_valid(HEIGHT);
    struct block_hash hash = {{1}};
    struct writer out = {0};
    struct block *block;
    struct error error;
    size_t len;

    build_write_block(&out, &built);
    uint8_t *raw = writer_take(&out, &len);
    assert_int_equal(block_parse(&block, raw, len, &strict, &hash, HEIGHT, &error),
                     BLOCK_WRONG_BODY);
    assert_null(block);
}

/* No byte of a block can change, go or come without its sender being at fault. */
static void any_damage_is_a_wrong_body(void **state)
{
    (void)state;
    struct build_block built = build_valid(HEIGHT);
    struct writer out = {0};
    struct error error;

    built.txs[1].ins[0].witness = BYTES(1, 2, 3, 4);
    built.txs[2].ins[0].witness = BYTES(0);
    build_commit(&built);
    build_write_block(&out, &built);
    for (size_t bit = BLOCK_HEADER_SIZE * 8; bit < out.len * 8; bit++) {
        out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(judge_at(out.data, out.len, &strict, HEIGHT, &error),
                         BLOCK_WRONG_BODY);
        out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t len = BLOCK_HEADER_SIZE; len < out.len; len++) {
        assert_int_equal(judge_at(out.data, len, &strict, HEIGHT, &error),
                         BLOCK_WRONG_BODY);
    }
    write_u8(&out, 0);
    assert_int_equal(judge_at(out.data, out.len, &strict, HEIGHT, &error),
                     BLOCK_WRONG_BODY);
    writer_release(&out);
}

static void short_bodies_are_wrong(void **state)
{
    (void)state;
    struct block_hash hash = {{0}};
    struct block *block;
    struct error error;

    for (size_t len = 0; len <= BLOCK_HEADER_SIZE; len++) {
        uint8_t *raw = mem_zalloc(len, 1);
        if (len == BLOCK_HEADER_SIZE) {
            block_header_hash_bytes(&hash, raw);
        }
        assert_int_equal(block_parse(&block, raw, len, &strict, &hash, 0, &error),
                         BLOCK_WRONG_BODY);
        assert_null(block);
    }
}

/* CVE-2012-2459: the third of three transactions repeated leaves the root as it is. */
static void repeated_transactions_are_a_wrong_body(void **state)
{
    (void)state;
    struct build_block block = build_valid(HEIGHT);

    block.txs[block.tx_count++] = block.txs[2];
    expect(&block, BLOCK_WRONG_BODY, "CVE-2012-2459");
}

/* The marker's other flags, and an extended form around no witness at all. */
static void strange_serialisations_are_wrong_bodies(void **state)
{
    (void)state;
    struct build_block block = build_valid(HEIGHT);
    struct writer out = {0};
    struct error error;

    block.tx_count = 1;
    block.txs[0].ins[0].witness = BYTES(1);
    build_write_block(&out, &block);
    size_t flag = BLOCK_HEADER_SIZE + 1 + 4 + 1;
    assert_int_equal(out.data[flag], 1);
    for (unsigned value = 0; value < 256; value++) {
        out.data[flag] = (uint8_t)value;
        assert_int_equal(judge_at(out.data, out.len, &strict, HEIGHT, &error),
                         BLOCK_WRONG_BODY);
    }
    out.data[flag] = 1;
    size_t stack = out.len - 4 - 3;
    assert_memory_equal(out.data + stack, "\x01\x01\x01\x00", 4);
    memmove(out.data + stack + 1, out.data + stack + 3, 4);
    out.data[stack] = 0;
    out.len -= 2;
    assert_int_equal(judge_at(out.data, out.len, &strict, HEIGHT, &error),
                     BLOCK_WRONG_BODY);
    assert_non_null(strstr(error.text, "can't be parsed"));
    writer_release(&out);
}

/* Fewer bytes than a count announces: no memory is taken for it. */
static void counts_are_bounded(void **state)
{
    (void)state;
    static const uint8_t counts[][9] = {
        {0xfe, 0xff, 0xff, 0xff, 0xff},
        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
        {0xfd, 0x01, 0x00}, /* longer than needed */
    };
    struct build_block block = build_valid(HEIGHT);
    struct writer out = {0};
    struct error error;

    build_write_block(&out, &block);
    static const size_t places[] = {BLOCK_HEADER_SIZE, BLOCK_HEADER_SIZE + 1 + 4};
    for (size_t p = 0; p < 2; p++) {
        for (size_t c = 0; c < 3; c++) {
            struct writer bad = {0};
            size_t len = counts[c][0] == 0xfd ? 3 : counts[c][0] == 0xfe ? 5 : 9;
            write_bytes(&bad, out.data, places[p]);
            write_bytes(&bad, counts[c], len);
            write_bytes(&bad, out.data + places[p] + 1, out.len - places[p] - 1);
            assert_int_equal(judge_at(bad.data, bad.len, &strict, HEIGHT, &error),
                             BLOCK_WRONG_BODY);
            writer_release(&bad);
        }
    }
    writer_release(&out);
}

static uint8_t *read_shared(const char *name, size_t *len)
{
    uint8_t *data = shared_data(name, len);

    if (data == NULL) {
        skip();
    }
    return data;
}

struct known_block {
    const char *file, *hash, *last_txid;
    uint32_t height, txs, ins, outs;
    uint64_t stripped_size;
};

static const struct known_block known_blocks[] = {
    {"mainnet/block-831328.bin",
     "00000000000000000002460ebd4c84e75627a5c4c07e5b1d6b91325c4e4558d6",
     "09434108aa737cc3a33b75a19b045aa2668cb45179caef0b11d95cd4f81af25c", 831328, 1979,
     4642, 8134, 674286},
    {"mainnet/block-831329.bin",
     "000000000000000000018f3b60378b18af0b8f1f411d1e60334f15315d0a9e82",
     "ccce1a90eec114292047d661563e7fa5539817539b51da8f1d16a44e877f061c", 831329, 2544,
     6859, 9792, 808910},
};

static void accepts_real_blocks(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct known_block *known = &known_blocks[i];
        size_t len = 0;
        uint8_t *raw = read_shared(known->file, &len);
        struct block_body body = {0};
        struct block_hash hash;
        struct block *block;
        struct error error;
        char text[ID_TEXT_MAX];

        assert_true(block_hash_parse(&hash, known->hash, 64));
        if (block_parse(&block, raw, len, &mainnet, &hash, known->height, &error) !=
            BLOCK_VALID) {
            fail_msg("%s", error.text);
        }
        assert_int_equal(block->tx_count, known->txs);
        assert_int_equal(block->in_count, known->ins);
        assert_int_equal(block->out_count, known->outs);
        txid_text(text, &block->txs[known->txs - 1].txid);
        assert_string_equal(text, known->last_txid);

        struct block again = {.raw = block->raw, .raw_len = block->raw_len};
        assert_true(block_body_parse(&body, &again, &error));
        assert_int_equal(body.stripped_size, known->stripped_size);
        block_body_release(&body);
        free(again.txs);
        free(again.ins);
        free(again.outs);
        block_free(block);
    }
}

static void damaged_real_blocks_are_wrong_bodies(void **state)
{
    (void)state;
    struct random random;

    random_init(&random, 6);
    for (size_t i = 0; i < 2; i++) {
        size_t len = 0;
        uint8_t *raw = read_shared(known_blocks[i].file, &len);
        uint32_t height = known_blocks[i].height;
        struct error error;

        for (int n = 0; n < 40; n++) {
            size_t at =
                BLOCK_HEADER_SIZE + random_below(&random, len - BLOCK_HEADER_SIZE);
            uint8_t mask = (uint8_t)(1 << random_below(&random, 8));
            raw[at] ^= mask;
            assert_int_equal(judge_at(raw, len, &mainnet, height, &error),
                             BLOCK_WRONG_BODY);
            raw[at] ^= mask;
        }
        assert_int_equal(judge_at(raw, len - 1, &mainnet, height, &error),
                         BLOCK_WRONG_BODY);
        assert_int_equal(judge_at(raw, len, &mainnet, height, &error), BLOCK_VALID);
        assert_int_equal(judge_at(raw, len, &mainnet, height + 1, &error), BLOCK_INVALID);
        free(raw);
    }
}

/* ---- transactions by themselves ---- */

static bool parse_tx_of(const struct build_tx *tx, struct error *error)
{
    struct writer raw = {0};
    struct block *block;
    build_write_tx(&raw, tx, true);
    bool good = transaction_parse(&block, (struct bytes){raw.data, raw.len}, error);
    assert_true(good == (block != NULL));
    if (good) {
        struct txid id = build_txid(tx, false);
        assert_memory_equal(block->txs[0].txid.b, id.b, 32);
        assert_int_equal(block->tx_count, 1);
        assert_int_equal(block->in_count, tx->in_count);
        assert_int_equal(block->out_count, tx->out_count);
    }
    block_free(block);
    /* One byte more or less is no transaction. */
    write_u8(&raw, 0);
    for (size_t len = 0; len <= raw.len; len++) {
        if (len == raw.len - 1)
            continue;
        struct error ignored;
        assert_false(transaction_parse(&block, (struct bytes){raw.data, len}, &ignored));
    }
    writer_release(&raw);
    return good;
}

static void transactions_by_themselves(void **state)
{
    (void)state;
    struct error error;
    struct build_block valid = build_valid(5);
    struct build_tx tx = valid.txs[1];
    assert_true(parse_tx_of(&tx, &error));
    tx.ins[1].witness = BYTES(1, 2, 3);
    assert_true(parse_tx_of(&tx, &error));
    tx.ins[1].previous = tx.ins[0].previous;
    assert_false(parse_tx_of(&tx, &error));
    assert_non_null(strstr(error.text, "spends an outpoint twice"));
    tx = valid.txs[1];
    tx.outs[1].sat = MAX_MONEY_SAT;
    assert_false(parse_tx_of(&tx, &error));
    assert_non_null(strstr(error.text, "21 million"));
    tx = valid.txs[1];
    tx.out_count = 0;
    assert_false(parse_tx_of(&tx, &error));
    assert_false(parse_tx_of(&valid.txs[0], &error));
    assert_non_null(strstr(error.text, "coinbase"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_a_block),
        cmocka_unit_test(valid_with_and_without_witnesses),
        cmocka_unit_test(another_header_is_a_wrong_body),
        cmocka_unit_test(any_damage_is_a_wrong_body),
        cmocka_unit_test(short_bodies_are_wrong),
        cmocka_unit_test(repeated_transactions_are_a_wrong_body),
        cmocka_unit_test(strange_serialisations_are_wrong_bodies),
        cmocka_unit_test(counts_are_bounded),
        cmocka_unit_test(transactions_by_themselves),
        cmocka_unit_test(accepts_real_blocks),
        cmocka_unit_test(damaged_real_blocks_are_wrong_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
