/* The inner loops of filter matching, for the instruction sets that pay. All give the
 * same results. */
#ifndef SPV_GCS_KERNEL_H
#define SPV_GCS_KERNEL_H

#include "spv/gcs_values.h"

/* How a block's filter maps scripts to numbers (BIP 158): SipHash under the key, taken as
 * a fraction of the range. */
struct gcs_hash {
    uint64_t k0, k1;
    uint64_t range; /* N * M, below 2^37 */
};

/* A Bloom filter of numbers below 2^37: two bits in one of mask + 1 words. */
struct gcs_bloom {
    uint64_t *words;
    uint64_t mask;
};

struct gcs_kernel {
    const char *name;
    size_t lanes; /* at most GCS_LANES_MAX */

    /* Let the lanes, which stand at `states`, read one number each and write down a row
     * of where they stand then; and again, until one stands at bit `end` or behind it or
     * has a quotient above GCS_QUOTIENT_FAST before it. Eight bytes can be read at every
     * bit before the end. The number of rows; there is room for two more. */
    size_t (*decode)(uint64_t *rows, const uint64_t *states, const uint8_t *data,
                     uint64_t end);
    /* Map scripts to numbers: the SCRIPT_LANES of each of `count` groups of `words`
     * words. */
    void (*hash)(uint64_t *out, const struct gcs_hash *hash, const uint64_t *groups,
                 size_t count, size_t words);
    /* Add all values, and perhaps what lanes read before they were in step. */
    void (*bloom_add)(const struct gcs_bloom *bloom, const struct gcs_values *values);
    /* Keep those of the numbers that the Bloom filter may hold; how many they are. */
    size_t (*bloom_sift)(const struct gcs_bloom *bloom, uint64_t *numbers, size_t count);
    /* How many of the numbers are among the values. */
    size_t (*find)(const struct gcs_values *values, const uint64_t *numbers,
                   size_t count);
};

/* Those that this processor runs, the fastest first; NULL ends them. */
const struct gcs_kernel *const *gcs_kernels(void);

/* gcs_match_any() and gcs_holds_outputs() with this kernel instead of the fastest. */
NODISCARD enum gcs_result gcs_match_any_with(struct bytes filter,
                                             const struct block_hash *block,
                                             const struct script_set *set,
                                             const struct gcs_kernel *kernel);
NODISCARD enum gcs_result gcs_holds_outputs_with(struct bytes filter,
                                                 const struct block *block,
                                                 const struct gcs_kernel *kernel);

#endif
