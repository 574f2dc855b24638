/* The adopted chain of filter headers (BIP 157): ranges fetched in parallel from peers
 * whose own checkpoints agree with it, each checked against its neighbours. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "spv/core_rooms.h"

size_t filter_sync_checkpoints(const struct spv *spv)
{
    return spv->fh_count ? (spv->fh_count - 1) / CFCHECKPT_INTERVAL : 0;
}

static void adopt(struct spv *spv, const struct filter_header *header)
{
    spv->checkpt = mem_grow(spv->checkpt, &spv->checkpt_capacity, spv->checkpt_count + 1,
                            sizeof *spv->checkpt);
    spv->checkpt[spv->checkpt_count++] = *header;
}

/* What somebody claimed above it, and that doesn't agree, goes. */
static void adopt_own(struct spv *spv, size_t index, const struct filter_header *header)
{
    if (index < spv->checkpt_count && !filter_header_equal(&spv->checkpt[index], header))
        spv->checkpt_count = index;
    if (index == spv->checkpt_count)
        adopt(spv, header);
}

void filter_sync_adopt(struct spv *spv, uint32_t height,
                       const struct filter_header *header)
{
    if (height && height % CFCHECKPT_INTERVAL == 0)
        adopt_own(spv, height / CFCHECKPT_INTERVAL - 1, header);
    spv->fh_last = *header;
    spv->fh_count = height + 1;
}

static bool agrees_at(const struct spv *spv, const struct claims *claims, size_t index)
{
    return index < spv->checkpt_count && index < claims->checkpt_count &&
           filter_header_equal(&spv->checkpt[index], &claims->checkpt[index]);
}

/* Whether the peer may say how the chain goes on. */
static bool may_lead(const struct peer *peer)
{
    return peer->state == PEER_READY && peer->claims.checkpt_known &&
           peer->claims.first_difference == NO_HEIGHT;
}

void filter_sync_drop_ranges(struct spv *spv, uint32_t above)
{
    for (size_t i = spv->request_count; i-- > 0;)
        if (spv->requests[i].kind == REQUEST_CFHEADERS && spv->requests[i].to > above)
            request_remove(spv, &spv->requests[i]);
    for (size_t i = 0; i < CFHEADERS_AHEAD; i++) {
        free(spv->fh_early[i].headers);
        spv->fh_early[i].headers = NULL;
    }
}

/* A peer's checkpoints decide who is asked: not those of one that leaves us waiting. */
static bool may_claim(const struct spv *spv, const struct peer *peer)
{
    return may_lead(peer) && mono_reached(spv->now.mono, peer->stalled_until);
}

/* The checkpoints above what is adopted are one peer's claims: they let ranges be fetched
 * in parallel. When nobody backs them any more, another's are taken. */
static void choose_checkpoints(struct spv *spv)
{
    size_t own = filter_sync_checkpoints(spv);
    bool backed = spv->checkpt_count == own;
    for (size_t i = 0; i < spv->peer_count && !backed; i++)
        backed =
            may_claim(spv, &spv->peers[i]) && agrees_at(spv, &spv->peers[i].claims, own);
    if (!backed) {
        spv->checkpt_count = own;
        filter_sync_drop_ranges(spv, (uint32_t)own * CFCHECKPT_INTERVAL);
    }
    for (size_t i = 0; i < spv->peer_count && spv->checkpt_count == own; i++) {
        const struct claims *claims = &spv->peers[i].claims;
        size_t count = spv->best->height / CFCHECKPT_INTERVAL;
        if (!may_claim(spv, &spv->peers[i]) || (own && !agrees_at(spv, claims, own - 1)))
            continue;
        for (size_t k = own; k < count && k < claims->checkpt_count; k++)
            adopt(spv, &claims->checkpt[k]);
    }
}

bool filter_sync_may_ask(const struct spv *spv, const struct peer *peer, uint32_t from,
                         uint32_t to)
{
    const struct claims *claims = &peer->claims;
    if (!may_lead(peer) || (from == spv->fh_count && claims->compared < from))
        return false;
    size_t index = to / CFCHECKPT_INTERVAL;
    if (to % CFCHECKPT_INTERVAL == 0 && index && index <= spv->checkpt_count)
        return agrees_at(spv, claims, index - 1);
    if (from == spv->fh_count)
        return true;
    index = (from - 1) / CFCHECKPT_INTERVAL;
    return index && agrees_at(spv, claims, index - 1);
}

