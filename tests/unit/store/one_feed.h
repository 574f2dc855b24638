/* A ledger with one feed of two scripts, and a few blocks that pay it. */
#ifndef TESTS_STORE_ONE_FEED_H
#define TESTS_STORE_ONE_FEED_H

#include "fixture.h"

#define ONE_FEED_ROWS 2100

struct one_feed {
    struct fixture fixture;
    struct ledger *ledger;
    uint8_t scripts[2][SCRIPT_LEN];
    struct chain_row rows[ONE_FEED_ROWS]; /* by height */
    struct feed_row feed;
};

static inline enum store_result one_feed_define(struct one_feed *one, size_t scripts,
                                                uint32_t birth, struct error *error)
{
    struct watched_script watched[2];
    struct feed_member members[2];
    for (uint32_t i = 0; i < 2; i++) {
        watched[i] =
            (struct watched_script){{one->scripts[i], SCRIPT_LEN}, i == 0 ? 1 : birth};
        members[i] = (struct feed_member){i, watched[i].birth, "cold", "BitGo"};
    }
    struct feed_definition feed = {.name = "wbtc",
                                   .set_hash = {(uint8_t)scripts, (uint8_t)birth},
                                   .confirmations = 6,
                                   .members = members,
                                   .member_count = scripts};
    struct ledger_definition definition = {watched, scripts, &feed, 1};
    return ledger_define(one->ledger, &definition, error);
}

/* A block of one coinbase and, for height > 1, a transaction that spends `spends` (if
 * given) and pays 1,000 satoshi to each script. */
static inline struct block *one_feed_block(struct one_feed *one, uint32_t height,
                                           const struct outpoint *spends)
{
    struct block *block = mem_zalloc(1, sizeof(*block));
    block->header = one->rows[height].header;
    block->hash = one->rows[height].hash;
    block->txs = mem_zalloc(2, sizeof(*block->txs));
    block->ins = mem_zalloc(2, sizeof(*block->ins));
    block->outs = mem_zalloc(4, sizeof(*block->outs));
    block->tx_count = block->in_count = 2;
    block->out_count = 3;
    block->outs[0] = (struct tx_out){{5000}, {one->scripts[0], SCRIPT_LEN}};
    for (uint32_t i = 0; i < 2; i++) {
        block->outs[1 + i] = (struct tx_out){{1000}, {one->scripts[i], SCRIPT_LEN}};
        block->txs[i] =
            (struct tx){.first_in = i, .in_count = 1, .first_out = i, .out_count = 1 + i};
        put_u32be(block->txs[i].txid.b, height);
        block->txs[i].txid.b[31] = (uint8_t)i;
    }
    if (spends != NULL)
        block->ins[1].previous = *spends;
    return block;
}

/* The outpoint of the second transaction of a block: it paid script 0. */
static inline struct outpoint one_feed_paid(uint32_t height)
{
    struct outpoint outpoint = {0};
    put_u32be(outpoint.txid.b, height);
    outpoint.txid.b[31] = 1;
    return outpoint;
}

static inline enum store_result
one_feed_apply(struct one_feed *one, uint32_t cohort, uint32_t base, uint32_t count,
               const struct outpoint *spends, bool reorganise,
               struct ledger_outcome *outcome, struct error *error)
{
    struct cohort_table cohorts;
    struct block **blocks = mem_zalloc(count, sizeof(struct block *));
    for (uint32_t i = 0; i < count; i++)
        blocks[i] = one_feed_block(one, base + 1 + i, spends);
    ledger_cohorts(one->ledger, &cohorts);
    struct ledger_batch batch = {.epoch = cohorts.epoch,
                                 .cohort = cohort,
                                 .base = base,
                                 .rows = one->rows + base + 1,
                                 .blocks = blocks,
                                 .count = count,
                                 .reorganise = reorganise,
                                 .commit = true};
    cohort_table_release(&cohorts);
    enum store_result result = ledger_apply(one->ledger, &batch, outcome, error);
    for (uint32_t i = 0; i < count; i++)
        block_free(blocks[i]);
    free(blocks);
    return result;
}

/* A feed of `scripts` scripts, with blocks 1 .. height applied. */
static inline void one_feed_open(struct one_feed *one, size_t scripts, uint32_t height)
{
    struct error error = {""};
    struct ledger_outcome outcome;
    struct store_txn *txn;
    memset(one, 0, sizeof(*one));
    fixture_open(&one->fixture);
    one->rows[0].hash = regtest()->genesis_hash;
    for (uint32_t i = 0; i < 2; i++)
        make_script(one->scripts[i], i);
    for (uint32_t i = 1; i < ONE_FEED_ROWS; i++)
        make_row(&one->rows[i], &one->rows[i - 1].hash, i, 1);
    expect(ledger_open(&one->ledger, one->fixture.store, FIXTURE_SEED, &error), STORE_OK);
    expect(one_feed_define(one, scripts, 1, &error), STORE_OK);
    expect(one_feed_apply(one, 0, 0, height, NULL, false, &outcome, &error), STORE_OK);
    expect(store_begin(one->fixture.store, &txn, STORE_READ, &error), STORE_OK);
    expect(ledger_feed(txn, &one->feed, "wbtc", &error), STORE_OK);
    store_abort(txn);
}

static inline void one_feed_close(struct one_feed *one)
{
    ledger_close(one->ledger);
    fixture_close(&one->fixture);
}

#endif
