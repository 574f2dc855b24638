/* Headers from peers, as the core takes them: floods, forks, minds that change, the right
 * chain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/spv/header_world.h"

/* "A branch is stored only once its work is worth it": not a header of it before, all of
 * it after the second download. */
static void test_first_sync_is_downloaded_twice(void **state)
{
    (void)state;
    const struct network network = demanding(2500);
    struct block_header *chain = mine_on_genesis(&network, 2600, 1);
    struct world world;
    world_init(&world, &network, 1, after(&network, 2600));
    world_connect(&world, 0, WORLD_SERVICES);
    tell(&world, 0, chain, 2600);
    assert_int_equal(nodes(&world), 1);
    assert_int_equal(world.peers[0].asked[MESSAGE_GETHEADERS], 3);
    assert_true(block_hash_equal(&world.peers[0].locator[0], &network.genesis_hash));
    struct error reason;
    assert_false(spv_synced(world.spv, world.now, &reason));
    tell(&world, 0, chain, 2600);
    assert_int_equal(nodes(&world), 2601);
    assert_int_equal(world.stored, 2600);
    assert_true(spv_synced(world.spv, world.now, &reason));
    free(chain);
    free_world(&world);
}

/* Too little work at its end: nothing kept, nobody let go, and the next peer is asked. */
static void test_low_work_chain_leaves_no_trace(void **state)
{
    (void)state;
    const struct network network = demanding(1500);
    struct block_header *low = mine_on_genesis(&network, 1400, 1);
    struct block_header *high = mine_on_genesis(&network, 1900, 2);
    struct world world;
    world_init(&world, &network, 2, after(&network, 1900));
    world_connect(&world, 0, WORLD_SERVICES);
    world_connect(&world, 1, WORLD_SERVICES);
    assert_int_equal(world.peers[1].asked[MESSAGE_GETHEADERS], 0);
    world_headers(&world, 0, low, 1400);
    assert_int_equal(nodes(&world), 1);
    assert_false(world.peers[0].gone);
    struct error reason;
    assert_false(spv_synced(world.spv, world.now, &reason));
    assert_non_null(strstr(reason.text, "too little work"));
    assert_int_equal(world.peers[1].asked[MESSAGE_GETHEADERS], 1);
    world_headers(&world, 1, high, 1900);
    world_headers(&world, 1, high, 1900);
    assert_int_equal(nodes(&world), 1901);
    assert_true(spv_synced(world.spv, world.now, &reason));
    free(low);
    free(high);
    free_world(&world);
}

/* A flood of headers without end: nothing of it is kept, and it ends at the bound. */
static void test_endless_low_work_is_let_go_at_the_bound(void **state)
{
    (void)state;
    struct network network = demanding(1u << 30);
    struct block_hash at = network.genesis_hash;
    struct block_header tip = network.genesis;
    struct world world;
    network.retarget = RETARGET_WINDOW;
    world_init(&world, &network, 1, after(&network, 900));
    world_connect(&world, 0, WORLD_SERVICES);
    size_t told = 0;
    for (; told < 200000 && !world.peers[0].gone; told += HEADERS_MAX) {
        struct block_header *more = world_mine(&network, &at, &tip, HEADERS_MAX, 1, 1);
        world_headers(&world, 0, more, HEADERS_MAX);
        tip = more[HEADERS_MAX - 1];
        block_header_hash(&at, &tip);
        free(more);
        assert_int_equal(nodes(&world), 1);
        /* The bound is set; a retarget from regtest's limit would overflow. */
        network.retarget = RETARGET_NEVER;
    }
    assert_int_equal(told, 100000);
    assert_non_null(strstr(world.notes, "100000 headers and too little work"));
    assert_int_equal(world.stored, 0);
    free_world(&world);
}

/* A mind that changes between the downloads costs nothing but time, and ends somewhere.
 */
