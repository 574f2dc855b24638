#include <immintrin.h>

#include "base/attr.h"
#include "base/sha256_kernel.h"

#define LANES 8
#define ROTATE(w, bits)                                                                  \
    _mm256_or_si256(_mm256_srli_epi32(w, bits), _mm256_slli_epi32(w, 32 - (bits)))
#define SHIFT _mm256_srli_epi32

typedef __m256i words;

INLINE words all(uint32_t value)
{
    return _mm256_set1_epi32((int)value);
}

INLINE words add(words a, words b)
{
    return _mm256_add_epi32(a, b);
}

INLINE words xor3(words a, words b, words c)
{
    return _mm256_xor_si256(_mm256_xor_si256(a, b), c);
}

INLINE words choose(words e, words f, words g)
{
    return _mm256_xor_si256(g, _mm256_and_si256(e, _mm256_xor_si256(f, g)));
}

INLINE words majority(words a, words b, words c)
{
    return _mm256_or_si256(_mm256_and_si256(a, b),
                           _mm256_and_si256(c, _mm256_or_si256(a, b)));
}

INLINE words load_words(const void *in)
{
    return _mm256_loadu_si256(in);
}

INLINE void store_words(void *out, words in)
{
    _mm256_storeu_si256(out, in);
}

/* Half of a block of one lane, as twice four big-endian words. */
INLINE words load_lane(const uint8_t *const *data, size_t lane, size_t at)
{
    const words swap = _mm256_set_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203,
                                        0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203);
    return _mm256_shuffle_epi8(load_words(data[lane] + at), swap);
}

/* Words of four lanes: half h of out[i] holds word 4h + i of each. */
INLINE void load_four(words out[4], const uint8_t *const *data, size_t lane, size_t at)
{
    words a = load_lane(data, lane, at), b = load_lane(data, lane + 1, at);
    words c = load_lane(data, lane + 2, at), d = load_lane(data, lane + 3, at);
    words ab_low = _mm256_unpacklo_epi32(a, b), ab_high = _mm256_unpackhi_epi32(a, b);
    words cd_low = _mm256_unpacklo_epi32(c, d), cd_high = _mm256_unpackhi_epi32(c, d);
    out[0] = _mm256_unpacklo_epi64(ab_low, cd_low);
    out[1] = _mm256_unpackhi_epi64(ab_low, cd_low);
    out[2] = _mm256_unpacklo_epi64(ab_high, cd_high);
    out[3] = _mm256_unpackhi_epi64(ab_high, cd_high);
}

INLINE void load_half(words w[8], const uint8_t *const *data, size_t at)
{
    words low[4], high[4];
    load_four(low, data, 0, at);
    load_four(high, data, 4, at);
    for (size_t i = 0; i < 4; i++) {
        w[i] = _mm256_permute2x128_si256(low[i], high[i], 0x20);
        w[i + 4] = _mm256_permute2x128_si256(low[i], high[i], 0x31);
    }
}

INLINE void load_block(words w[16], const uint8_t *const *data, size_t block)
{
    load_half(w, data, block * SHA256_BLOCK);
    load_half(w + 8, data, block * SHA256_BLOCK + SHA256_BLOCK / 2);
}

#include "base/sha256_lanes.h"

extern const struct sha256_kernel sha256_avx2;
const struct sha256_kernel sha256_avx2 = {"AVX2", LANES, compress, again};
