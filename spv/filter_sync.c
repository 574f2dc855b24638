/* Filter headers (BIP 157): ranges fetched in parallel from all peers, each checked
 * against the checkpoints and its neighbours. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "spv/core_state.h"

void filter_sync_dispute(struct spv *spv, const char *format, ...)
{
    if (spv->disputed)
        return; /* the first difference is the one to look at */
    va_list args;
    va_start(args, format);
    vsnprintf(spv->dispute.text, sizeof spv->dispute.text, format, args);
    va_end(args);
    spv->disputed = true;
    spv->revision++;
    spv_note(spv, LOG_CHAIN, LOG_ERROR, NULL, "%s", spv->dispute.text);
}

static void peer_differs(struct spv *spv, struct peer *peer, uint32_t height)
{
    peer->filters_differ = true;
    filter_sync_dispute(spv,
                        "%s: its filter header at height %u differs from the others'",
                        peer->address.text, height);
}

void filter_sync_peer_ready(struct spv *spv, struct peer *peer)
{
    (void)spv;
    peer->checkpt_asked = false;
}

/* Every peer is asked for its checkpoints once its chain is known to be ours. */
static void ask_checkpoints(struct spv *spv)
{
    for (size_t i = 0; i < spv->peer_count; i++) {
        struct peer *peer = &spv->peers[i];
        if (peer->state != PEER_READY || peer->checkpt_asked || !peer->headers_done ||
            !peer->best || peer->best->height < CFCHECKPT_INTERVAL)
            continue;
        peer->checkpt_asked = true;
        struct writer payload;
        writer_init(&payload);
        getcfcheckpt_encode(&payload, &peer->best->hash);
        spv_send(spv, peer, MESSAGE_GETCFCHECKPT, &payload);
        writer_release(&payload);
    }
}

static void adopt(struct spv *spv, const struct filter_header *header)
{
    spv->checkpt = mem_grow(spv->checkpt, &spv->checkpt_capacity, spv->checkpt_count + 1,
                            sizeof *spv->checkpt);
    spv->checkpt[spv->checkpt_count++] = *header;
}

void filter_sync_checkpt(struct spv *spv, struct peer *peer, struct bytes payload)
{
    struct message_cfcheckpt message;
    if (!cfcheckpt_decode(&message, payload)) {
        peer_drop(spv, peer, "malformed cfcheckpt message");
        return;
    }
    struct header_node *stop = header_tree_find(spv->tree, &message.stop_hash);
    if (!peer->checkpt_asked || !stop)
        return;
    if (message.count != stop->height / CFCHECKPT_INTERVAL) {
        peer_drop(spv, peer, "cfcheckpt message with a wrong number of filter headers");
        return;
    }
    uint32_t common = header_tree_fork(stop, spv->best)->height / CFCHECKPT_INTERVAL;
    for (uint32_t i = 0; i < common; i++) {
        if (i == spv->checkpt_count) {
            adopt(spv, &message.headers[i]);
        } else if (!filter_header_equal(&message.headers[i], &spv->checkpt[i])) {
            peer_differs(spv, peer, (i + 1) * CFCHECKPT_INTERVAL);
            return;
        }
    }
}

/* The hash at a height where a range of filter headers may end. */
static bool stop_hash_at(const struct spv *spv, struct block_hash *out, uint32_t height)
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
    if (!stop_hash_at(spv, &request.stop, to))
        return false;
    struct peer *peer = request_pick_peer(spv, REQUEST_CFHEADERS, to, &request.stop, 0);
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

static void ask_ranges(struct spv *spv)
{
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
        if (height && height % CFCHECKPT_INTERVAL == 0 &&
            height / CFCHECKPT_INTERVAL - 1 == spv->checkpt_count)
            adopt(spv, &range->headers[height - range->from]);
    spv->fh_last = range->headers[range->to - range->from];
    spv->fh_count = range->to + 1;
    spv->fh_retry_ms = CFHEADERS_TIP_RETRY_MS;
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

/* The height at which a range contradicts an adopted checkpoint. */
static bool contradicts(const struct spv *spv, const struct cfheaders_range *range,
                        uint32_t *height)
{
    uint32_t before = range->from - 1;
    if (range->from > 1 && before % CFCHECKPT_INTERVAL == 0 &&
        before / CFCHECKPT_INTERVAL <= spv->checkpt_count &&
        !filter_header_equal(&range->previous,
                             &spv->checkpt[before / CFCHECKPT_INTERVAL - 1])) {
        *height = before;
        return true;
    }
    for (uint32_t at = range->from; at <= range->to; at++)
        if (at && at % CFCHECKPT_INTERVAL == 0 &&
            at / CFCHECKPT_INTERVAL <= spv->checkpt_count &&
            !filter_header_equal(&range->headers[at - range->from],
                                 &spv->checkpt[at / CFCHECKPT_INTERVAL - 1])) {
            *height = at;
            return true;
        }
    return false;
}

static void take_range(struct spv *spv, struct peer *peer, struct cfheaders_range *range)
{
    uint32_t height = range->from ? range->from - 1 : 0;
    bool wrong = contradicts(spv, range, &height);
    if (wrong || (range->from == spv->fh_count && !follows(spv, &range->previous))) {
        free(range->headers);
        peer_differs(spv, peer, height);
        return;
    }
    if (range->from == spv->fh_count) {
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
    take_range(spv, peer, &range);
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

void filter_sync_rewind(struct spv *spv, uint32_t fork)
{
    for (size_t i = spv->request_count; i-- > 0;)
        if (spv->requests[i].kind == REQUEST_CFHEADERS && spv->requests[i].to > fork)
            request_remove(spv, &spv->requests[i]);
    for (size_t i = 0; i < CFHEADERS_AHEAD; i++) {
        free(spv->fh_early[i].headers);
        spv->fh_early[i].headers = NULL;
    }
    if (spv->checkpt_count > fork / CFCHECKPT_INTERVAL)
        spv->checkpt_count = fork / CFCHECKPT_INTERVAL;
    if (spv->fh_count <= fork + 1)
        return;
    const struct header_node *node = header_tree_ancestor(spv->tree, spv->best, fork);
    spv->fh_count = fork + 1;
    spv->fh_last = node->filter_header;
    /* A branch that was left before may know its own. */
    while ((node = header_tree_ancestor(spv->tree, spv->best, spv->fh_count)) &&
           node->has_filter_header) {
        spv->fh_last = node->filter_header;
        spv->fh_count++;
    }
}

void filter_sync_update(struct spv *spv)
{
    ask_checkpoints(spv);
    ask_ranges(spv);
    flush_nodes(spv);
}
