#include <immintrin.h>

#include "base/siphash.h"
#include "spv/gcs_scalar.h"
#include "spv/script_words.h"

#define VECTOR 8
#define LANES (2 * VECTOR)
#define BLOOM_ROWS 16

static inline __m512i all(uint64_t value)
{
    return _mm512_set1_epi64((long long)value);
}

/* Eight lanes of SipHash. */
struct sip8 {
    __m512i v0, v1, v2, v3;
};

static inline void sip8_round(struct sip8 *s)
{
    s->v0 = _mm512_add_epi64(s->v0, s->v1);
    s->v2 = _mm512_add_epi64(s->v2, s->v3);
    s->v1 = _mm512_xor_si512(_mm512_rol_epi64(s->v1, 13), s->v0);
    s->v3 = _mm512_xor_si512(_mm512_rol_epi64(s->v3, 16), s->v2);
    s->v0 = _mm512_rol_epi64(s->v0, 32);
    s->v2 = _mm512_add_epi64(s->v2, s->v1);
    s->v0 = _mm512_add_epi64(s->v0, s->v3);
    s->v1 = _mm512_xor_si512(_mm512_rol_epi64(s->v1, 17), s->v2);
    s->v3 = _mm512_xor_si512(_mm512_rol_epi64(s->v3, 21), s->v0);
    s->v2 = _mm512_rol_epi64(s->v2, 32);
}

static inline struct sip8 sip8_start(const struct gcs_hash *hash)
{
    struct sip_state s = sip_start(hash->k0, hash->k1);
    return (struct sip8){all(s.v0), all(s.v1), all(s.v2), all(s.v3)};
}

static inline void sip8_absorb(struct sip8 *s, __m512i word)
{
    s->v3 = _mm512_xor_si512(s->v3, word);
    sip8_round(s);
    sip8_round(s);
    s->v0 = _mm512_xor_si512(s->v0, word);
}

static inline __m512i sip8_finish(struct sip8 *s)
{
    s->v2 = _mm512_xor_si512(s->v2, all(0xff));
    sip8_round(s);
    sip8_round(s);
    sip8_round(s);
    sip8_round(s);
    return _mm512_xor_si512(_mm512_xor_si512(s->v0, s->v1),
                            _mm512_xor_si512(s->v2, s->v3));
}

/* The upper 64 bits of value * range. */
static inline __m512i map_to_range(__m512i value, uint64_t range)
{
    const __m512i range_low = all(range & UINT32_MAX), range_high = all(range >> 32);
    __m512i high = _mm512_srli_epi64(value, 32);
    __m512i bottom = _mm512_srli_epi64(_mm512_mul_epu32(value, range_low), 32);
    __m512i middle = _mm512_add_epi64(_mm512_mul_epu32(high, range_low), bottom);
    __m512i other = _mm512_add_epi64(_mm512_mul_epu32(value, range_high),
                                     _mm512_and_si512(middle, all(UINT32_MAX)));
    return _mm512_add_epi64(
        _mm512_mul_epu32(high, range_high),
        _mm512_add_epi64(_mm512_srli_epi64(middle, 32), _mm512_srli_epi64(other, 32)));
}

static inline void put_numbers(uint64_t *out, struct sip8 *state,
                               const struct gcs_hash *hash)
{
    _mm512_storeu_si512(out, map_to_range(sip8_finish(state), hash->range));
}

/* Two groups at a time: while one waits for its sums the other computes. */
static void hash(uint64_t *out, const struct gcs_hash *hash, const uint64_t *groups,
                 size_t count, size_t words)
{
    const struct sip8 start = sip8_start(hash);
    const size_t len = words * SCRIPT_LANES;
    for (; count >= 2; count -= 2, out += 2 * SCRIPT_LANES, groups += 2 * len) {
        struct sip8 a = start, b = start;
        for (size_t i = 0; i < len; i += SCRIPT_LANES) {
            sip8_absorb(&a, _mm512_loadu_si512(groups + i));
            sip8_absorb(&b, _mm512_loadu_si512(groups + len + i));
        }
        put_numbers(out, &a, hash);
        put_numbers(out + SCRIPT_LANES, &b, hash);
    }
    if (count > 0) {
        struct sip8 state = start;
        for (size_t i = 0; i < len; i += SCRIPT_LANES)
            sip8_absorb(&state, _mm512_loadu_si512(groups + i));
        put_numbers(out, &state, hash);
    }
}

/* As gcs_load(), for eight lanes. */
static inline __m512i load_lanes(__m512i states, const uint8_t *data)
{
    const __m512i reverse = _mm512_broadcast_i32x4(
        _mm_setr_epi8(7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8));
    __m512i bytes = _mm512_srli_epi64(states, GCS_PLACE_SHIFT + 3);
    __m512i words = _mm512_shuffle_epi8(_mm512_i64gather_epi64(bytes, data, 1), reverse);
    __m512i bits = _mm512_and_si512(_mm512_srli_epi64(states, GCS_PLACE_SHIFT), all(7));
    return _mm512_sllv_epi64(words, bits);
}

