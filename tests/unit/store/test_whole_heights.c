#include "fixture.h"
#include "store/whole_heights.h"

struct addition {
    const uint32_t *heights;
    size_t count;
};

static enum store_result add(void *context, struct store_txn *txn, struct error *error)
{
    const struct addition *addition = context;
    return whole_heights_add(txn, addition->heights, addition->count, error);
}

static enum store_result read_all(struct store *store, uint32_t **heights, size_t *count,
                                  struct error *error)
{
    struct store_txn *txn;
    enum store_result result = store_begin(store, &txn, STORE_READ, error);
    if (result == STORE_OK)
        result = whole_heights_read(txn, heights, count, error);
    store_abort(txn);
    return result;
}

/* Ascending and each once, whatever the order they came in, also after a restart. */
static void test_set(void **state)
{
    (void)state;
    static const uint32_t some[] = {70000, 3, 256, 3, 0}, more[] = {255, 70000, 1};
    static const uint32_t want[] = {0, 1, 3, 255, 256, 70000};
    struct error error = {""};
    struct fixture fixture;
    uint32_t *heights;
    size_t count;
    fixture_open(&fixture);
    expect(read_all(fixture.store, &heights, &count, &error), STORE_OK);
    assert_int_equal(count, 0);
    assert_null(heights);
    expect(store_update(fixture.store, add, &(struct addition){some, 5}, &error),
           STORE_OK);
    expect(store_update(fixture.store, add, &(struct addition){more, 3}, &error),
           STORE_OK);
    expect(store_update(fixture.store, add, &(struct addition){NULL, 0}, &error),
           STORE_OK);
    fixture_reopen(&fixture);
    expect(read_all(fixture.store, &heights, &count, &error), STORE_OK);
    assert_int_equal(count, 6);
    assert_memory_equal(heights, want, sizeof(want));
    free(heights);
    assert_int_equal(count_faults(fixture.store, false), 0);
    fixture_close(&fixture);
}

static enum store_result damage(void *context, struct store_txn *txn, struct error *error)
{
    (void)context;
    static const uint8_t key[4] = {0, 0, 0, 9}, value[1] = {77};
    return table_put(txn, TABLE_WHOLE_HEIGHTS, (struct bytes){key, 4},
                     (struct bytes){value, 1}, error);
}

static void test_damage(void **state)
{
    (void)state;
    struct error error = {""};
    struct fixture fixture;
    uint32_t *heights;
    size_t count;
    fixture_open(&fixture);
    expect(store_update(fixture.store, damage, NULL, &error), STORE_OK);
    expect(read_all(fixture.store, &heights, &count, &error), STORE_FAILED);
    assert_null(heights);
    assert_non_null(strstr(error.text, "whole_heights"));
    assert_int_equal(count_faults(fixture.store, true), 1);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
