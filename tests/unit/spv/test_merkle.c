#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hex.h"
#include "base/random.h"
#include "spv/merkle.h"

#include "build_block.h"

static void of_nothing_and_one(void **state)
{
    (void)state;
    uint8_t root[32], zero[32] = {0}, leaf[1][32] = {{7}};

    assert_true(merkle_root(root, NULL, 0));
    assert_memory_equal(root, zero, 32);
    assert_true(merkle_root(root, leaf, 1));
    assert_int_equal(root[0], 7);
}

/* Mainnet's block 100,000. */
static void of_a_known_block(void **state)
{
    (void)state;
    static const char *const ids[] = {
        "8c14f0db3df150123e6f3dbbf30f8b955a8249b62ac1d1ff16284aefa3d06d87",
        "fff2525b8931402dd09222c50775608f75787bd2b87e56995a7bdd30f79702c4",
        "6359f0868171b1d194cbee1af2f16ea598ae8fad666d9b012c8ed2b79a236ec4",
        "e9a66845e05d5abc0ad04ec80f774a7e585c6e8db975962d069a522137b80c1d",
    };
    uint8_t nodes[4][32], root[32], expected[32];

    for (size_t i = 0; i < 4; i++) {
        assert_true(hex_decode_reversed(nodes[i], 32, ids[i], 64));
    }
    assert_true(hex_decode_reversed(
        expected, 32, "f3e94742aca4b5ef85488dc37c06c3282295ffec960994b2c0d5ac2a25a95766",
        64));
    assert_true(merkle_root(root, nodes, 4));
    assert_memory_equal(root, expected, 32);
}

static void agrees_with_recursion(void **state)
{
    (void)state;
    struct random random;
    uint8_t nodes[70][32], root[32], expected[32];

    random_init(&random, 1);
    for (size_t count = 1; count <= 70; count++) {
        for (size_t i = 0; i < count * 32; i++) {
            nodes[i / 32][i % 32] = (uint8_t)random_u64(&random);
        }
        build_merkle(expected, nodes, count);
        assert_true(merkle_root(root, nodes, count));
        assert_memory_equal(root, expected, 32);
    }
}

/* CVE-2012-2459: 1 2 3 has the root of 1 2 3 3, and 1 .. 6 that of 1 .. 6 5 6. */
static void repeated_leaves_are_told(void **state)
{
    (void)state;
    static const struct {
        uint8_t honest, repeated;
    } cases[] = {{3, 4}, {6, 8}, {5, 6}, {10, 12}};

    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        uint8_t nodes[12][32] = {0}, root[32], same[32];
        size_t honest = cases[c].honest, repeated = cases[c].repeated;

        for (size_t i = 0; i < honest; i++) {
            nodes[i][0] = (uint8_t)(i + 1);
        }
        assert_true(merkle_root(root, nodes, honest));
        memset(nodes, 0, sizeof(nodes));
        for (size_t i = 0; i < repeated; i++) {
            size_t of = i < honest ? i : i - (repeated - honest);
            nodes[i][0] = (uint8_t)(of + 1);
        }
        assert_false(merkle_root(same, nodes, repeated));
        assert_memory_equal(same, root, 32);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_nothing_and_one),
        cmocka_unit_test(of_a_known_block),
        cmocka_unit_test(agrees_with_recursion),
        cmocka_unit_test(repeated_leaves_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
