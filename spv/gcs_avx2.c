#include <immintrin.h>

#include "base/siphash.h"
#include "spv/gcs_scalar.h"
#include "spv/script_words.h"

/* Four lanes of SipHash. */
struct sip4 {
    __m256i v0, v1, v2, v3;
};

static inline __m256i rotate(__m256i v, int bits)
{
    return _mm256_or_si256(_mm256_slli_epi64(v, bits), _mm256_srli_epi64(v, 64 - bits));
}

static inline __m256i rotate16(__m256i v)
{
    const __m256i order =
        _mm256_setr_epi8(6, 7, 0, 1, 2, 3, 4, 5, 14, 15, 8, 9, 10, 11, 12, 13, 6, 7, 0, 1,
                         2, 3, 4, 5, 14, 15, 8, 9, 10, 11, 12, 13);
    return _mm256_shuffle_epi8(v, order);
}

static inline __m256i rotate32(__m256i v)
{
    return _mm256_shuffle_epi32(v, _MM_SHUFFLE(2, 3, 0, 1));
}

static inline void sip4_round(struct sip4 *s)
{
    s->v0 = _mm256_add_epi64(s->v0, s->v1);
    s->v2 = _mm256_add_epi64(s->v2, s->v3);
    s->v1 = _mm256_xor_si256(rotate(s->v1, 13), s->v0);
    s->v3 = _mm256_xor_si256(rotate16(s->v3), s->v2);
    s->v0 = rotate32(s->v0);
    s->v2 = _mm256_add_epi64(s->v2, s->v1);
    s->v0 = _mm256_add_epi64(s->v0, s->v3);
    s->v1 = _mm256_xor_si256(rotate(s->v1, 17), s->v2);
    s->v3 = _mm256_xor_si256(rotate(s->v3, 21), s->v0);
    s->v2 = rotate32(s->v2);
}

static inline struct sip4 sip4_start(const struct gcs_hash *hash)
{
    struct sip_state s = sip_start(hash->k0, hash->k1);
    return (struct sip4){
        _mm256_set1_epi64x((long long)s.v0), _mm256_set1_epi64x((long long)s.v1),
        _mm256_set1_epi64x((long long)s.v2), _mm256_set1_epi64x((long long)s.v3)};
}

static inline void sip4_absorb(struct sip4 *s, __m256i word)
{
    s->v3 = _mm256_xor_si256(s->v3, word);
    sip4_round(s);
    sip4_round(s);
    s->v0 = _mm256_xor_si256(s->v0, word);
}

static inline __m256i sip4_finish(struct sip4 *s)
{
    s->v2 = _mm256_xor_si256(s->v2, _mm256_set1_epi64x(0xff));
    sip4_round(s);
    sip4_round(s);
    sip4_round(s);
    sip4_round(s);
    return _mm256_xor_si256(_mm256_xor_si256(s->v0, s->v1),
                            _mm256_xor_si256(s->v2, s->v3));
}

/* The upper 64 bits of value * range. */
static inline __m256i map_to_range(__m256i value, uint64_t range)
{
    const __m256i range_low = _mm256_set1_epi64x((long long)(range & UINT32_MAX));
    const __m256i range_high = _mm256_set1_epi64x((long long)(range >> 32));
    const __m256i low = _mm256_set1_epi64x(UINT32_MAX);
    __m256i high = _mm256_srli_epi64(value, 32);
    __m256i bottom = _mm256_srli_epi64(_mm256_mul_epu32(value, range_low), 32);
    __m256i middle = _mm256_add_epi64(_mm256_mul_epu32(high, range_low), bottom);
    __m256i other = _mm256_add_epi64(_mm256_mul_epu32(value, range_high),
                                     _mm256_and_si256(middle, low));
    return _mm256_add_epi64(
        _mm256_mul_epu32(high, range_high),
        _mm256_add_epi64(_mm256_srli_epi64(middle, 32), _mm256_srli_epi64(other, 32)));
}

static inline __m256i load(const uint64_t *from)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)from);
}

static void hash(uint64_t *out, const struct gcs_hash *hash, const uint64_t *groups,
                 size_t count, size_t words)
{
    for (; count > 0; count--) {
        struct sip4 a = sip4_start(hash), b = a;
        for (size_t w = 0; w < words; w++, groups += SCRIPT_LANES) {
            sip4_absorb(&a, load(groups));
            sip4_absorb(&b, load(groups + 4));
        }
        _mm256_storeu_si256((__m256i *)(void *)out,
                            map_to_range(sip4_finish(&a), hash->range));
        _mm256_storeu_si256((__m256i *)(void *)(out + 4),
                            map_to_range(sip4_finish(&b), hash->range));
        out += SCRIPT_LANES;
    }
}

/* The scalar loops too are faster here, for BMI's shifts and counts of zeros. */
const struct gcs_kernel gcs_avx2 = {
    .name = "AVX2",
    .lanes = GCS_SCALAR_LANES,
    .decode = gcs_scalar_decode,
    .hash = hash,
    .bloom_add = gcs_scalar_bloom_add_all,
    .bloom_sift = gcs_scalar_bloom_sift,
    .find = gcs_scalar_find,
};
