#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "judge_block.h"

/* A header may commit to no transactions at all. */
static void nothing_committed_to_is_invalid(void **state)
{
    (void)state;
    struct build_block block = {.tx_count = 0};

    expect(&block, BLOCK_INVALID, "coinbase");
}

/* Not siblings, so that the header does commit to it. */
static void repeated_elsewhere_is_invalid(void **state)
{
    (void)state;
    struct build_block block = build_valid(HEIGHT);

    block.txs[block.tx_count++] = block.txs[1];
    expect(&block, BLOCK_INVALID, "twice");
}

/* 60 bytes and its scripts'. */
static struct build_tx small_tx(struct bytes script_sig)
{
    static const uint8_t pay[] = {0x51};

    return (struct build_tx){
        .ins = {{.previous = {{{8}}, 1}, .script_sig = script_sig}},
        .in_count = 1,
        .outs = {{1, {pay, 1}}},
        .out_count = 1,
    };
}

static void node_sized_transactions(void **state)
{
    (void)state;
    struct build_block block = build_valid(HEIGHT);

    block.txs[2] = small_tx(BYTES(1, 2, 3));
    assert_int_equal(block.txs[2].in_count, 1);
    expect(&block, BLOCK_VALID, "");
    block.txs[0] = block.txs[2];
    block.tx_count = 1;
    expect(&block, BLOCK_WRONG_BODY, "CVE-2017-12842");
    block.txs[0].ins[0].witness = BYTES(5); /* its stripped form counts */
    expect(&block, BLOCK_WRONG_BODY, "CVE-2017-12842");
    block.txs[0] = small_tx(BYTES(1, 2));
    expect(&block, BLOCK_INVALID, "isn't a coinbase");
}

static void the_coinbase_is_first_and_only(void **state)
{
    (void)state;
    struct build_block block = build_valid(HEIGHT);

    block.txs[1] = block.txs[0];
    block.txs[1].outs[0].sat = 1;
    expect(&block, BLOCK_INVALID, "isn't the first");
    block = build_valid(HEIGHT);
    block.txs[1].ins[1] = block.txs[0].ins[0];
    expect(&block, BLOCK_INVALID, "isn't the first");
    block = build_valid(HEIGHT);
    block.txs[0].ins[1] = block.txs[1].ins[0];
    block.txs[0].in_count = 2;
    expect(&block, BLOCK_INVALID, "isn't a coinbase");
    block = build_valid(HEIGHT);
    block.txs[0].ins[0].previous.vout = 0;
    expect(&block, BLOCK_INVALID, "isn't a coinbase");
}

static void coinbase_script_sizes(void **state)
{
    (void)state;
    uint8_t script[101] = {0x50 + HEIGHT};
    struct build_block block = build_valid(HEIGHT);

    static const struct {
        size_t len;
        enum block_verdict verdict;
    } cases[] = {{0, BLOCK_INVALID},
                 {1, BLOCK_INVALID},
                 {2, BLOCK_VALID},
                 {100, BLOCK_VALID},
                 {101, BLOCK_INVALID}};
    for (size_t i = 0; i < 5; i++) {
        block.txs[0].ins[0].script_sig = (struct bytes){script, cases[i].len};
        expect_at(&block, &lax, HEIGHT, cases[i].verdict, "");
    }
}

static void coinbase_heights(void **state)
{
    (void)state;
    static const struct {
        uint32_t height;
        uint8_t script[6];
        size_t len;
        enum block_verdict verdict;
    } cases[] = {
        {0, {0x00, 0}, 2, BLOCK_VALID},
        {1, {0x51, 0}, 2, BLOCK_VALID},
        {1, {0x01, 0x01}, 2, BLOCK_INVALID}, /* not the shortest push */
        {16, {0x60, 0}, 2, BLOCK_VALID},
        {17, {0x01, 0x11}, 2, BLOCK_VALID},
        {17, {0x61, 0x11}, 2, BLOCK_INVALID},
        {127, {0x01, 0x7f}, 2, BLOCK_VALID},
        {128, {0x02, 0x80, 0x00}, 3, BLOCK_VALID},
        {128, {0x01, 0x80}, 2, BLOCK_INVALID},
        {128, {0x02, 0x80}, 2, BLOCK_INVALID},
        {255, {0x02, 0xff, 0x00}, 3, BLOCK_VALID},
        {256, {0x02, 0x00, 0x01}, 3, BLOCK_VALID},
        {32768, {0x03, 0x00, 0x80, 0x00}, 4, BLOCK_VALID},
        {831328, {0x03, 0x60, 0xaf, 0x0c}, 4, BLOCK_VALID},
        {831328, {0x03, 0x61, 0xaf, 0x0c}, 4, BLOCK_INVALID},
        {0x80000000, {0x05, 0x00, 0x00, 0x00, 0x80, 0x00}, 6, BLOCK_VALID},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct build_block block = build_valid(HEIGHT);
        block.txs[0].ins[0].script_sig = (struct bytes){cases[i].script, cases[i].len};
        expect_at(&block, &strict, cases[i].height, cases[i].verdict,
                  cases[i].verdict == BLOCK_VALID ? "" : "BIP 34");
    }
    /* Before BIP 34 it may say anything. */
    struct build_block block = build_valid(HEIGHT);
    expect_at(&block, &lax, 999, BLOCK_VALID, "");
    expect_at(&block, &lax, 1000, BLOCK_INVALID, "BIP 34");
}

