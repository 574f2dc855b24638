/* A ledger of a million coins: what a sample, a block and a reorganisation cost.
 * Arguments: another number of coins; then a folder instead of $TMPDIR. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/random.h"
#include "bench.h"
#include "coin_ledger.h"
#include "store/records.h"
#include "store/tables.h"

#define RUNS 15
#define COINS 1000000
#define SCRIPTS 10000
#define BLOCK_COINS 5000
#define ROWS 1000

struct world {
    struct coin_ledger coins, plain; /* `plain`: a table of as many bare rows */
    uint64_t count, next;
    struct block *block;
    uint32_t height; /* to be undone is what lies above */
};

enum work {
    STEP,
    READD,
    PUT,
    PAY,
    SPEND,
    UNDO_SPEND,
    UNDO_PAY,
    APPEND,
    APPLY,
    WORKS,
};

/* Milliseconds of each run, by the processor and by the clock. */
struct runs {
    double cpu[RUNS], wall[RUNS];
    size_t count;
};

static void measure(struct runs *runs, void (*call)(struct world *world),
                    struct world *world)
{
    double cpu = bench_now(), wall = bench_wall();
    call(world);
    runs->cpu[runs->count] = (bench_now() - cpu) / 1e6;
    runs->wall[runs->count] = (bench_wall() - wall) / 1e6;
    runs->count++;
}

/* ---- a sample's sum ---- */

static void step(struct world *world)
{
    struct error error = {""};
    struct store_txn *txn = coin_ledger_read(&world->coins);
    struct walk walk;
    uint64_t rows = 0;
    enum store_result result = walk_open(&walk, txn, TABLE_COINS, &error);
    if (result == STORE_OK)
        result = walk_first(&walk, &error);
    for (; result == STORE_OK; result = walk_next(&walk, &error))
        rows++;
    walk_close(&walk);
    store_abort(txn);
    require(rows == world->count, "the table has another number of coins");
}

static void readd(struct world *world)
{
    coin_ledger_sum(&world->coins, world->count);
}

/* ---- blocks ---- */

static void apply_block(struct world *world)
{
    coin_ledger_apply(&world->coins, &world->block, 1);
}

static void measure_block(struct runs *runs, struct world *world, bool spend)
{
    struct coin_ledger *coins = &world->coins;
    coin_ledger_grow_chain(coins, coins->height + 1);
    world->block = coin_block(coins, coins->height + 1, world->count, BLOCK_COINS, spend);
    measure(runs, apply_block, world);
    block_free(world->block);
}

static void undo(struct world *world)
{
    coin_ledger_undo(&world->coins, world->height);
}

/* ---- rows without anything of ours ---- */

static enum store_result put_headers(void *context, struct store_txn *txn,
                                     struct error *error)
{
    const struct world *world = context;
    struct block_header headers[ROWS];
    for (uint32_t i = 0; i < ROWS; i++)
        headers[i] = world->coins.rows[world->coins.height + 1 + i].header;
    return chain_rows_replace(txn, world->coins.height + 1, headers, ROWS, error);
}

static void append_headers(struct world *world)
{
    struct error error = {""};
    require(store_update(world->coins.store, put_headers, world, &error) == STORE_OK,
            error.text);
}

static void apply_rows(struct world *world)
{
    coin_ledger_apply(&world->coins, NULL, ROWS);
}

/* ---- the same rows, bare ---- */

static enum store_result put_plain(void *context, struct store_txn *txn,
                                   struct error *error)
{
    struct world *world = context;
    enum store_result result = STORE_OK;
    for (uint32_t i = 0; i < BLOCK_COINS && result == STORE_OK; i++) {
        const struct coin coin = {.outpoint = coin_outpoint(world->next++),
                                  .spent = HEIGHT_NONE};
        struct key key = coin_key(&coin.outpoint);
        uint8_t value[COIN_VALUE_SIZE];
        coin_encode(value, &coin);
        result = table_put(txn, TABLE_COINS, key_bytes(&key),
                           (struct bytes){value, sizeof(value)}, error);
    }
    return result;
}

static void put_rows(struct world *world)
{
    struct error error = {""};
    require(store_update(world->plain.store, put_plain, world, &error) == STORE_OK,
            error.text);
}

/* ---- all of it ---- */

static void measure_all(struct runs *runs, struct world *world)
{
    for (size_t i = 0; i < RUNS; i++) {
        measure(&runs[STEP], step, world);
        measure(&runs[READD], readd, world);
        measure(&runs[PUT], put_rows, world);
        uint32_t height = world->coins.height;
        measure_block(&runs[PAY], world, false);
        measure_block(&runs[SPEND], world, true);
        world->height = height + 1;
        measure(&runs[UNDO_SPEND], undo, world);
        world->height = height;
        measure(&runs[UNDO_PAY], undo, world);
        coin_ledger_grow_chain(&world->coins, world->coins.height + ROWS);
        measure(&runs[APPEND], append_headers, world);
        measure(&runs[APPLY], apply_rows, world);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        enum work baseline;
    } rows[WORKS] = {
        [STEP] = {"step over the coins", STEP},
        [READD] = {"a sample's sum over coins and events", STEP},
        [PUT] = {"put 5,000 bare rows", PUT},
        [PAY] = {"a block that pays 5,000 coins", PUT},
        [SPEND] = {"a block that spends them", PUT},
        [UNDO_SPEND] = {"undo the spending", PUT},
        [UNDO_PAY] = {"undo the paying", PUT},
        [APPEND] = {"append 1,000 headers", APPEND},
        [APPLY] = {"apply these, with nothing of ours", APPEND},
    };
    struct world world = {.count = COINS};
    struct runs runs[WORKS] = {0};
    double baselines[WORKS];
    if (argc > 1)
        world.count = strtoull(argv[1], NULL, 10);
    coin_ledger_open(&world.coins, argc > 2 ? argv[2] : NULL, SCRIPTS, 1);
    coin_ledger_open(&world.plain, argc > 2 ? argv[2] : NULL, 1, 1);
    coin_ledger_fill(&world.coins, 0, world.count);
    while (world.next < world.count)
        put_rows(&world);
    measure_all(runs, &world);
    printf("%llu coins; ms\n", (unsigned long long)world.count);
    printf("%-38s %9s %8s %10s %9s %8s\n", "", "CPU", "spread", "x baseline", "clock",
           "spread");
    for (size_t i = 0; i < WORKS; i++) {
        struct bench_time cpu = bench_of(runs[i].cpu, runs[i].count);
        struct bench_time wall = bench_of(runs[i].wall, runs[i].count);
        baselines[i] = cpu.median;
        printf("%-38s %9.2f %7.0f%% %10.2f %9.2f %7.0f%%\n", rows[i].name, cpu.median,
               100 * (cpu.high - cpu.low) / cpu.median,
               cpu.median / baselines[rows[i].baseline], wall.median,
               100 * (wall.high - wall.low) / wall.median);
    }
    coin_ledger_close(&world.coins);
    coin_ledger_close(&world.plain);
    return 0;
}