static void test_changing_mind_ends_at_the_bound(void **state)
{
    (void)state;
    const struct network network = demanding(2500);
    struct block_header *one = mine_on_genesis(&network, 2600, 1);
    struct block_header *other = mine_on_genesis(&network, 2600, 2);
    struct world world;
    world_init(&world, &network, 1, after(&network, 2600));
    world_connect(&world, 0, WORLD_SERVICES);
    size_t turns = 0;
    for (; !world.peers[0].gone && turns < 20; turns++) {
        tell(&world, 0, one, 2600);
        world_headers(&world, 0, other, HEADERS_MAX);
        assert_int_equal(nodes(&world), 1);
    }
    assert_int_equal(turns, 5);
    assert_non_null(strstr(world.notes, "its chain changed over and over"));
    free(one);
    free(other);
    free_world(&world);
}

/* Who falls silent in the middle loses its turn, and the next one leads. */
static void test_silence_in_the_middle(void **state)
{
    (void)state;
    const struct network network = demanding(2500);
    struct block_header *chain = mine_on_genesis(&network, 2600, 1);
    struct world world;
    world_init(&world, &network, 2, after(&network, 2600));
    world_connect(&world, 0, WORLD_SERVICES);
    world_connect(&world, 1, WORLD_SERVICES);
    world_headers(&world, 0, chain, HEADERS_MAX);
    assert_non_null(world.spv->peers[0].presync);
    world_wait(&world, HEADERS_TIMEOUT_MS + 1);
    assert_null(world.spv->peers[0].presync);
    assert_false(world.peers[0].gone);
    tell(&world, 1, chain, 2600);
    tell(&world, 1, chain, 2600);
    assert_int_equal(nodes(&world), 2601);
    free(chain);
    free_world(&world);
}

/* Who dribbles keeps nobody from leading beside it. */
static void test_slow_leader_gets_company(void **state)
{
    (void)state;
    const struct network network = demanding(1u << 20);
    struct block_header *chain = mine_on_genesis(&network, 2000, 1);
    struct world world;
    world_init(&world, &network, 2, after(&network, 2100));
    world_connect(&world, 0, WORLD_SERVICES);
    world_connect(&world, 1, WORLD_SERVICES);
    world_headers(&world, 0, chain, HEADERS_MAX);
    for (int i = 0; i < 16; i++) {
        world_wait(&world, 19000);
        world.spv->peers[0].headers_deadline = mono_add(world.now.mono, 20000);
    }
    assert_int_equal(world.peers[1].asked[MESSAGE_GETHEADERS], 1);
    assert_non_null(world.spv->peers[0].presync);
    free(chain);
    free_world(&world);
}

/* An answer begins with headers that we have: only how long the message is tells whether
 * there are more. */
static void test_interrupted_sync_goes_on(void **state)
{
    (void)state;
    const struct network network = demanding(4900);
    struct block_header *chain = mine_on_genesis(&network, 5000, 1);
    struct world world;
    world_init(&world, &network, 1, after(&network, 5000));
    world_connect(&world, 0, WORLD_SERVICES);
    tell(&world, 0, chain, 5000);
    world_headers(&world, 0, chain, HEADERS_MAX);
    assert_int_equal(nodes(&world), 2001);
    world_step(&world,
               &(struct spv_input){.kind = SPV_PEER_LOST, .peer = world.peers[0].id});
    world_wait(&world, 2000);
    world_connect(&world, 0, WORLD_SERVICES);
    tell(&world, 0, chain + 1999, 3001);
    tell(&world, 0, chain + 2000, 3000);
    assert_int_equal(nodes(&world), 5001);
    free(chain);
    free_world(&world);
}

/* The leader's chain takes the tree beyond the place where its company began: that is no
 * other chain. */
