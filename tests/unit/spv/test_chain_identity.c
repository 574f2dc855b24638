/* Whether the chain that peers show is the one that is meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/spv/header_world.h"

static void test_other_chain_by_service_bit(void **state)
{
    (void)state;
    struct network network = *network_find("regtest");
    network.split_height = 100;
    struct block_header *chain = mine_on_genesis(&network, 10, 1);
    struct world world;
    struct error reason;
    world_init(&world, &network, 2, after(&network, 10));
    world_connect(&world, 0, WORLD_SERVICES | NODE_OTHER_CHAIN);
    assert_true(world.peers[0].gone);
    assert_false(spv_identity_ok(world.spv, &reason));
    assert_non_null(
        strstr(reason.text, "peer a:1 serves another chain: its service bits"));
    /* "The gate identity names it while no peer of our chain is there." */
    world_connect(&world, 1, WORLD_SERVICES);
    world_headers(&world, 1, chain, 10);
    assert_true(spv_identity_ok(world.spv, &reason));
    /* Not dialed again too soon. */
    uint32_t id = world.peers[0].id;
    world_wait(&world, RETRY_OTHER_CHAIN_MS - 1);
    assert_int_equal(world.peers[0].id, id);
    world_wait(&world, 1);
    assert_int_not_equal(world.peers[0].id, id);
    free(chain);
    free_world(&world);
}

static void test_other_chain_by_version_bit(void **state)
{
    (void)state;
    const struct network *regtest = network_find("regtest");
    struct block_header *chain = mine_on_genesis(regtest, 10, 1);
    struct world world;
    struct error reason;
    world_init(&world, regtest, 1, after(regtest, 10));
    world_connect(&world, 0, WORLD_SERVICES);
    chain[9].version = INT32_MIN | 4;
    mine_solve(regtest, &chain[9]);
    world_headers(&world, 0, chain, 10);
    assert_true(world.peers[0].gone);
    assert_false(spv_identity_ok(world.spv, &reason));
    assert_non_null(strstr(reason.text, "bit 31"));
    free(chain);
    free_world(&world);
}

/* "Peers stuck just above that height ... are let go of, not banned." */
static void test_stuck_above_the_split(void **state)
{
    (void)state;
    struct network network = *network_find("regtest");
    network.split_height = 100;
    struct block_header *chain = mine_on_genesis(&network, 110, 1);
    struct world world;
    struct error reason;
    world_init(&world, &network, 2, after(&network, 110));
    world_connect(&world, 0, WORLD_SERVICES);
    world_headers(&world, 0, chain, 107);
    assert_false(world.peers[0].gone); /* it may be on its way */
    world.now.wall.s += 2 * 86400;
    world_connect(&world, 1, WORLD_SERVICES);
    world_headers(&world, 1, chain, 107);
    assert_true(world.peers[1].gone);
    assert_non_null(strstr(world.notes, "just above the split at 100"));
    assert_true(spv_identity_ok(world.spv, &reason)); /* one of ours is there */
    free(chain);
    free_world(&world);
}

/* What a node of that chain does to one that doesn't ask for its headers: it shows those
 * that both chains have, and no more. */
static void test_headers_that_end_short(void **state)
{
    (void)state;
    const struct network *regtest = network_find("regtest");
    struct block_header *chain = mine_on_genesis(regtest, 20, 1);
    struct world world;
    struct error reason;
    world_init(&world, regtest, 2, after(regtest, 20));
    world.start_height = 20;
    world_connect(&world, 0, WORLD_SERVICES);
    world_headers(&world, 0, chain, 13);
    assert_true(world.peers[0].gone);
    assert_false(spv_identity_ok(world.spv, &reason));
    assert_non_null(strstr(reason.text, "at height 20, and its headers end at 13"));
    world_connect(&world, 1, WORLD_SERVICES);
    world_headers(&world, 1, chain, 14);
    assert_false(world.peers[1].gone);
    assert_true(spv_identity_ok(world.spv, &reason));
    free(chain);
    free_world(&world);
}

/* "A reorg ... isn't a fault": where networks have storms of easy blocks the branch of
 * more work is often the shorter one, and the height that a peer gave itself is of
 * before. */
static void test_shown_height_is_not_held_against_it(void **state)
{
    (void)state;
    const struct network *regtest = network_find("regtest");
    struct block_header *chain = mine_on_genesis(regtest, 20, 1);
    struct world world;
    world_init(&world, regtest, 1, after(regtest, 20));
    world.start_height = 20;
    world_connect(&world, 0, WORLD_SERVICES);
    world_headers(&world, 0, chain, 20);
    world_wait(&world, PROBE_INTERVAL_MS);
    world_headers(&world, 0, chain, 13);
    assert_false(world.peers[0].gone);
    free(chain);
    free_world(&world);
}

/* "A checkpoint pins: headers at the checkpoint's height with another hash are refused."
 */
static void test_checkpoint_refuses_a_branch(void **state)
{
    (void)state;
    struct network network = *network_find("regtest");
    struct block_header *chain = mine_on_genesis(&network, 300, 1);
    struct block_header *other = mine_on_genesis(&network, 400, 2);
    struct checkpoint pin = {.height = 200};
    struct world world;
    struct error reason;
    block_header_hash(&pin.hash, &chain[199]);
    network.checkpoints = &pin;
    network.checkpoint_count = 1;
    world_init(&world, &network, 2, after(&network, 400));
    world_connect(&world, 0, WORLD_SERVICES);
    world_headers(&world, 0, other, 400);
    assert_true(world.peers[0].gone);
    assert_int_equal(world.spv->best->height, 199);
    assert_false(spv_identity_ok(world.spv, &reason));
    assert_non_null(strstr(reason.text, "its block at height 200 isn't the checkpoint"));
    world_connect(&world, 1, WORLD_SERVICES);
    world_headers(&world, 1, chain, 300);
    assert_int_equal(world.spv->best->height, 300);
    assert_true(spv_identity_ok(world.spv, &reason));
    free(chain);
    free(other);
    free_world(&world);
}

/* "All peers withhold the tip: the gate synced fails by age." */
static void test_withheld_tip_shows_by_its_age(void **state)
{
    (void)state;
    struct network network = demanding(0);
    network.retarget = RETARGET_WINDOW; /* on regtest the age doesn't matter */
    struct block_header *chain = mine_on_genesis(&network, 50, 1);
    struct world world;
    struct error reason;
    world_init(&world, &network, 2, after(&network, 50));
    world_connect(&world, 0, WORLD_SERVICES);
    world_connect(&world, 1, WORLD_SERVICES);
    world_headers(&world, 0, chain, 49);
    world_headers(&world, 1, chain, 49);
    assert_true(spv_synced(world.spv, world.now, &reason));
    world_wait(&world, (7200 - SPACING) * 1000);
    assert_true(spv_synced(world.spv, world.now, &reason));
    world_wait(&world, 1000);
    assert_false(spv_synced(world.spv, world.now, &reason));
    assert_non_null(strstr(reason.text, "peers may withhold newer ones"));
    world_headers(&world, 1, chain + 49, 1);
    assert_true(spv_synced(world.spv, world.now, &reason));
    free(chain);
    free_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_other_chain_by_service_bit),
        cmocka_unit_test(test_other_chain_by_version_bit),
        cmocka_unit_test(test_stuck_above_the_split),
        cmocka_unit_test(test_headers_that_end_short),
        cmocka_unit_test(test_shown_height_is_not_held_against_it),
        cmocka_unit_test(test_checkpoint_refuses_a_branch),
        cmocka_unit_test(test_withheld_tip_shows_by_its_age),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
