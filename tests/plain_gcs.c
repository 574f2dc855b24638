#include "tests/plain_gcs.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"

#define RADIX_BITS 11
#define RADIX_SIZE (1 << RADIX_BITS)

__extension__ typedef unsigned __int128 u128;

void write_bit(struct bit_writer *writer, unsigned bit)
{
    if (writer->bits % 8 == 0) {
        write_u8(&writer->out, 0);
        writer->bits = 0;
    }
    writer->out.data[writer->out.len - 1] |= (uint8_t)(bit << (7 - writer->bits++));
}

void write_golomb(struct bit_writer *writer, uint64_t value)
{
    for (uint64_t i = 0; i < value >> GCS_P; i++)
        write_bit(writer, 1);
    write_bit(writer, 0);
    for (unsigned i = GCS_P; i-- > 0;)
        write_bit(writer, (unsigned)(value >> i & 1));
}

uint64_t plain_number(const struct block_hash *hash, size_t count, struct bytes script)
{
    uint64_t value =
        siphash(get_u64le(hash->b), get_u64le(hash->b + 8), script.data, script.len);
    return (uint64_t)((u128)value * (count * GCS_M) >> 64);
}

static uint64_t *plain_numbers(const struct block_hash *hash, size_t elements,
                               const struct bytes *scripts, size_t count)
{
    uint64_t *numbers = mem_zalloc(count, sizeof(*numbers));
    for (size_t i = 0; i < count; i++)
        numbers[i] = plain_number(hash, elements, scripts[i]);
    return numbers;
}

static void insertion_sort(uint64_t *numbers, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        uint64_t number = numbers[i];
        size_t j = i;
        for (; j > 0 && numbers[j - 1] > number; j--)
            numbers[j] = numbers[j - 1];
        numbers[j] = number;
    }
}

static void radix_pass(uint64_t *to, const uint64_t *from, size_t count, unsigned shift)
{
    size_t starts[RADIX_SIZE + 1] = {0};
    for (size_t i = 0; i < count; i++)
        starts[(from[i] >> shift) % RADIX_SIZE + 1]++;
    for (size_t i = 1; i < RADIX_SIZE; i++)
        starts[i] += starts[i - 1];
    for (size_t i = 0; i < count; i++)
        to[starts[(from[i] >> shift) % RADIX_SIZE]++] = from[i];
}

/* Sort numbers below 2^44. */
static void sort_numbers(uint64_t *numbers, size_t count)
{
    if (count < 64) {
        insertion_sort(numbers, count);
        return;
    }
    uint64_t *scratch = mem_zalloc(count, sizeof(*scratch));
    for (unsigned shift = 0; shift < 4 * RADIX_BITS; shift += 2 * RADIX_BITS) {
        radix_pass(scratch, numbers, count, shift);
        radix_pass(numbers, scratch, count, shift + RADIX_BITS);
    }
    free(scratch);
}

void write_filter(struct bit_writer *writer, const struct block_hash *hash,
                  const struct bytes *scripts, size_t count)
{
    uint64_t *numbers = plain_numbers(hash, count, scripts, count), last = 0;
    sort_numbers(numbers, count);
    write_compact_size(&writer->out, count);
    for (size_t i = 0; i < count; i++) {
        write_golomb(writer, numbers[i] - last);
        last = numbers[i];
    }
    free(numbers);
}

/* What is in the present byte at a time, as most decoders do it. */
struct bit_reader {
    struct bytes in;
    size_t place; /* in bits */
};

static size_t bits_left(const struct bit_reader *reader)
{
    return reader->in.len * 8 - reader->place;
}

static uint64_t read_bits(struct bit_reader *reader, unsigned count)
{
    uint64_t value = 0;
    while (count > 0) {
        unsigned here = 8 - (unsigned)(reader->place % 8);
        unsigned take = count < here ? count : here;
        unsigned byte = reader->in.data[reader->place / 8];
        value = value << take | (byte >> (here - take) & ((1U << take) - 1));
        reader->place += take;
        count -= take;
    }
    return value;
}

static bool read_golomb(struct bit_reader *reader, uint64_t *delta)
{
    uint64_t quotient = 0;
    for (;;) {
        if (bits_left(reader) == 0)
            return false;
        if (read_bits(reader, 1) == 0)
            break;
        quotient++;
    }
    if (bits_left(reader) < GCS_P)
        return false;
    *delta = quotient << GCS_P | read_bits(reader, GCS_P);
    return true;
}

/* Walk through the filter and the sorted numbers together. */
static enum gcs_result merge(struct bit_reader *reader, size_t elements,
                             const uint64_t *numbers, size_t count)
{
    uint64_t element = 0, delta;
    size_t at = 0;
    bool found = false;
    for (size_t i = 0; i < elements; i++) {
        if (!read_golomb(reader, &delta))
            return GCS_MALFORMED;
        element += delta;
        if (element >= elements * GCS_M)
            return GCS_MALFORMED;
        while (at < count && numbers[at] < element)
            at++;
        found |= at < count && numbers[at] == element;
    }
    size_t left = bits_left(reader);
    if (left >= 8 || read_bits(reader, (unsigned)left) != 0)
        return GCS_MALFORMED;
    return found ? GCS_MATCH : GCS_NO_MATCH;
}

enum gcs_result plain_match_any(struct bytes filter, const struct block_hash *hash,
                                const struct bytes *scripts, size_t count)
{
    struct reader reader;
    if (filter.len > GCS_FILTER_MAX)
        return GCS_MALFORMED;
    reader_init(&reader, filter.data, filter.len);
    size_t elements = (size_t)read_compact_size(&reader, GCS_ELEMENTS_MAX);
    if (reader.failed)
        return GCS_MALFORMED;
    struct bit_reader bits = {{reader.at, reader.left}, 0};
    uint64_t *numbers = plain_numbers(hash, elements, scripts, count);
    sort_numbers(numbers, count);
    enum gcs_result result = merge(&bits, elements, numbers, count);
    free(numbers);
    return result;
}
