#include "feeds/evm/rlp.h"

#define SHORT_MAX 55 /* lengths up to this one stand in the first byte */

/* ---- writing ---- */

/* A number's bytes without leading zeros. */
static struct bytes minimal(const uint8_t *bytes, size_t len)
{
    while (len > 0 && *bytes == 0) {
        bytes++;
        len--;
    }
    return (struct bytes){bytes, len};
}

static void write_head(struct writer *out, uint8_t base, size_t len)
{
    uint8_t bytes[8];
    if (len <= SHORT_MAX) {
        write_u8(out, (uint8_t)(base + len));
        return;
    }
    put_u64be(bytes, len);
    struct bytes length = minimal(bytes, sizeof(bytes));
    write_u8(out, (uint8_t)(base + SHORT_MAX + length.len));
    write_bytes(out, length.data, length.len);
}

void rlp_write_string(struct writer *out, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    if (len != 1 || bytes[0] >= 0x80)
        write_head(out, 0x80, len);
    write_bytes(out, data, len);
}

void rlp_write_u64(struct writer *out, uint64_t value)
{
    uint8_t bytes[8];
    put_u64be(bytes, value);
    struct bytes number = minimal(bytes, sizeof(bytes));
    rlp_write_string(out, number.data, number.len);
}

void rlp_write_u256(struct writer *out, const struct u256 *value)
{
    uint8_t bytes[32];
    u256_to_be(bytes, value);
    struct bytes number = minimal(bytes, sizeof(bytes));
    rlp_write_string(out, number.data, number.len);
}

void rlp_write_list(struct writer *out, struct bytes items)
{
    write_head(out, 0xc0, items.len);
    write_bytes(out, items.data, items.len);
}

/* ---- reading ---- */

/* A length of `size` bytes, minimal and above what the first byte could say. */
static uint64_t read_length(struct reader *reader, unsigned size)
{
    uint64_t length = 0;
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = read_u8(reader);
        if (i == 0 && byte == 0)
            reader_fail(reader);
        length = length << 8 | byte;
    }
    if (length <= SHORT_MAX)
        reader_fail(reader);
    return length;
}

struct rlp_item rlp_read(struct reader *reader)
{
    struct rlp_item item = {0};
    if (reader->left > 0 && *reader->at < 0x80) {
        item.content = read_view(reader, 1);
        return item;
    }
    uint8_t head = read_u8(reader);
    if (reader->failed)
        return item;
    uint8_t base = head < 0xc0 ? 0x80 : 0xc0;
    uint64_t length = (uint64_t)(head - base);
    if (length > SHORT_MAX)
        length = read_length(reader, (unsigned)length - SHORT_MAX);
    struct bytes content = read_view(reader, length);
    if (base == 0x80 && content.len == 1 && content.data[0] < 0x80)
        reader_fail(reader);
    if (reader->failed)
        return item;
    return (struct rlp_item){base == 0xc0, content};
}

struct bytes rlp_read_string(struct reader *reader, size_t min, size_t max)
{
    struct rlp_item item = rlp_read(reader);
    if (item.is_list || item.content.len < min || item.content.len > max) {
        reader_fail(reader);
        return (struct bytes){0};
    }
    return item.content;
}

/* An integer's bytes at the end of `out`, which is zeros before. */
static void read_integer(struct reader *reader, uint8_t *out, size_t size)
{
    struct bytes content = rlp_read_string(reader, 0, size);
    if (content.len > 0 && content.data[0] == 0) {
        reader_fail(reader);
        return;
    }
    for (size_t i = 0; i < content.len; i++)
        out[size - content.len + i] = content.data[i];
}

uint64_t rlp_read_u64(struct reader *reader)
{
    uint8_t bytes[8] = {0};
    read_integer(reader, bytes, sizeof(bytes));
    return get_u64be(bytes);
}

struct u256 rlp_read_u256(struct reader *reader)
{
    uint8_t bytes[32] = {0};
    read_integer(reader, bytes, sizeof(bytes));
    return u256_from_be(bytes);
}

void rlp_read_list(struct reader *items, struct reader *reader)
{
    struct rlp_item item = rlp_read(reader);
    reader_init(items, item.content.data, item.content.len);
    if (!item.is_list) {
        reader_fail(reader);
        reader_fail(items);
    }
}