static void test_company_begun_below_the_tree(void **state)
{
    (void)state;
    const struct network network = demanding(8500);
    struct block_header *chain = mine_on_genesis(&network, 9000, 1);
    struct world world;
    struct error reason;
    world_init(&world, &network, 2, after(&network, 9000));
    world_connect(&world, 0, WORLD_SERVICES);
    world_connect(&world, 1, WORLD_SERVICES);
    tell(&world, 0, chain, 9000);
    world.spv->peers[0].headers_deadline = mono_add(world.now.mono, 1000000);
    world_wait(&world, 300000);
    for (size_t at = 0; at < 8000; at += HEADERS_MAX) {
        world_headers(&world, 1, chain + at, HEADERS_MAX);
        world_headers(&world, 0, chain + at, HEADERS_MAX);
    }
    assert_true(header_tree_root(world.spv->tree)->height > 0);
    world_headers(&world, 1, chain + 8000, 1000);
    assert_null(strstr(world.notes, "sync anew"));
    assert_false(spv_fork_near(world.spv, 8000, 1, &reason));
    world_headers(&world, 0, chain + 8000, 1000);
    world_headers(&world, 1, chain + 7999, 1001);
    assert_int_equal(world.spv->peers[1].best->height, 9000);
    free(chain);
    free_world(&world);
}

/* ---- forks ---- */

struct fork_world {
    struct network network;
    struct world world;
    struct block_header *ours;
    size_t length;
};

static void fork_init(struct fork_world *fork, size_t length)
{
    fork->network = *network_find("regtest");
    fork->length = length;
    fork->ours = mine_on_genesis(&fork->network, length, 1);
    world_init(&fork->world, &fork->network, 2, after(&fork->network, length + 20000));
    world_connect(&fork->world, 0, WORLD_SERVICES);
    tell(&fork->world, 0, fork->ours, length);
    world_connect(&fork->world, 1, WORLD_SERVICES);
}

static void fork_free(struct fork_world *fork)
{
    free(fork->ours);
    free_world(&fork->world);
}

/* "The tip is the branch of most work, compared over several messages, whichever peer
 * sends it"; till then "what is below the threshold never enters the tree". */
static void test_more_work_over_many_messages_wins(void **state)
{
    (void)state;
    struct fork_world fork;
    fork_init(&fork, 5000);
    struct world *world = &fork.world;
    size_t before = nodes(world);
    struct block_header *branch = mine_on(&fork.network, &fork.ours[99], 5100, 2);
    world_headers(world, 1, branch, 2000);
    assert_int_equal(nodes(world), before);
    world_headers(world, 1, branch + 2000, 2000); /* enough: within 1,008 of our tip */
    assert_int_equal(nodes(world), before);
    tell(world, 1, branch, 5100);
    assert_int_equal(world->spv->best->height, 5200);
    free(branch);
    fork_free(&fork);
}

static void test_less_work_over_many_messages_stays_out(void **state)
{
    (void)state;
    struct fork_world fork;
    fork_init(&fork, 5000);
    struct world *world = &fork.world;
    size_t before = nodes(world);
    struct block_header *branch = mine_on(&fork.network, &fork.ours[99], 3000, 2);
    tell(world, 1, branch, 3000);
    assert_int_equal(nodes(world), before);
    assert_false(world->peers[1].gone);
    assert_null(world->spv->peers[1].presync);
    free(branch);
    fork_free(&fork);
}

/* "Forks off sparse hashes": judged from genesis on, in a stream. One of more work than
 * ours can't be followed, and the gate says so; one of less changes nothing. */
static void test_fork_below_the_tree(void **state)
{
    (void)state;
    struct fork_world fork;
    struct error reason;
    fork_init(&fork, 9000);
    struct world *world = &fork.world;
    assert_true(header_tree_root(world->spv->tree)->height > 0);
    struct block_header *less = mine_on_genesis(&fork.network, 8500, 2);
    size_t before = nodes(world);
    world_headers(world, 1, less, HEADERS_MAX);
    assert_true(
        block_hash_equal(&world->peers[1].locator[0], &fork.network.genesis_hash));
    tell(world, 1, less, 8500);
    assert_false(spv_fork_near(world->spv, 9000, 1, &reason));
    assert_false(world->peers[1].gone);
    struct block_header *more = mine_on_genesis(&fork.network, 9001, 3);
    world_step(world,
               &(struct spv_input){.kind = SPV_PEER_LOST, .peer = world->peers[1].id});
    world_wait(world, 2000);
    world_connect(world, 1, WORLD_SERVICES);
    world_headers(world, 1, more, HEADERS_MAX);
    tell(world, 1, more, 9001);
    assert_true(spv_fork_near(world->spv, 9000, 1, &reason));
    assert_non_null(strstr(reason.text, "b:1 has a chain of more work"));
    assert_int_equal(nodes(world), before);
    /* Until ours has grown beyond it. */
    struct block_header *next = mine_on(&fork.network, &fork.ours[8999], 1, 1);
    world_headers(world, 0, next, 1);
    assert_false(spv_fork_near(world->spv, 9001, 1, &reason));
    free(next);
    free(less);
    free(more);
    fork_free(&fork);
}

