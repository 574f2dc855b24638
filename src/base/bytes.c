#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

void reader_init(struct reader *reader, const void *data, size_t len)
{
    *reader = (struct reader){.at = data, .left = len};
}

uint16_t read_u16le(struct reader *reader)
{
    const uint8_t *in = reader_take(reader, 2);
    if (in == NULL)
        return 0;
    return (uint16_t)(in[1] << 8 | in[0]);
}

uint16_t read_u16be(struct reader *reader)
{
    const uint8_t *in = reader_take(reader, 2);
    if (in == NULL)
        return 0;
    return (uint16_t)(in[0] << 8 | in[1]);
}

uint32_t read_u32be(struct reader *reader)
{
    const uint8_t *in = reader_take(reader, 4);
    return in != NULL ? get_u32be(in) : 0;
}

uint64_t read_u64be(struct reader *reader)
{
    const uint8_t *in = reader_take(reader, 8);
    return in != NULL ? get_u64be(in) : 0;
}

uint64_t read_long_size(struct reader *reader, uint64_t max)
{
    uint64_t value = read_u8(reader);
    uint64_t least = 0;
    if (value == 0xfd) {
        value = read_u16le(reader);
        least = 0xfd;
    } else if (value == 0xfe) {
        value = read_u32le(reader);
        least = 0x10000;
    } else if (value == 0xff) {
        value = read_u64le(reader);
        least = UINT64_C(0x100000000);
    }
    if (reader->failed || value < least || value > max) {
        reader_fail(reader);
        return 0;
    }
    return value;
}

void read_bytes(struct reader *reader, void *out, size_t len)
{
    if (len == 0)
        return;
    const uint8_t *in = reader_take(reader, len);
    if (in != NULL)
        memcpy(out, in, len);
    else
        memset(out, 0, len);
}

bool reader_done(const struct reader *reader)
{
    return !reader->failed && reader->left == 0;
}

void writer_init(struct writer *writer)
{
    *writer = (struct writer){0};
}

void writer_release(struct writer *writer)
{
    free(writer->data);
    writer_init(writer);
}

uint8_t *writer_take(struct writer *writer, size_t *len)
{
    uint8_t *data = writer->data;
    *len = writer->len;
    writer_init(writer);
    return data;
}

/* Room for `len` more bytes, counted as written. */
static uint8_t *writer_extend(struct writer *writer, size_t len)
{
    writer->data = mem_grow(writer->data, &writer->capacity, writer->len + len, 1);
    uint8_t *room = writer->data + writer->len;
    writer->len += len;
    return room;
}

void write_u8(struct writer *writer, uint8_t value)
{
    *writer_extend(writer, 1) = value;
}

void write_u16le(struct writer *writer, uint16_t value)
{
    uint8_t *out = writer_extend(writer, 2);
    out[0] = (uint8_t)value;
    out[1] = (uint8_t)(value >> 8);
}

void write_u16be(struct writer *writer, uint16_t value)
{
    uint8_t *out = writer_extend(writer, 2);
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
}

void write_u32le(struct writer *writer, uint32_t value)
{
    put_u32le(writer_extend(writer, 4), value);
}

void write_u32be(struct writer *writer, uint32_t value)
{
    put_u32be(writer_extend(writer, 4), value);
}

void write_u64le(struct writer *writer, uint64_t value)
{
    put_u64le(writer_extend(writer, 8), value);
}

void write_u64be(struct writer *writer, uint64_t value)
{
    put_u64be(writer_extend(writer, 8), value);
}

void write_compact_size(struct writer *writer, uint64_t value)
{
    if (value < 0xfd) {
        write_u8(writer, (uint8_t)value);
    } else if (value <= UINT16_MAX) {
        write_u8(writer, 0xfd);
        write_u16le(writer, (uint16_t)value);
    } else if (value <= UINT32_MAX) {
        write_u8(writer, 0xfe);
        write_u32le(writer, (uint32_t)value);
    } else {
        write_u8(writer, 0xff);
        write_u64le(writer, value);
    }
}

void write_bytes(struct writer *writer, const void *data, size_t len)
{
    if (len > 0)
        memcpy(writer_extend(writer, len), data, len);
}

void write_var_bytes(struct writer *writer, struct bytes value)
{
    write_compact_size(writer, value.len);
    write_bytes(writer, value.data, value.len);
}
