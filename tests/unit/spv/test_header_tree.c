#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "base/random.h"
#include "tests/unit/spv/mainnet_headers.h"
#include "tests/unit/spv/mine.h"
#include "tests/unit/spv/shared_data.h"

static const uint64_t seed[2] = {1, 2};
static const struct wall_time clock_now = {2000000000};
static const struct mono_time start = {1000};

static struct header_tree *regtest_tree(void)
{
    return header_tree_new(network_find("regtest"), seed);
}

static struct header_node *add(struct header_tree *tree,
                               const struct block_header *header)
{
    struct header_node *node;
    struct error error;
    enum header_verdict verdict = tree_add(tree, &node, header, clock_now, &error);
    if (verdict == HEADER_INVALID) {
        fail_msg("%s", error.text);
    }
    assert_int_equal(verdict, HEADER_ADDED);
    assert_non_null(node);
    return node;
}

/* Build `count` headers on `parent` and return the last. */
static struct header_node *extend(struct header_tree *tree, struct header_node *parent,
                                  uint32_t count, uint32_t tag)
{
    for (uint32_t i = 0; i < count; i++) {
        struct block_header header = mine_template(parent, 600, tag);
        mine_solve(network_find("regtest"), &header);
        parent = add(tree, &header);
    }
    return parent;
}

static struct block_header header_of(const char *hex)
{
    uint8_t raw[BLOCK_HEADER_SIZE];
    assert_true(hex_decode(raw, sizeof(raw), hex, strlen(hex), NULL));
    struct block_header header;
    block_header_decode(&header, raw);
    return header;
}

static struct header_tree *mainnet_tree(void)
{
    uint8_t raw[32];
    assert_true(hex_decode(raw, sizeof(raw), MAINNET_BOUNDARY_WORK, 64, NULL));
    struct u256 work = u256_from_be(raw);
    struct block_header root = header_of(mainnet_headers[0]);
    return header_tree_new_at(network_find("mainnet"), seed, MAINNET_BOUNDARY, &root,
                              &work);
}

static void test_mainnet_headers(void **state)
{
    (void)state;
    struct header_tree *tree = mainnet_tree();
    struct header_node *root = header_tree_root(tree);
    struct header_node *tip = root;
    for (size_t i = 1; i < MAINNET_HEADERS; i++) {
        struct block_header header = header_of(mainnet_headers[i]);
        tip = add(tree, &header);
        assert_ptr_equal(header_tree_best(tree, start), tip);
        assert_ptr_equal(header_tree_find(tree, &tip->hash), tip);
    }
    assert_int_equal(tip->height, MAINNET_BOUNDARY + MAINNET_HEADERS - 1);
    struct u256 one = pow_work(root->header.bits);
    struct u256 more = u256_mul_u32(&one, MAINNET_HEADERS - 1);
    struct u256 sum = u256_add(&root->work, &more);
    assert_true(u256_compare(&sum, &tip->work) == 0);
    header_tree_free(tree);
}

/* Whichever of its 640 bits is wrong, the header is refused for its proof of work, before
 * anyone asks what it follows. */