/* One header of least work isn't a peer's tip: a liar could shut the gate `clock` with it
 * at no cost. */
static void test_low_work_from_the_future(void **state)
{
    (void)state;
    struct fork_world fork;
    struct error reason;
    fork_init(&fork, 9000);
    struct world *world = &fork.world;
    struct block_header *less = mine_on_genesis(&fork.network, 2000, 2);
    struct block_hash hash;
    block_header_hash(&hash, &less[1999]);
    struct block_header *late =
        world_mine(&fork.network, &hash, &less[1999], 1, 1u << 30, 2);
    world_headers(world, 1, less, HEADERS_MAX);
    world_headers(world, 1, less, HEADERS_MAX);
    world_headers(world, 1, late, 1);
    assert_null(world->spv->peers[1].presync);
    assert_false(spv_tip_from_future(world->spv, world->now, &reason));
    free(late);
    free(less);
    fork_free(&fork);
}

/* But before there is a chain of enough work, it may be ours that is cut off by our
 * clock. */
static void test_clock_far_behind_shows(void **state)
{
    (void)state;
    const struct network network = demanding(2500);
    struct block_header *chain = mine_on_genesis(&network, 2600, 1);
    struct world world;
    struct error reason;
    world_init(&world, &network, 2, after(&network, 2300));
    world_connect(&world, 0, WORLD_SERVICES);
    world_connect(&world, 1, WORLD_SERVICES);
    tell(&world, 0, chain, 2600);
    assert_true(spv_tip_from_future(world.spv, world.now, &reason));
    /* Once there is, it has to show a header of that chain which is. */
    world.now.wall = after(&network, 2600);
    world.spv->peers[0].future.s += 1u << 30;
    tell(&world, 1, chain, 2600);
    tell(&world, 1, chain, 2600);
    assert_true(spv_synced(world.spv, world.now, &reason));
    assert_false(spv_tip_from_future(world.spv, world.now, &reason));
    free(chain);
    free_world(&world);
}

/* A short branch there can't have more work, whatever is below it. */
static void test_short_fork_below_the_tree(void **state)
{
    (void)state;
    struct fork_world fork;
    fork_init(&fork, 9000);
    struct world *world = &fork.world;
    struct block_header *branch = mine_on(&fork.network, &fork.ours[2015], 20, 2);
    size_t asked = world->peers[1].asked[MESSAGE_GETHEADERS];
    world_headers(world, 1, branch, 20);
    assert_int_equal(world->peers[1].asked[MESSAGE_GETHEADERS], asked);
    assert_false(world->peers[1].gone);
    assert_null(world->spv->peers[1].presync);
    free(branch);
    fork_free(&fork);
}

/* "Equal work keeps the first." */
static void test_equal_work_keeps_the_first(void **state)
{
    (void)state;
    struct fork_world fork;
    fork_init(&fork, 300);
    struct world *world = &fork.world;
    struct header_node *best = world->spv->best;
    struct block_header *branch = mine_on(&fork.network, &fork.ours[199], 101, 2);
    world_headers(world, 1, branch, 100);
    assert_ptr_equal(world->spv->best, best);
    world_headers(world, 1, branch + 100, 1);
    assert_int_equal(world->spv->best->height, 301);
    free(branch);
    fork_free(&fork);
}

