#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "spv/header_stream.h"
#include "tests/unit/spv/mine.h"
#include "tests/unit/spv/shared_data.h"

static enum header_verdict add(struct header_stream *stream,
                               const struct block_header *header, struct wall_time now,
                               struct error *error)
{
    struct block_hash hash;
    block_header_hash(&hash, header);
    return header_stream_add(stream, header, &hash, now, error);
}

static const uint64_t seed[2] = {1, 2};
static const struct wall_time clock_now = {2000000000};

#define PERIODS_FROM 822528
#define PERIODS 4032

/* The stream at the first of two whole periods of real headers, *data the headers; false
 * where they are absent. */
static bool mainnet_periods(struct header_stream *stream, uint8_t **data)
{
    size_t len;
    size_t retargets_len;
    uint8_t *retargets = shared_data("mainnet/retargets-0-832608.bin", &retargets_len);
    *data = shared_data("mainnet/headers-822528-826559.bin", &len);
    bool there = *data != NULL && retargets != NULL;
    for (size_t at = 0; there && at + 116 <= retargets_len; at += 116) {
        if (get_u32le(retargets + at) != PERIODS_FROM) {
            continue;
        }
        struct block_header root;
        struct u256 work = u256_from_be(retargets + at + 84);
        block_header_decode(&root, retargets + at + 4);
        const struct network *mainnet = network_find("mainnet");
        struct header_tree *tree =
            header_tree_new_at(mainnet, seed, PERIODS_FROM, &root, &work);
        header_stream_at_node(stream, mainnet, tree, header_tree_root(tree));
        header_tree_free(tree);
    }
    free(retargets);
    if (!there) {
        free(*data);
    }
    return there;
}

static struct block_header header_at(const uint8_t *data, size_t index)
{
    struct block_header header;
    block_header_decode(&header, data + index * BLOCK_HEADER_SIZE);
    return header;
}

/* "Every mainnet retarget ... and two whole periods of headers check out" (issue): their
 * sum of work is the published one. */
static void test_two_whole_periods(void **state)
{
    (void)state;
    struct header_stream stream;
    uint8_t *data;
    if (!mainnet_periods(&stream, &data)) {
        skip();
    }
    struct u256 before = stream.work;
    struct u256 sum = before;
    for (size_t i = 1; i < PERIODS; i++) {
        struct block_header header = header_at(data, i);
        struct error error;
        assert_int_equal(add(&stream, &header, clock_now, &error), HEADER_ADDED);
        struct u256 one = pow_work(header.bits);
        sum = u256_add(&sum, &one);
    }
    assert_int_equal(stream.past.height, PERIODS_FROM + PERIODS - 1);
    assert_true(u256_compare(&sum, &stream.work) == 0);
    free(data);
}

/* "A wrong bit anywhere is refused": each of the 640 bits of many headers, the periods'
 * borders among them. */