bool filter_sync_stop_hash(const struct spv *spv, struct block_hash *out, uint32_t height)
{
    const struct header_node *node = header_tree_ancestor(spv->tree, spv->best, height);
    if (node) {
        *out = node->hash;
        return true;
    }
    size_t index = height / CFCHECKPT_INTERVAL;
    if (height % CFCHECKPT_INTERVAL || index >= spv->checkpoint_hash_count)
        return false;
    *out = spv->checkpoint_hashes[index];
    return true;
}

/* If a range starting here is asked for or has come early, its last height. */
static bool range_covered(const struct spv *spv, uint32_t from, uint32_t *to)
{
    for (size_t i = 0; i < spv->request_count; i++) {
        const struct request *request = &spv->requests[i];
        if (request->kind == REQUEST_CFHEADERS && request->from == from) {
            *to = request->to;
            return true;
        }
    }
    for (size_t i = 0; i < CFHEADERS_AHEAD; i++)
        if (spv->fh_early[i].headers && spv->fh_early[i].from == from) {
            *to = spv->fh_early[i].to;
            return true;
        }
    return false;
}

static bool ask_range(struct spv *spv, uint32_t from, uint32_t to)
{
    struct request request = {.kind = REQUEST_CFHEADERS, .from = from, .to = to};
    if (!filter_sync_stop_hash(spv, &request.stop, to))
        return false;
    struct peer *peer = request_pick_peer(spv, &request, 0);
    if (!peer)
        return false;
    request.peer = peer->id;
    struct request *added = request_add(spv, &request);
    if (!added)
        return false;
    if (to == spv->best->height)
        added->deadline = mono_add(spv->now.mono, 2 * CFHEADERS_TIP_RETRY_MS);
    struct writer payload;
    writer_init(&payload);
    getcfheaders_encode(&payload, from, &request.stop);
    spv_send(spv, peer, MESSAGE_GETCFHEADERS, &payload);
    writer_release(&payload);
    return true;
}

/* What rests on the stored ones is taken back first: after a crash between, they are
 * found false again. */
static void cut_stored(struct spv *spv)
{
    if (spv->fh_cut == NO_HEIGHT || spv->take_back != NO_HEIGHT)
        return;
    spv_effect_add(spv, SPV_CUT_FILTER_HEADERS)->cut.from = spv->fh_cut;
    spv->stores_pending++;
    spv->fh_cut = NO_HEIGHT;
}

static void ask_ranges(struct spv *spv)
{
    if (spv->fh_cut != NO_HEIGHT || spv->stores_pending >= STORES_PENDING_MAX)
        return;
    uint32_t from = spv->fh_count;
    for (int ahead = 0; ahead < CFHEADERS_AHEAD && from <= spv->best->height; ahead++) {
        uint32_t to;
        if (!range_covered(spv, from, &to)) {
            to = (from + CFHEADERS_MAX - 1) / CFCHECKPT_INTERVAL * CFCHECKPT_INTERVAL;
            if (to > spv->best->height) {
                to = spv->best->height;
                if (!spv->headers_settled ||
                    !mono_reached(spv->now.mono, spv->fh_retry_at))
                    return;
            }
            if (!ask_range(spv, from, to))
                return;
        }
        from = to + 1;
    }
}

/* Give the filter headers that only nodes hold to the store, as far as their headers are
 * there. */
static void flush_nodes(struct spv *spv)
{
    if (spv->lanes[LANE_FRONT].applying || spv->fh_stored > spv->stored->height ||
        spv->fh_stored < header_tree_root(spv->tree)->height)
        return;
    uint32_t end = spv->fh_stored;
    while (end <= spv->stored->height &&
           header_tree_ancestor(spv->tree, spv->stored, end)->has_filter_header)
        end++;
    if (end == spv->fh_stored)
        return;
    struct spv_effect *effect = spv_effect_add(spv, SPV_STORE_FILTER_HEADERS);
    effect->filter_headers.from = spv->fh_stored;
    effect->filter_headers.count = end - spv->fh_stored;
    effect->filter_headers.headers =
        mem_zalloc(effect->filter_headers.count, sizeof(struct filter_header));
    for (uint32_t height = spv->fh_stored; height < end; height++)
        effect->filter_headers.headers[height - spv->fh_stored] =
            header_tree_ancestor(spv->tree, spv->stored, height)->filter_header;
    spv->stores_pending++;
    spv->fh_stored = end;
}