/* "A full message that finds no room is followed up", whoever sent it. */
static void test_full_message_without_room_is_followed_up(void **state)
{
    (void)state;
    struct fork_world fork;
    fork_init(&fork, 300);
    struct world *world = &fork.world;
    struct block_header *more = mine_on(&fork.network, &fork.ours[299], 4000, 1);
    world->spv->stored = header_tree_root(world->spv->tree);
    world->spv->stores_pending = 100; /* the store is busy */
    struct block_header *long_one = mine_on(&fork.network, &more[3999], 14000, 1);
    tell(world, 1, more, 4000);
    for (size_t at = 0; at < 12000; at += HEADERS_MAX) {
        world_headers(world, 1, long_one + at, HEADERS_MAX);
    }
    assert_int_equal(world->spv->best->height, 16300);
    assert_true(world->spv->peers[1].headers_more);
    size_t asked = world->peers[1].asked[MESSAGE_GETHEADERS];
    world->spv->stores_pending = 0;
    world_wait(world, 1);
    assert_int_equal(world->peers[1].asked[MESSAGE_GETHEADERS], asked + 1);
    assert_true(block_hash_equal(&world->peers[1].locator[0], &world->spv->best->hash));
    free(long_one);
    free(more);
    fork_free(&fork);
}

/* A peer must not keep us busy with what we have: each full message asks for the next. */
static void test_known_headers_without_end(void **state)
{
    (void)state;
    struct fork_world fork;
    fork_init(&fork, 4000);
    struct world *world = &fork.world;
    size_t told = 0;
    for (; told < 100 && !world->peers[1].gone; told++) {
        world_headers(world, 1, fork.ours, HEADERS_MAX);
    }
    assert_int_equal(told, TREE_NODES_MAX / HEADERS_MAX + 2);
    assert_false(world->peers[0].gone);
    fork_free(&fork);
}

/* Where a lane that has stopped went to is nothing to hold on to: eviction would look at
 * it after the tree has left it behind. */
static void test_stopped_lane_holds_no_node(void **state)
{
    (void)state;
    struct fork_world fork;
    fork_init(&fork, 300);
    struct world *world = &fork.world;
    struct bytes script = {(const uint8_t *)"\x51", 1};
    struct cohort_table cohorts = {.count = 1, .epoch = 1};
    const struct cohort_table none = {.epoch = 2};
    cohorts.at[0] = (struct cohort){
        .cursor = 300,
        .scripts = script_set_new(&script, (uint32_t[]){0}, 1, (uint64_t[]){1, 2})};
    world_step(world, &(struct spv_input){.kind = SPV_COHORTS, .cohorts = &cohorts});
    cohort_table_release(&cohorts);
    const struct lane *lane = &world->spv->lanes[LANE_FRONT];
    assert_int_equal(lane->target_node->height, 300);
    world_step(world, &(struct spv_input){.kind = SPV_COHORTS, .cohorts = &none});
    struct block_header *more = mine_on(&fork.network, &fork.ours[299], 8000, 1);
    tell(world, 0, more, 8000);
    assert_true(header_tree_root(world->spv->tree)->height > 300);
    assert_null(lane->target_node);
    free(more);
    fork_free(&fork);
}

/* "Nothing waits that could have overlapped": filter headers are asked for while headers
 * come, of who brings them. */
static void test_filters_fill_the_pauses_between_headers(void **state)
{
    (void)state;
    const struct network network = demanding(0);
    struct block_header *chain = mine_on_genesis(&network, HEADERS_MAX, 1);
    struct world world;
    world_init(&world, &network, 2, after(&network, 2 * HEADERS_MAX));
    world_connect(&world, 0, WORLD_SERVICES);
    world_connect(&world, 1, WORLD_SERVICES);
    world_headers(&world, 0, chain, HEADERS_MAX);
    assert_false(world.spv->headers_settled);
    assert_int_equal(world.peers[0].asked[MESSAGE_GETHEADERS], 2);
    assert_int_equal(world.peers[0].asked[MESSAGE_GETCFCHECKPT], 1);
    assert_int_equal(world.peers[1].asked[MESSAGE_GETCFCHECKPT], 0);
    free(chain);
    free_world(&world);
}

