/* The inner loops without vectors, to be compiled for more than one instruction set. */
#ifndef SPV_GCS_SCALAR_H
#define SPV_GCS_SCALAR_H

#include <string.h>

#include "spv/gcs_kernel.h"

/* The bits from a place on, the first on top; at least 57 of them count. */
static inline uint64_t gcs_load(const uint8_t *data, uint64_t place)
{
    uint64_t word;
    memcpy(&word, data + place / 8, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word << place % 8;
}

/* The ones on top; 63 stands for 64 too. */
static inline unsigned gcs_quotient(uint64_t word)
{
    return (unsigned)__builtin_clzll(~word | 1);
}

/* The state behind the number that is on top of the word: so many ones, a zero, P bits.
 */
static inline uint64_t gcs_advance(uint64_t state, uint64_t word, uint64_t quotient)
{
    const uint64_t one = UINT64_C(1) << GCS_PLACE_SHIFT;
    uint64_t remainder = word << quotient << 1 >> (64 - GCS_P);
    return state + (1 + GCS_P) * one + quotient * (one + (UINT64_C(1) << GCS_P)) +
           remainder;
}

#define GCS_SCALAR_LANES 4

/* Two numbers of a lane, the states behind them written to its column; *excess gets
 * negative if they aren't within one word. The second state. */
static inline uint64_t gcs_scalar_two(uint64_t *column, int64_t *excess, uint64_t state,
                                      const uint8_t *data)
{
    uint64_t word = gcs_load(data, state >> GCS_PLACE_SHIFT);
    unsigned quotient = gcs_quotient(word);
    uint64_t then = word << quotient << (1 + GCS_P);
    unsigned second = gcs_quotient(then);
    state = gcs_advance(state, word, quotient);
    column[0] = state;
    *excess |= GCS_QUOTIENT_FAST - 1 - GCS_P - (int64_t)(quotient + second);
    state = gcs_advance(state, then, second);
    column[GCS_SCALAR_LANES] = state;
    return state;
}

/* One number of a lane; *excess gets negative if it isn't within one word. */
static inline uint64_t gcs_scalar_one(uint64_t *column, int64_t *excess, uint64_t state,
                                      const uint8_t *data)
{
    uint64_t word = gcs_load(data, state >> GCS_PLACE_SHIFT);
    unsigned quotient = gcs_quotient(word);
    *excess |= GCS_QUOTIENT_FAST - (int64_t)quotient;
    *column = gcs_advance(state, word, quotient);
    return *column;
}

static inline uint64_t gcs_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The lanes' work is interleaved, for each step of one waits for the step before. */
static inline size_t gcs_scalar_decode(uint64_t *rows, const uint64_t *states,
                                       const uint8_t *data, uint64_t end)
{
    uint64_t a = states[0], b = states[1], c = states[2], d = states[3], *row = rows;
    while (gcs_max(gcs_max(a, b), gcs_max(c, d)) >> GCS_PLACE_SHIFT < end) {
        int64_t excess = 0;
        uint64_t next_a = gcs_scalar_two(row, &excess, a, data);
        uint64_t next_b = gcs_scalar_two(row + 1, &excess, b, data);
        uint64_t next_c = gcs_scalar_two(row + 2, &excess, c, data);
        uint64_t next_d = gcs_scalar_two(row + 3, &excess, d, data);
        if (__builtin_expect(excess >= 0, 1)) {
            a = next_a;
            b = next_b;
            c = next_c;
            d = next_d;
            row += 2 * GCS_SCALAR_LANES;
            continue;
        }
        excess = 0;
        a = gcs_scalar_one(row, &excess, a, data);
        b = gcs_scalar_one(row + 1, &excess, b, data);
        c = gcs_scalar_one(row + 2, &excess, c, data);
        d = gcs_scalar_one(row + 3, &excess, d, data);
        if (excess < 0)
            break;
        row += GCS_SCALAR_LANES;
    }
    return (size_t)(row - rows) / GCS_SCALAR_LANES;
}

/* The two bits of a number in its word. */
static inline uint64_t gcs_bloom_bits(uint64_t number)
{
    return UINT64_C(1) << number % 64 | UINT64_C(1) << (number >> 6) % 64;
}

static inline uint64_t *gcs_bloom_word(const struct gcs_bloom *bloom, uint64_t number)
{
    return &bloom->words[number >> 12 & bloom->mask];
}

static inline void gcs_bloom_put(const struct gcs_bloom *bloom, uint64_t number)
{
    *gcs_bloom_word(bloom, number) |= gcs_bloom_bits(number);
}

/* Add a lane's values from row `first` on. */
static inline void gcs_scalar_bloom_add(const struct gcs_bloom *bloom,
                                        const struct gcs_values *values, size_t lane,
                                        size_t first)
{
    const struct gcs_bloom to = *bloom;
    const size_t stride = values->lanes, last = values->lane[lane].last;
    const uint64_t base = values->lane[lane].base;
    const uint64_t *at = values->rows + first * stride + lane;
    for (size_t i = first; i < last; i++, at += stride)
        gcs_bloom_put(&to, (*at & GCS_SUM_MASK) + base);
}

static inline void gcs_scalar_bloom_add_all(const struct gcs_bloom *bloom,
                                            const struct gcs_values *values)
{
    for (size_t i = 0; i < values->lanes; i++)
        gcs_scalar_bloom_add(bloom, values, i, values->lane[i].first);
}

static inline size_t gcs_scalar_bloom_sift(const struct gcs_bloom *bloom,
                                           uint64_t *numbers, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t number = numbers[i];
        uint64_t bits = gcs_bloom_bits(number);
        numbers[kept] = number;
        kept += (*gcs_bloom_word(bloom, number) & bits) == bits;
    }
    return kept;
}

static inline bool gcs_scalar_has(const struct gcs_values *values, uint64_t number)
{
    size_t k = 0;
    for (size_t i = 1; i < values->lanes; i++)
        k += values->lane[i].start < number;
    const struct gcs_lane *lane = &values->lane[k];
    const uint64_t *column = values->rows + k;
    size_t at = lane->first, left = lane->last - lane->first;
    if (left == 0)
        return false;
    /* Without branches, which nobody could predict. */
    uint64_t sum = number - lane->base;
    while (left > 1) {
        size_t half = left / 2;
        uint64_t before = column[(at + half - 1) * values->lanes] & GCS_SUM_MASK;
        at += half * (size_t)(before < sum);
        left -= half;
    }
    return (column[at * values->lanes] & GCS_SUM_MASK) == sum;
}

static inline size_t gcs_scalar_find(const struct gcs_values *values,
                                     const uint64_t *numbers, size_t count)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += gcs_scalar_has(values, numbers[i]);
    return found;
}

#endif
