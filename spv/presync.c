#include "spv/presync.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

#define SPACING_S 600
/* The first years' chains were ahead of ten minutes a block by some weeks. */
#define HEADERS_MIN 100000

struct presync {
    struct header_stream stream; /* of the first download */
    struct u256 enough;
    uint64_t salt[2];
    const struct checkpoint *pins;
    size_t pin_count;
    struct block_hash start_hash;
    uint32_t start_height;
    uint32_t most;
    /* Of the second download. */
    bool second;
    struct block_hash proved_hash;
    uint32_t proved; /* headers above the start */
    uint32_t commitments[PRESYNC_COMMITMENTS];
};

static_assert(sizeof(struct presync) <= PRESYNC_SIZE_MAX, "the named bound");

uint32_t presync_headers_max(const struct network *network, struct wall_time now)
{
    const int64_t covered = (int64_t)PRESYNC_STRIDE * PRESYNC_COMMITMENTS;
    int64_t age = now.s - (int64_t)network->genesis.time.s;
    int64_t most = 2 * (age / SPACING_S);
    if (network->retarget != RETARGET_WINDOW || most > covered) {
        most = covered;
    }
    return (uint32_t)(most < HEADERS_MIN ? HEADERS_MIN : most);
}

struct presync *presync_new(const struct header_stream *start, const struct u256 *enough,
                            uint32_t most, const uint64_t salt[static 2],
                            const struct checkpoint *pins, size_t pin_count)
{
    struct presync *presync = mem_zalloc(1, sizeof(*presync));
    assert(most <= PRESYNC_STRIDE * PRESYNC_COMMITMENTS);
    presync->stream = *start;
    presync->enough = *enough;
    presync->most = most;
    memcpy(presync->salt, salt, sizeof(presync->salt));
    presync->pins = pins;
    presync->pin_count = pin_count;
    presync->start_hash = start->hash;
    presync->start_height = start->past.height;
    return presync;
}

void presync_free(struct presync *presync)
{
    free(presync);
}

uint32_t presync_start_height(const struct presync *presync)
{
    return presync->start_height;
}

const struct block_hash *presync_start_hash(const struct presync *presync)
{
    return &presync->start_hash;
}

const struct block_hash *presync_at(const struct presync *presync)
{
    return presync->second ? &presync->proved_hash : &presync->stream.hash;
}

uint32_t presync_height(const struct presync *presync)
{
    return presync->second ? presync->start_height + presync->proved
                           : presync->stream.past.height;
}

bool presync_second(const struct presync *presync)
{
    return presync->second;
}

struct u256 presync_work(const struct presync *presync)
{
    return presync->stream.work;
}

static uint32_t commitment(const struct presync *presync, const struct block_hash *hash)
{
    return (uint32_t)siphash(presync->salt[0], presync->salt[1], hash->b,
                             sizeof(hash->b));
}

/* Headers above the start. */
static uint32_t taken(const struct presync *presync)
{
    return presync->stream.past.height - presync->start_height;
}

static bool pinned_otherwise(const struct presync *presync, struct error *error)
{
    for (size_t i = 0; i < presync->pin_count; i++) {
        const struct checkpoint *pin = &presync->pins[i];
        if (pin->height == presync->stream.past.height &&
            !block_hash_equal(&pin->hash, &presync->stream.hash)) {
            char text[ID_TEXT_MAX];
            block_hash_text(text, &pin->hash);
            error_set(error, "its block at height %" PRIu32 " isn't the checkpoint %s",
                      pin->height, text);
            return true;
        }
    }
    return false;
}

static enum presync_verdict add(struct presync *presync,
                                const struct block_header *header,
                                const struct block_hash *hash, struct wall_time now,
                                struct error *error)
{
    switch (header_stream_add(&presync->stream, header, hash, now, error)) {
    case HEADER_ADDED:
        break;
    case HEADER_FUTURE:
        return PRESYNC_FUTURE;
    case HEADER_ORPHAN:
        error_set(error, "headers that don't follow one another");
        return PRESYNC_INVALID;
    case HEADER_INVALID:
    case HEADER_KNOWN:
    case HEADER_TOO_OLD:
        return PRESYNC_INVALID;
    }
    if (pinned_otherwise(presync, error)) {
        return PRESYNC_PINNED;
    }
    uint32_t count = taken(presync);
    if (count % PRESYNC_STRIDE == 0) {
        presync->commitments[count / PRESYNC_STRIDE - 1] =
            commitment(presync, &presync->stream.hash);
    }
    return PRESYNC_MORE;
}

enum presync_verdict presync_add(struct presync *presync,
                                 const struct block_header *headers,
                                 const struct block_hash *hashes, size_t count,
                                 struct wall_time now, struct error *error)
{
    assert(!presync->second);
    for (size_t i = 0; i < count; i++) {
        enum presync_verdict verdict = add(presync, &headers[i], &hashes[i], now, error);
        if (verdict != PRESYNC_MORE) {
            return verdict;
        }
        if (u256_compare(&presync->stream.work, &presync->enough) >= 0) {
            presync->second = true;
            presync->proved_hash = presync->start_hash;
            return PRESYNC_ENOUGH;
        }
        if (taken(presync) >= presync->most) {
            error_set(error,
                      "%" PRIu32 " headers and too little work; this network's chain "
                      "can't have so many",
                      taken(presync));
            return PRESYNC_ENDLESS;
        }
    }
    return PRESYNC_MORE;
}

enum presync_verdict presync_compare(struct presync *presync, size_t *proved,
                                     const struct block_header *headers,
                                     const struct block_hash *hashes, size_t count)
{
    assert(presync->second);
    struct block_hash at = presync->proved_hash;
    uint32_t height = presync->proved;
    *proved = 0;
    for (size_t i = 0; i < count; i++) {
        if (!block_hash_equal(&headers[i].previous, &at)) {
            return PRESYNC_OTHER;
        }
        at = hashes[i];
        height++;
        bool last = height == taken(presync);
        if (last ? !block_hash_equal(&at, &presync->stream.hash)
                 : height % PRESYNC_STRIDE == 0 &&
                       presync->commitments[height / PRESYNC_STRIDE - 1] !=
                           commitment(presync, &at)) {
            return PRESYNC_OTHER;
        }
        if (last || height % PRESYNC_STRIDE == 0) {
            presync->proved = height;
            presync->proved_hash = at;
            *proved = i + 1;
        }
        if (last) {
            return PRESYNC_DONE;
        }
    }
    return PRESYNC_MORE;
}
