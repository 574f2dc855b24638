#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "base/random.h"

static const uint64_t seed[2] = {1, 2};

static void test_empty(void **state)
{
    (void)state;
    struct map map;
    map_init(&map, 4, 4, seed);
    const uint32_t key = 5;
    assert_null(map_find(&map, &key));
    assert_false(map_remove(&map, &key));
    size_t at = 0;
    assert_false(map_next(&map, &at, NULL, NULL));
    assert_null(map.slots);
    map_release(&map);
}

static void test_put_zeroes_new_values(void **state)
{
    (void)state;
    struct map map;
    map_init(&map, 4, 8, seed);
    const uint32_t key = 5;
    const uint64_t zero = 0, full = UINT64_MAX;
    bool added = false;
    void *value = map_put(&map, &key, &added);
    assert_true(added);
    assert_memory_equal(value, &zero, 8);
    memcpy(value, &full, 8);
    value = map_put(&map, &key, &added);
    assert_false(added);
    assert_memory_equal(value, &full, 8);

    /* The same slot again. */
    assert_true(map_remove(&map, &key));
    assert_memory_equal(map_put(&map, &key, NULL), &zero, 8);
    map_release(&map);
}

static void test_set(void **state)
{
    (void)state;
    struct map set;
    map_init(&set, 1, 0, seed);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 256; i += 2) {
            bool added;
            assert_non_null(map_put(&set, &(uint8_t){(uint8_t)i}, &added));
            assert_int_equal(added, round == 0);
        }
    }
    assert_int_equal(set.count, 128);
    for (int i = 0; i < 256; i++)
        assert_int_equal(map_find(&set, &(uint8_t){(uint8_t)i}) != NULL, i % 2 == 0);
    map_release(&set);
    assert_int_equal(set.count, 0);
    assert_non_null(map_put(&set, "x", NULL));
    map_release(&set);
}

/* A key that lies in the map itself may be given. */
static void test_key_inside(void **state)
{
    (void)state;
    struct map map;
    map_init(&map, 4, 4, seed);
    for (uint32_t i = 0; i < 1000; i++)
        map_put(&map, &i, NULL);
    while (map.count > 0) {
        size_t at = 0;
        const void *key;
        assert_true(map_next(&map, &at, &key, NULL));
        bool added;
        map_put(&map, key, &added);
        assert_false(added);
        assert_true(map_remove(&map, key));
    }
    map_release(&map);
}

static void test_reserve(void **state)
{
    (void)state;
    struct map map;
    map_init(&map, 4, 4, seed);
    const uint32_t first = 7000;
    memcpy(map_put(&map, &first, NULL), &first, 4);
    map_reserve(&map, 1000);
    const uint8_t *slots = map.slots;
    for (uint32_t i = 1; i < 1000; i++)
        memcpy(map_put(&map, &i, NULL), &i, 4);
    assert_ptr_equal(map.slots, slots);
    map_reserve(&map, 10);
    assert_ptr_equal(map.slots, slots);
    assert_int_equal(map.count, 1000);
    for (uint32_t i = 1; i < 1000; i++)
        assert_memory_equal(map_find(&map, &i), &i, 4);
    assert_memory_equal(map_find(&map, &first), &first, 4);
    map_release(&map);
}

#define KEYS 600

/* The naive model: the value of each key, 0 where it isn't there. */
struct model {
    uint64_t values[KEYS];
    size_t count;
};

/* Keys of 12 bytes, so that values lie at odd alignments. */
static void make_key(uint8_t key[static 12], size_t number)
{
    memset(key, 0xaa, 12);
    key[3] = (uint8_t)number;
    key[11] = (uint8_t)(number >> 8);
}

static void assert_same(const struct map *map, const struct model *model)
{
    assert_int_equal(map->count, model->count);
    bool seen[KEYS] = {false};
    size_t at = 0, walked = 0;
    const void *found_key;
    void *found;
    while (map_next(map, &at, &found_key, &found)) {
        const uint8_t *bytes = found_key;
        size_t number = bytes[3] | (size_t)bytes[11] << 8;
        assert_true(number < KEYS);
        assert_false(seen[number]);
        seen[number] = true;
        assert_memory_equal(found, &model->values[number], 8);
        walked++;
    }
    assert_int_equal(walked, model->count);
    for (size_t i = 0; i < KEYS; i++) {
        uint8_t key[12];
        make_key(key, i);
        const void *value = map_find(map, key);
        assert_int_equal(value != NULL, model->values[i] != 0);
        if (value != NULL)
            assert_memory_equal(value, &model->values[i], 8);
    }
}

static void step(struct map *map, struct model *model, struct random *random,
                 bool filling)
{
    size_t number = (size_t)random_below(random, KEYS);
    uint8_t key[12];
    make_key(key, number);
    if (random_below(random, 10) < (filling ? 7 : 3)) {
        bool added;
        void *value = map_put(map, key, &added);
        assert_int_equal(added, model->values[number] == 0);
        assert_memory_equal(value, &model->values[number], 8);
        model->count += added;
        model->values[number] = random_u64(random) | 1;
        memcpy(value, &model->values[number], 8);
    } else {
        assert_int_equal(map_remove(map, key), model->values[number] != 0);
        model->count -= model->values[number] != 0;
        model->values[number] = 0;
    }
}

static void test_against_model(void **state)
{
    (void)state;
    for (uint64_t run = 0; run < 8; run++) {
        struct random random;
        random_init(&random, run);
        struct map map;
        map_init(&map, 12, 8, (const uint64_t[]){run, ~run});
        struct model model = {0};
        for (int i = 0; i < 20000; i++) {
            step(&map, &model, &random, i / 2000 % 2 == 0);
            assert_int_equal(map.count, model.count);
            assert_true(map.capacity / 8 * 7 >= map.count);
            if (i % 100 == 0)
                assert_same(&map, &model);
        }
        assert_same(&map, &model);
        map_release(&map);
    }
}

/* A map held at its fullest: removals out of long runs, across the end of the table. */
static void test_full_table(void **state)
{
    (void)state;
    for (uint64_t run = 0; run < 200; run++) {
        struct map map;
        map_init(&map, 2, 0, (const uint64_t[]){run, 0});
        for (uint16_t i = 0; i < 14; i++)
            map_put(&map, &i, NULL);
        assert_int_equal(map.capacity, 16);
        for (uint16_t gone = 0; gone < 14; gone++) {
            assert_true(map_remove(&map, &gone));
            for (uint16_t i = 0; i < 14; i++)
                assert_int_equal(map_find(&map, &i) != NULL, i > gone);
        }
        map_release(&map);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),      cmocka_unit_test(test_put_zeroes_new_values),
        cmocka_unit_test(test_set),        cmocka_unit_test(test_key_inside),
        cmocka_unit_test(test_reserve),    cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_full_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
