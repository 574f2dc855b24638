/* The table of unconfirmed transactions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "app/pending.h"

#define SEED ((uint64_t[]){1, 2})
#define NOW ((struct wall_time){1000000})

struct made {
    struct block block;
    struct tx tx;
    struct tx_in in;
};

/* The transaction with this number, which spends the coin with that one. */
static const struct block *make(struct made *out, uint32_t number, uint32_t coin)
{
    *out = (struct made){.tx = {.in_count = 1}};
    put_u32be(out->tx.txid.b, number);
    put_u32be(out->in.previous.txid.b, coin);
    out->block =
        (struct block){.txs = &out->tx, .ins = &out->in, .tx_count = 1, .in_count = 1};
    return &out->block;
}

static bool add(struct pending *pending, uint32_t number, uint32_t coin,
                struct wall_time now)
{
    struct made made;
    struct foreseen_feed feed = {"wbtc", {number}, {7}};
    const struct foreseen foreseen = {&feed, 1};
    return pending_add(pending, make(&made, number, coin), &foreseen, now);
}

static bool block(struct pending *pending, uint32_t number, uint32_t coin)
{
    struct made made;
    return pending_block(pending, make(&made, number, coin));
}

/* What is shown: the credited satoshi, which are the transactions' numbers. */
static size_t shown(const struct pending *pending, uint32_t first)
{
    json_t *array = pending_json(pending);
    size_t count = json_array_size(array);
    if (count)
        assert_int_equal(
            json_integer_value(json_object_get(json_array_get(array, 0), "credited")),
            first);
    json_decref(array);
    return count;
}

/* A core without peers: nobody announces anything. */
static struct spv *nobody(void)
{
    const struct network *network = network_find("regtest");
    const struct chain_row row = {.header = network->genesis,
                                  .hash = network->genesis_hash};
    const struct spv_start start = {.root_work = u256_from_u64(2),
                                    .rows = &row,
                                    .row_count = 1,
                                    .checkpoint_hashes = &network->genesis_hash,
                                    .checkpoint_hash_count = 1};
    const struct spv_settings settings = {
        .network = network, .map_seed = {1, 2}, .agent = "/test/", .mempool = true};
    return spv_new(&settings, &start, (struct spv_now){{1}, NOW});
}

static void test_comes_and_goes(void **state)
{
    (void)state;
    struct pending *pending = pending_new(SEED);
    struct made made;
    assert_false(pending_add(pending, make(&made, 1, 1), &(struct foreseen){0}, NOW));
    assert_true(add(pending, 1, 11, NOW));
    assert_false(add(pending, 1, 11, NOW));
    assert_true(add(pending, 2, 12, NOW));
    assert_true(add(pending, 3, 13, NOW));
    assert_false(block(pending, 9, 99));
    assert_true(block(pending, 1, 11)); /* confirmed */
    assert_int_equal(shown(pending, 2), 2);
    assert_true(block(pending, 9, 12)); /* another spend of the same */
    assert_int_equal(shown(pending, 3), 1);
    pending_free(pending);
    assert_int_equal(shown(NULL, 0), 0);
}

static void test_the_newest_spend_replaces(void **state)
{
    (void)state;
    struct pending *pending = pending_new(SEED);
    struct spv *spv = nobody();
    add(pending, 1, 11, NOW);
    add(pending, 2, 12, NOW);
    assert_false(pending_refresh(pending, spv, NOW));
    add(pending, 3, 11, NOW);
    add(pending, 4, 11, NOW);
    assert_int_equal(shown(pending, 1), 4);
    assert_true(pending_refresh(pending, spv, NOW));
    assert_int_equal(shown(pending, 2), 2);
    assert_true(block(pending, 4, 11));
    assert_int_equal(shown(pending, 2), 1);
    spv_free(spv);
    pending_free(pending);
}

static void test_bounds(void **state)
{
    (void)state;
    struct pending *pending = pending_new(SEED);
    struct spv *spv = nobody();
    for (uint32_t i = 1; i <= PENDING_MAX + 5; i++)
        add(pending, i, i, NOW);
    assert_int_equal(shown(pending, 6), PENDING_MAX);
    assert_false(
        pending_refresh(pending, spv, (struct wall_time){NOW.s + PENDING_AGE_S}));
    assert_true(
        pending_refresh(pending, spv, (struct wall_time){NOW.s + PENDING_AGE_S + 1}));
    assert_int_equal(shown(pending, 0), 0);
    spv_free(spv);
    pending_free(pending);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_and_goes),
        cmocka_unit_test(test_the_newest_spend_replaces),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
