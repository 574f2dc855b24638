#include <immintrin.h>

#include "base/attr.h"
#include "base/sha256_kernel.h"

#define LANES 16
#define ROTATE _mm512_ror_epi32
#define SHIFT _mm512_srli_epi32

typedef __m512i words;

INLINE words all(uint32_t value)
{
    return _mm512_set1_epi32((int)value);
}

INLINE words add(words a, words b)
{
    return _mm512_add_epi32(a, b);
}

INLINE words xor3(words a, words b, words c)
{
    return _mm512_ternarylogic_epi32(a, b, c, 0x96);
}

INLINE words choose(words e, words f, words g)
{
    return _mm512_ternarylogic_epi32(e, f, g, 0xca);
}

INLINE words majority(words a, words b, words c)
{
    return _mm512_ternarylogic_epi32(a, b, c, 0xe8);
}

INLINE words load_words(const void *in)
{
    return _mm512_loadu_si512(in);
}

INLINE void store_words(void *out, words in)
{
    _mm512_storeu_si512(out, in);
}

/* Bytes 64 * block and on of one lane, as four times four big-endian words. */
INLINE words load_lane(const uint8_t *const *data, size_t lane, size_t block)
{
    const words swap = _mm512_set4_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203);
    return _mm512_shuffle_epi8(_mm512_loadu_si512(data[lane] + block * SHA256_BLOCK),
                               swap);
}

/* Words of four lanes: quarter q of out[i] holds word 4q + i of each. */
INLINE void load_four(words out[4], const uint8_t *const *data, size_t lane, size_t block)
{
    words a = load_lane(data, lane, block), b = load_lane(data, lane + 1, block);
    words c = load_lane(data, lane + 2, block), d = load_lane(data, lane + 3, block);
    words ab_low = _mm512_unpacklo_epi32(a, b), ab_high = _mm512_unpackhi_epi32(a, b);
    words cd_low = _mm512_unpacklo_epi32(c, d), cd_high = _mm512_unpackhi_epi32(c, d);
    out[0] = _mm512_unpacklo_epi64(ab_low, cd_low);
    out[1] = _mm512_unpackhi_epi64(ab_low, cd_low);
    out[2] = _mm512_unpacklo_epi64(ab_high, cd_high);
    out[3] = _mm512_unpackhi_epi64(ab_high, cd_high);
}

/* Words i, i + 4, i + 8 and i + 12 of all lanes from the quarters of four times four. */
INLINE void join_quarters(words w[16], size_t i, words a, words b, words c, words d)
{
    words ab_low = _mm512_shuffle_i32x4(a, b, 0x44);
    words ab_high = _mm512_shuffle_i32x4(a, b, 0xee);
    words cd_low = _mm512_shuffle_i32x4(c, d, 0x44);
    words cd_high = _mm512_shuffle_i32x4(c, d, 0xee);
    w[i] = _mm512_shuffle_i32x4(ab_low, cd_low, 0x88);
    w[i + 4] = _mm512_shuffle_i32x4(ab_low, cd_low, 0xdd);
    w[i + 8] = _mm512_shuffle_i32x4(ab_high, cd_high, 0x88);
    w[i + 12] = _mm512_shuffle_i32x4(ab_high, cd_high, 0xdd);
}

INLINE void load_block(words w[16], const uint8_t *const *data, size_t block)
{
    words a[4], b[4], c[4], d[4];
    load_four(a, data, 0, block);
    load_four(b, data, 4, block);
    load_four(c, data, 8, block);
    load_four(d, data, 12, block);
    join_quarters(w, 0, a[0], b[0], c[0], d[0]);
    join_quarters(w, 1, a[1], b[1], c[1], d[1]);
    join_quarters(w, 2, a[2], b[2], c[2], d[2]);
    join_quarters(w, 3, a[3], b[3], c[3], d[3]);
}

#include "base/sha256_lanes.h"

extern const struct sha256_kernel sha256_avx512;
const struct sha256_kernel sha256_avx512 = {"AVX-512", LANES, compress, again};