static void test_wrong_bit_anywhere(void **state)
{
    (void)state;
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    skip();
#endif
    struct header_stream stream;
    uint8_t *data;
    if (!mainnet_periods(&stream, &data)) {
        skip();
    }
    for (size_t i = 1; i < PERIODS; i++) {
        uint8_t *raw = data + i * BLOCK_HEADER_SIZE;
        bool flip = i % 61 == 1 || i % RETARGET_INTERVAL < 2;
        for (size_t bit = 0; flip && bit < 8 * (size_t)BLOCK_HEADER_SIZE; bit++) {
            raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
            struct block_header header = header_at(data, i);
            struct header_stream copy = stream;
            struct error error = {{0}};
            enum header_verdict verdict = add(&copy, &header, clock_now, &error);
            bool of_previous = bit / 8 >= 4 && bit / 8 < 36;
            assert_int_equal(verdict, of_previous ? HEADER_ORPHAN : HEADER_INVALID);
            assert_true(of_previous || strstr(error.text, "proof of work") != NULL);
            raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        struct block_header header = header_at(data, i);
        struct error error;
        assert_int_equal(add(&stream, &header, clock_now, &error), HEADER_ADDED);
    }
    free(data);
}

/* A proof of work doesn't help: bits, time, version and the header before are judged by
 * their own rules. */
static void test_wrong_field_with_work(void **state)
{
    (void)state;
    const struct network *regtest = network_find("regtest");
    struct header_stream stream;
    header_stream_at_genesis(&stream, regtest);
    struct header_node tip = {.hash = regtest->genesis_hash, .header = regtest->genesis};
    static const struct {
        const char *rule;
        enum header_verdict verdict;
    } cases[] = {{"bits", HEADER_INVALID},
                 {"median time", HEADER_INVALID},
                 {"version", HEADER_INVALID},
                 {"", HEADER_FUTURE},
                 {"", HEADER_ORPHAN}};
    for (uint32_t i = 0; i < 30; i++) {
        for (size_t wrong = 0; wrong < sizeof(cases) / sizeof(cases[0]); wrong++) {
            struct block_header header = mine_template(&tip, 600, 1);
            header.bits -= wrong == 0;
            header.time.s = wrong == 1 ? stream.past.times[0] - 7200 : header.time.s;
            header.version = wrong == 2 ? 3 : 4;
            header.time.s = wrong == 3 ? (uint32_t)clock_now.s + 7201 : header.time.s;
            header.previous.b[5] ^= wrong == 4;
            mine_solve(regtest, &header);
            struct header_stream copy = stream;
            struct error error = {{0}};
            assert_int_equal(add(&copy, &header, clock_now, &error),
                             cases[wrong].verdict);
            assert_non_null(strstr(error.text, cases[wrong].rule));
            assert_memory_equal(&copy, &stream, sizeof(stream));
        }
        struct block_header right = mine_template(&tip, 600, 1);
        mine_solve(regtest, &right);
        struct error error;
        assert_int_equal(add(&stream, &right, clock_now, &error), HEADER_ADDED);
        tip.hash = stream.hash;
        tip.header = right;
    }
}

/* With exceptions and refusals in any order the stream and the tree agree on every
 * header. (A retarget from regtest's limit would overflow: the fuzz target, whose hashes
 * are all good enough, goes on over periods' borders.) */
static void check_against_tree(enum retarget_rule rule, uint64_t run)
{
    struct network network = *network_find("regtest");
    struct random random;
    random_init(&random, run);
    network.retarget = rule;
    struct block_header root = network.genesis;
    root.bits = 0x201fffff;
    struct u256 work = u256_from_u64(1000);
    struct header_tree *tree =
        header_tree_new_at(&network, seed, RETARGET_INTERVAL, &root, &work);
    struct header_stream stream;
    struct header_node *tip = header_tree_root(tree);
    header_stream_at_node(&stream, &network, tree, tip);
    size_t refused = 0;
    for (uint32_t i = 0; tip->height < 2 * RETARGET_INTERVAL - 1; i++) {
        struct block_header header =
            mine_template(tip, (uint32_t)random_below(&random, 1500), i);
        bool limit = random_below(&random, 4) == 0;
        header.bits = limit ? network.pow_limit_bits : root.bits;
        if (random_below(&random, 9) == 0) {
            header.time.s -= 3000;
        }
        mine_solve(&network, &header);
        struct error one = {{0}};
        struct error other = {{0}};
        struct header_node *node;
        enum header_verdict verdict = tree_add(tree, &node, &header, clock_now, &one);
        assert_int_equal(add(&stream, &header, clock_now, &other), verdict);
        assert_string_equal(one.text, other.text);
        refused += verdict == HEADER_INVALID;
        tip = verdict == HEADER_ADDED ? node : tip;
        assert_true(block_hash_equal(&stream.hash, &tip->hash));
        assert_true(u256_compare(&stream.work, &tip->work) == 0);
        assert_int_equal(stream.past.normal_bits, tip->normal_bits);
    }
    assert_true(refused > 100);
    header_tree_free(tree);
}

static void test_against_tree(void **state)
{
    (void)state;
    for (uint64_t run = 0; run < 3; run++) {
        check_against_tree(RETARGET_WINDOW, run);
        check_against_tree(RETARGET_TESTNET3, run);
        check_against_tree(RETARGET_BIP94, run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_whole_periods),
        cmocka_unit_test(test_wrong_bit_anywhere),
        cmocka_unit_test(test_wrong_field_with_work),
        cmocka_unit_test(test_against_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
