/* Who is asked for what. Requests are spread over all peers that have the data; what
 * isn't answered in time is given back and asked of another. */
#include <string.h>

#include "spv/core_rooms.h"

static uint32_t load_of(const struct spv *spv, const struct peer *peer,
                        enum request_kind kind)
{
    uint32_t load = 0;
    for (size_t i = 0; i < spv->request_count; i++)
        load += spv->requests[i].peer == peer->id && spv->requests[i].kind == kind;
    return load;
}

/* While headers come, filters only fill the pauses between them. */
static uint32_t load_max(const struct spv *spv, enum request_kind kind)
{
    switch (kind) {
    case REQUEST_CFHEADERS:
    case REQUEST_FILTERS:
        return spv->headers_settled ? FILTER_REQUESTS_PER_PEER : 1;
    case REQUEST_BLOCK:
    case REQUEST_DISPUTED_FILTER:
    case REQUEST_DISPUTED_BLOCK:
        break;
    }
    return BLOCK_REQUESTS_PER_PEER;
}

/* What counts against a peer, weightier than any load. */
#define COST_AVOIDED (1u << 8)
#define COST_FULL (1u << 9)
#define COST_SILENT (1u << 10)

/* Blocks are the same from everybody; about filters only those are asked whose claims are
 * known to be what we ask for. */
static bool fit(const struct spv *spv, const struct peer *peer,
                const struct request *request)
{
    const struct claims *claims = &peer->claims;
    switch (request->kind) {
    case REQUEST_CFHEADERS:
        return filter_sync_may_ask(spv, peer, request->from, request->to);
    case REQUEST_FILTERS:
        return claims->compared > request->to;
    case REQUEST_DISPUTED_FILTER:
        return claims->compared > request->to && claims->first_difference > request->to;
    case REQUEST_BLOCK:
    case REQUEST_DISPUTED_BLOCK:
        break;
    }
    return true;
}

/* The least loaded peer that has the block, if possible not the one to be avoided. One
 * that was silent lately is asked only if there is no other: who waits for an answer that
 * won't come holds up all heights above. Between equals chance decides. NULL: whoever is
 * to be asked has no room. */
struct peer *request_pick_peer(struct spv *spv, const struct request *request,
                               uint32_t avoid)
{
    struct peer *pick = NULL;
    uint32_t pick_cost = UINT32_MAX, ties = 0;
    for (size_t i = 0; i < spv->peer_count; i++) {
        struct peer *peer = &spv->peers[i];
        if (!peer_has(spv, peer, request->to, &request->stop) ||
            !mono_reached(spv->now.mono, peer->pause_until) || !fit(spv, peer, request))
            continue;
        uint32_t cost = load_of(spv, peer, request->kind);
        if (cost >= load_max(spv, request->kind))
            cost |= COST_FULL;
        if (peer->id == avoid)
            cost |= COST_AVOIDED;
        if (!mono_reached(spv->now.mono, peer->stalled_until))
            cost |= COST_SILENT;
        if (cost < pick_cost)
            ties = 0;
        if (cost <= pick_cost && random_below(&spv->random, ++ties) == 0) {
            pick = peer;
            pick_cost = cost;
        }
    }
    return pick_cost & COST_FULL ? NULL : pick;
}

bool request_room(const struct spv *spv, enum request_kind kind)
{
    size_t room = 0;
    for (size_t i = 0; i < spv->peer_count; i++)
        room += spv->peers[i].state == PEER_READY ? load_max(spv, kind) : 0;
    for (size_t i = 0; i < spv->request_count && room; i++)
        room -= spv->requests[i].kind == kind;
    return room > 0;
}

struct request *request_add(struct spv *spv, const struct request *request)
{
    bool disputed = request->kind == REQUEST_DISPUTED_FILTER ||
                    request->kind == REQUEST_DISPUTED_BLOCK;
    if (spv->request_count >= REQUESTS_MAX - (disputed ? 0 : REQUESTS_FOR_DISPUTES))
        return NULL;
    struct request *added = &spv->requests[spv->request_count++];
    *added = *request;
    added->next = request->from;
    added->started = spv->now.mono;
    added->deadline = mono_add(spv->now.mono, REQUEST_TIMEOUT_MS);
    return added;
}

void request_send_getdata(struct spv *spv, struct peer *peer,
                          const struct block_hash *hash)
{
    struct inv_item item = {.type = INV_WITNESS_BLOCK};
    memcpy(item.hash, hash->b, sizeof item.hash);
    struct writer payload;
    writer_init(&payload);
    inv_encode(&payload, &item, 1);
    spv_send(spv, peer, MESSAGE_GETDATA, &payload);
    writer_release(&payload);
}

