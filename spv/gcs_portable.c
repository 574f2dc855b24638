#include "base/siphash.h"
#include "spv/gcs_scalar.h"
#include "spv/script_words.h"

__extension__ typedef unsigned __int128 u128;

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

const struct gcs_kernel gcs_portable = {
    .name = "portable",
    .lanes = GCS_SCALAR_LANES,
    .decode = gcs_scalar_decode,
    .hash = hash,
    .bloom_add = gcs_scalar_bloom_add_all,
    .bloom_sift = gcs_scalar_bloom_sift,
    .find = gcs_scalar_find,
};
