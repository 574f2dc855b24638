#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "spv/height_set.h"

static void test_membership(void **state)
{
    (void)state;
    struct height_set set = {0};
    struct random random;
    bool in[5000] = {false};
    random_init(&random, 1);
    for (int i = 0; i < 700; i++) {
        uint32_t height = (uint32_t)random_below(&random, 5000);
        in[height] = true;
        height_set_add(&set, height);
    }
    for (uint32_t height = 0; height < 5000; height++)
        assert_int_equal(height_set_has(&set, height), in[height]);
    assert_false(height_set_has(&set, UINT32_MAX));
    struct height_set copy = {0}, none = {0};
    height_set_copy(&copy, &set);
    for (uint32_t height = 0; height < 6000; height += 3)
        height_set_remove(&copy, height);
    for (uint32_t height = 0; height < 5000; height++)
        assert_int_equal(height_set_has(&copy, height), height % 3 && in[height]);
    height_set_add(&copy, 8000);
    assert_true(height_set_has(&copy, 8000));
    assert_false(height_set_has(&set, 8000));
    height_set_release(&copy);
    height_set_copy(&copy, &none);
    assert_false(height_set_has(&copy, 0));
    height_set_cut(&set, 6000);
    height_set_cut(&set, 2500);
    for (uint32_t height = 0; height < 5000; height++)
        assert_int_equal(height_set_has(&set, height), height < 2500 && in[height]);
    height_set_release(&set);
    assert_false(height_set_has(&set, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_membership)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