void request_remove(struct spv *spv, struct request *request)
{
    *request = spv->requests[--spv->request_count];
}

static bool of_lanes(const struct request *request)
{
    return request->kind == REQUEST_FILTERS || request->kind == REQUEST_BLOCK;
}

bool request_of_lane(const struct request *request, uint8_t lane)
{
    return of_lanes(request) && request->lane == lane;
}

static void request_return(struct spv *spv, struct request *request)
{
    struct request copy = *request;
    request_remove(spv, request);
    switch (copy.kind) {
    case REQUEST_CFHEADERS:
        filter_sync_returned(spv, &copy);
        break;
    case REQUEST_FILTERS:
    case REQUEST_BLOCK:
        lane_returned(spv, &copy);
        break;
    case REQUEST_DISPUTED_FILTER:
    case REQUEST_DISPUTED_BLOCK:
        dispute_returned(spv, &copy);
        break;
    }
}

void requests_return_of(struct spv *spv, uint32_t peer)
{
    for (size_t i = spv->request_count; i-- > 0;)
        if (spv->requests[i].peer == peer)
            request_return(spv, &spv->requests[i]);
}

void requests_tick(struct spv *spv)
{
    for (size_t i = spv->request_count; i-- > 0;) {
        struct request *request = &spv->requests[i];
        if (!mono_reached(spv->now.mono, request->deadline))
            continue;
        struct peer *peer = peer_find(spv, request->peer);
        /* Filters of the newest blocks may not be built yet: no stall. */
        bool tip =
            request->kind == REQUEST_CFHEADERS && request->to + 6 > spv->best->height;
        if (peer && !tip)
            peer_stalled(spv, peer);
        request_return(spv, request);
    }
}

/* Twice as long for each peer that is left in peace already: when all are slow it is our
 * own line, and each change of mind only loads it more. */
static int64_t steal_after(const struct spv *spv)
{
    int64_t after = STEAL_AFTER_MS;
    for (size_t i = 0; i < spv->peer_count && after < REQUEST_TIMEOUT_MS; i++)
        if (!mono_reached(spv->now.mono, spv->peers[i].pause_until))
            after *= 2;
    return after;
}

struct mono_time requests_deadline(const struct spv *spv)
{
    struct mono_time next = MONO_NEVER;
    int64_t after = steal_after(spv);
    for (size_t i = 0; i < spv->peer_count; i++)
        if (spv->peers[i].pause_until.ms > spv->now.mono.ms &&
            spv->peers[i].pause_until.ms < next.ms)
            next = spv->peers[i].pause_until;
    for (size_t i = 0; i < spv->request_count; i++) {
        const struct request *request = &spv->requests[i];
        struct mono_time slow = mono_add(request->started, after);
        if (request->deadline.ms < next.ms)
            next = request->deadline;
        if (of_lanes(request) && slow.ms > spv->now.mono.ms && slow.ms < next.ms)
            next = slow;
    }
    return next;
}

void requests_drop_lane(struct spv *spv, uint8_t lane)
{
    for (size_t i = spv->request_count; i-- > 0;)
        if (request_of_lane(&spv->requests[i], lane))
            request_remove(spv, &spv->requests[i]);
}

/* ---- work-stealing ---- */

static bool slow(const struct spv *spv, const struct request *request)
{
    int64_t took = mono_since(spv->now.mono, request->started);
    int64_t got = (int64_t)(request->to - request->from + 1) - request->missing;
    int64_t after = steal_after(spv);
    if (took < after || request->kind == REQUEST_BLOCK)
        return took >= after;
    return took * request->missing >= after * got;
}

static bool somebody_idle(struct spv *spv, const struct request *request)
{
    const struct peer *peer = request_pick_peer(spv, request, request->peer);
    return peer && peer->id != request->peer &&
           mono_reached(spv->now.mono, peer->stalled_until) &&
           load_of(spv, peer, REQUEST_FILTERS) + load_of(spv, peer, REQUEST_BLOCK) == 0;
}

void requests_steal(struct spv *spv, struct lane *lane)
{
    uint32_t height = UINT32_MAX, block;
    (void)lane_next(lane, &height, SLOT_FILTER_ASKED);
    if (lane_next(lane, &block, SLOT_BLOCK_ASKED) && block < height)
        height = block;
    for (size_t i = 0; i < spv->request_count; i++) {
        struct request *request = &spv->requests[i];
        if (!request_of_lane(request, lane->index) || request->from > height ||
            request->to < height || !slow(spv, request) || !somebody_idle(spv, request))
            continue;
        struct peer *peer = peer_find(spv, request->peer);
        if (peer)
            peer->pause_until = mono_add(spv->now.mono, STEAL_PAUSE_MS);
        request_return(spv, request);
        return;
    }
}
