#include "fixture.h"
#include "spv/pow.h"

#define ROWS 4100

struct change {
    uint32_t from;
    const struct block_header *headers;
    const struct filter_header *filter_headers;
    size_t count;
};

static enum store_result replace(void *context, struct store_txn *txn,
                                 struct error *error)
{
    const struct change *change = context;
    return chain_rows_replace(txn, change->from, change->headers, change->count, error);
}

static enum store_result add_filters(void *context, struct store_txn *txn,
                                     struct error *error)
{
    const struct change *change = context;
    return chain_rows_add_filter_headers(txn, change->from, change->filter_headers,
                                         change->count, error);
}

static enum store_result cut_filters(void *context, struct store_txn *txn,
                                     struct error *error)
{
    const struct change *change = context;
    return chain_rows_cut_filter_headers(txn, change->from, error);
}

static void make_chain(struct chain_row *rows, struct block_header *headers,
                       struct filter_header *filters, uint32_t from, size_t count,
                       uint32_t salt)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t height = from + (uint32_t)i;
        make_row(&rows[height], &rows[height - 1].hash, height, salt);
        headers[height] = rows[height].header;
        filters[height] = rows[height].filter_header;
    }
}

static void test_rows(void **state)
{
    (void)state;
    struct error error = {""};
    struct fixture fixture;
    struct store_txn *txn;
    struct chain_extent extent;
    struct block_time median;
    struct chain_row *rows = mem_zalloc(ROWS, sizeof(*rows)), got[3];
    struct block_header *headers = mem_zalloc(ROWS, sizeof(*headers));
    struct filter_header *filters = mem_zalloc(ROWS, sizeof(*filters));
    rows[0].hash = regtest()->genesis_hash;
    make_chain(rows, headers, filters, 1, ROWS - 1, 1);
    fixture_open(&fixture);
    struct store *store = fixture.store;

    expect(store_update(store, replace, &(struct change){1, headers + 1, NULL, ROWS - 1},
                        &error),
           STORE_OK);
    expect(store_update(store, add_filters, &(struct change){0, NULL, filters, 3000},
                        &error),
           STORE_OK);
    /* Not where the last one ended; more than there are headers. */
    expect(store_update(store, add_filters, &(struct change){2999, NULL, filters, 1},
                        &error),
           STORE_STALE);
    expect(store_update(store, add_filters, &(struct change){3000, NULL, filters, ROWS},
                        &error),
           STORE_STALE);
    /* Not above the newest; not built on the one below. */
    expect(store_update(store, replace, &(struct change){ROWS + 1, headers + 1, NULL, 1},
                        &error),
           STORE_STALE);
    expect(
        store_update(store, replace, &(struct change){50, headers + 51, NULL, 1}, &error),
        STORE_STALE);

    expect(store_begin(store, &txn, STORE_READ, &error), STORE_OK);
    expect(chain_extent(txn, &extent, &error), STORE_OK);
    assert_int_equal(extent.header_height, ROWS - 1);
    assert_int_equal(extent.filter_header_count, 3000);
    expect(chain_rows_read(txn, got, 2998, 3, &error), STORE_OK);
    assert_memory_equal(&got[1].hash, &rows[2999].hash, 32);
    assert_memory_equal(&got[1].header, &rows[2999].header, sizeof(got[1].header));
    assert_memory_equal(&got[1].filter_header, &rows[2999].filter_header, 32);
    assert_true(got[1].has_filter_header);
    assert_false(got[2].has_filter_header);
    expect(chain_rows_read(txn, got, ROWS - 1, 2, &error), STORE_NOT_FOUND);
    for (uint32_t height = 0; height < ROWS; height += RETARGET_INTERVAL) {
        struct u256 work, one = pow_work(regtest()->pow_limit_bits);
        struct u256 want = u256_mul_u32(&one, height + 1);
        expect(chain_work_at(txn, &work, height, &error), STORE_OK);
        assert_int_equal(u256_compare(&work, &want), 0);
    }
    expect(chain_median_time(txn, &median, 100, &error), STORE_OK);
    assert_int_equal(median.s, rows[95].header.time.s);
    expect(chain_median_time(txn, &median, 2, &error), STORE_OK);
    assert_int_equal(median.s, rows[1].header.time.s);
    store_abort(txn);

    /* Other filter headers for the same headers. */
    expect(store_update(store, cut_filters, &(struct change){.from = 2500}, &error),
           STORE_OK);
    expect(store_update(store, cut_filters, &(struct change){.from = 2600}, &error),
           STORE_OK);
    expect(store_update(store, add_filters, &(struct change){2500, NULL, filters, 300},
                        &error),
           STORE_OK);
    expect(store_begin(store, &txn, STORE_READ, &error), STORE_OK);
    expect(chain_extent(txn, &extent, &error), STORE_OK);
    assert_int_equal(extent.header_height, ROWS - 1);
    assert_int_equal(extent.filter_header_count, 2800);
    expect(chain_rows_read(txn, got, 2499, 2, &error), STORE_OK);
    assert_memory_equal(&got[0].filter_header, &rows[2499].filter_header, 32);
    assert_memory_equal(&got[1].filter_header, &filters[0], 32);
    store_abort(txn);

    /* A branch off: what belonged to the old one goes, filter headers and work too. */
    make_chain(rows, headers, filters, 2001, 50, 2);
    expect(store_update(store, replace, &(struct change){2001, headers + 2001, NULL, 50},
                        &error),
           STORE_OK);
    expect(store_begin(store, &txn, STORE_READ, &error), STORE_OK);
    expect(chain_extent(txn, &extent, &error), STORE_OK);
    assert_int_equal(extent.header_height, 2050);
    assert_int_equal(extent.filter_header_count, 2001);
    struct u256 work;
    expect(chain_work_at(txn, &work, 4032, &error), STORE_NOT_FOUND);
    store_abort(txn);
    assert_int_equal(count_faults(store, false), 0);

    expect(store_update(store, replace, &(struct change){1, NULL, NULL, 0}, &error),
           STORE_OK);
    expect(store_begin(store, &txn, STORE_READ, &error), STORE_OK);
    expect(chain_extent(txn, &extent, &error), STORE_OK);
    assert_int_equal(extent.header_height, 0);
    assert_int_equal(extent.filter_header_count, 1);
    store_abort(txn);
    fixture_close(&fixture);
    free(rows);
    free(headers);
    free(filters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
