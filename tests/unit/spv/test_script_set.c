#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/random.h"
#include "spv/script_set.h"

#define SCRIPTS 3000

static const uint64_t seed[2] = {3, 4};

/* Different scripts of 0 to 40 bytes. */
static struct bytes script_number(uint8_t out[static 44], uint32_t number)
{
    struct random random;

    random_init(&random, number);
    size_t len = random_below(&random, 41);
    memset(out, (int)(number % 251), len);
    memcpy(out + len, &number, 4);
    return (struct bytes){out, len + 4};
}

static void finds_each_and_nothing_else(void **state)
{
    (void)state;
    static uint8_t rooms[SCRIPTS][44];
    struct bytes scripts[SCRIPTS];
    uint32_t ids[SCRIPTS];

    for (uint32_t i = 0; i < SCRIPTS; i++) {
        scripts[i] = script_number(rooms[i], i);
        ids[i] = i * 7;
    }
    for (size_t count = 0; count <= SCRIPTS; count = count * 3 + 1) {
        struct script_set *set = script_set_new(scripts, ids, count, seed);
        assert_int_equal(script_set_count(set), count);
        for (uint32_t i = 0; i < SCRIPTS; i++) {
            uint32_t expected = i < count ? ids[i] : SCRIPT_ID_NONE;
            assert_int_equal(script_set_find(set, scripts[i]), expected);
        }
        for (size_t i = 0; i < count; i++) {
            assert_true(bytes_equal(script_set_at(set, i), scripts[i]));
        }
        script_set_unref(set);
    }
}

static void copies_what_it_is_given(void **state)
{
    (void)state;
    uint8_t text[3] = {1, 2, 3};
    struct bytes scripts[2] = {{text, 3}, {NULL, 0}};
    uint32_t ids[2] = {0, 9};
    struct script_set *set = script_set_new(scripts, ids, 2, seed);

    text[0] = 8;
    assert_int_equal(script_set_find(set, (struct bytes){text, 3}), SCRIPT_ID_NONE);
    assert_int_equal(script_set_find(set, (struct bytes){(const uint8_t *)"\1\2\3", 3}),
                     0);
    assert_int_equal(script_set_find(set, (struct bytes){NULL, 0}), 9);
    assert_int_equal(script_set_find(set, (struct bytes){(const uint8_t *)"\1\2", 2}),
                     SCRIPT_ID_NONE);
    script_set_unref(set);
}

static void *use_and_let_go(void *argument)
{
    struct script_set *set = argument;

    for (int i = 0; i < 1000; i++) {
        struct script_set *again = script_set_ref(set);
        if (script_set_find(again, (struct bytes){(const uint8_t *)"a", 1}) != 5) {
            return argument;
        }
        script_set_unref(again);
    }
    script_set_unref(set);
    return NULL;
}

static void threads_share_it(void **state)
{
    (void)state;
    struct bytes script = {(const uint8_t *)"a", 1};
    uint32_t id = 5;
    struct script_set *set = script_set_new(&script, &id, 1, seed);
    pthread_t threads[4];

    for (int i = 0; i < 4; i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, use_and_let_go, script_set_ref(set)), 0);
    }
    script_set_unref(set);
    for (int i = 0; i < 4; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

static void null_is_no_set(void **state)
{
    (void)state;
    assert_null(script_set_ref(NULL));
    script_set_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_each_and_nothing_else),
        cmocka_unit_test(copies_what_it_is_given),
        cmocka_unit_test(threads_share_it),
        cmocka_unit_test(null_is_no_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
