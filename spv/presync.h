/* A branch that hasn't shown enough work yet, downloaded twice: the first time its
 * headers are judged as they stream by and nothing is kept of them but commitments; once
 * it has enough work the second download is compared with those, and only what is proved
 * to be the same may go to the tree. So a flood of headers of little work takes no more
 * than PRESYNC_SIZE_MAX bytes of a peer, however long it is.
 *
 * A commitment is 32 bits of the salted hash of each HEADERS_MAX-th header, which stands
 * for all before it. Who wants another branch than the one that was judged into the tree
 * has one guess in 2^32. */
#ifndef SPV_PRESYNC_H
#define SPV_PRESYNC_H

#include "spv/header_stream.h"

#define PRESYNC_STRIDE 2000 /* headers a commitment; a full message */
#define PRESYNC_COMMITMENTS 8192
/* 8,192 commitments of 4 bytes, and less than a kilobyte for the rest. */
#define PRESYNC_SIZE_MAX ((32 + 1) << 10)

struct presync;

/* How many headers a chain may have at this moment, above `height`. Where the
 * difficulty follows the hash rate without exceptions no chain has had twice the headers
 * that its age allows at ten minutes each; testnet3, with storms of headers of least
 * difficulty, has had six times as many. Never more than the commitments cover
 * (16,384,000). */
uint32_t presync_headers_max(const struct network *network, struct wall_time now);

/* Start after the stream's newest header. `enough` is the work that the chain must have,
 * `most` how many headers it may take (presync_headers_max); `salt` is secret. Pins: a
 * header at a checkpoint's height with another hash is invalid; they must outlive this.
 */
struct presync *presync_new(const struct header_stream *start, const struct u256 *enough,
                            uint32_t most, const uint64_t salt[static 2],
                            const struct checkpoint *pins, size_t pin_count);
void presync_free(struct presync *presync);

/* Where it started. */
uint32_t presync_start_height(const struct presync *presync);
const struct block_hash *presync_start_hash(const struct presync *presync);
/* The header that the next one must follow, and its height; in the second download the
 * newest that is proved. */
const struct block_hash *presync_at(const struct presync *presync);
uint32_t presync_height(const struct presync *presync);
bool presync_second(const struct presync *presync);
struct u256 presync_work(const struct presync *presync);

enum presync_verdict {
    PRESYNC_MORE,    /* as far as it goes; more must come */
    PRESYNC_ENOUGH,  /* enough work: the second download may begin */
    PRESYNC_DONE,    /* the second download is proved to its end */
    PRESYNC_FUTURE,  /* a header is from the future: no fault */
    PRESYNC_PINNED,  /* *error: a checkpoint says otherwise */
    PRESYNC_INVALID, /* *error names the rule, or that headers don't follow one another */
    PRESYNC_ENDLESS, /* more headers than there can be, of too little work */
    PRESYNC_OTHER,   /* the second download differs from the first */
};

/* The first download's next headers, with their hashes. *error is set for INVALID, PINNED
 * and ENDLESS; nothing may be added after those, nor after FUTURE. ENOUGH begins the
 * second download at the start; whatever of the message is left comes again there. */
NODISCARD enum presync_verdict presync_add(struct presync *presync,
                                           const struct block_header *headers,
                                           const struct block_hash *hashes, size_t count,
                                           struct wall_time now, struct error *error);
/* The second download's next headers: the first *proved are those of the first download.
 * MORE, DONE (the rest of the message is new) or OTHER. */
NODISCARD enum presync_verdict presync_compare(struct presync *presync, size_t *proved,
                                               const struct block_header *headers,
                                               const struct block_hash *hashes,
                                               size_t count);

#endif
