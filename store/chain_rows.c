#include "store/chain_rows.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "spv/pow.h"
#include "store/records.h"
#include "store/tables.h"

struct height_key {
    uint8_t b[4];
};

static struct bytes height_key(struct height_key *key, uint32_t height)
{
    put_u32be(key->b, height);
    return (struct bytes){key->b, sizeof(key->b)};
}

enum store_result chain_extent(struct store_txn *txn, struct chain_extent *out,
                               struct error *error)
{
    uint64_t headers, filter_headers;
    enum store_result result = table_rows(txn, &headers, TABLE_HEADERS, error);
    if (result == STORE_OK)
        result = table_rows(txn, &filter_headers, TABLE_FILTER_HEADERS, error);
    if (result != STORE_OK)
        return result;
    if (headers == 0 || headers > UINT32_MAX || filter_headers > headers)
        return table_damaged(TABLE_HEADERS, "the counts of rows can't be", error);
    out->header_height = (uint32_t)(headers - 1);
    out->filter_header_count = (uint32_t)filter_headers;
    return STORE_OK;
}

static enum store_result read_header(struct store_txn *txn, struct block_header *out,
                                     struct block_hash *hash, uint32_t height,
                                     struct error *error)
{
    struct height_key key;
    struct bytes value;
    enum store_result result =
        table_get(txn, &value, TABLE_HEADERS, height_key(&key, height), error);
    if (result == STORE_NOT_FOUND)
        error_set(error, "ledger: no header at height %u yet", height);
    if (result != STORE_OK)
        return result;
    if (value.len != BLOCK_HEADER_SIZE)
        return table_damaged(TABLE_HEADERS, "a row isn't 80 bytes long", error);
    block_header_decode(out, value.data);
    if (hash != NULL)
        block_header_hash_bytes(hash, value.data);
    return STORE_OK;
}

static enum store_result read_filter_row(struct store_txn *txn, struct chain_row *row,
                                         uint32_t height, struct error *error)
{
    struct height_key key;
    struct bytes value;
    enum store_result result =
        table_get(txn, &value, TABLE_FILTER_HEADERS, height_key(&key, height), error);
    row->has_filter_header = result == STORE_OK;
    if (result == STORE_NOT_FOUND)
        return STORE_OK;
    if (result != STORE_OK)
        return result;
    if (value.len != sizeof(row->filter_header.b))
        return table_damaged(TABLE_FILTER_HEADERS, "a row isn't 32 bytes long", error);
    memcpy(row->filter_header.b, value.data, sizeof(row->filter_header.b));
    return STORE_OK;
}

enum store_result chain_rows_read(struct store_txn *txn, struct chain_row *out,
                                  uint32_t from, size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t height = from + (uint32_t)i;
        memset(&out[i], 0, sizeof(out[i]));
        enum store_result result =
            read_header(txn, &out[i].header, &out[i].hash, height, error);
        if (result == STORE_OK)
            result = read_filter_row(txn, &out[i], height, error);
        if (result != STORE_OK)
            return result;
    }
    return STORE_OK;
}

/* Whether headers from this height on may go: nothing of a block there is in the ledger.
 * A cursor above the stored headers only says where scanning will start. */