/* Ranges below the root go straight to the store: there are no nodes to hold them. */
static void flush_range(struct spv *spv, struct cfheaders_range *range)
{
    uint32_t root = header_tree_root(spv->tree)->height;
    if (range->from == spv->fh_stored && range->from < root &&
        range->to <= spv->stored->height) {
        struct spv_effect *effect = spv_effect_add(spv, SPV_STORE_FILTER_HEADERS);
        effect->filter_headers.from = range->from;
        effect->filter_headers.count = range->to - range->from + 1;
        effect->filter_headers.headers = range->headers;
        range->headers = NULL;
        spv->stores_pending++;
        spv->fh_stored = range->to + 1;
    }
    free(range->headers);
    range->headers = NULL;
}

static void accept_range(struct spv *spv, struct cfheaders_range *range)
{
    uint32_t root = header_tree_root(spv->tree)->height;
    struct header_node *node = header_tree_ancestor(spv->tree, spv->best, range->to);
    for (uint32_t height = range->to; node && height >= range->from; height--) {
        node->filter_header = range->headers[height - range->from];
        node->has_filter_header = true;
        node = node->parent;
        if (height == root)
            break;
    }
    for (uint32_t height = range->from; height <= range->to; height++)
        filter_sync_adopt(spv, height, &range->headers[height - range->from]);
    spv->fh_retry_ms = CFHEADERS_TIP_RETRY_MS;
    spv->fh_grown_at = spv->now.mono;
    spv->revision++;
    flush_range(spv, range);
}

static bool follows(const struct spv *spv, const struct filter_header *previous)
{
    static const struct filter_header zero;
    return filter_header_equal(previous, spv->fh_count ? &spv->fh_last : &zero);
}

/* Ranges that came early are taken as soon as those before them are there. */
static void accept_early(struct spv *spv)
{
    for (size_t i = 0; i < CFHEADERS_AHEAD; i++) {
        struct cfheaders_range *range = &spv->fh_early[i];
        if (!range->headers || range->from > spv->fh_count)
            continue;
        if (range->from == spv->fh_count && follows(spv, &range->previous)) {
            accept_range(spv, range);
            i = (size_t)-1; /* another one may follow on it */
        } else {
            free(range->headers);
            range->headers = NULL;
        }
    }
}

/* By its length, too: a late answer to an earlier request may end with the same block. */
static struct request *find_request(struct spv *spv, const struct peer *peer,
                                    const struct message_cfheaders *message)
{
    for (size_t i = 0; i < spv->request_count; i++) {
        struct request *request = &spv->requests[i];
        if (request->kind == REQUEST_CFHEADERS && request->peer == peer->id &&
            block_hash_equal(&request->stop, &message->stop_hash) &&
            message->count == request->to - request->from + 1)
            return request;
    }
    return NULL;
}

static void take_range(struct spv *spv, struct peer *peer, struct cfheaders_range *range)
{
    if (range->from == spv->fh_count && !follows(spv, &range->previous)) {
        free(range->headers);
        /* All below has been compared and found equal. */
        if (peer->claims.compared >= range->from)
            peer_ban(spv, peer, "its filter headers contradict those it gave before");
        return;
    }
    if (range->from == spv->fh_count) {
        if (peer->claims.compared >= range->from)
            peer->claims.compared = range->to + 1;
        accept_range(spv, range);
        accept_early(spv);
        return;
    }
    for (size_t i = 0; i < CFHEADERS_AHEAD; i++)
        if (!spv->fh_early[i].headers) {
            spv->fh_early[i] = *range;
            return;
        }
    free(range->headers);
}

void filter_sync_headers(struct spv *spv, struct peer *peer, struct bytes payload)
{
    struct message_cfheaders message;
    if (!cfheaders_decode(&message, payload)) {
        peer_drop(spv, peer, "malformed cfheaders message");
        return;
    }
    if (compare_headers(spv, peer, &message))
        return;
    struct request *request = find_request(spv, peer, &message);
    if (!request)
        return; /* late, or not asked for */
    struct cfheaders_range range = {
        .from = request->from, .to = request->to, .previous = message.previous};
    request_remove(spv, request);
    range.headers = mem_zalloc(message.count, sizeof *range.headers);
    for (size_t i = 0; i < message.count; i++)
        filter_header_next(&range.headers[i], &message.hashes[i],
                           i ? &range.headers[i - 1] : &message.previous);
    if (claims_hold(spv, peer, range.from, &range.previous, range.headers, message.count))
        take_range(spv, peer, &range);
    else
        free(range.headers);
}

void filter_sync_returned(struct spv *spv, const struct request *request)
{
    if (request->to < spv->best->height)
        return; /* asked for again at once, of another peer */
    spv->fh_retry_at = mono_add(spv->now.mono, spv->fh_retry_ms);
    spv->fh_retry_ms = spv->fh_retry_ms * 2 > CFHEADERS_TIP_RETRY_MAX_MS
                           ? CFHEADERS_TIP_RETRY_MAX_MS
                           : spv->fh_retry_ms * 2;
}

