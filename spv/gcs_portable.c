#include "base/siphash.h"
#include "spv/gcs_scalar.h"
#include "spv/script_words.h"

__extension__ typedef unsigned __int128 u128;

static size_t decode(uint64_t *rows, const uint64_t *states, const uint8_t *data,
                     uint64_t end)
{
    return gcs_scalar_decode(rows, states, data, end);
}

static void hash(uint64_t *out, const struct gcs_hash *hash, const uint64_t *groups,
                 size_t count, size_t words)
{
    for (; count > 0; count--, groups += words * SCRIPT_LANES) {
        for (size_t i = 0; i < SCRIPT_LANES; i++) {
            struct sip_state state = sip_start(hash->k0, hash->k1);
            for (size_t w = 0; w < words; w++)
                sip_absorb(&state, groups[w * SCRIPT_LANES + i]);
            *out++ = (uint64_t)((u128)sip_finish(&state) * hash->range >> 64);
        }
    }
}

static void bloom_add(const struct gcs_bloom *bloom, const struct gcs_values *values)
{
    gcs_scalar_bloom_add_all(bloom, values);
}

static size_t bloom_sift(const struct gcs_bloom *bloom, uint64_t *numbers, size_t count)
{
    return gcs_scalar_bloom_sift(bloom, numbers, count);
}

static size_t find(const struct gcs_values *values, const uint64_t *numbers, size_t count)
{
    return gcs_scalar_find(values, numbers, count);
}

const struct gcs_kernel gcs_portable = {
    .name = "portable",
    .lanes = GCS_SCALAR_LANES,
    .decode = decode,
    .hash = hash,
    .bloom_add = bloom_add,
    .bloom_sift = bloom_sift,
    .find = find,
};
