#include "spv/gcs.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

/* Below this many values insertion beats counting. */
#define RADIX_SORT_MIN 64
#define RADIX_BITS 11
#define RADIX_SIZE (1 << RADIX_BITS)

__extension__ typedef unsigned __int128 u128;

/* How a block's filter maps scripts to numbers. */
struct gcs_hash {
    uint64_t k0, k1;
    uint64_t range; /* N * M */
};

/* Bits from the most significant on. The top `count` bits of `bits` are loaded; what is
 * below them is either zero or what comes next anyway. Filled, `count` is 56 to 63 before
 * the end: enough for most numbers, and a shift by it is defined. */
struct bit_reader {
    const uint8_t *at, *end;
    uint64_t bits;
    unsigned count;
};

static void bit_reader_fill(struct bit_reader *reader)
{
    if (reader->end - reader->at >= 8) {
        unsigned bytes = (63 - reader->count) / 8;
        reader->bits |= get_u64be(reader->at) >> reader->count;
        reader->at += bytes;
        reader->count += bytes * 8;
        return;
    }
    while (reader->count < 56 && reader->at < reader->end) {
        reader->bits |= (uint64_t)*reader->at++ << (56 - reader->count);
        reader->count += 8;
    }
}

static void bit_reader_skip(struct bit_reader *reader, unsigned count)
{
    reader->bits <<= count;
    reader->count -= count;
}

/* One Golomb-Rice coded number: a unary quotient (that many ones and a zero), then P
 * bits. False at the end of the bits. */
static bool bit_reader_golomb(struct bit_reader *reader, uint64_t *out)
{
    uint64_t quotient = 0;

    for (;;) {
        bit_reader_fill(reader);
        if (reader->count == 0) {
            return false;
        }
        unsigned ones =
            ~reader->bits == 0 ? 64 : (unsigned)__builtin_clzll(~reader->bits);
        if (ones < reader->count) {
            quotient += ones;
            bit_reader_skip(reader, ones + 1);
            break;
        }
        quotient += reader->count;
        bit_reader_skip(reader, reader->count);
    }
    if (reader->count < GCS_P) {
        bit_reader_fill(reader);
        if (reader->count < GCS_P) {
            return false;
        }
    }
    *out = quotient << GCS_P | reader->bits >> (64 - GCS_P);
    bit_reader_skip(reader, GCS_P);
    return true;
}

/* Nothing left but the zeros that fill the last byte. */
static bool bit_reader_done(const struct bit_reader *reader)
{
    if (reader->at != reader->end || reader->count >= 8) {
        return false;
    }
    return reader->count == 0 || reader->bits >> (64 - reader->count) == 0;
}

static uint64_t gcs_hash(const struct gcs_hash *hash, struct bytes script)
{
    uint64_t value = siphash(hash->k0, hash->k1, script.data, script.len);

    return (uint64_t)((u128)value * hash->range >> 64);
}

static void insertion_sort(uint64_t *values, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        uint64_t value = values[i];
        size_t j = i;
        for (; j > 0 && values[j - 1] > value; j--) {
            values[j] = values[j - 1];
        }
        values[j] = value;
    }
}

/* Sort numbers below `range` into ascending order. */
static void sort_values(uint64_t *values, size_t count, uint64_t range)
{
    if (count < RADIX_SORT_MIN) {
        insertion_sort(values, count);
        return;
    }
    uint64_t *scratch = mem_zalloc(count, sizeof(*scratch));
    uint64_t *from = values, *to = scratch;
    for (unsigned shift = 0; range >> shift != 0; shift += RADIX_BITS) {
        size_t starts[RADIX_SIZE + 1] = {0};
        for (size_t i = 0; i < count; i++) {
            starts[(from[i] >> shift) % RADIX_SIZE + 1]++;
        }
        for (size_t i = 1; i < RADIX_SIZE; i++) {
            starts[i] += starts[i - 1];
        }
        for (size_t i = 0; i < count; i++) {
            to[starts[(from[i] >> shift) % RADIX_SIZE]++] = from[i];
        }
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != values) {
        memcpy(values, from, count * sizeof(*values));
    }
    free(scratch);
}