static void transactions_have_inputs_and_outputs(void **state)
{
    (void)state;
    struct build_block block = build_valid(HEIGHT);

    block.txs[2].out_count = 0;
    expect(&block, BLOCK_INVALID, "no outputs");
    block.txs[2].in_count = 0;
    expect(&block, BLOCK_INVALID, "no inputs");
    /* Outputs without inputs look like the extended form, and not like one of it. */
    block.txs[2].out_count = 1;
    expect(&block, BLOCK_WRONG_BODY, "can't be parsed");
    block = build_valid(HEIGHT);
    block.txs[0].out_count = 0;
    expect(&block, BLOCK_INVALID, "no outputs");
}

static void amounts_in_range(void **state)
{
    (void)state;
    struct build_block block = build_valid(HEIGHT);
    struct build_tx *tx = &block.txs[2];

    tx->outs[0].sat = MAX_MONEY_SAT;
    expect(&block, BLOCK_VALID, "");
    tx->outs[0].sat = MAX_MONEY_SAT + 1;
    expect(&block, BLOCK_INVALID, "21 million");
    tx->outs[0].sat = UINT64_MAX; /* minus one */
    expect(&block, BLOCK_INVALID, "21 million");
    tx->outs[0].sat = MAX_MONEY_SAT;
    tx->outs[1] = (struct build_out){0, BYTES(0x51)};
    tx->out_count = 2;
    expect(&block, BLOCK_VALID, "");
    tx->outs[1].sat = 1;
    expect(&block, BLOCK_INVALID, "21 million");
    tx->outs[0].sat = 1;
    tx->outs[1].sat = UINT64_MAX; /* the sum wraps */
    expect(&block, BLOCK_INVALID, "21 million");
}

static void nothing_is_spent_twice(void **state)
{
    (void)state;
    struct build_block block = build_valid(HEIGHT);

    block.txs[1].ins[1].previous = block.txs[1].ins[0].previous; /* CVE-2018-17144 */
    block.txs[2].ins[0].previous = (struct outpoint){build_txid(&block.txs[1], false), 2};
    expect(&block, BLOCK_INVALID, "spent before");
    block = build_valid(HEIGHT);
    block.txs[2].ins[1].previous = block.txs[1].ins[1].previous;
    block.txs[2].in_count = 2;
    expect(&block, BLOCK_INVALID, "spent before");
    block.txs[2].ins[1].previous.vout = 77;
    expect(&block, BLOCK_VALID, "");
}

static void spends_inside_the_block(void **state)
{
    (void)state;
    struct build_block block = build_valid(HEIGHT);
    struct build_tx swap = block.txs[1];

    block.txs[1] = block.txs[2];
    block.txs[2] = swap;
    expect(&block, BLOCK_INVALID, "isn't before it");
    block = build_valid(HEIGHT);
    block.txs[2].ins[0].previous.vout = 3;
    expect(&block, BLOCK_INVALID, "lacks");
    block = build_valid(HEIGHT);
    block.txs[2].ins[0].previous = (struct outpoint){build_txid(&block.txs[0], false), 0};
    expect(&block, BLOCK_INVALID, "coinbase");
}

/* BIP 141. Witnesses aren't covered by txids: whatever is wrong with them, another body
 * for the same header may be right. */
