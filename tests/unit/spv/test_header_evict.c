/* What the tree lets go when it has more branches than room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/spv/mine.h"

static const uint64_t seed[2] = {1, 2};
static const struct wall_time clock_now = {2000000000};
static const struct mono_time start = {1000};

static struct header_node *extend(struct header_tree *tree, struct header_node *parent,
                                  uint32_t count, uint32_t tag)
{
    for (uint32_t i = 0; i < count; i++) {
        struct block_header header = mine_template(parent, 600, tag);
        struct error error;
        mine_solve(network_find("regtest"), &header);
        assert_int_equal(tree_add(tree, &parent, &header, clock_now, &error),
                         HEADER_ADDED);
    }
    return parent;
}

struct forgotten {
    size_t count;
    struct header_node *marked; /* moves to the parent of what goes, as peers' tips do */
};

static void forget(void *context, struct header_node *node)
{
    struct forgotten *forgotten = context;
    forgotten->count++;
    if (forgotten->marked == node) {
        forgotten->marked = node->parent;
    }
}

static size_t count_tips(const struct header_tree *tree)
{
    size_t count = 0;
    for (struct header_node *tip = NULL;
         (tip = header_tree_next_tip(tree, tip)) != NULL;) {
        assert_int_equal(tip->children, 0);
        count++;
    }
    return count;
}

static void test_least_work_goes_first(void **state)
{
    (void)state;
    struct header_tree *tree = header_tree_new(network_find("regtest"), seed);
    struct header_node *root = header_tree_root(tree);
    struct header_node *best = extend(tree, root, 50, 0);
    struct header_node *fork = header_tree_ancestor(tree, best, 20);
    struct header_node *kept = extend(tree, fork, 10, 1);
    struct header_node *strong = extend(tree, fork, 25, 2);
    struct header_node *weak = extend(tree, fork, 9, 3);
    struct header_node *twig = extend(tree, header_tree_ancestor(tree, strong, 30), 1, 4);
    struct block_hash twig_hash = twig->hash;
    struct forgotten forgotten = {.marked = weak};
    struct header_node *keep[] = {NULL, kept, best};
    assert_int_equal(count_tips(tree), 5);
    /* Of 96 nodes 10 go: the weak branch of nine, then the twig. */
    header_tree_evict(tree, 86, keep, 3, forget, &forgotten);
    assert_int_equal(header_tree_count(tree), 86);
    assert_int_equal(forgotten.count, 10);
    assert_ptr_equal(forgotten.marked, fork);
    assert_null(header_tree_find(tree, &twig_hash));
    assert_ptr_equal(header_tree_best(tree, start), best);
    assert_int_equal(fork->children, 3);
    assert_int_equal(count_tips(tree), 3);
    /* The strong one, and what is kept not even then. */
    header_tree_evict(tree, 0, keep, 3, forget, &forgotten);
    assert_int_equal(header_tree_count(tree), 61);
    assert_ptr_equal(header_tree_ancestor(tree, kept, 20), fork);
    kept = extend(tree, kept, 45, 1);
    assert_ptr_equal(header_tree_best(tree, start), kept);
    header_tree_evict(tree, 0, NULL, 0, forget, &forgotten);
    assert_int_equal(header_tree_count(tree), 1 + 20 + 55);
    assert_ptr_equal(header_tree_next_tip(tree, NULL), kept);
    assert_null(header_tree_next_tip(tree, kept));
    header_tree_free(tree);
}

/* "Equal work keeps the first", here too. */
static void test_newest_of_equal_work_goes_first(void **state)
{
    (void)state;
    struct header_tree *tree = header_tree_new(network_find("regtest"), seed);
    struct header_node *best = extend(tree, header_tree_root(tree), 10, 0);
    struct header_node *first = NULL;
    for (uint32_t tag = 1; tag <= 200; tag++) {
        struct header_node *sibling = extend(tree, best->parent, 1, tag);
        first = first == NULL ? sibling : first;
    }
    struct forgotten forgotten = {0};
    header_tree_evict(tree, 12, NULL, 0, forget, &forgotten);
    assert_int_equal(forgotten.count, 199);
    assert_ptr_equal(header_tree_find(tree, &first->hash), first);
    assert_int_equal(best->parent->children, 2);
    header_tree_free(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_least_work_goes_first),
        cmocka_unit_test(test_newest_of_equal_work_goes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
