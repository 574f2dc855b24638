/* BIP 158 basic block filters: Golomb-coded sets. */
#ifndef SPV_GCS_H
#define SPV_GCS_H

#include "base/attr.h"
#include "spv/block.h"
#include "spv/ids.h"
#include "spv/script_set.h"

/* BIP 158, basic filters. */
#define GCS_P 19
#define GCS_M UINT64_C(784931)
/* The largest valid basic filter has some 88,800 elements and 239 kB. */
#define GCS_FILTER_MAX (256 * 1024)
#define GCS_ELEMENTS_MAX 100000

enum gcs_result {
    GCS_NO_MATCH,
    GCS_MATCH,
    GCS_MALFORMED, /* N too large, truncated, trailing bytes, values out of range */
};

/* Whether any script of the set may be in the block's filter. The whole filter is decoded
 * and checked even after a match, so that GCS_MALFORMED doesn't depend on what is
 * watched. */
NODISCARD enum gcs_result gcs_match_any(struct bytes filter,
                                        const struct block_hash *block,
                                        const struct script_set *set);

/* Whether the filter holds every script of the set: of coins that the block spends, say
 * (BIP 158: "the scriptPubKey of each" spent output). GCS_NO_MATCH proves it false. */
NODISCARD enum gcs_result gcs_holds_all(struct bytes filter,
                                        const struct block_hash *block,
                                        const struct script_set *set);

/* Whether the filter holds every script that the block's outputs put into it (neither
 * empty nor OP_RETURN; BIP 158). GCS_NO_MATCH proves the filter false. */
NODISCARD enum gcs_result gcs_holds_outputs(struct bytes filter,
                                            const struct block *block);

#endif