static void witnesses_are_committed_to(void **state)
{
    (void)state;
    struct build_block block = build_valid(HEIGHT);

    block.txs[1].ins[0].witness = BYTES(1);
    expect(&block, BLOCK_WRONG_BODY, "nothing commits");
    build_commit(&block);
    expect(&block, BLOCK_VALID, "");
    struct build_block changed = block;
    changed.txs[1].ins[0].witness = BYTES(2);
    expect(&changed, BLOCK_WRONG_BODY, "committed to");
    changed.txs[1].ins[0].witness = (struct bytes){0};
    expect(&changed, BLOCK_WRONG_BODY, "committed to");
    changed = block;
    changed.txs[0].ins[0].witness = (struct bytes){0};
    expect(&changed, BLOCK_WRONG_BODY, "32 bytes");
    static const uint8_t other[33] = {1};
    changed.txs[0].ins[0].witness = (struct bytes){other, 33};
    expect(&changed, BLOCK_WRONG_BODY, "32 bytes");
    changed.txs[0].ins[0].witness = (struct bytes){other, 32};
    expect(&changed, BLOCK_WRONG_BODY, "committed to");
    /* A commitment means nothing before segwit, and witnesses don't belong there. */
    expect_at(&block, &lax, 999, BLOCK_WRONG_BODY, "nothing commits");
}

static void the_last_commitment_counts(void **state)
{
    (void)state;
    struct build_block block = build_valid(HEIGHT);
    struct build_tx *coinbase = &block.txs[0];
    uint8_t false_one[40] = {0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed};

    block.txs[1].ins[0].witness = BYTES(1);
    coinbase->outs[coinbase->out_count++] = (struct build_out){0, {false_one, 38}};
    build_commit(&block);
    expect(&block, BLOCK_VALID, "");
    /* One byte short of a commitment. */
    coinbase->outs[coinbase->out_count++] = (struct build_out){0, {false_one, 37}};
    expect(&block, BLOCK_VALID, "");
    coinbase->outs[coinbase->out_count - 1].script.len = 40; /* longer is one, too */
    expect(&block, BLOCK_WRONG_BODY, "committed to");
}

/* Weight 4,000,000 exactly, and one witness byte or stripped byte too many. */
static void weights(void **state)
{
    (void)state;
    static uint8_t filler[BLOCK_SIZE_MAX];
    struct build_block block = build_valid(HEIGHT);
    struct build_block empty = block;
    struct writer out = {0};

    /* Stripped bytes weigh four. */
    empty.txs[1].outs[1].script = (struct bytes){filler, 999000};
    build_write_block(&out, &empty);
    size_t fill = 999000 + (BLOCK_WEIGHT_MAX / 4 - out.len);
    writer_release(&out);
    block.txs[1].outs[1].script = (struct bytes){filler, fill};
    block.txs[2].ins[0].previous.txid = build_txid(&block.txs[1], false);
    expect(&block, BLOCK_VALID, "");
    block.txs[1].outs[1].script.len++;
    block.txs[2].ins[0].previous.txid = build_txid(&block.txs[1], false);
    expect(&block, BLOCK_INVALID, "too many");

    /* Witness bytes weigh one; the committed body is invalid, another only wrong. */
    block = build_valid(HEIGHT);
    block.txs[1].ins[0].witness = (struct bytes){filler, 3900000};
    empty = block;
    build_commit(&empty);
    build_write_block(&out, &empty);
    size_t with = out.len;
    writer_release(&out);
    struct build_block stripped = empty;
    stripped.txs[0].ins[0].witness = stripped.txs[1].ins[0].witness = (struct bytes){0};
    build_write_block(&out, &stripped);
    size_t room = BLOCK_WEIGHT_MAX - (3 * out.len + with);
    writer_release(&out);
    block.txs[1].ins[0].witness.len += room;
    struct build_block full = block;
    build_commit(&full);
    expect(&full, BLOCK_VALID, "");
    full.txs[1].ins[0].witness.len++;
    expect(&full, BLOCK_WRONG_BODY, "committed to");
    block.txs[1].ins[0].witness.len++;
    build_commit(&block);
    expect(&block, BLOCK_INVALID, "weight 4000001");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_committed_to_is_invalid),
        cmocka_unit_test(repeated_elsewhere_is_invalid),
        cmocka_unit_test(node_sized_transactions),
        cmocka_unit_test(the_coinbase_is_first_and_only),
        cmocka_unit_test(coinbase_script_sizes),
        cmocka_unit_test(coinbase_heights),
        cmocka_unit_test(transactions_have_inputs_and_outputs),
        cmocka_unit_test(amounts_in_range),
        cmocka_unit_test(nothing_is_spent_twice),
        cmocka_unit_test(spends_inside_the_block),
        cmocka_unit_test(witnesses_are_committed_to),
        cmocka_unit_test(the_last_commitment_counts),
        cmocka_unit_test(weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
