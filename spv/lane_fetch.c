/* What a lane's slots need: filters and blocks asked of peers, matched and checked by
 * workers. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "spv/core_rooms.h"
#include "spv/gcs.h"

/* Filters asked for at once aim at this many bytes. */
#define FILTER_RANGE_BYTES (2u << 20)
/* The same, when headers wait behind them: about as many as those have. */
#define FILTER_RANGE_BYTES_BESIDE (128u << 10)
#define FILTER_RANGE_MIN 16

static void average(uint32_t *average, size_t size)
{
    *average = *average - *average / 16 + (uint32_t)size / 16;
}

/* Bytes held, and those under way, by estimate with a quarter of reserve. */
static uint64_t outstanding(const struct spv *spv)
{
    uint64_t filters = 0, blocks = 0, held = disputes_bytes(spv);
    for (size_t i = 0; i < LANES; i++) {
        const struct lane *lane = &spv->lanes[i];
        filters += lane->counts[SLOT_FILTER_ASKED];
        blocks += lane->counts[SLOT_BLOCK_ASKED];
        held += lane->held;
    }
    return (filters * spv->filter_size + blocks * spv->block_size) * 5 / 4 + held;
}

/* The lowest height is always let through, so that a full budget can't hold itself up. */
bool lane_within_budget(const struct spv *spv, const struct lane *lane, uint32_t height)
{
    return height == lane->base + 1 || outstanding(spv) < RECEIVE_BUDGET;
}

/* Part of what was asked for may be applied by now: its slots are those of heights a
 * whole window above. */
static bool lane_holds(const struct lane *lane, uint32_t height)
{
    return height > lane->base && height <= lane->filled;
}

/* ---- filters ---- */

static uint32_t filter_range(const struct spv *spv)
{
    uint32_t bytes =
        spv->headers_settled ? FILTER_RANGE_BYTES : FILTER_RANGE_BYTES_BESIDE;
    uint32_t count = bytes / (spv->filter_size + 1);
    if (count < FILTER_RANGE_MIN)
        return FILTER_RANGE_MIN;
    return count > CFILTERS_MAX ? CFILTERS_MAX : count;
}

static uint32_t run_end(struct lane *lane, uint32_t from, uint32_t count)
{
    uint32_t to = from;
    while (to < lane->filled && to - from + 1 < count &&
           lane_slot(lane, to + 1)->state == SLOT_WANTS_FILTER)
        to++;
    return to;
}

static bool ask_filters(struct spv *spv, struct lane *lane, uint32_t from, uint32_t to)
{
    struct request request = {.kind = REQUEST_FILTERS,
                              .lane = lane->index,
                              .from = from,
                              .to = to,
                              .missing = to - from + 1,
                              .stop = lane_slot(lane, to)->row.hash};
    struct peer *peer = request_pick_peer(spv, &request, lane_slot(lane, from)->peer);
    if (!peer)
        return false;
    request.peer = peer->id;
    if (!request_add(spv, &request))
        return false;
    for (uint32_t height = from; height <= to; height++)
        slot_set(lane, lane_slot(lane, height), SLOT_FILTER_ASKED);
    struct writer payload;
    writer_init(&payload);
    getcfilters_encode(&payload, from, &request.stop);
    budget_expect(peer, ANSWER_CFILTER, request.to - request.from + 1);
    spv_send(spv, peer, MESSAGE_GETCFILTERS, &payload);
    writer_release(&payload);
    return true;
}

static void fetch_filters(struct spv *spv, struct lane *lane)
{
    uint32_t height;
    while (lane_next(lane, &height, SLOT_WANTS_FILTER) &&
           request_room(spv, REQUEST_FILTERS))
        if (!lane_within_budget(spv, lane, height) ||
            !ask_filters(spv, lane, height, run_end(lane, height, filter_range(spv))))
            return;
}

