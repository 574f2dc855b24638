#include <stdlib.h>

#include "base/mem.h"
#include "coin_ledger.h"
#include "growth.h"
#include "store/audit.h"
#include "store/ledger_walk.h"

#define SCRIPTS 10000
#define BLOCK_COINS 1000

struct coins_world {
    struct coin_ledger coins;
    uint64_t count;
    struct block *block;
};

static void make_block(void *context)
{
    struct coins_world *world = context;
    struct coin_ledger *coins = &world->coins;
    block_free(world->block);
    coin_ledger_grow_chain(coins, coins->height + 1);
    world->block = coin_block(coins, coins->height + 1, world->count, BLOCK_COINS, false);
}

static void *open_coins(uint64_t largest)
{
    struct coins_world *world = mem_zalloc(1, sizeof(*world));
    (void)largest;
    coin_ledger_open(&world->coins, NULL, SCRIPTS, 1);
    return world;
}

static void grow_coins(void *context, uint64_t size)
{
    struct coins_world *world = context;
    coin_ledger_fill(&world->coins, world->count, size - world->count);
    world->count = size;
    make_block(world);
}

static void close_coins(void *context)
{
    struct coins_world *world = context;
    block_free(world->block);
    coin_ledger_close(&world->coins);
    free(world);
}

/* ---- steps ---- */

static void add_up(void *context)
{
    struct coins_world *world = context;
    coin_ledger_sum(&world->coins, world->count);
}

static bool count_coin(void *context, const struct coin *coin)
{
    uint64_t *count = context;
    (void)coin;
    ++*count;
    return true;
}

static void walk_coins(void *context)
{
    struct coins_world *world = context;
    struct error error = {""};
    uint64_t count = 0;
    struct store_txn *txn = coin_ledger_read(&world->coins);
    require(ledger_each_alive(txn, world->coins.height, count_coin, &count, &error) ==
                STORE_OK,
            error.text);
    store_abort(txn);
    require(count == world->count, "the ledger has other coins");
}

static void audit(void *context)
{
    struct coins_world *world = context;
    struct error error = {""};
    struct audit audit;
    struct store_txn *txn = coin_ledger_read(&world->coins);
    require(audit_run(txn, &audit, NULL, NULL, &error) == STORE_OK, error.text);
    store_abort(txn);
    require(audit.fault_count == 0, "the audit finds a fault");
    audit_release(&audit);
}

static void apply_block(void *context)
{
    struct coins_world *world = context;
    coin_ledger_apply(&world->coins, &world->block, 1);
}

static void undo_block(void *context)
{
    struct coins_world *world = context;
    coin_ledger_undo(&world->coins, world->coins.height - 1);
    make_block(world);
}

const struct growth_axis growth_coins = {
    .name = "coins",
    .from = 1000,
    .small = 100000,
    .full = 10000000,
    .open = open_coins,
    .grow = grow_coins,
    .close = close_coins,
    .steps = {{"a sample's sum", add_up, NULL},
              {"walk over the coins", walk_coins, NULL},
              {"audit", audit, NULL},
              {"a block with 1,000 more", apply_block, undo_block}},
};
