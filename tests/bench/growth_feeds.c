#include <stdlib.h>

#include "base/mem.h"
#include "coin_ledger.h"
#include "feeds/sampling.h"
#include "growth.h"

#define SCRIPTS 10000
#define COINS 100000

struct feeds_world {
    struct coin_ledger coins;
    uint32_t count;
    bool open;
};

static void *open_feeds(uint64_t largest)
{
    struct feeds_world *world = mem_zalloc(1, sizeof(*world));
    (void)largest;
    return world;
}

static void grow_feeds(void *context, uint64_t size)
{
    struct feeds_world *world = context;
    if (world->open)
        coin_ledger_close(&world->coins);
    world->open = true;
    world->count = (uint32_t)size;
    coin_ledger_open(&world->coins, NULL, SCRIPTS, world->count);
    coin_ledger_fill(&world->coins, 0, COINS);
}

static void close_feeds(void *context)
{
    struct feeds_world *world = context;
    coin_ledger_close(&world->coins);
    free(world);
}

/* ---- steps ---- */

static enum store_result take(void *context, struct store_txn *txn, struct error *error)
{
    const struct feeds_world *world = context;
    struct sampling sampling;
    enum store_result result = sampling_prepare(txn, &sampling, error);
    if (result != STORE_OK)
        return result;
    sampling.taken = (struct wall_time){1900000000};
    for (size_t i = 0; i < sampling.count; i++)
        for (enum gate gate = 0; gate < GATES; gate++)
            gate_pass(&sampling.targets[i].gates, gate);
    result = sampling_take(txn, &sampling, error);
    require(sampling.count == world->count, "there are other feeds");
    for (size_t i = 0; i < sampling.count; i++)
        require(sampling.targets[i].sample.state == SAMPLE_GOOD, "a sample isn't good");
    sampling_release(&sampling);
    return result;
}

static void take_samples(void *context)
{
    struct feeds_world *world = context;
    struct error error = {""};
    require(store_update(world->coins.store, take, world, &error) == STORE_OK,
            error.text);
}

static void define(void *context)
{
    struct feeds_world *world = context;
    coin_ledger_define(&world->coins, world->count);
}

static void apply_block(void *context)
{
    struct feeds_world *world = context;
    struct coin_ledger *coins = &world->coins;
    coin_ledger_fill(coins, COINS, 1000);
}

static void undo_block(void *context)
{
    struct feeds_world *world = context;
    coin_ledger_undo(&world->coins, world->coins.height - 1);
}

const struct growth_axis growth_feeds = {
    .name = "feeds",
    .from = 1,
    .small = 100,
    .full = 1000,
    .open = open_feeds,
    .grow = grow_feeds,
    .close = close_feeds,
    .steps = {{"a sample of each", take_samples, NULL},
              {"reload their definitions", define, NULL},
              {"a block for each", apply_block, undo_block}},
};
