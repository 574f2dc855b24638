/* Filters kept on the disk (BIP 158), so that scripts which are added later are looked
 * for without fetching them again. They are copies of what peers serve: whoever takes one
 * verifies it against its filter header, nothing is synced to the disk, and what is
 * damaged or lost costs a download.
 *
 * Beside the ledger, in a folder of its own: `index`, which begins with a head and says
 * of each height where its record lies; and files of KEPT_FILTERS_A_FILE heights each,
 * named for the first, with records one behind the other as they came. */
#ifndef STORE_KEPT_FILTERS_H
#define STORE_KEPT_FILTERS_H

#include "base/bytes.h"
#include "base/error.h"
#include "spv/height_set.h"
#include "spv/network.h"

#define KEPT_FILTERS_A_FILE 1000
/* So much room on the disk is left to the ledger. */
#define KEPT_FILTERS_SPARE_BYTES ((uint64_t)512 << 20)

struct kept_filters;

enum kept_opening {
    KEPT_OPENED,
    KEPT_ANEW,   /* what was there is no use and is gone; *error says why */
    KEPT_FAILED, /* no folder to keep filters in; *error says why; *out is NULL */
};

/* Open the folder `path`, which is made if it isn't there. `heights` (empty before, the
 * caller's) are those of which there is a filter. One process at a time has it open: who
 * holds the datadir. */
NODISCARD enum kept_opening
kept_filters_open(struct kept_filters **out, struct height_set *heights, const char *path,
                  const struct network *network, struct error *error);
void kept_filters_close(struct kept_filters *kept); /* NULL is allowed */

/* The following from any thread. */

enum kept_result {
    KEPT_FOUND,
    KEPT_NONE,    /* there is none, or one of another block */
    KEPT_DAMAGED, /* where one should be, none can be read */
};

/* The filter of the block at `height`; *filter is malloc'd for KEPT_FOUND, else NULL. It
 * is to be verified: its bytes are what the disk gives. */
NODISCARD enum kept_result kept_filters_get(struct kept_filters *kept, uint8_t **filter,
                                            size_t *len, uint32_t height,
                                            const struct block_hash *block);

/* Keep a verified filter in place of whatever there is of this height. False once, when
 * the disk takes no more (*error says it): from then on nothing is kept, and it returns
 * true, until the folder is opened anew. */
NODISCARD bool kept_filters_put(struct kept_filters *kept, uint32_t height,
                                const struct block_hash *block, struct bytes filter,
                                struct error *error);

void kept_filters_totals(const struct kept_filters *kept, uint64_t *count,
                         uint64_t *bytes);

#endif
