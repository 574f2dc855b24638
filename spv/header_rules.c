#include "spv/header_rules.h"

#include <inttypes.h>

#include "spv/pow.h"

/* BIP 94, rule 3. */
#define BIP94_TIMEWARP_MAX 600

/* The time is above the median exactly if it is above more than half of the times, which
 * needs no sorting. */
static bool above_median(const struct header_past *past, struct block_time time)
{
    uint32_t all = past->height < MEDIAN_SPAN - 1 ? past->height + 1 : MEDIAN_SPAN;
    uint32_t below = all - past->time_count;
    for (uint32_t i = 0; i < past->time_count; i++) {
        below += past->times[i] < time.s;
    }
    return below > all / 2;
}

static uint32_t expected_bits(const struct network *network,
                              const struct header_past *past, struct block_time time)
{
    const struct pow_context context = {
        .height = past->height + 1,
        .previous_bits = past->bits,
        .previous_time = past->time,
        .time = time,
        .first_bits = past->first_bits,
        .first_time = past->first_time,
        .last_normal_bits = past->normal_bits,
    };
    return pow_next_bits(network, &context);
}

/* Blocks must have at least this version from the heights at which BIPs 34, 66 and 65
 * were buried. */
static int32_t version_floor(const struct network *network, uint32_t height)
{
    if (height >= network->bip65_height) {
        return 4;
    }
    if (height >= network->bip66_height) {
        return 3;
    }
    return height >= network->bip34_height ? 2 : INT32_MIN;
}

enum header_verdict header_rules_check_past(const struct network *network,
                                            const struct header_past *past,
                                            const struct block_header *header,
                                            struct wall_time now, struct error *error)
{
    uint32_t height = past->height + 1;
    uint32_t bits = expected_bits(network, past, header->time);
    if (header->bits != bits) {
        error_set(error,
                  "bits: %08" PRIx32 " at height %" PRIu32
                  ", the network's rule says %08" PRIx32,
                  header->bits, height, bits);
        return HEADER_INVALID;
    }
    if (!above_median(past, header->time)) {
        error_set(error,
                  "median time: %" PRIu32 " at height %" PRIu32
                  " isn't above the median of the headers before it",
                  header->time.s, height);
        return HEADER_INVALID;
    }
    /* BIP 94: "The block's nTime field MUST be greater than or equal to the nTime field
     * of the immediately prior block minus 600 seconds" at the start of a period. */
    if (network->retarget == RETARGET_BIP94 && height % RETARGET_INTERVAL == 0 &&
        (int64_t)header->time.s < (int64_t)past->time.s - BIP94_TIMEWARP_MAX) {
        error_set(error,
                  "BIP 94 time warp: %" PRIu32 " at height %" PRIu32
                  " is more than %d s before the header in front",
                  header->time.s, height, BIP94_TIMEWARP_MAX);
        return HEADER_INVALID;
    }
    int32_t floor = version_floor(network, height);
    if (header->version < floor) {
        error_set(error,
                  "version: %" PRId32 " at height %" PRIu32 ", at least %" PRId32
                  " is required (BIPs 34, 66, 65)",
                  header->version, height, floor);
        return HEADER_INVALID;
    }
    if ((int64_t)header->time.s > now.s + HEADER_FUTURE_MAX) {
        return HEADER_FUTURE;
    }
    return HEADER_ADDED;
}

void header_past_of_node(struct header_past *past, const struct header_node *parent,
                         const struct header_node *first)
{
    *past = (struct header_past){
        .height = parent->height,
        .bits = parent->header.bits,
        .time = parent->header.time,
        .normal_bits = parent->normal_bits,
    };
    if (first != NULL) {
        past->first_bits = first->header.bits;
        past->first_time = first->header.time;
    }
    for (const struct header_node *at = parent;
         at != NULL && past->time_count < MEDIAN_SPAN; at = at->parent) {
        past->times[past->time_count++] = at->header.time.s;
    }
}

enum header_verdict header_rules_check(const struct network *network,
                                       const struct header_node *parent,
                                       const struct header_node *first,
                                       const struct block_header *header,
                                       struct wall_time now, struct error *error)
{
    struct header_past past;
    header_past_of_node(&past, parent, first);
    return header_rules_check_past(network, &past, header, now, error);
}