static void test_wrong_bit(void **state)
{
    (void)state;
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    skip();
#endif
    struct header_tree *tree = mainnet_tree();
    uint8_t raw[BLOCK_HEADER_SIZE];
    assert_true(hex_decode(raw, sizeof(raw), mainnet_headers[1], 160, NULL));
    for (size_t bit = 0; bit < 8 * sizeof(raw); bit++) {
        raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
        struct block_header header;
        block_header_decode(&header, raw);
        struct error error;
        struct header_node *node;
        assert_int_equal(tree_add(tree, &node, &header, clock_now, &error),
                         HEADER_INVALID);
        assert_null(node);
        assert_non_null(strstr(error.text, "proof of work"));
        raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(header_tree_count(tree), 1);
    header_tree_free(tree);
}

/* Two whole periods with the retarget between them. */
static void test_mainnet_periods(void **state)
{
    (void)state;
    size_t len;
    size_t retargets_len;
    uint8_t *data = shared_data("mainnet/headers-822528-826559.bin", &len);
    uint8_t *retargets = shared_data("mainnet/retargets-0-832608.bin", &retargets_len);
    if (data == NULL || retargets == NULL) {
        free(data);
        free(retargets);
        skip();
    }
    assert_int_equal(len, 4032 * BLOCK_HEADER_SIZE);
    struct header_tree *tree = NULL;
    size_t compared = 0;
    for (size_t at = 0; at + 116 <= retargets_len; at += 116) {
        uint32_t height = get_u32le(retargets + at);
        struct u256 work = u256_from_be(retargets + at + 84);
        struct block_header header;
        block_header_decode(&header, retargets + at + 4);
        if (height == 822528) {
            tree =
                header_tree_new_at(network_find("mainnet"), seed, height, &header, &work);
            for (size_t i = 1; i < 4032; i++) {
                block_header_decode(&header, data + i * BLOCK_HEADER_SIZE);
                add(tree, &header);
            }
        }
        struct block_hash hash;
        block_header_hash(&hash, &header);
        struct header_node *node = tree == NULL ? NULL : header_tree_find(tree, &hash);
        if (node != NULL && node->height == height) {
            assert_true(u256_compare(&node->work, &work) == 0);
            compared++;
        }
    }
    assert_int_equal(compared, 3);
    assert_int_equal(header_tree_best(tree, start)->height, 826559);
    header_tree_free(tree);
    free(data);
    free(retargets);
}

static void test_verdicts(void **state)
{
    (void)state;
    const struct network *regtest = network_find("regtest");
    struct header_tree *tree = regtest_tree();
    struct header_node *root = header_tree_root(tree);
    struct header_node *tip = extend(tree, root, 20, 0);
    struct header_node *node;
    struct error error;
    assert_int_equal(tree_add(tree, &node, &tip->header, clock_now, &error),
                     HEADER_KNOWN);
    assert_ptr_equal(node, tip);
    assert_int_equal(tree_add(tree, NULL, &root->header, clock_now, &error),
                     HEADER_KNOWN);

    struct block_header header = mine_template(tip, 600, 0);
    header.previous.b[0] ^= 1;
    mine_solve(regtest, &header);
    assert_int_equal(tree_add(tree, &node, &header, clock_now, &error), HEADER_ORPHAN);
    assert_null(node);

    header = mine_template(tip, 600, 0);
    mine_solve(regtest, &header);
    struct wall_time early = {(int64_t)header.time.s - HEADER_FUTURE_MAX - 1};
    assert_int_equal(tree_add(tree, &node, &header, early, &error), HEADER_FUTURE);
    early.s++;
    assert_int_equal(tree_add(tree, &node, &header, early, &error), HEADER_ADDED);

    header = mine_template(tip, 0, 7);
    header.time = header_tree_median_time(tip);
    mine_solve(regtest, &header);
    assert_int_equal(tree_add(tree, &node, &header, clock_now, &error), HEADER_INVALID);
    assert_non_null(strstr(error.text, "median time"));
    header.time.s++;
    mine_solve(regtest, &header);
    add(tree, &header);

    header = mine_template(tip, 600, 8);
    header.version = 3;
    mine_solve(regtest, &header);
    assert_int_equal(tree_add(tree, &node, &header, clock_now, &error), HEADER_INVALID);
    assert_non_null(strstr(error.text, "version"));

    header = mine_template(tip, 600, 9);
    header.bits = 0x207ffffe;
    mine_solve(regtest, &header);
    assert_int_equal(tree_add(tree, &node, &header, clock_now, &error), HEADER_INVALID);
    assert_non_null(strstr(error.text, "bits"));
    header_tree_free(tree);
}

static void test_equal_work_keeps_first(void **state)
{
    (void)state;
    struct header_tree *tree = regtest_tree();
    struct header_node *root = header_tree_root(tree);
    struct header_node *first = extend(tree, root, 5, 1);
    struct header_node *second = extend(tree, root, 5, 2);
    assert_ptr_equal(header_tree_best(tree, start), first);
    assert_ptr_equal(header_tree_fork(first, second), root);
    /* A look at everything anew doesn't change it. */
    header_tree_set_aside(tree, second, (struct mono_time){5000});
    assert_ptr_equal(header_tree_best(tree, (struct mono_time){6000}), first);
    header_tree_free(tree);
}

/* Both branches grow in turns, as over several messages; the longer one at the end wins,
 * and ancestors follow. */
static void test_reorg(void **state)
{
    (void)state;
    struct header_tree *tree = regtest_tree();
    struct header_node *fork = extend(tree, header_tree_root(tree), 10, 0);
    struct header_node *a = fork;
    struct header_node *b = fork;
    for (uint32_t turn = 0; turn < 8; turn++) {
        a = extend(tree, a, 3, 1);
        b = extend(tree, b, 2 + turn / 2, 2);
        struct header_node *best = b->height > a->height ? b : a;
        assert_ptr_equal(header_tree_best(tree, start), best);
        assert_ptr_equal(header_tree_fork(a, b), fork);
        for (uint32_t height = 0; height <= best->height; height++) {
            assert_int_equal(header_tree_ancestor(tree, best, height)->height, height);
        }
    }
    assert_ptr_equal(header_tree_best(tree, start), b);
    assert_ptr_equal(header_tree_ancestor(tree, a, 10), fork);
    assert_ptr_equal(header_tree_ancestor(tree, b, b->height), b);
    assert_null(header_tree_ancestor(tree, b, b->height + 1));
    assert_int_equal(fork->children, 2);
    assert_ptr_equal(header_tree_next_tip(tree, NULL), b);
    assert_ptr_equal(header_tree_next_tip(tree, b), a);
    assert_null(header_tree_next_tip(tree, a));
    header_tree_free(tree);
}

static void test_invalidate(void **state)
{
    (void)state;
    struct header_tree *tree = regtest_tree();
    struct header_node *fork = extend(tree, header_tree_root(tree), 3, 0);
    struct header_node *bad = extend(tree, fork, 1, 1);
    struct header_node *tip = extend(tree, bad, 5, 1);
    struct header_node *other = extend(tree, fork, 2, 2);
    assert_ptr_equal(header_tree_best(tree, start), tip);
    header_tree_invalidate(tree, bad);
    assert_ptr_equal(header_tree_best(tree, start), other);
    assert_true(tip->invalid);
    assert_false(fork->invalid);

    struct error error;
    struct block_header header = mine_template(tip, 600, 1);
    mine_solve(network_find("regtest"), &header);
    assert_int_equal(tree_add(tree, NULL, &header, clock_now, &error), HEADER_INVALID);
    assert_int_equal(tree_add(tree, NULL, &tip->header, clock_now, &error),
                     HEADER_INVALID);
    header_tree_invalidate(tree, other);
    assert_ptr_equal(header_tree_best(tree, start), other->parent);
    header_tree_free(tree);
}

static void test_set_aside(void **state)
{
    (void)state;
    struct header_tree *tree = regtest_tree();
    struct header_node *fork = extend(tree, header_tree_root(tree), 3, 0);
    struct header_node *branch = extend(tree, fork, 1, 1);
    struct header_node *tip = extend(tree, branch, 5, 1);
    struct header_node *other = extend(tree, fork, 2, 2);
    const struct mono_time until = {start.ms + 600000};
    header_tree_set_aside(tree, branch, until);
    assert_ptr_equal(header_tree_best(tree, start), other);
    /* What is added to it waits too. */
    tip = extend(tree, tip, 1, 1);
    assert_ptr_equal(header_tree_best(tree, mono_add(until, -1)), other);
    assert_ptr_equal(header_tree_best(tree, until), tip);

    header_tree_set_aside(tree, branch, MONO_NEVER);
    assert_ptr_equal(header_tree_best(tree, mono_add(until, 1)), other);
    header_tree_set_aside(tree, branch, mono_add(until, 10));
    assert_ptr_equal(header_tree_best(tree, mono_add(until, 9)), other);
    assert_ptr_equal(header_tree_best(tree, mono_add(until, 10)), tip);
    /* The last header of the only branch: the one before it is the best then. */
    header_tree_set_aside(tree, tip, MONO_NEVER);
    assert_ptr_equal(header_tree_best(tree, mono_add(until, 11)), tip->parent);
    header_tree_free(tree);
}

static bool counts(struct header_node *node, struct mono_time now)
{
    for (; node != NULL; node = node->parent) {
        if (node->invalid || !mono_reached(now, node->aside_until)) {
            return false;
        }
    }
    return true;
}

/* Random trees: the best node and ancestors are what a plain search finds. */
static void test_against_search(void **state)
{
    (void)state;
    enum { NODES = 120 };
    for (uint64_t run = 0; run < 60; run++) {
        struct random random;
        random_init(&random, run);
        struct header_tree *tree = regtest_tree();
        struct header_node *nodes[NODES] = {header_tree_root(tree)};
        struct mono_time now = start;
        for (uint32_t i = 1; i < NODES; i++) {
            struct header_node *parent;
            do {
                uint64_t back = random_below(&random, 4) == 0 ? i : (i < 4 ? i : 4);
                parent = nodes[i - 1 - random_below(&random, back)];
            } while (parent->invalid);
            nodes[i] = extend(tree, parent, 1, i);
            struct header_node *victim = nodes[1 + random_below(&random, i)];
            uint64_t what = random_below(&random, 20);
            if (what == 0) {
                header_tree_invalidate(tree, victim);
            } else if (what < 4) {
                header_tree_set_aside(tree, victim,
                                      mono_add(now, (int64_t)random_below(&random, 30)));
            }
            now = mono_add(now, (int64_t)random_below(&random, 5));
            struct header_node *best = nodes[0];
            for (uint32_t j = 1; j <= i; j++) {
                if (counts(nodes[j], now) && nodes[j]->height > best->height) {
                    best = nodes[j];
                }
            }
            assert_ptr_equal(header_tree_best(tree, now), best);
            uint32_t height = (uint32_t)random_below(&random, victim->height + 1);
            struct header_node *ancestor = victim;
            while (ancestor->height > height) {
                ancestor = ancestor->parent;
            }
            assert_ptr_equal(header_tree_ancestor(tree, victim, height), ancestor);
        }
        header_tree_free(tree);
    }
}

/* A period under the 20-minute rule, on a network with regtest's limit. (Its retargets
 * would overflow, so that it ends before one; test_pow.c and test_header_rules.c go on
 * there.) */
static void check_exception(enum retarget_rule rule)
{
    struct network network = *network_find("regtest");
    network.retarget = rule;
    const uint32_t limit = network.pow_limit_bits;
    const uint32_t normal = 0x201fffff;
    struct block_header first = network.genesis;
    first.bits = normal;
    struct u256 work = pow_work(normal);
    struct header_tree *tree =
        header_tree_new_at(&network, seed, RETARGET_INTERVAL, &first, &work);
    struct header_node *tip = header_tree_root(tree);
    for (uint32_t height = RETARGET_INTERVAL + 1; height < 2 * RETARGET_INTERVAL;
         height++) {
        /* Runs of one to three exceptions, then one within the twenty minutes. */
        bool exception = height % 5 == 0 || height % 7 == 0 || height % 5 == 1;
        struct block_header right = mine_template(tip, exception ? 1201 : 1200, 0);
        right.bits = exception ? limit : normal;
        mine_solve(&network, &right);
        struct block_header wrong = right;
        wrong.bits = exception ? normal : limit;
        mine_solve(&network, &wrong);
        struct error error;
        assert_int_equal(tree_add(tree, NULL, &wrong, clock_now, &error), HEADER_INVALID);
        assert_non_null(strstr(error.text, "bits"));
        tip = add(tree, &right);
        assert_int_equal(tip->normal_bits, normal);
    }
    /* Work is each header's own, whatever its neighbours had. */
    for (struct header_node *at = tip; at->parent != NULL; at = at->parent) {
        struct u256 own = pow_work(at->header.bits);
        struct u256 sum = u256_add(&at->parent->work, &own);
        assert_true(u256_compare(&sum, &at->work) == 0);
    }
    header_tree_free(tree);
}

static void test_twenty_minutes(void **state)
{
    (void)state;
    check_exception(RETARGET_TESTNET3);
    check_exception(RETARGET_BIP94);
}

struct forgotten {
    size_t count;
    uint32_t highest;
};

static void forget(void *context, struct header_node *node)
{
    struct forgotten *forgotten = context;
    forgotten->count++;
    if (node->height > forgotten->highest) {
        forgotten->highest = node->height;
    }
    if (node->parent != NULL) {
        assert_int_equal(node->parent->height + 1, node->height);
    }
}

static void test_prune(void **state)
{
    (void)state;
    struct header_tree *tree = regtest_tree();
    struct header_node *genesis = header_tree_root(tree);
    struct header_node *low = extend(tree, genesis, 100, 0);
    struct header_node *dead = extend(tree, low, 30, 1);
    struct header_node *tip = extend(tree, low, 9900, 0);
    struct header_node *fork = header_tree_ancestor(tree, tip, 8000);
    struct header_node *side = extend(tree, fork, 20, 2);
    struct block_header dead_header = dead->header;
    struct block_header low_child = mine_template(low, 600, 3);
    mine_solve(network_find("regtest"), &low_child);
    assert_int_equal(header_tree_count(tree), 10000 + 1 + 30 + 20);

    struct forgotten forgotten = {0};
    header_tree_prune(tree, genesis, forget, &forgotten);
    assert_int_equal(forgotten.count, 0);
    /* Newest boundary at or below 10,000 - 4,032. */
    header_tree_prune(tree, tip, forget, &forgotten);
    struct header_node *root = header_tree_root(tree);
    assert_int_equal(root->height, 4032);
    assert_null(root->parent);
    assert_ptr_equal(header_tree_next_tip(tree, NULL), side);
    assert_ptr_equal(header_tree_next_tip(tree, side), tip);
    assert_null(header_tree_next_tip(tree, tip));
    assert_int_equal(forgotten.count, 4032 + 30);
    assert_int_equal(forgotten.highest, 4031);
    assert_int_equal(header_tree_count(tree), 10000 - 4032 + 1 + 20);
    assert_ptr_equal(header_tree_best(tree, start), tip);
    assert_null(header_tree_ancestor(tree, tip, 4031));
    assert_ptr_equal(header_tree_ancestor(tree, tip, 4032), root);
    assert_ptr_equal(header_tree_fork(tip, side), fork);

    struct error error;
    assert_int_equal(tree_add(tree, NULL, &dead_header, clock_now, &error),
                     HEADER_ORPHAN);
    assert_int_equal(tree_add(tree, NULL, &low_child, clock_now, &error), HEADER_ORPHAN);
    struct block_header from_genesis =
        mine_template(&(struct header_node){.hash = network_find("regtest")->genesis_hash,
                                            .header = network_find("regtest")->genesis},
                      600, 4);
    mine_solve(network_find("regtest"), &from_genesis);
    assert_int_equal(tree_add(tree, NULL, &from_genesis, clock_now, &error),
                     HEADER_TOO_OLD);

    /* Pruned from the side branch, only what is below the fork may go. */
    tip = extend(tree, tip, 4100, 0);
    side = extend(tree, side, 4180, 2);
    header_tree_prune(tree, side, forget, &forgotten);
    assert_int_equal(header_tree_root(tree)->height, 4032);
    header_tree_prune(tree, tip, forget, &forgotten);
    assert_int_equal(header_tree_root(tree)->height, 8064);
    assert_int_equal(header_tree_count(tree), 14100 - 8064 + 1);
    extend(tree, tip, 10, 0);
    header_tree_free(tree);
}

/* Medians near a root reach below it: the stored branch is taken, forks are not. */
static void test_forks_near_root(void **state)
{
    (void)state;
    const struct network *regtest = network_find("regtest");
    struct header_tree *whole = regtest_tree();
    struct header_node *tip = extend(whole, header_tree_root(whole), 2016 + 40, 0);
    struct header_node *boundary = header_tree_ancestor(whole, tip, 2016);
    struct header_tree *tree =
        header_tree_new_at(regtest, seed, 2016, &boundary->header, &boundary->work);
    for (uint32_t height = 2017; height <= tip->height; height++) {
        add(tree, &header_tree_ancestor(whole, tip, height)->header);
    }
    struct header_node *best = header_tree_best(tree, start);
    assert_true(block_hash_equal(&best->hash, &tip->hash));
    assert_true(u256_compare(&best->work, &tip->work) == 0);
    for (uint32_t height = 2016; height < 2030; height++) {
        struct block_header header =
            mine_template(header_tree_ancestor(tree, best, height), 600, 5);
        mine_solve(regtest, &header);
        struct error error;
        assert_int_equal(tree_add(tree, NULL, &header, clock_now, &error),
                         height < 2026 ? HEADER_TOO_OLD : HEADER_ADDED);
    }
    header_tree_free(tree);
    header_tree_free(whole);
}

static void test_locator(void **state)
{
    (void)state;
    struct header_tree *tree = regtest_tree();
    struct block_hash locator[101];
    struct block_hash genesis = network_find("regtest")->genesis_hash;
    assert_int_equal(header_tree_locator(tree, locator, 101, header_tree_root(tree)), 1);
    assert_true(block_hash_equal(&locator[0], &genesis));

    struct header_node *tip = extend(tree, header_tree_root(tree), 12100, 0);
    struct block_hash sparse[4];
    for (uint32_t i = 0; i < 4; i++) {
        sparse[i] = header_tree_ancestor(tree, tip, i * RETARGET_INTERVAL)->hash;
    }
    header_tree_prune(tree, tip, NULL, NULL);
    assert_int_equal(header_tree_root(tree)->height, 8064);
    size_t count = header_tree_locator(tree, locator, 101, tip);
    assert_true(count > 20 && count < 32);
    uint32_t above = tip->height + 1;
    size_t below_root = 0;
    for (size_t i = 0; i < count; i++) {
        struct header_node *node = header_tree_find(tree, &locator[i]);
        if (node == NULL) {
            below_root++;
            continue;
        }
        assert_int_equal(below_root, 0);
        assert_true(node->height < above);
        assert_true(i >= 10 || node->height == tip->height - i);
        above = node->height;
    }
    assert_true(below_root >= 2);
    assert_true(block_hash_equal(&locator[count - 1], &sparse[0]));
    /* Cut short, it still ends at genesis. */
    assert_int_equal(header_tree_locator(tree, locator, 5, tip), 5);
    assert_true(block_hash_equal(&locator[4], &genesis));

    /* From a root given by the store, with and without the hashes below it. */
    struct header_node *root = header_tree_root(tree);
    struct header_tree *stored = header_tree_new_at(network_find("regtest"), seed, 8064,
                                                    &root->header, &root->work);
    assert_int_equal(header_tree_locator(stored, locator, 101, header_tree_root(stored)),
                     2);
    header_tree_set_sparse(stored, sparse, 4);
    count = header_tree_locator(stored, locator, 101, header_tree_root(stored));
    assert_int_equal(count, 5);
    for (uint32_t i = 0; i < 4; i++) {
        assert_true(block_hash_equal(&locator[4 - i], &sparse[i]));
    }
    struct block_header header = mine_template(
        &(struct header_node){.hash = sparse[2], .header = root->header}, 600, 6);
    mine_solve(network_find("regtest"), &header);
    struct error error;
    assert_int_equal(tree_add(stored, NULL, &header, clock_now, &error), HEADER_TOO_OLD);
    header_tree_free(stored);
    header_tree_free(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mainnet_headers),
        cmocka_unit_test(test_wrong_bit),
        cmocka_unit_test(test_mainnet_periods),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_equal_work_keeps_first),
        cmocka_unit_test(test_reorg),
        cmocka_unit_test(test_invalidate),
        cmocka_unit_test(test_set_aside),
        cmocka_unit_test(test_against_search),
        cmocka_unit_test(test_twenty_minutes),
        cmocka_unit_test(test_prune),
        cmocka_unit_test(test_forks_near_root),
        cmocka_unit_test(test_locator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