static bool awaits(const struct lane *lane, uint32_t height,
                   const struct block_hash *hash)
{
    const struct slot *slot = &lane->slots[height % LANE_WINDOW];
    return lane_holds(lane, height) && slot->state == SLOT_FILTER_ASKED &&
           block_hash_equal(&slot->row.hash, hash);
}

/* Nodes send them in order, so that the first look mostly finds it. */
static struct request *find_filter_request(struct spv *spv, const struct peer *peer,
                                           const struct block_hash *hash,
                                           uint32_t *height)
{
    struct request *mine[REQUESTS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < spv->request_count; i++) {
        struct request *request = &spv->requests[i];
        if (request->kind != REQUEST_FILTERS || request->peer != peer->id)
            continue;
        *height = request->next;
        if (awaits(&spv->lanes[request->lane], *height, hash))
            return request;
        mine[count++] = request;
    }
    for (size_t i = 0; i < count; i++)
        for (*height = mine[i]->from; *height <= mine[i]->to; ++*height)
            if (awaits(&spv->lanes[mine[i]->lane], *height, hash))
                return mine[i];
    return NULL;
}

struct spv_effect *lane_match(struct spv *spv, struct lane *lane, uint32_t height)
{
    struct slot *slot = lane_slot(lane, height);
    slot_set(lane, slot, SLOT_MATCHING);
    struct spv_effect *effect = spv_effect_add(spv, SPV_MATCH);
    effect->ticket = ticket_make(lane, height);
    effect->match.height = height;
    effect->match.block = slot->row.hash;
    effect->match.expected = slot->row.filter_header;
    effect->match.previous = height == lane->base + 1
                                 ? lane->base_filter_header
                                 : lane_slot(lane, height - 1)->row.filter_header;
    effect->match.scripts = script_set_ref(lane->scripts);
    slot->audit = spv->audit_blocks && random_below(&spv->random, spv->audit_blocks) == 0;
    effect->match.keep = slot->audit;
    return effect;
}

static void match(struct spv *spv, struct lane *lane, uint32_t height,
                  struct bytes filter)
{
    struct slot *slot = lane_slot(lane, height);
    struct spv_effect *effect = lane_match(spv, lane, height);
    effect->match.filter = mem_dup(filter.data, filter.len);
    effect->match.filter_len = filter.len;
    effect->match.keep_on_disk = spv->keeps_filters;
    slot->kept = false;
    slot_hold(lane, slot, filter.len);
}

enum match_verdict spv_match(const struct spv_effect *effect)
{
    const struct bytes filter = {effect->match.filter, effect->match.filter_len};
    struct filter_hash hash;
    struct filter_header header;
    filter_hash_of(&hash, filter);
    filter_header_next(&header, &hash, &effect->match.previous);
    if (!filter_header_equal(&header, &effect->match.expected))
        return MATCH_FALSE;
    switch (gcs_match_any(filter, &effect->match.block, effect->match.scripts)) {
    case GCS_MATCH:
        return MATCH_HIT;
    case GCS_NO_MATCH:
        return MATCH_NONE;
    case GCS_MALFORMED:
        break;
    }
    return MATCH_MALFORMED;
}

void lane_cfilter(struct spv *spv, struct peer *peer, struct bytes payload)
{
    struct message_cfilter message;
    if (!cfilter_decode(&message, payload)) {
        peer_drop(spv, peer, "malformed cfilter message");
        return;
    }
    if (dispute_cfilter(spv, peer, &message))
        return;
    uint32_t height;
    struct request *request = find_filter_request(spv, peer, &message.block, &height);
    if (!request)
        return; /* late, or not asked for */
    struct lane *lane = &spv->lanes[request->lane];
    average(&spv->filter_size, message.filter.len);
    request->next = height + 1 > request->to ? request->from : height + 1;
    request->deadline = mono_add(spv->now.mono, REQUEST_TIMEOUT_MS);
    if (--request->missing == 0)
        request_remove(spv, request);
    lane_slot(lane, height)->peer = peer->id;
    match(spv, lane, height, message.filter);
}

