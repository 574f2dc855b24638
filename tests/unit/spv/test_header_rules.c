#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "spv/header_rules.h"

#define NODES 12
#define START 1600000000

static const struct wall_time now = {2000000000};

/* A branch that ends at `height`, ten minutes apart, without hashes. */
struct branch {
    struct header_node nodes[NODES];
};

static struct header_node *branch_build(struct branch *branch, uint32_t height,
                                        uint32_t bits)
{
    for (uint32_t i = 0; i < NODES; i++) {
        branch->nodes[i] = (struct header_node){
            .header = {.version = 4, .time = {START + 600 * i}, .bits = bits},
            .height = height - (NODES - 1) + i,
            .parent = i == 0 ? NULL : &branch->nodes[i - 1],
            .normal_bits = bits,
        };
    }
    return &branch->nodes[NODES - 1];
}

static struct block_header follow(const struct header_node *parent)
{
    return (struct block_header){
        .version = 4,
        .time = {parent->header.time.s + 600},
        .bits = parent->header.bits,
    };
}

static void assert_refused(const struct network *network,
                           const struct header_node *parent,
                           const struct header_node *first,
                           const struct block_header *header, const char *rule)
{
    struct error error;
    assert_int_equal(header_rules_check(network, parent, first, header, now, &error),
                     HEADER_INVALID);
    assert_ptr_equal(strstr(error.text, rule), error.text);
}

static void assert_fits(const struct network *network, const struct header_node *parent,
                        const struct header_node *first,
                        const struct block_header *header)
{
    struct error error;
    assert_int_equal(header_rules_check(network, parent, first, header, now, &error),
                     HEADER_ADDED);
}

static void test_bits(void **state)
{
    (void)state;
    const struct network *mainnet = network_find("mainnet");
    struct branch branch;
    struct header_node *tip = branch_build(&branch, 500000, 0x1b0404cb);
    struct block_header header = follow(tip);
    assert_fits(mainnet, tip, NULL, &header);
    for (unsigned bit = 0; bit < 32; bit++) {
        header.bits = 0x1b0404cb ^ UINT32_C(1) << bit;
        assert_refused(mainnet, tip, NULL, &header, "bits");
    }
}

static void test_median_time(void **state)
{
    (void)state;
    const struct network *mainnet = network_find("mainnet");
    struct branch branch;
    struct header_node *tip = branch_build(&branch, 500000, 0x1b0404cb);
    struct block_header header = follow(tip);
    /* The median of the last 11 is the sixth from the end, whatever their order. */
    uint32_t median = branch.nodes[NODES - 6].header.time.s;
    branch.nodes[NODES - 1].header.time.s = branch.nodes[NODES - 11].header.time.s;
    branch.nodes[NODES - 11].header.time.s = START + 600 * (NODES - 1);
    assert_int_equal(header_tree_median_time(tip).s, median);
    header.time.s = median;
    assert_refused(mainnet, tip, NULL, &header, "median time");
    header.time.s = median + 1;
    assert_fits(mainnet, tip, NULL, &header);
}

/* Near genesis there are fewer than 11, and all of them count. */
static void test_median_time_near_genesis(void **state)
{
    (void)state;
    const struct network *mainnet = network_find("mainnet");
    struct header_node nodes[4];
    for (uint32_t i = 0; i < 4; i++) {
        nodes[i] = (struct header_node){
            .header = {.time = {START + 10 * i}, .bits = 0x1d00ffff},
            .height = i,
            .parent = i == 0 ? NULL : &nodes[i - 1],
        };
        struct block_header header = {.version = 1, .bits = 0x1d00ffff};
        header.time.s = header_tree_median_time(&nodes[i]).s;
        assert_int_equal(header.time.s, START + 10 * ((i + 1) / 2));
        assert_refused(mainnet, &nodes[i], NULL, &header, "median time");
        header.time.s++;
        assert_fits(mainnet, &nodes[i], NULL, &header);
    }
}

/* Above a root that isn't genesis the unknown times count for the header: nothing valid
 * is refused, and what is known still judges. */