/* A filter opened: its count is checked, its values aren't decoded yet. */
struct gcs_filter {
    struct bit_reader reader;
    struct gcs_hash hash;
    uint64_t count;
};

static bool gcs_open(struct gcs_filter *out, struct bytes filter,
                     const struct block_hash *block)
{
    struct reader reader;

    if (filter.len > GCS_FILTER_MAX) {
        return false;
    }
    reader_init(&reader, filter.data, filter.len);
    out->count = read_compact_size(&reader, GCS_ELEMENTS_MAX);
    if (reader.failed) {
        return false;
    }
    out->reader = (struct bit_reader){reader.at, reader.at + reader.left, 0, 0};
    /* BIP 158: the SipHash key is the first 16 bytes of the block's hash. */
    out->hash = (struct gcs_hash){get_u64le(block->b), get_u64le(block->b + 8),
                                  out->count * GCS_M};
    return true;
}

/* Decode all of the filter and count in *found how many of the sorted values it holds.
 * False if it is malformed. */
static bool gcs_merge(struct gcs_filter *filter, size_t *found, const uint64_t *values,
                      size_t value_count)
{
    uint64_t element = 0, delta;
    size_t at = 0;

    *found = 0;
    for (uint64_t i = 0; i < filter->count; i++) {
        if (!bit_reader_golomb(&filter->reader, &delta)) {
            return false;
        }
        element += delta;
        /* Every element is a hash mapped to below N * M. */
        if (element >= filter->hash.range) {
            return false;
        }
        while (at < value_count && values[at] < element) {
            at++;
        }
        for (; at < value_count && values[at] == element; at++) {
            ++*found;
        }
    }
    return bit_reader_done(&filter->reader);
}

/* False if the filter is malformed. *found of the set's *count scripts may be in it. */
static bool find_set(size_t *found, size_t *count, struct bytes filter,
                     const struct block_hash *block, const struct script_set *set)
{
    struct gcs_filter open;

    *count = script_set_count(set);
    if (!gcs_open(&open, filter, block)) {
        return false;
    }
    uint64_t *values = mem_zalloc(*count, sizeof(*values));
    for (size_t i = 0; i < *count; i++) {
        values[i] = gcs_hash(&open.hash, script_set_at(set, i));
    }
    sort_values(values, *count, open.hash.range);
    bool sound = gcs_merge(&open, found, values, *count);
    free(values);
    return sound;
}

enum gcs_result gcs_match_any(struct bytes filter, const struct block_hash *block,
                              const struct script_set *set)
{
    size_t count, found;

    if (!find_set(&found, &count, filter, block, set)) {
        return GCS_MALFORMED;
    }
    return found > 0 ? GCS_MATCH : GCS_NO_MATCH;
}

enum gcs_result gcs_holds_all(struct bytes filter, const struct block_hash *block,
                              const struct script_set *set)
{
    size_t count, found;

    if (!find_set(&found, &count, filter, block, set)) {
        return GCS_MALFORMED;
    }
    return found == count ? GCS_MATCH : GCS_NO_MATCH;
}

enum gcs_result gcs_holds_outputs(struct bytes filter, const struct block *block)
{
    static const uint8_t op_return = 0x6a;
    size_t count = 0, found;
    struct gcs_filter open;

    if (!gcs_open(&open, filter, &block->hash)) {
        return GCS_MALFORMED;
    }
    uint64_t *values = mem_zalloc(block->out_count, sizeof(*values));
    for (uint32_t i = 0; i < block->out_count; i++) {
        struct bytes script = block->outs[i].script;
        /* BIP 158: outputs whose script is empty or starts with OP_RETURN aren't in it.
         */
        if (script.len > 0 && script.data[0] != op_return) {
            values[count++] = gcs_hash(&open.hash, script);
        }
    }
    sort_values(values, count, open.hash.range);
    bool sound = gcs_merge(&open, &found, values, count);
    free(values);
    if (!sound) {
        return GCS_MALFORMED;
    }
    return found == count ? GCS_MATCH : GCS_NO_MATCH;
}
