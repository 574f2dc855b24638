#include "store/whole_heights.h"

#include <stdlib.h>

#include "base/mem.h"
#include "store/records.h"
#include "store/tables.h"

enum store_result whole_heights_add(struct store_txn *txn, const uint32_t *heights,
                                    size_t count, struct error *error)
{
    uint8_t value[WHOLE_HEIGHT_VALUE_SIZE];
    whole_height_encode(value);
    enum store_result result = STORE_OK;
    for (size_t i = 0; i < count && result == STORE_OK; i++) {
        struct key key = key_u32(heights[i]);
        result = table_put(txn, TABLE_WHOLE_HEIGHTS, key_bytes(&key),
                           (struct bytes){value, sizeof(value)}, error);
    }
    return result;
}

enum store_result whole_heights_read(struct store_txn *txn, uint32_t **heights,
                                     size_t *count, struct error *error)
{
    struct walk walk;
    size_t capacity = 0;
    *heights = NULL;
    *count = 0;
    enum store_result result = walk_open(&walk, txn, TABLE_WHOLE_HEIGHTS, error);
    if (result == STORE_OK)
        result = walk_first(&walk, error);
    for (; result == STORE_OK; result = walk_next(&walk, error)) {
        *heights = mem_grow(*heights, &capacity, *count + 1, sizeof(**heights));
        if (!whole_height_decode(&(*heights)[*count], walk.key, walk.value)) {
            result = table_damaged(TABLE_WHOLE_HEIGHTS, "a row is malformed", error);
            break;
        }
        ++*count;
    }
    walk_close(&walk);
    if (result == STORE_NOT_FOUND)
        return STORE_OK;
    free(*heights);
    *heights = NULL;
    *count = 0;
    return result;
}