static enum store_result check_cursors(struct store_txn *txn, uint32_t from,
                                       uint32_t header_height, struct error *error)
{
    struct walk walk;
    enum store_result result = walk_open(&walk, txn, TABLE_COHORTS, error);
    if (result != STORE_OK)
        return result;
    for (result = walk_first(&walk, error); result == STORE_OK;
         result = walk_next(&walk, error)) {
        struct cohort_record cohort;
        if (!cohort_decode(&cohort, walk.key, walk.value)) {
            result = table_damaged(TABLE_COHORTS, "a row is malformed", error);
            break;
        }
        if (from <= cohort.cursor && cohort.cursor <= header_height) {
            error_set(error, "headers from %u: cohort %u has applied blocks up to %u",
                      from, cohort.id, cohort.cursor);
            result = STORE_STALE;
            break;
        }
    }
    walk_close(&walk);
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

static enum store_result truncate(struct store_txn *txn, uint32_t from,
                                  struct error *error)
{
    struct height_key key;
    struct bytes start = height_key(&key, from), all = {key.b, 0};
    enum store_result result = table_delete_from(txn, TABLE_HEADERS, all, start, error);
    if (result == STORE_OK)
        result = table_delete_from(txn, TABLE_FILTER_HEADERS, all, start, error);
    if (result == STORE_OK)
        result = table_delete_from(txn, TABLE_WORK, all, start, error);
    return result;
}

/* Sum up the work of the period that ends with this boundary. */
static enum store_result add_work(struct store_txn *txn, uint32_t boundary,
                                  struct error *error)
{
    struct u256 sum, work = {{0}};
    uint32_t bits = 0; /* `work` is the work of these; runs of equal bits are the rule */
    enum store_result result =
        chain_work_at(txn, &sum, boundary - RETARGET_INTERVAL, error);
    for (uint32_t i = 0; i < RETARGET_INTERVAL && result == STORE_OK; i++) {
        struct block_header header;
        result = read_header(txn, &header, NULL, boundary - i, error);
        if (result == STORE_OK && header.bits != bits) {
            bits = header.bits;
            work = pow_work(bits);
        }
        sum = u256_add(&sum, &work);
    }
    if (result != STORE_OK)
        return result;
    struct height_key key;
    uint8_t value[32];
    u256_to_be(value, &sum);
    return table_append(txn, TABLE_WORK, height_key(&key, boundary),
                        (struct bytes){value, sizeof(value)}, error);
}

static enum store_result append_header(struct store_txn *txn, uint32_t height,
                                       const struct block_header *header,
                                       struct error *error)
{
    struct height_key key;
    uint8_t value[BLOCK_HEADER_SIZE];
    block_header_encode(value, header);
    enum store_result result = table_append(txn, TABLE_HEADERS, height_key(&key, height),
                                            (struct bytes){value, sizeof(value)}, error);
    if (result == STORE_OK && height % RETARGET_INTERVAL == 0)
        result = add_work(txn, height, error);
    return result;
}

enum store_result chain_rows_replace(struct store_txn *txn, uint32_t from,
                                     const struct block_header *headers, size_t count,
                                     struct error *error)
{
    struct chain_extent extent;
    struct block_header below;
    struct block_hash below_hash;
    assert(from > 0 && count < HEIGHT_NONE - from);
    enum store_result result = chain_extent(txn, &extent, error);
    if (result != STORE_OK)
        return result;
    if (from > extent.header_height + 1) {
        error_set(error, "headers from %u: the newest stored is %u", from,
                  extent.header_height);
        return STORE_STALE;
    }
    result = check_cursors(txn, from, extent.header_height, error);
    if (result == STORE_OK)
        result = read_header(txn, &below, &below_hash, from - 1, error);
    if (result != STORE_OK)
        return result;
    if (count > 0 && !block_hash_equal(&headers[0].previous, &below_hash)) {
        error_set(error, "headers from %u: they don't build on the stored one below",
                  from);
        return STORE_STALE;
    }
    if (from <= extent.header_height)
        result = truncate(txn, from, error);
    for (size_t i = 0; i < count && result == STORE_OK; i++)
        result = append_header(txn, from + (uint32_t)i, &headers[i], error);
    return result;
}

enum store_result chain_rows_cut_filter_headers(struct store_txn *txn, uint32_t from,
                                                struct error *error)
{
    struct height_key key;
    struct bytes start = height_key(&key, from), all = {key.b, 0};
    return table_delete_from(txn, TABLE_FILTER_HEADERS, all, start, error);
}

enum store_result chain_rows_add_filter_headers(struct store_txn *txn, uint32_t from,
                                                const struct filter_header *headers,
                                                size_t count, struct error *error)
{
    struct chain_extent extent;
    enum store_result result = chain_extent(txn, &extent, error);
    if (result != STORE_OK)
        return result;
    if (from != extent.filter_header_count ||
        count > (size_t)extent.header_height + 1 - extent.filter_header_count) {
        error_set(error, "%zu filter headers from %u: %u are stored, for %u headers",
                  count, from, extent.filter_header_count, extent.header_height + 1);
        return STORE_STALE;
    }
    for (size_t i = 0; i < count && result == STORE_OK; i++) {
        struct height_key key;
        result =
            table_append(txn, TABLE_FILTER_HEADERS, height_key(&key, from + (uint32_t)i),
                         (struct bytes){headers[i].b, sizeof(headers[i].b)}, error);
    }
    return result;
}

enum store_result chain_work_at(struct store_txn *txn, struct u256 *out, uint32_t height,
                                struct error *error)
{
    struct height_key key;
    struct bytes value;
    assert(height % RETARGET_INTERVAL == 0);
    enum store_result result =
        table_get(txn, &value, TABLE_WORK, height_key(&key, height), error);
    if (result == STORE_NOT_FOUND)
        error_set(error, "ledger: no work stored for height %u", height);
    if (result != STORE_OK)
        return result;
    if (value.len != 32)
        return table_damaged(TABLE_WORK, "a row isn't 32 bytes long", error);
    *out = u256_from_be(value.data);
    return STORE_OK;
}

static int compare_times(const void *a, const void *b)
{
    const struct block_time *x = a, *y = b;
    return (x->s > y->s) - (x->s < y->s);
}

enum store_result chain_median_time(struct store_txn *txn, struct block_time *out,
                                    uint32_t height, struct error *error)
{
    struct block_time times[11];
    size_t count = height < 10 ? height + 1 : 11;
    for (size_t i = 0; i < count; i++) {
        struct block_header header;
        enum store_result result =
            read_header(txn, &header, NULL, height - (uint32_t)i, error);
        if (result != STORE_OK)
            return result;
        times[i] = header.time;
    }
    qsort(times, count, sizeof(times[0]), compare_times);
    *out = times[count / 2];
    return STORE_OK;
}
