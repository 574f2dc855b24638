#include "store/whole_heights.h"

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

static bool decode_height(void *out, struct bytes key, struct bytes value)
{
    return whole_height_decode(out, key, value);
}

enum store_result whole_heights_read(struct store_txn *txn, uint32_t **heights,
                                     size_t *count, struct error *error)
{
    void *all;
    enum store_result result = table_read_all(txn, &all, count, TABLE_WHOLE_HEIGHTS,
                                              sizeof(**heights), decode_height, error);
    *heights = all;
    return result;
}
