#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "spv/presync.h"
#include "tests/unit/spv/header_world.h"

static const struct wall_time clock_now = {2000000000};
static const uint64_t salt[2] = {5, 6};

#define MESSAGE PRESYNC_STRIDE
#define LENGTH (3 * MESSAGE + 700)

static struct block_header *chain;
static struct block_header *other; /* leaves it in the second message */

static int make_chains(void **state)
{
    (void)state;
    const struct network *regtest = network_find("regtest");
    chain = world_mine(regtest, &regtest->genesis_hash, &regtest->genesis, LENGTH, 60, 1);
    struct block_hash at;
    size_t fork = MESSAGE + 10;
    block_header_hash(&at, &chain[fork - 1]);
    other = mem_zalloc(LENGTH, sizeof(*other));
    struct block_header *branch =
        world_mine(regtest, &at, &chain[fork - 1], LENGTH - fork, 60, 2);
    memcpy(other, chain, fork * sizeof(*other));
    memcpy(other + fork, branch, (LENGTH - fork) * sizeof(*other));
    free(branch);
    return 0;
}

static int free_chains(void **state)
{
    (void)state;
    free(chain);
    free(other);
    return 0;
}

/* Work of genesis and `count` headers. */
static struct u256 work_of(size_t count)
{
    return u256_from_u64(2 * (count + 1));
}

static struct presync *presync_of(size_t enough, uint32_t most,
                                  const struct checkpoint *pins, size_t pin_count)
{
    struct header_stream stream;
    struct u256 work = work_of(enough);
    header_stream_at_genesis(&stream, network_find("regtest"));
    return presync_new(&stream, &work, most, salt, pins, pin_count);
}

static enum presync_verdict add_at(struct presync *presync,
                                   const struct block_header *headers, size_t count,
                                   struct wall_time now, struct error *error)
{
    struct block_hash *hashes = mem_zalloc(count, sizeof(*hashes));
    block_headers_hash(hashes, headers, count);
    enum presync_verdict verdict =
        presync_add(presync, headers, hashes, count, now, error);
    free(hashes);
    return verdict;
}

static enum presync_verdict compare(struct presync *presync, size_t *proved,
                                    const struct block_header *headers, size_t count)
{
    struct block_hash *hashes = mem_zalloc(count, sizeof(*hashes));
    block_headers_hash(hashes, headers, count);
    enum presync_verdict verdict =
        presync_compare(presync, proved, headers, hashes, count);
    free(hashes);
    return verdict;
}

static enum presync_verdict add(struct presync *presync,
                                const struct block_header *headers, size_t count)
{
    struct error error;
    return add_at(presync, headers, count, clock_now, &error);
}

/* Bring it to its second download. */
static struct presync *second_of(size_t enough)
{
    struct presync *presync = presync_of(enough, LENGTH + 1, NULL, 0);
    for (size_t at = 0; at < LENGTH; at += MESSAGE) {
        size_t count = LENGTH - at < MESSAGE ? LENGTH - at : MESSAGE;
        enum presync_verdict verdict = add(presync, chain + at, count);
        if (verdict == PRESYNC_ENOUGH) {
            break;
        }
        assert_int_equal(verdict, PRESYNC_MORE);
    }
    assert_true(presync_second(presync));
    assert_int_equal(presync_height(presync), 0);
    return presync;
}

static void test_same_chain_twice(void **state)
{
    (void)state;
    struct presync *presync = second_of(LENGTH - 50);
    size_t proved;
    for (size_t at = 0; at < 3 * MESSAGE; at += MESSAGE) {
        assert_int_equal(compare(presync, &proved, chain + at, MESSAGE), PRESYNC_MORE);
        assert_int_equal(proved, MESSAGE);
    }
    /* What the chain has grown by meanwhile isn't part of it. */
    assert_int_equal(compare(presync, &proved, chain + 3 * MESSAGE, 700), PRESYNC_DONE);
    assert_int_equal(proved, 650);
    presync_free(presync);
}

