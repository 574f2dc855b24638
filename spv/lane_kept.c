/* Filters on the disk: each that a peer has sent and that was verified is kept there, and
 * matched from there for whatever is scanned later. It is verified again, so the disk
 * needn't be trusted, nor the chain be the one of then. */
#include "spv/core_rooms.h"

static void match_kept(struct spv *spv, struct lane *lane, uint32_t height)
{
    struct slot *slot = lane_slot(lane, height);
    lane_match(spv, lane, height)->match.kept = true;
    slot->kept = true;
    slot_hold(lane, slot, spv->filter_size); /* by estimate */
}

void lane_fetch_kept(struct spv *spv, struct lane *lane)
{
    uint32_t height;
    while (lane_next(lane, &height, SLOT_WANTS_KEPT) &&
           lane_within_budget(spv, lane, height))
        match_kept(spv, lane, height);
}

static void note_lost(struct spv *spv, uint32_t height)
{
    spv_note(spv, LOG_SCAN, spv->kept_lost ? LOG_DEBUG : LOG_WARNING, NULL,
             "the kept filter of height %u isn't the one that its filter header commits "
             "to, damaged perhaps: it is fetched again, as others like it",
             height);
    spv->kept_lost = true;
}

bool lane_kept_matched(struct spv *spv, struct lane *lane, uint32_t height,
                       enum match_verdict verdict)
{
    struct slot *slot = lane_slot(lane, height);
    switch (verdict) {
    case MATCH_NONE:
    case MATCH_HIT:
        if (spv->keeps_filters)
            height_set_add(&spv->kept, height);
        return true;
    case MATCH_MALFORMED:
        height_set_remove(&spv->kept, height);
        return true;
    case MATCH_FALSE:
        if (!slot->kept)
            return true;
        note_lost(spv, height);
        break;
    case MATCH_ABSENT:
        break; /* it is of a branch that was left */
    }
    height_set_remove(&spv->kept, height);
    slot_set(lane, slot, lane_wants(spv, lane, height));
    return false;
}
