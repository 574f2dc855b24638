#include "spv/gcs.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "spv/gcs_kernel.h"

__extension__ typedef unsigned __int128 u128;

/* Groups of scripts hashed at a time: their numbers stay in the first cache. */
#define BATCH_GROUPS 64
#define BATCH (BATCH_GROUPS * SCRIPT_LANES)
/* A Bloom filter of N values pays from N divided by this many look-ups on. */
#define BLOOM_SHARE 16

/* A filter decoded. Its Bloom filter, where there is one, spares most look-ups. */
struct gcs_filter {
    const struct gcs_kernel *kernel;
    struct gcs_hash hash;
    size_t count;
    struct gcs_values values;
    struct gcs_bloom bloom;
};

static bool gcs_open(struct gcs_filter *out, struct bytes filter,
                     const struct block_hash *block, const struct gcs_kernel *kernel)
{
    struct reader reader;
    if (filter.len > GCS_FILTER_MAX)
        return false;
    reader_init(&reader, filter.data, filter.len);
    uint64_t count = read_compact_size(&reader, GCS_ELEMENTS_MAX);
    if (reader.failed || (count == 0 && reader.left > 0))
        return false;
    *out = (struct gcs_filter){.kernel = kernel, .count = (size_t)count};
    /* BIP 158: the SipHash key is the first 16 bytes of the block's hash. */
    out->hash =
        (struct gcs_hash){get_u64le(block->b), get_u64le(block->b + 8), count * GCS_M};
    return count == 0 ||
           gcs_values_init(&out->values, (struct bytes){reader.at, reader.left},
                           (size_t)count, kernel);
}

static void gcs_close(struct gcs_filter *filter)
{
    gcs_values_release(&filter->values);
    free(filter->bloom.words);
}

/* One word for two values leaves one false positive in some 300. For few look-ups a
 * smaller one, which stays in the first cache, is better. */
static void make_bloom(struct gcs_filter *filter, size_t lookups)
{
    size_t words = 1;
    while (words < filter->count / 2 && words < 2 * lookups)
        words *= 2;
    filter->bloom = (struct gcs_bloom){mem_zalloc(words, sizeof(uint64_t)), words - 1};
    filter->kernel->bloom_add(&filter->bloom, &filter->values);
}

/* Whether the filter has any of these numbers, which are overwritten. */
static bool has_any(const struct gcs_filter *filter, uint64_t *numbers, size_t count)
{
    if (filter->bloom.words != NULL)
        count = filter->kernel->bloom_sift(&filter->bloom, numbers, count);
    return filter->kernel->find(&filter->values, numbers, count) > 0;
}

static bool has_any_of_groups(const struct gcs_filter *filter,
                              const struct script_groups *groups, size_t words)
{
    uint64_t numbers[BATCH];
    const uint64_t *at = groups->words;
    for (size_t left = groups->count; left > 0;) {
        size_t count = left < BATCH_GROUPS ? left : BATCH_GROUPS;
        filter->kernel->hash(numbers, &filter->hash, at, count, words);
        if (has_any(filter, numbers, count * SCRIPT_LANES))
            return true;
        at += count * words * SCRIPT_LANES;
        left -= count;
    }
    return false;
}

static uint64_t script_number(const struct gcs_hash *hash, struct bytes script)
{
    uint64_t value = siphash(hash->k0, hash->k1, script.data, script.len);
    return (uint64_t)((u128)value * hash->range >> 64);
}

static bool has_any_script(const struct gcs_filter *filter, const struct script_set *set)
{
    const struct script_words *words = script_set_words(set);
    for (size_t i = 1; i <= SCRIPT_WORDS_MAX; i++) {
        if (has_any_of_groups(filter, &words->groups[i], i))
            return true;
    }
    for (size_t i = 0; i < words->rest_count; i++) {
        uint64_t number =
            script_number(&filter->hash, script_set_at(set, words->rest[i]));
        if (has_any(filter, &number, 1))
            return true;
    }
    return false;
}

enum gcs_result gcs_match_any_with(struct bytes filter, const struct block_hash *block,
                                   const struct script_set *set,
                                   const struct gcs_kernel *kernel)
{
    struct gcs_filter open;
    if (!gcs_open(&open, filter, block, kernel))
        return GCS_MALFORMED;
    bool found = false;
    size_t scripts = script_set_count(set);
    if (open.count > 0 && scripts > 0) {
        if (scripts >= open.count / BLOOM_SHARE)
            make_bloom(&open, scripts);
        found = has_any_script(&open, set);
    }
    gcs_close(&open);
    return found ? GCS_MATCH : GCS_NO_MATCH;
}

enum gcs_result gcs_match_any(struct bytes filter, const struct block_hash *block,
                              const struct script_set *set)
{
    return gcs_match_any_with(filter, block, set, gcs_kernels()[0]);
}

static bool has_all(const struct gcs_filter *filter, const struct script_set *set)
{
    for (size_t i = 0; i < script_set_count(set); i++) {
        if (filter->count == 0)
            return false;
        uint64_t number = script_number(&filter->hash, script_set_at(set, i));
        if (filter->kernel->find(&filter->values, &number, 1) == 0)
            return false;
    }
    return true;
}

enum gcs_result gcs_holds_all(struct bytes filter, const struct block_hash *block,
                              const struct script_set *set)
{
    struct gcs_filter open;
    if (!gcs_open(&open, filter, block, gcs_kernels()[0]))
        return GCS_MALFORMED;
    bool holds = has_all(&open, set);
    gcs_close(&open);
    return holds ? GCS_MATCH : GCS_NO_MATCH;
}

static bool has_outputs(const struct gcs_filter *filter, const struct block *block)
{
    static const uint8_t op_return = 0x6a;
    for (uint32_t i = 0; i < block->out_count; i++) {
        struct bytes script = block->outs[i].script;
        /* BIP 158: outputs whose script is empty or starts with OP_RETURN aren't in it.
         */
        if (script.len == 0 || script.data[0] == op_return)
            continue;
        if (filter->count == 0)
            return false;
        uint64_t number = script_number(&filter->hash, script);
        if (filter->kernel->find(&filter->values, &number, 1) == 0)
            return false;
    }
    return true;
}

enum gcs_result gcs_holds_outputs_with(struct bytes filter, const struct block *block,
                                       const struct gcs_kernel *kernel)
{
    struct gcs_filter open;
    if (!gcs_open(&open, filter, &block->hash, kernel))
        return GCS_MALFORMED;
    bool holds = has_outputs(&open, block);
    gcs_close(&open);
    return holds ? GCS_MATCH : GCS_NO_MATCH;
}

enum gcs_result gcs_holds_outputs(struct bytes filter, const struct block *block)
{
    return gcs_holds_outputs_with(filter, block, gcs_kernels()[0]);
}
