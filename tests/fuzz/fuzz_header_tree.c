/* A byte for the retarget rule, then steps: add a header after a known node, condemn a
 * branch, set one aside, let time pass. At the end the best node is what a plain search
 * finds. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "spv/header_tree.h"
#include "spv/message.h"
#include "spv/pow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* So that an input takes well under a millisecond. */
#define NODES_MAX 100
/* Half of all hashes satisfy regtest's limit, an eighth the root's bits below. */
#define TRIES 64
#define ROOT_BITS 0x201fffff

enum step { STEP_ADD, STEP_ADD_RIGHT, STEP_INVALIDATE, STEP_ASIDE, STEP_TIME, STEPS };

struct world {
    struct network network;
    struct header_tree *tree;
    struct header_node *nodes[NODES_MAX];
    size_t count;
    struct mono_time now;
};

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void world_init(struct world *world, uint8_t rule)
{
    static const uint64_t seed[2] = {1, 2};
    *world = (struct world){.network = *network_find("regtest"), .count = 1};
    world->network.retarget = (enum retarget_rule)(rule % (RETARGET_BIP94 + 1));
    if (world->network.retarget == RETARGET_NEVER) {
        world->tree = header_tree_new(&world->network, seed);
    } else {
        struct block_header root = world->network.genesis;
        struct u256 work = u256_from_u64(1000000);
        root.bits = ROOT_BITS;
        world->tree = header_tree_new_at(&world->network, seed, 2 * RETARGET_INTERVAL,
                                         &root, &work);
    }
    world->nodes[0] = header_tree_root(world->tree);
}

static void step_add(struct world *world, struct reader *reader,
                     struct header_node *parent, bool right)
{
    struct block_header header = {
        .version = right ? 4 : (int32_t)read_u32le(reader),
        .previous = parent->hash,
        .time = {parent->header.time.s + read_u16le(reader)},
        .bits = right ? parent->normal_bits : read_u32le(reader),
    };
    if (right && world->network.retarget > RETARGET_WINDOW &&
        header.time.s > parent->header.time.s + 1200) {
        header.bits = world->network.pow_limit_bits;
    }
    header.merkle_root[0] = read_u8(reader);
    struct block_hash hash;
    block_header_hash(&hash, &header);
    for (int i = 0; i < TRIES && !pow_check(&world->network, &hash, header.bits); i++) {
        header.nonce++;
        block_header_hash(&hash, &header);
    }
    struct header_node *node;
    struct error error = {{0}};
    struct wall_time clock = {world->network.genesis.time.s + 20000};
    enum header_verdict verdict =
        header_tree_add(world->tree, &node, &header, &hash, clock, &error);
    require((node != NULL) == (verdict == HEADER_ADDED || verdict == HEADER_KNOWN));
    require((error.text[0] != 0) == (verdict == HEADER_INVALID));
    require(header_tree_find(world->tree, &hash) == node || verdict == HEADER_INVALID);
    if (verdict == HEADER_ADDED) {
        require(node->parent == parent && node->height == parent->height + 1);
        world->nodes[world->count++] = node;
    }
}

static void step(struct world *world, struct reader *reader)
{
    enum step what = (enum step)(read_u8(reader) % STEPS);
    struct header_node *node = world->nodes[read_u8(reader) % world->count];
    switch (what) {
    case STEP_ADD:
    case STEP_ADD_RIGHT:
        step_add(world, reader, node, what == STEP_ADD_RIGHT);
        break;
    case STEP_INVALIDATE:
        if (node->parent != NULL) {
            header_tree_invalidate(world->tree, node);
        }
        break;
    case STEP_ASIDE:
        if (node->parent != NULL) {
            header_tree_set_aside(world->tree, node,
                                  mono_add(world->now, read_u16le(reader)));
        }
        break;
    case STEP_TIME:
        world->now = mono_add(world->now, read_u16le(reader));
        break;
    case STEPS:
        break;
    }
}

static bool counts(const struct world *world, const struct header_node *node)
{
    for (; node->parent != NULL; node = node->parent) {
        if (node->invalid || !mono_reached(world->now, node->aside_until)) {
            return false;
        }
    }
    return true;
}

static void check(const struct world *world)
{
    struct header_node *expected = world->nodes[0];
    for (size_t i = 1; i < world->count; i++) {
        if (counts(world, world->nodes[i]) &&
            u256_compare(&world->nodes[i]->work, &expected->work) > 0) {
            expected = world->nodes[i];
        }
    }
    struct header_node *best = header_tree_best(world->tree, world->now);
    require(best == expected);
    require(header_tree_count(world->tree) == world->count);
    for (struct header_node *at = best; at != NULL; at = at->parent) {
        require(header_tree_ancestor(world->tree, best, at->height) == at);
    }
    struct block_hash locator[LOCATOR_MAX];
    size_t count = header_tree_locator(world->tree, locator, LOCATOR_MAX, best);
    require(block_hash_equal(&locator[count - 1], &world->network.genesis_hash));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader reader;
    reader_init(&reader, data, size);
    struct world world;
    world_init(&world, read_u8(&reader));
    while (reader.left > 0 && world.count < NODES_MAX) {
        step(&world, &reader);
    }
    check(&world);
    header_tree_free(world.tree);
    return 0;
}