/* Nothing of a message counts as proved before its commitment agrees. */
static void test_changed_mind(void **state)
{
    (void)state;
    struct presync *presync = second_of(LENGTH - 50);
    size_t proved;
    assert_int_equal(compare(presync, &proved, other, MESSAGE), PRESYNC_MORE);
    assert_int_equal(proved, MESSAGE);
    assert_int_equal(compare(presync, &proved, other + MESSAGE, MESSAGE), PRESYNC_OTHER);
    assert_int_equal(proved, 0);
    presync_free(presync);
    /* The last header is known whole. */
    presync = second_of(MESSAGE + 20);
    assert_int_equal(compare(presync, &proved, chain, MESSAGE), PRESYNC_MORE);
    assert_int_equal(compare(presync, &proved, other + MESSAGE, 20), PRESYNC_OTHER);
    presync_free(presync);
    /* Headers that don't follow the proved ones. */
    presync = second_of(MESSAGE + 20);
    assert_int_equal(compare(presync, &proved, chain + 1, 20), PRESYNC_OTHER);
    presync_free(presync);
}

static void test_short_messages_prove_nothing_yet(void **state)
{
    (void)state;
    struct presync *presync = second_of(LENGTH - 50);
    size_t proved;
    assert_int_equal(compare(presync, &proved, chain, MESSAGE - 1), PRESYNC_MORE);
    assert_int_equal(proved, 0);
    assert_true(
        block_hash_equal(presync_at(presync), &network_find("regtest")->genesis_hash));
    presync_free(presync);
}

static void test_endless(void **state)
{
    (void)state;
    struct presync *presync = presync_of(LENGTH + 1, MESSAGE + 5, NULL, 0);
    struct error error;
    assert_int_equal(add(presync, chain, MESSAGE), PRESYNC_MORE);
    assert_int_equal(add_at(presync, chain + MESSAGE, MESSAGE, clock_now, &error),
                     PRESYNC_ENDLESS);
    assert_non_null(strstr(error.text, "2005 headers and too little work"));
    presync_free(presync);
}

static void test_rules_hold_in_the_stream(void **state)
{
    (void)state;
    struct presync *presync = presync_of(LENGTH, LENGTH, NULL, 0);
    struct error error;
    struct wall_time early = {(int64_t)chain[4].time.s - HEADER_FUTURE_MAX};
    assert_int_equal(add_at(presync, chain, 10, early, &error), PRESYNC_FUTURE);
    assert_int_equal(presync_height(presync), 5);
    assert_int_equal(add_at(presync, chain + 6, 10, clock_now, &error), PRESYNC_INVALID);
    assert_non_null(strstr(error.text, "follow one another"));
    struct block_header wrong = chain[5];
    wrong.version = 1;
    mine_solve(network_find("regtest"), &wrong);
    assert_int_equal(add_at(presync, &wrong, 1, clock_now, &error), PRESYNC_INVALID);
    assert_non_null(strstr(error.text, "version"));
    presync_free(presync);
}

static void test_checkpoint_pins(void **state)
{
    (void)state;
    struct checkpoint pins[2] = {{.height = 7}, {.height = 20}};
    struct error error;
    block_header_hash(&pins[0].hash, &chain[6]);
    struct presync *presync = presync_of(LENGTH, LENGTH, pins, 2);
    assert_int_equal(add_at(presync, chain, 19, clock_now, &error), PRESYNC_MORE);
    assert_int_equal(add_at(presync, chain + 19, 5, clock_now, &error), PRESYNC_PINNED);
    assert_non_null(strstr(error.text, "at height 20 isn't the checkpoint"));
    presync_free(presync);
}

/* The real chains fit with room to spare, and what is above is refused. */
static void test_headers_max(void **state)
{
    (void)state;
    const struct wall_time released = {1788400000};
    uint32_t mainnet = presync_headers_max(network_find("mainnet"), released);
    assert_true(mainnet > 3 * 966000 / 2 && mainnet < 3 * 966000);
    assert_int_equal(presync_headers_max(network_find("testnet3"), released), 16384000);
    assert_int_equal(presync_headers_max(network_find("regtest"), released), 16384000);
    assert_int_equal(presync_headers_max(network_find("mainnet"), (struct wall_time){0}),
                     100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_chain_twice),
        cmocka_unit_test(test_changed_mind),
        cmocka_unit_test(test_short_messages_prove_nothing_yet),
        cmocka_unit_test(test_endless),
        cmocka_unit_test(test_rules_hold_in_the_stream),
        cmocka_unit_test(test_checkpoint_pins),
        cmocka_unit_test(test_headers_max),
    };
    return cmocka_run_group_tests(tests, make_chains, free_chains);
}