void lane_matched(struct spv *spv, struct lane *lane, uint32_t height,
                  const struct spv_input *input)
{
    struct slot *slot = lane_slot(lane, height);
    if (!lane_holds(lane, height) || slot->state != SLOT_MATCHING) {
        free(input->matched.filter);
        return;
    }
    bool whole = height_set_has(&spv->whole, height);
    struct peer *peer = peer_find(spv, slot->peer);
    slot_hold(lane, slot, input->matched.filter_len);
    if (!lane_kept_matched(spv, lane, height, input->matched.verdict))
        return;
    switch (input->matched.verdict) {
    case MATCH_NONE:
        lane->progress_at = spv->now.mono;
        if (height > spv->filter_scanned)
            spv->filter_scanned = height;
        if (!slot->audit && !whole) {
            free(input->matched.filter);
            slot_hold(lane, slot, 0);
            slot_set(lane, slot, SLOT_DONE);
            break;
        }
        goto block;
    case MATCH_HIT:
    block:
        slot->filter = input->matched.filter;
        slot->filter_len = input->matched.filter_len;
        slot_set(lane, slot, SLOT_WANTS_BLOCK);
        break;
    case MATCH_FALSE:
        slot_set(lane, slot, lane_wants(spv, lane, height));
        /* What it was asked for it has been found to agree about. */
        if (peer && !whole)
            peer_ban(spv, peer,
                     "its filter isn't the one that its own filter headers commit to");
        break;
    case MATCH_MALFORMED:
        slot_set(lane, slot, lane_wants(spv, lane, height));
        filter_sync_false(spv, height, "it can't be the filter of any block");
        break;
    case MATCH_ABSENT:
        break; /* not reached: only a kept one can be */
    }
}

/* ---- blocks ---- */

static bool ask_block(struct spv *spv, struct lane *lane, uint32_t height)
{
    struct slot *slot = lane_slot(lane, height);
    struct request request = {.kind = REQUEST_BLOCK,
                              .lane = lane->index,
                              .from = height,
                              .to = height,
                              .stop = slot->row.hash};
    struct peer *peer = request_pick_peer(spv, &request, slot->peer);
    if (!peer)
        return false;
    request.peer = peer->id;
    if (!request_add(spv, &request))
        return false;
    slot_set(lane, slot, SLOT_BLOCK_ASKED);
    request_send_getdata(spv, peer, &request.stop);
    return true;
}

static void fetch_blocks(struct spv *spv, struct lane *lane)
{
    uint32_t height;
    while (lane_next(lane, &height, SLOT_WANTS_BLOCK))
        if (!lane_within_budget(spv, lane, height) || !ask_block(spv, lane, height))
            return;
}

/* The filter goes to the worker; should it prove false, its hash tells. */
static void keep_filter_hash(struct slot *slot)
{
    slot->has_filter_hash = slot->filter != NULL;
    if (slot->filter)
        filter_hash_of(&slot->filter_hash,
                       (struct bytes){slot->filter, slot->filter_len});
    slot->filter = NULL;
    slot->filter_len = 0;
}

/* Asked of `peer`, or of anybody if that is NULL. */
static struct request *find_block_request(struct spv *spv, const struct peer *peer,
                                          const struct block_hash *hash)
{
    for (size_t i = 0; i < spv->request_count; i++) {
        struct request *request = &spv->requests[i];
        if (request->kind == REQUEST_BLOCK && (!peer || request->peer == peer->id) &&
            block_hash_equal(&request->stop, hash))
            return request;
    }
    return NULL;
}

