#include "tests/sim/oracle_filter.h"

#include <stdlib.h>
#include <string.h>

/* BIP 158: P and M of basic filters. */
#define REMAINDER_BITS 19
#define INVERSE_RATE UINT64_C(784931)

struct bits {
    struct oracle_bytes *out;
    unsigned used; /* of the last byte */
};

static void add_bit(struct bits *bits, bool bit)
{
    if (bits->used == 0)
        add_u8(bits->out, 0);
    if (bit)
        bits->out->data[bits->out->len - 1] |= (uint8_t)(0x80 >> bits->used);
    bits->used = (bits->used + 1) % 8;
}

static void add_golomb(struct bits *bits, uint64_t value)
{
    for (uint64_t i = 0; i < value >> REMAINDER_BITS; i++)
        add_bit(bits, true);
    add_bit(bits, false);
    for (int i = REMAINDER_BITS - 1; i >= 0; i--)
        add_bit(bits, value >> i & 1);
}

/* High half of the product of two numbers, by their halves. */
static uint64_t multiply_high(uint64_t a, uint64_t b)
{
    uint64_t a0 = a & 0xffffffff, a1 = a >> 32, b0 = b & 0xffffffff, b1 = b >> 32;
    uint64_t low = a0 * b0, middle = a1 * b0 + (low >> 32);
    uint64_t other = a0 * b1 + (middle & 0xffffffff);
    return a1 * b1 + (middle >> 32) + (other >> 32);
}

static int by_content(const void *left, const void *right)
{
    const struct oracle_item *a = left, *b = right;
    size_t common = a->len < b->len ? a->len : b->len;
    int order = memcmp(a->data, b->data, common);
    return order ? order : (a->len > b->len) - (a->len < b->len);
}

static int by_value(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static size_t sort_unique(struct oracle_item *items, size_t count)
{
    size_t kept = 0;
    qsort(items, count, sizeof *items, by_content);
    for (size_t i = 0; i < count; i++)
        if (!kept || by_content(&items[kept - 1], &items[i]) != 0)
            items[kept++] = items[i];
    return kept;
}

void oracle_filter(struct oracle_bytes *out, const struct oracle_hash *block,
                   const struct oracle_item *items, size_t count)
{
    struct oracle_item *set = calloc(count + 1, sizeof *set);
    uint64_t *values = calloc(count + 1, sizeof *values);
    if (!set || !values)
        abort();
    if (count)
        memcpy(set, items, count * sizeof *set);
    count = sort_unique(set, count);
    for (size_t i = 0; i < count; i++)
        values[i] =
            multiply_high(oracle_siphash(take_le(block->b, 8), take_le(block->b + 8, 8),
                                         set[i].data, set[i].len),
                          count * INVERSE_RATE);
    qsort(values, count, sizeof *values, by_value);
    add_varint(out, count);
    struct bits bits = {out, 0};
    for (size_t i = 0; i < count; i++)
        add_golomb(&bits, values[i] - (i ? values[i - 1] : 0));
    free(values);
    free(set);
}

struct oracle_hash oracle_filter_header(const struct oracle_hash *filter_hash,
                                        const struct oracle_hash *previous)
{
    uint8_t both[64];
    memcpy(both, filter_hash->b, 32);
    memcpy(both + 32, previous->b, 32);
    return oracle_sha256d(both, sizeof both);
}