static inline __m512i quotients(__m512i words)
{
    return _mm512_lzcnt_epi64(_mm512_xor_si512(words, all(UINT64_MAX)));
}

/* As gcs_advance(); `rest` is what follows the zero. */
static inline __m512i advance(__m512i states, __m512i rest, __m512i quotient)
{
    const uint64_t one = UINT64_C(1) << GCS_PLACE_SHIFT;
    __m512i remainder = _mm512_srli_epi64(rest, 64 - GCS_P);
    __m512i known =
        _mm512_add_epi64(_mm512_add_epi64(states, all((1 + GCS_P) * one)), remainder);
    return _mm512_add_epi64(known,
                            _mm512_add_epi64(_mm512_slli_epi64(quotient, GCS_PLACE_SHIFT),
                                             _mm512_slli_epi64(quotient, GCS_P)));
}

/* Two numbers of each of eight lanes. */
struct step {
    __m512i first, second;
    __m512i quotient, both; /* the first's, and the sum of both */
};

static inline struct step read_two(__m512i states, const uint8_t *data)
{
    struct step step;
    __m512i words = load_lanes(states, data);
    step.quotient = quotients(words);
    __m512i rest = _mm512_sllv_epi64(_mm512_add_epi64(words, words), step.quotient);
    step.first = advance(states, rest, step.quotient);
    words = _mm512_slli_epi64(rest, GCS_P);
    __m512i quotient = quotients(words);
    step.both = _mm512_add_epi64(step.quotient, quotient);
    rest = _mm512_sllv_epi64(_mm512_add_epi64(words, words), quotient);
    step.second = advance(step.first, rest, quotient);
    return step;
}

static inline bool any_above(__m512i a, __m512i b, __m512i most)
{
    return (_mm512_cmpgt_epu64_mask(a, most) | _mm512_cmpgt_epu64_mask(b, most)) != 0;
}

/* Two vectors of lanes: while one waits for its words the other computes. */
static size_t decode(uint64_t *rows, const uint64_t *states, const uint8_t *data,
                     uint64_t end)
{
    const __m512i stop = all((end << GCS_PLACE_SHIFT) - 1);
    const __m512i one_fits = all(GCS_QUOTIENT_FAST);
    const __m512i two_fit = all(GCS_QUOTIENT_FAST - 1 - GCS_P);
    __m512i a = _mm512_loadu_si512(states), b = _mm512_loadu_si512(states + VECTOR);
    uint64_t *row = rows;
    while (!any_above(a, b, stop)) {
        struct step of_a = read_two(a, data), of_b = read_two(b, data);
        _mm512_storeu_si512(row, of_a.first);
        _mm512_storeu_si512(row + VECTOR, of_b.first);
        if (__builtin_expect(any_above(of_a.both, of_b.both, two_fit), 0)) {
            if (any_above(of_a.quotient, of_b.quotient, one_fits))
                break;
            a = of_a.first;
            b = of_b.first;
            row += LANES;
            continue;
        }
        a = of_a.second;
        b = of_b.second;
        _mm512_storeu_si512(row + LANES, a);
        _mm512_storeu_si512(row + LANES + VECTOR, b);
        row += 2 * LANES;
    }
    return (size_t)(row - rows) / LANES;
}

/* Which words eight numbers have their bits in. */
static inline __m512i bloom_index(const struct gcs_bloom *bloom, __m512i numbers)
{
    return _mm512_and_si512(_mm512_srli_epi64(numbers, 12), all(bloom->mask));
}

/* A row's values of eight lanes. Those of lanes that weren't in step yet don't hurt. */
static inline __m512i row_values(const uint64_t *row, const uint64_t *bases)
{
    return _mm512_add_epi64(_mm512_and_si512(_mm512_loadu_si512(row), all(GCS_SUM_MASK)),
                            _mm512_loadu_si512(bases));
}

static void bloom_add_rows(const struct gcs_bloom *bloom, const struct gcs_values *values)
{
    uint64_t bases[LANES], index[BLOOM_ROWS * LANES], bits[BLOOM_ROWS * LANES];
    for (size_t k = 0; k < LANES; k++)
        bases[k] = values->lane[k].base;
    for (size_t row = 0; row < values->full_rows; row += BLOOM_ROWS) {
        size_t left = values->full_rows - row;
        size_t count = (left < BLOOM_ROWS ? left : BLOOM_ROWS) * LANES;
        for (size_t i = 0; i < count; i += VECTOR) {
            __m512i number =
                row_values(values->rows + row * LANES + i, bases + i % LANES);
            __m512i other = _mm512_srli_epi64(number, 6);
            _mm512_storeu_si512(index + i, bloom_index(bloom, number));
            _mm512_storeu_si512(bits + i,
                                _mm512_or_si512(_mm512_rolv_epi64(all(1), number),
                                                _mm512_rolv_epi64(all(1), other)));
        }
        /* Not right behind each vector: its store would have to be waited for. */
        for (size_t i = 0; i < count; i++)
            bloom->words[index[i]] |= bits[i];
    }
}