static void check_block(struct spv *spv, const struct peer *peer, struct request *request,
                        struct bytes block)
{
    struct lane *lane = &spv->lanes[request->lane];
    uint32_t height = request->from;
    struct slot *slot = lane_slot(lane, height);
    struct spv_effect *effect = spv_effect_add(spv, SPV_CHECK);
    effect->ticket = ticket_make(lane, height);
    effect->check.raw = mem_dup(block.data, block.len);
    effect->check.raw_len = block.len;
    effect->check.hash = request->stop;
    effect->check.height = height;
    effect->check.filters[SIDE_OURS].data = slot->filter;
    effect->check.filters[SIDE_OURS].len = slot->filter_len;
    request_remove(spv, request);
    average(&spv->block_size, block.len);
    slot->peer = peer->id;
    slot_set(lane, slot, SLOT_CHECKING);
    slot_hold(lane, slot, block.len + slot->filter_len);
    keep_filter_hash(slot);
}

void lane_block(struct spv *spv, struct peer *peer, struct bytes payload)
{
    if (payload.len < BLOCK_HEADER_SIZE) {
        peer_drop(spv, peer, "malformed block message");
        return;
    }
    struct block_hash hash;
    block_header_hash_bytes(&hash, payload.data);
    struct request *request = find_block_request(spv, peer, &hash);
    if (!request && dispute_block(spv, peer, &hash, payload))
        return;
    /* Asked of another by now: it is the same from everybody, and where all are slow none
     * would answer in time. */
    if (!request)
        request = find_block_request(spv, NULL, &hash);
    if (request)
        check_block(spv, peer, request, payload);
}

void lane_checked(struct spv *spv, struct lane *lane, uint32_t height,
                  const struct spv_input *input)
{
    struct slot *slot = lane_slot(lane, height);
    if (!lane_holds(lane, height) || slot->state != SLOT_CHECKING) {
        block_free(input->checked.block);
        return;
    }
    switch (input->checked.verdict) {
    case BLOCK_VALID:
        slot->block = input->checked.block;
        slot_hold(lane, slot, block_memory(slot->block));
        slot_set(lane, slot, SLOT_DONE);
        lane->progress_at = spv->now.mono;
        /* BIP 158: the filter holds every output script of its block. */
        if (input->checked.filter_false[SIDE_OURS] && slot->has_filter_hash) {
            false_filter_add(spv, &slot->row.hash, &slot->filter_hash);
            char proof[PROOF_TEXT_MAX];
            false_filter_text(proof, &slot->row.hash, height,
                              "it lacks a script of the block's outputs");
            filter_sync_false(spv, height, proof);
        }
        break;
    case BLOCK_WRONG_BODY: {
        slot_hold(lane, slot, 0);
        slot_set(lane, slot, SLOT_WANTS_BLOCK);
        struct peer *peer = peer_find(spv, slot->peer);
        if (peer)
            peer_drop(spv, peer, input->checked.reason);
        break;
    }
    case BLOCK_INVALID: {
        struct block_hash hash = slot->row.hash;
        slot_hold(lane, slot, 0);
        slot_set(lane, slot, SLOT_WANTS_BLOCK);
        lane_condemn(spv, &hash, height, input->checked.reason);
        headers_update(spv);
        break;
    }
    }
}

/* ---- both ---- */

void lane_returned(struct spv *spv, const struct request *request)
{
    struct lane *lane = &spv->lanes[request->lane];
    for (uint32_t height = request->from; height <= request->to; height++) {
        struct slot *slot = lane_slot(lane, height);
        if (!lane_holds(lane, height))
            continue;
        if (request->kind == REQUEST_FILTERS && slot->state == SLOT_FILTER_ASKED) {
            slot->peer = request->peer; /* another is asked first */
            slot_set(lane, slot, lane_wants(spv, lane, height));
        } else if (request->kind == REQUEST_BLOCK && slot->state == SLOT_BLOCK_ASKED) {
            slot->peer = request->peer;
            slot_set(lane, slot, SLOT_WANTS_BLOCK);
        }
    }
}

void lane_fetch(struct spv *spv, struct lane *lane)
{
    requests_steal(spv, lane);
    lane_fetch_kept(spv, lane);
    fetch_filters(spv, lane);
    fetch_blocks(spv, lane);
}