/* Filter headers that only nodes hold keep those, and none below. */
static void test_tree_is_pruned_as_far_as_all_is_stored(void **state)
{
    (void)state;
    struct fork_world fork;
    fork_init(&fork, 300);
    struct world *world = &fork.world;
    struct block_header *more = mine_on(&fork.network, &fork.ours[299], 12000, 1);
    world->spv->stores_pending = 100; /* the store is busy */
    tell(world, 0, more, 12000);
    assert_int_equal(header_tree_root(world->spv->tree)->height, 0);
    world->spv->stores_pending = 0;
    world->spv->stored = world->spv->best;
    world->spv->fh_count = 9000;
    world->spv->fh_stored = 8000;
    world_wait(world, 1);
    assert_int_equal(header_tree_root(world->spv->tree)->height,
                     (8000 - HEADER_WINDOW) / RETARGET_INTERVAL * RETARGET_INTERVAL);
    free(more);
    fork_free(&fork);
}

/* Siblings without number: the tree stays within its bound, no honest peer is let go, and
 * the best chain goes on. */
static void test_flood_of_branches_is_evicted(void **state)
{
    (void)state;
    struct fork_world fork;
    fork_init(&fork, 300);
    struct world *world = &fork.world;
    struct header_node *best = world->spv->best;
    for (uint32_t i = 0; nodes(world) <= TREE_NODES_MAX - 200 && i < 50000; i++) {
        struct block_header *one = mine_on(&fork.network, &fork.ours[250], 1, 100 + i);
        struct header_node *node;
        struct error error;
        (void)!tree_add(world->spv->tree, &node, one, world->now.wall, &error);
        free(one);
    }
    for (uint32_t i = 0; i < 300; i++) {
        struct block_header *one = mine_on(&fork.network, &fork.ours[250], 1, 60000 + i);
        world_headers(world, 1, one, 1);
        free(one);
        assert_true(nodes(world) <= TREE_NODES_MAX);
    }
    assert_true(nodes(world) < TREE_NODES_KEPT + 300);
    assert_ptr_equal(world->spv->best, best);
    struct block_header *next = mine_on(&fork.network, &fork.ours[299], 1, 1);
    world_headers(world, 0, next, 1);
    assert_int_equal(world->spv->best->height, 301);
    assert_false(world->peers[0].gone);
    assert_false(world->peers[1].gone);
    free(next);
    fork_free(&fork);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_sync_is_downloaded_twice),
        cmocka_unit_test(test_low_work_chain_leaves_no_trace),
        cmocka_unit_test(test_endless_low_work_is_let_go_at_the_bound),
        cmocka_unit_test(test_changing_mind_ends_at_the_bound),
        cmocka_unit_test(test_silence_in_the_middle),
        cmocka_unit_test(test_slow_leader_gets_company),
        cmocka_unit_test(test_interrupted_sync_goes_on),
        cmocka_unit_test(test_company_begun_below_the_tree),
        cmocka_unit_test(test_more_work_over_many_messages_wins),
        cmocka_unit_test(test_less_work_over_many_messages_stays_out),
        cmocka_unit_test(test_fork_below_the_tree),
        cmocka_unit_test(test_low_work_from_the_future),
        cmocka_unit_test(test_clock_far_behind_shows),
        cmocka_unit_test(test_short_fork_below_the_tree),
        cmocka_unit_test(test_equal_work_keeps_the_first),
        cmocka_unit_test(test_full_message_without_room_is_followed_up),
        cmocka_unit_test(test_known_headers_without_end),
        cmocka_unit_test(test_stopped_lane_holds_no_node),
        cmocka_unit_test(test_filters_fill_the_pauses_between_headers),
        cmocka_unit_test(test_tree_is_pruned_as_far_as_all_is_stored),
        cmocka_unit_test(test_flood_of_branches_is_evicted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