static void bloom_add(const struct gcs_bloom *bloom, const struct gcs_values *values)
{
    if (values->lanes != LANES) {
        gcs_scalar_bloom_add_all(bloom, values);
        return;
    }
    bloom_add_rows(bloom, values);
    for (size_t i = 0; i < LANES; i++)
        gcs_scalar_bloom_add(bloom, values, i, values->full_rows);
}

static size_t bloom_sift(const struct gcs_bloom *bloom, uint64_t *numbers, size_t count)
{
    size_t kept = 0, i = 0;
    for (; i + VECTOR <= count; i += VECTOR) {
        __m512i number = _mm512_loadu_si512(numbers + i);
        __m512i words =
            _mm512_i64gather_epi64(bloom_index(bloom, number), bloom->words, 8);
        __m512i both =
            _mm512_and_si512(_mm512_rorv_epi64(words, number),
                             _mm512_rorv_epi64(words, _mm512_srli_epi64(number, 6)));
        __mmask8 may = _mm512_test_epi64_mask(both, all(1));
        if (may != 0)
            _mm512_mask_compressstoreu_epi64(numbers + kept, may, number);
        kept += (size_t)__builtin_popcount(may);
    }
    size_t left = count - i;
    memmove(numbers + kept, numbers + i, left * sizeof(*numbers));
    return kept + gcs_scalar_bloom_sift(bloom, numbers + kept, left);
}

_Static_assert(sizeof(struct gcs_lane) == 4 * sizeof(uint64_t), "lane_field() needs it");

/* A field of each of eight lanes, given where lane 0 has it. */
static inline __m512i lane_field(__m512i lanes, const void *first)
{
    return _mm512_i64gather_epi64(_mm512_slli_epi64(lanes, 2), first, 8);
}

/* The sums in eight lanes' columns at these rows, where the mask says so. */
static inline __m512i sums_at(const struct gcs_values *values, __m512i lanes,
                              __m512i rows, __mmask8 mask)
{
    _Static_assert(LANES == 1 << 4, "the shift");
    __m512i index = _mm512_add_epi64(_mm512_slli_epi64(rows, 4), lanes);
    __m512i states =
        _mm512_mask_i64gather_epi64(_mm512_setzero_si512(), mask, index, values->rows, 8);
    return _mm512_and_si512(states, all(GCS_SUM_MASK));
}

/* Which of eight numbers are among the values: a binary search for each. */
static __mmask8 find_eight(const struct gcs_values *values, __m512i numbers)
{
    __m512i lanes = _mm512_setzero_si512();
    for (size_t i = 1; i < LANES; i++) {
        __mmask8 beyond = _mm512_cmplt_epu64_mask(all(values->lane[i].start), numbers);
        lanes = _mm512_mask_add_epi64(lanes, beyond, lanes, all(1));
    }
    __m512i sums = _mm512_sub_epi64(numbers, lane_field(lanes, &values->lane[0].base));
    __m512i last = lane_field(lanes, &values->lane[0].last);
    __m512i at = lane_field(lanes, &values->lane[0].first);
    uint64_t most = _mm512_reduce_max_epu64(_mm512_sub_epi64(last, at));
    /* Behind `at` sums of the lane's that are less; more of them by ever smaller steps.
     */
    for (uint64_t step = most == 0 ? 0 : UINT64_C(1) << (63 - __builtin_clzll(most));
         step > 0; step /= 2) {
        __m512i next = _mm512_add_epi64(at, all(step));
        __mmask8 within = _mm512_cmple_epu64_mask(next, last);
        __m512i before = sums_at(values, lanes, _mm512_sub_epi64(next, all(1)), within);
        __mmask8 less = _mm512_mask_cmplt_epu64_mask(within, before, sums);
        at = _mm512_mask_mov_epi64(at, less, next);
    }
    __mmask8 within = _mm512_cmplt_epu64_mask(at, last);
    return _mm512_mask_cmpeq_epu64_mask(within, sums_at(values, lanes, at, within), sums);
}

static size_t find(const struct gcs_values *values, const uint64_t *numbers, size_t count)
{
    size_t found = 0, i = 0;
    for (; values->lanes == LANES && i + VECTOR <= count; i += VECTOR) {
        __mmask8 which = find_eight(values, _mm512_loadu_si512(numbers + i));
        found += (size_t)__builtin_popcount(which);
    }
    return found + gcs_scalar_find(values, numbers + i, count - i);
}

const struct gcs_kernel gcs_avx512 = {
    .name = "AVX-512",
    .lanes = LANES,
    .decode = decode,
    .hash = hash,
    .bloom_add = bloom_add,
    .bloom_sift = bloom_sift,
    .find = find,
};
