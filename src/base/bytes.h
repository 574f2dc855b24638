/* The bounded reader and the writer: the only code that touches bytes from outside. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* Bytes that somebody else owns. */
struct bytes {
    const uint8_t *data;
    size_t len;
};

bool bytes_equal(struct bytes a, struct bytes b);

/* Reads forward from `at`. The first failed read sets `failed`, which sticks: every later
 * read gives zeros, so a decoder checks once, at the end, with reader_done(). `left` is
 * then 0, so that a loop over it ends, and `at` stays near the failure. */
struct reader {
    const uint8_t *at;
    size_t left;
    bool failed;
};

void reader_init(struct reader *reader, const void *data, size_t len);

uint16_t read_u16le(struct reader *reader);
uint16_t read_u16be(struct reader *reader);
uint32_t read_u32be(struct reader *reader);
uint64_t read_u64be(struct reader *reader);
/* Copy `len` bytes out; zeros when they aren't there. */
void read_bytes(struct reader *reader, void *out, size_t len);
/* Fail it: what was read is well formed, but not what is wanted. Nothing is left then, so
 * that a loop over what is left ends too. */
static inline void reader_fail(struct reader *reader)
{
    reader->failed = true;
    reader->left = 0;
}

/* True if nothing failed and nothing is left over. */
NODISCARD bool reader_done(const struct reader *reader);

/* Appends to memory that it owns and grows. Zero-initialised is empty. */
struct writer {
    uint8_t *data;
    size_t len;
    size_t capacity;
};

void writer_init(struct writer *writer);
void writer_release(struct writer *writer);
/* Hand the memory over to the caller (free()); the writer is empty again. NULL if nothing
 * was ever written. */
uint8_t *writer_take(struct writer *writer, size_t *len);

void write_u8(struct writer *writer, uint8_t value);
void write_u16le(struct writer *writer, uint16_t value);
void write_u16be(struct writer *writer, uint16_t value);
void write_u32le(struct writer *writer, uint32_t value);
void write_u32be(struct writer *writer, uint32_t value);
void write_u64le(struct writer *writer, uint64_t value);
void write_u64be(struct writer *writer, uint64_t value);
void write_compact_size(struct writer *writer, uint64_t value);
void write_bytes(struct writer *writer, const void *data, size_t len);
void write_var_bytes(struct writer *writer, struct bytes value);

/* Fixed places, for keys and records: no bounds, the caller owns the room. */
static inline void put_u32be(uint8_t out[static 4], uint32_t value)
{
    out[0] = (uint8_t)(value >> 24);
    out[1] = (uint8_t)(value >> 16);
    out[2] = (uint8_t)(value >> 8);
    out[3] = (uint8_t)value;
}

static inline void put_u64be(uint8_t out[static 8], uint64_t value)
{
    put_u32be(out, (uint32_t)(value >> 32));
    put_u32be(out + 4, (uint32_t)value);
}

static inline void put_u32le(uint8_t out[static 4], uint32_t value)
{
    out[0] = (uint8_t)value;
    out[1] = (uint8_t)(value >> 8);
    out[2] = (uint8_t)(value >> 16);
    out[3] = (uint8_t)(value >> 24);
}

static inline void put_u64le(uint8_t out[static 8], uint64_t value)
{
    put_u32le(out, (uint32_t)value);
    put_u32le(out + 4, (uint32_t)(value >> 32));
}

static inline uint32_t get_u32be(const uint8_t in[static 4])
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

static inline uint64_t get_u64be(const uint8_t in[static 8])
{
    return (uint64_t)get_u32be(in) << 32 | get_u32be(in + 4);
}

static inline uint32_t get_u32le(const uint8_t in[static 4])
{
    return (uint32_t)in[3] << 24 | (uint32_t)in[2] << 16 | (uint32_t)in[1] << 8 | in[0];
}

static inline uint64_t get_u64le(const uint8_t in[static 8])
{
    return (uint64_t)get_u32le(in + 4) << 32 | get_u32le(in);
}

/* The reader's steps, of which parsing a block takes hundreds of thousands. */

/* The next `len` bytes, or NULL. */
static inline const uint8_t *reader_take(struct reader *reader, uint64_t len)
{
    if (reader->failed || len > reader->left) {
        reader_fail(reader);
        return NULL;
    }
    const uint8_t *taken = reader->at;
    if (len > 0)
        reader->at += len;
    reader->left -= (size_t)len;
    return taken;
}

static inline uint8_t read_u8(struct reader *reader)
{
    const uint8_t *in = reader_take(reader, 1);
    return in != NULL ? in[0] : 0;
}

static inline uint32_t read_u32le(struct reader *reader)
{
    const uint8_t *in = reader_take(reader, 4);
    return in != NULL ? get_u32le(in) : 0;
}

static inline uint64_t read_u64le(struct reader *reader)
{
    const uint8_t *in = reader_take(reader, 8);
    return in != NULL ? get_u64le(in) : 0;
}

/* The rest of read_compact_size, which is what to call. */
uint64_t read_long_size(struct reader *reader, uint64_t max);

/* Bitcoin's compact size, canonical form only (a longer form than needed fails), at most
 * `max` (more fails). */
static inline uint64_t read_compact_size(struct reader *reader, uint64_t max)
{
    if (reader->left > 0 && *reader->at < 0xfd && *reader->at <= max)
        return read_u8(reader);
    return read_long_size(reader, max);
}

/* A view of the next `len` bytes, valid as long as the input; empty when they aren't
 * there. */
static inline struct bytes read_view(struct reader *reader, uint64_t len)
{
    const uint8_t *in = reader_take(reader, len);
    return in != NULL ? (struct bytes){in, (size_t)len} : (struct bytes){NULL, 0};
}

/* A view of a byte string with its compact size in front, at most `max` long. */
static inline struct bytes read_var_bytes(struct reader *reader, uint64_t max)
{
    return read_view(reader, read_compact_size(reader, max));
}

#endif
