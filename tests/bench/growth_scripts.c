#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "coin_ledger.h"
#include "feeds/feed_set.h"
#include "growth.h"
#include "spv/address.h"
#include "spv/gcs.h"
#include "store/delta.h"
#include "tests/plain_gcs.h"

#define ELEMENTS 11000
#define BLOCK_OUTPUTS 5000

static const uint64_t seed[2] = {1, 2};

struct scripts_world {
    const struct network *network;
    uint32_t count;
    struct writer text; /* of a watch list */
    struct watch_list list;
    struct feed feed; /* of that list */
    struct feed_sets sets;
    struct script_set *set;
    struct coin_ledger coins;
    struct block_hash hash;
    struct bit_writer filter;
    struct block *block;
};

/* ---- steps ---- */

static void read_list(void *context)
{
    struct scripts_world *world = context;
    struct watch_list_errors errors;
    watch_list_release(&world->list);
    require(watch_list_parse(&world->list, &errors, world->network, "list",
                             (const char *)world->text.data, world->text.len, seed),
            "the list is refused");
    require(world->list.count == world->count, "the list is another one");
}

static void build_sets(void *context)
{
    struct scripts_world *world = context;
    struct error error = {""};
    const struct feed_list list = {"list", "", &world->list};
    feed_sets_release(&world->sets);
    require(
        feed_sets_build(&world->sets, &world->feed, 1, &list, 1, world->network, &error),
        error.text);
}

static void define(struct scripts_world *world,
                   const struct ledger_definition *definition)
{
    struct error error = {""};
    require(ledger_define(world->coins.ledger, definition, &error) == STORE_OK,
            error.text);
}

/* From nothing, and ends with them watched. */
static void watch(void *context)
{
    static const struct ledger_definition none;
    struct scripts_world *world = context;
    define(world, &none);
    define(world, &world->sets.definition);
}

static void start(void *context)
{
    struct scripts_world *world = context;
    coin_ledger_reopen(&world->coins);
}

static void match(void *context)
{
    struct scripts_world *world = context;
    struct bytes filter = {world->filter.out.data, world->filter.out.len};
    require(gcs_match_any(filter, &world->hash, world->set) != GCS_MALFORMED,
            "the filter is malformed");
}

static bool unknown(void *context, const struct outpoint *outpoint)
{
    (void)context;
    (void)outpoint;
    return false;
}

static void probe(void *context)
{
    struct scripts_world *world = context;
    struct delta delta = {0};
    delta_scan(&delta, world->block, world->set, seed, unknown, NULL);
    delta_release(&delta);
}

/* ---- of each size ---- */

/* P2WPKH, as if at random: none is paid by the block or in the filter. */
static void write_list(struct scripts_world *world)
{
    world->text.len = 0;
    for (uint32_t i = 0; i < world->count; i++) {
        char address[ADDRESS_TEXT_MAX];
        uint8_t script[COIN_SCRIPT_LEN];
        struct outpoint random = coin_outpoint(i);
        coin_script(script, 0);
        memcpy(script + 2, random.txid.b, 20);
        require(address_encode(address, world->network,
                               (struct bytes){script, COIN_SCRIPT_LEN}),
                "a script has no address");
        write_bytes(&world->text, address, strlen(address));
        write_bytes(&world->text, "\n", 1);
    }
}

static void make_set(struct scripts_world *world)
{
    struct bytes *scripts = mem_zalloc(world->count, sizeof(*scripts));
    uint32_t *ids = mem_zalloc(world->count, sizeof(*ids));
    for (uint32_t i = 0; i < world->count; i++) {
        scripts[i] = world->sets.definition.scripts[i].script;
        ids[i] = i;
    }
    script_set_unref(world->set);
    world->set = script_set_new(scripts, ids, world->count, seed);
    free(scripts);
    free(ids);
}

static void make_filter(struct scripts_world *world)
{
    uint8_t(*data)[COIN_SCRIPT_LEN] = mem_zalloc(ELEMENTS, sizeof(*data));
    struct bytes *scripts = mem_zalloc(ELEMENTS, sizeof(*scripts));
    for (uint32_t i = 0; i < ELEMENTS; i++) {
        coin_script(data[i], i);
        scripts[i] = (struct bytes){data[i], COIN_SCRIPT_LEN};
    }
    write_filter(&world->filter, &world->hash, scripts, ELEMENTS);
    free(scripts);
    free(data);
}

static void *open_scripts(uint64_t largest)
{
    struct scripts_world *world = mem_zalloc(1, sizeof(*world));
    (void)largest;
    world->network = network_find("regtest");
    writer_init(&world->text);
    feed_init(&world->feed);
    strcpy(world->feed.name, "feed");
    strcpy(world->feed.lists[world->feed.list_count++], "list");
    coin_ledger_open(&world->coins, NULL, BLOCK_OUTPUTS, 1);
    coin_ledger_grow_chain(&world->coins, 1);
    world->block = coin_block(&world->coins, 1, 0, BLOCK_OUTPUTS, false);
    make_filter(world);
    return world;
}

static void grow_scripts(void *context, uint64_t size)
{
    struct scripts_world *world = context;
    world->count = (uint32_t)size;
    write_list(world);
    read_list(world);
    build_sets(world);
    make_set(world);
}

static void close_scripts(void *context)
{
    struct scripts_world *world = context;
    writer_release(&world->text);
    feed_sets_release(&world->sets);
    watch_list_release(&world->list);
    script_set_unref(world->set);
    coin_ledger_close(&world->coins);
    writer_release(&world->filter.out);
    block_free(world->block);
    free(world);
}

const struct growth_axis growth_scripts = {
    .name = "scripts",
    .from = 10,
    .small = 10000,
    .full = 1000000,
    .open = open_scripts,
    .grow = grow_scripts,
    .close = close_scripts,
    .steps = {{"read the list", read_list, NULL},
              {"sort into feeds", build_sets, NULL},
              {"forget and watch them", watch, NULL},
              {"start with them", start, NULL},
              {"match a filter of 11,000", match, NULL},
              {"probe a block of 5,000", probe, NULL}},
};
