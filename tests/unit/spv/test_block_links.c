#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/mem.h"
#include "spv/block_body.h"

static uint64_t next_random(uint64_t *random)
{
    *random = *random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return *random >> 33;
}

static struct txid txid_of(uint32_t number)
{
    struct txid txid = {{0}};
    put_u32le(txid.b + 28, number);
    return txid;
}

/* Room for so many transactions and inputs, the first the coinbase and its input. */
static void block_init(struct block *block, size_t txs, size_t ins, uint64_t seed)
{
    *block = (struct block){.tx_count = 1, .in_count = 1};
    put_u64le(block->hash.b, seed);
    block->txs = mem_zalloc(txs, sizeof(*block->txs));
    block->ins = mem_zalloc(ins, sizeof(*block->ins));
    block->txs[0] = (struct tx){.txid = txid_of(1), .in_count = 1, .out_count = 2};
    block->ins[0].previous.vout = UINT32_MAX;
}

static void block_release(struct block *block)
{
    free(block->txs);
    free(block->ins);
}

static void add_tx(struct block *block, uint32_t number, uint32_t out_count)
{
    block->txs[block->tx_count++] = (struct tx){
        .txid = txid_of(number), .first_in = block->in_count, .out_count = out_count};
}

static void add_in(struct block *block, uint32_t number, uint32_t vout)
{
    block->ins[block->in_count++].previous = (struct outpoint){txid_of(number), vout};
    block->txs[block->tx_count - 1].in_count++;
}

/* The same rules, each with each. */
static bool links_hold(const struct block *block)
{
    for (uint32_t t = 0; t < block->tx_count; t++) {
        const struct tx *tx = &block->txs[t];
        for (uint32_t u = 0; u < t; u++) {
            if (memcmp(&tx->txid, &block->txs[u].txid, sizeof(tx->txid)) == 0)
                return false;
        }
        for (uint32_t i = tx->first_in; t > 0 && i < tx->first_in + tx->in_count; i++) {
            const struct outpoint *previous = &block->ins[i].previous;
            for (uint32_t j = 1; j < i; j++) {
                if (outpoint_equal(previous, &block->ins[j].previous))
                    return false;
            }
            for (uint32_t u = 0; u < block->tx_count; u++) {
                const struct tx *made = &block->txs[u];
                if (memcmp(&previous->txid, &made->txid, sizeof(made->txid)) == 0 &&
                    (u == 0 || u >= t || previous->vout >= made->out_count))
                    return false;
            }
        }
    }
    return true;
}

/* Small blocks of few ids, so that about half break a rule, every one of them in turn. */
static void test_random_blocks(void **state)
{
    (void)state;
    uint64_t random = 1;
    size_t good = 0, all = 50000;
    for (size_t trial = 0; trial < all; trial++) {
        struct block block;
        struct error error;
        block_init(&block, 8, 32, trial);
        size_t txs = next_random(&random) % 6;
        for (size_t t = 0; t < txs; t++) {
            uint32_t number = (uint32_t)(2 + t);
            if (next_random(&random) % 30 == 0)
                number = 1 + (uint32_t)(next_random(&random) % 7);
            add_tx(&block, number, 1 + (uint32_t)(next_random(&random) % 3));
            for (size_t i = next_random(&random) % 4; i > 0; i--) {
                bool inside = next_random(&random) % 6 == 0;
                add_in(&block,
                       1 + (uint32_t)(next_random(&random) % (inside ? 8 : 1000)) +
                           (inside ? 0 : 100),
                       (uint32_t)(next_random(&random) % 3));
            }
        }
        bool expected = links_hold(&block);
        assert_int_equal(block_check_links(&block, &error), expected);
        good += expected;
        block_release(&block);
    }
    assert_true(good > all / 5 && good < all / 5 * 4);
}

/* As many inputs as a block can hold, all of one transaction; then one again. */
static void test_full_block(void **state)
{
    (void)state;
    enum { INS = 97000, TXS = 1000 };
    struct block block;
    struct error error;
    block_init(&block, TXS + 1, INS + 2, 7);
    for (uint32_t i = 0; i < INS; i++) {
        if (i % (INS / TXS) == 0)
            add_tx(&block, 2 + i, 1);
        add_in(&block, UINT32_MAX, i);
    }
    assert_true(block_check_links(&block, &error));
    add_in(&block, UINT32_MAX, 0);
    assert_false(block_check_links(&block, &error));
    assert_non_null(strstr(error.text, "spends an outpoint spent before it"));
    block_release(&block);
}

static void test_lone_transaction(void **state)
{
    (void)state;
    struct block block;
    struct error error;
    block_init(&block, 1, 1002, 9);
    block.ins[0].previous = (struct outpoint){txid_of(5), 0};
    for (uint32_t i = 1; i < 1000; i++) {
        add_in(&block, 5 + i % 2, i);
        assert_true(block_check_inputs_distinct(&block, &error));
    }
    add_in(&block, 5, 500);
    assert_false(block_check_inputs_distinct(&block, &error));
    block_release(&block);
}

/* Of a transaction that weighs as much as any may, whose inputs spend outputs in a row.
 */
static clock_t time_of_lone(uint64_t txid)
{
    enum { INS = 24000 };
    struct block block;
    struct error error;
    block_init(&block, 1, INS, 0);
    put_u64le(block.txs[0].txid.b, txid);
    put_u64le(block.txs[0].txid.b + 8, 0);
    block.ins[0].previous = (struct outpoint){txid_of(5), 0};
    for (uint32_t i = 1; i < INS; i++)
        add_in(&block, 5, i);
    clock_t start = clock();
    assert_true(block_check_inputs_distinct(&block, &error));
    block_release(&block);
    return clock() - start;
}

/* Txids are anybody's choice. The second's key for the number of an output is nearly zero
 * in those bits of its upper half that choose among 65,536 slots. */
static void test_chosen_txid(void **state)
{
    (void)state;
    clock_t usual = time_of_lone(12345);
    assert_true(time_of_lone(72521752) < 100 * (usual + CLOCKS_PER_SEC / 10000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_blocks),
        cmocka_unit_test(test_full_block),
        cmocka_unit_test(test_lone_transaction),
        cmocka_unit_test(test_chosen_txid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