static void test_median_time_above_root(void **state)
{
    (void)state;
    const struct network *mainnet = network_find("mainnet");
    struct branch branch;
    branch_build(&branch, 500000, 0x1b0404cb);
    struct header_node *tip =
        &branch.nodes[7]; /* 8 known, 3 unknown: 3 known must be below */
    struct block_header header = follow(tip);
    header.time.s = branch.nodes[2].header.time.s;
    assert_refused(mainnet, tip, NULL, &header, "median time");
    header.time.s++;
    assert_fits(mainnet, tip, NULL, &header);
    tip = &branch.nodes[4]; /* 6 unknown suffice */
    header.time.s = 0;
    assert_fits(mainnet, tip, NULL, &header);
}

static void test_version_floors(void **state)
{
    (void)state;
    const struct network *mainnet = network_find("mainnet");
    static const struct {
        uint32_t height;
        int32_t floor;
    } cases[] = {
        {227930, INT32_MIN}, {227931, 2}, {363724, 2},
        {363725, 3},         {388380, 3}, {388381, 4},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct branch branch;
        struct header_node *tip = branch_build(&branch, cases[i].height - 1, 0x1b0404cb);
        struct block_header header = follow(tip);
        header.version = cases[i].floor;
        assert_fits(mainnet, tip, NULL, &header);
        if (cases[i].floor > INT32_MIN) {
            header.version--;
            assert_refused(mainnet, tip, NULL, &header, "version");
            header.version = INT32_MIN;
            assert_refused(mainnet, tip, NULL, &header, "version");
        }
    }
}

static void test_future(void **state)
{
    (void)state;
    const struct network *mainnet = network_find("mainnet");
    struct branch branch;
    struct header_node *tip = branch_build(&branch, 500000, 0x1b0404cb);
    struct block_header header = follow(tip);
    struct error error;
    struct wall_time clock = {(int64_t)header.time.s - HEADER_FUTURE_MAX};
    assert_int_equal(header_rules_check(mainnet, tip, NULL, &header, clock, &error),
                     HEADER_ADDED);
    clock.s--;
    assert_int_equal(header_rules_check(mainnet, tip, NULL, &header, clock, &error),
                     HEADER_FUTURE);
    /* What is wrong for good isn't deferred. */
    header.version = 1;
    assert_int_equal(header_rules_check(mainnet, tip, NULL, &header, clock, &error),
                     HEADER_INVALID);
}

static void test_bip94_time_warp(void **state)
{
    (void)state;
    struct branch branch;
    struct header_node *tip = branch_build(&branch, 4031, 0x1b0404cb);
    tip->header.time.s += 100000;
    struct header_node first = {
        .header = {.time = {tip->header.time.s - 14 * 24 * 60 * 60}, .bits = 0x1b0404cb},
        .height = 2016,
    };
    struct block_header header = follow(tip);
    header.time.s = tip->header.time.s - 601;
    assert_refused(network_find("testnet4"), tip, &first, &header, "BIP 94");
    assert_fits(network_find("testnet3"), tip, &first, &header);
    header.time.s++;
    assert_fits(network_find("testnet4"), tip, &first, &header);
    /* Only a period's first header is bound. */
    tip->height = 4030;
    header.time.s = tip->header.time.s - 601;
    assert_fits(network_find("testnet4"), tip, NULL, &header);
}

/* A period ends with an exception: testnet3 goes on from it, BIP 94 from the first. */
static void test_boundary_after_exception(void **state)
{
    (void)state;
    struct branch branch;
    struct header_node *tip = branch_build(&branch, 4031, 0x1d00ffff);
    struct header_node first = {
        .header = {.time = {tip->header.time.s - 14 * 24 * 60 * 60}, .bits = 0x1b0404cb},
        .height = 2016,
    };
    struct block_header header = follow(tip);
    assert_fits(network_find("testnet3"), tip, &first, &header);
    assert_refused(network_find("testnet4"), tip, &first, &header, "bits");
    header.bits = 0x1b0404cb;
    assert_refused(network_find("testnet3"), tip, &first, &header, "bits");
    assert_fits(network_find("testnet4"), tip, &first, &header);
    /* BIP 94: a period's first header has no exception, however late. */
    header.time.s += 100000;
    assert_fits(network_find("testnet4"), tip, &first, &header);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_median_time),
        cmocka_unit_test(test_median_time_near_genesis),
        cmocka_unit_test(test_median_time_above_root),
        cmocka_unit_test(test_version_floors),
        cmocka_unit_test(test_future),
        cmocka_unit_test(test_bip94_time_warp),
        cmocka_unit_test(test_boundary_after_exception),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