/* ---- who goes on ---- */

static bool builder_there(const struct spv *spv)
{
    uint32_t to =
        (spv->fh_count + CFHEADERS_MAX - 1) / CFCHECKPT_INTERVAL * CFCHECKPT_INTERVAL;
    struct block_hash stop;
    if (to > spv->best->height)
        to = spv->best->height;
    if (!filter_sync_stop_hash(spv, &stop, to))
        return true;
    for (size_t i = 0; i < spv->peer_count; i++)
        if (peer_has(spv, &spv->peers[i], to, &stop) &&
            filter_sync_may_ask(spv, &spv->peers[i], spv->fh_count, to))
            return true;
    return false;
}

void filter_sync_banned(struct spv *spv, const struct peer *peer)
{
    spv->builder_banned |=
        peer->state == PEER_READY && peer->claims.first_difference == NO_HEIGHT;
}

/* Whether it is worth waiting for somebody who agrees: one who was banned doesn't come
 * back, but another may turn out to. */
static bool builder_hoped_for(const struct spv *spv)
{
    if (mono_since(spv->now.mono, spv->builder_seen) >= BUILDER_GONE_MS)
        return false;
    for (size_t i = 0; i < spv->peer_count; i++) {
        const struct peer *peer = &spv->peers[i];
        if (peer->state == PEER_READY && !peer->mute &&
            peer->claims.first_difference == NO_HEIGHT)
            return true;
    }
    return !spv->builder_banned;
}

/* A peer whose filters differ somewhere, compared as far as the ledger rests on ours:
 * every height where they differ has been fetched whole. */
static struct peer *find_successor(struct spv *spv)
{
    struct peer *pick = NULL;
    uint32_t count = 0;
    for (size_t i = 0; i < spv->peer_count; i++) {
        struct peer *peer = &spv->peers[i];
        uint32_t enough = spv->filter_scanned + 1 < spv->fh_count
                              ? spv->filter_scanned + 1
                              : spv->fh_count;
        if (peer->state == PEER_READY && peer->claims.compared >= enough &&
            peer->claims.first_difference != NO_HEIGHT &&
            peer_has(spv, peer, spv->best->height, &spv->best->hash) &&
            !disputes_of(spv, peer->address.text) &&
            random_below(&spv->random, ++count) == 0)
            pick = peer;
    }
    return pick;
}

/* When nobody is left who says how what we have adopted goes on, another's is taken. */
static void find_builder(struct spv *spv)
{
    spv->builder_missing = spv->fh_count <= spv->best->height && !builder_there(spv);
    if (!spv->builder_missing) {
        spv->builder_seen = spv->now.mono;
        spv->builder_banned = false;
    }
    if (spv->fh_count + FILTERS_LATE > spv->best->height)
        spv->fh_grown_at = spv->now.mono;
    if (builder_hoped_for(spv) &&
        mono_since(spv->now.mono, spv->fh_grown_at) < BUILDER_SILENT_MS)
        return;
    const struct peer *peer = find_successor(spv);
    if (!peer)
        return;
    spv_note(spv, LOG_CHAIN, LOG_INFO, peer,
             "filter headers go on with its own from height %" PRIu32,
             peer->claims.first_difference);
    filter_sync_cut(spv, peer->claims.first_difference);
    spv->builder_seen = spv->fh_grown_at = spv->now.mono;
    spv->builder_banned = false;
}

struct mono_time filter_sync_deadline(const struct spv *spv)
{
    struct mono_time next = MONO_NEVER;
    if (spv->fh_count <= spv->best->height && spv->fh_retry_at.ms > spv->now.mono.ms)
        next = spv->fh_retry_at;
    struct mono_time gone = mono_add(spv->builder_seen, BUILDER_GONE_MS);
    if (spv->builder_missing && gone.ms > spv->now.mono.ms && gone.ms < next.ms)
        next = gone;
    struct mono_time silent = mono_add(spv->fh_grown_at, BUILDER_SILENT_MS);
    if (spv->fh_count + FILTERS_LATE <= spv->best->height &&
        silent.ms > spv->now.mono.ms && silent.ms < next.ms)
        next = silent;
    return next;
}

void filter_sync_update(struct spv *spv)
{
    if (spv->scan_blocks)
        return;
    filter_sync_check_pins(spv);
    compare_update(spv);
    choose_checkpoints(spv);
    find_builder(spv);
    cut_stored(spv);
    ask_ranges(spv);
    flush_nodes(spv);
}
