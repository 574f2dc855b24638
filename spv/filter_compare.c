/* What each peer claims about filters (its checkpoints, its filter headers), compared
 * with the adopted chain by the filter's hash at each height: equal checkpoints prove all
 * below them equal, whatever else is needed is fetched and looked at hash by hash. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "spv/core_rooms.h"

#define RETRY_MS 1000
/* A peer whose chain has grown by so many intervals is asked for its checkpoints anew. */
#define CHECKPT_BEHIND 3

void claims_init(struct claims *claims)
{
    *claims = (struct claims){.first_difference = NO_HEIGHT};
}

void claims_release(struct claims *claims)
{
    free(claims->checkpt);
    free(claims->hashes);
    claims_init(claims);
}

static void set_idle(struct claims *claims, struct mono_time until)
{
    free(claims->hashes);
    claims->hashes = NULL;
    claims->checkpt_asked = false;
    claims->state = COMPARE_IDLE;
    claims->deadline = until;
}

/* ---- how far ---- */

/* The newest height that the peer's best chain has in common with ours. */
static uint32_t common_height(const struct spv *spv, const struct peer *peer)
{
    struct header_node *best = peer->best;
    if (header_tree_ancestor(spv->tree, spv->best, best->height) == best)
        return best->height;
    return header_tree_fork(best, spv->best)->height;
}

/* What the ledger rests on, or is going to; all of it when the chain doesn't go on
 * without another peer. Above that nodes may be building filters still, and blocks are
 * whole. */
static uint32_t goal(const struct spv *spv)
{
    uint32_t adopted = spv->fh_count - 1, until = lanes_filters_until(spv);
    if (spv->builder_missing || spv->fh_retry_ms > CFHEADERS_TIP_RETRY_MS)
        return adopted;
    if (until < spv->filter_scanned)
        until = spv->filter_scanned;
    return until < adopted ? until : adopted;
}

bool compare_done(const struct spv *spv, const struct peer *peer)
{
    if (spv->scan_blocks)
        return true;
    if (peer->state != PEER_READY || !peer->best)
        return false;
    uint32_t common = common_height(spv, peer);
    return peer->claims.compared >
           (common < spv->filter_scanned ? common : spv->filter_scanned);
}

bool compare_backed(const struct spv *spv, uint32_t height)
{
    for (size_t i = 0; i < spv->peer_count; i++) {
        const struct peer *peer = &spv->peers[i];
        if (peer->state == PEER_READY && peer->claims.compared > height &&
            peer->claims.first_difference > height)
            return true;
    }
    return false;
}

/* Until when the gate waits for it; never: it doesn't. */
static struct mono_time patience_ends(const struct spv *spv, const struct peer *peer)
{
    if (peer->state != PEER_READY || peer->mute || compare_done(spv, peer))
        return MONO_NEVER;
    return mono_add(peer->compared_at, COMPARE_PATIENCE_MS);
}

const struct peer *compare_awaited(const struct spv *spv)
{
    for (size_t i = 0; i < spv->peer_count; i++) {
        const struct peer *peer = &spv->peers[i];
        if (peer->state == PEER_READY && peer->best && !peer->mute &&
            !compare_done(spv, peer))
            return peer;
    }
    return NULL;
}

/* ---- what a peer says must fit together ---- */

static bool pinned(struct spv *spv, struct peer *peer, uint32_t height,
                   const struct filter_header *header)
{
    for (size_t i = 0; i < spv->pin_count; i++) {
        if (spv->pins[i].height != height ||
            filter_header_equal(header, &spv->pins[i].header))
            continue;
        char reason[120];
        snprintf(reason, sizeof reason,
                 "its filter header at height %" PRIu32 " isn't the pinned one", height);
        peer_ban(spv, peer, reason);
        return false;
    }
    return true;
}

static bool checkpoint_holds(struct spv *spv, struct peer *peer, uint32_t height,
                             const struct filter_header *header)
{
    const struct claims *claims = &peer->claims;
    size_t index = height / CFCHECKPT_INTERVAL;
    if (height % CFCHECKPT_INTERVAL || !index || index > claims->checkpt_count ||
        filter_header_equal(header, &claims->checkpt[index - 1]))
        return true;
    char reason[120];
    snprintf(reason, sizeof reason,
             "its filter headers contradict its own checkpoint at height %" PRIu32,
             height);
    peer_ban(spv, peer, reason);
    return false;
}

bool claims_hold(struct spv *spv, struct peer *peer, uint32_t from,
                 const struct filter_header *previous,
                 const struct filter_header *headers, size_t count)
{
    static const struct filter_header zero;
    /* BIP 157: "the previous filter header of the genesis block is defined to be the
     * 32-byte array of 0's". */
    if (!from && !filter_header_equal(previous, &zero)) {
        peer_ban(spv, peer, "its filter headers don't start from zero");
        return false;
    }
    if (from && (!checkpoint_holds(spv, peer, from - 1, previous) ||
                 !pinned(spv, peer, from - 1, previous)))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!checkpoint_holds(spv, peer, from + (uint32_t)i, &headers[i]) ||
            !pinned(spv, peer, from + (uint32_t)i, &headers[i]))
            return false;
    return true;
}

/* ---- asking ---- */

static void asked(struct spv *spv, struct claims *claims)
{
    claims->state = COMPARE_ASKED;
    claims->deadline = mono_add(spv->now.mono, REQUEST_TIMEOUT_MS);
}

/* Up to the newest multiple on our chain: its filter is built for long. */
static void ask_checkpt(struct spv *spv, struct peer *peer, uint32_t common)
{
    struct claims *claims = &peer->claims;
    uint32_t stop = common / CFCHECKPT_INTERVAL * CFCHECKPT_INTERVAL;
    if (!stop) {
        claims->checkpt_known = true; /* there is none */
        return;
    }
    if (!filter_sync_stop_hash(spv, &claims->stop, stop))
        return;
    claims->to = stop;
    claims->checkpt_asked = true;
    asked(spv, claims);
    struct writer payload;
    writer_init(&payload);
    getcfcheckpt_encode(&payload, &claims->stop);
    spv_send(spv, peer, MESSAGE_GETCFCHECKPT, &payload);
    writer_release(&payload);
}

static void ask_range(struct spv *spv, struct peer *peer, uint32_t until)
{
    struct claims *claims = &peer->claims;
    uint32_t from = claims->compared;
    uint32_t to =
        (from + CFCHECKPT_INTERVAL - 1) / CFCHECKPT_INTERVAL * CFCHECKPT_INTERVAL;
    if (!to)
        to = CFCHECKPT_INTERVAL;
    if (to > until)
        to = until;
    if (!filter_sync_stop_hash(spv, &claims->stop, to))
        return;
    claims->from = from;
    claims->to = to;
    asked(spv, claims);
    struct writer payload;
    writer_init(&payload);
    getcfheaders_encode(&payload, from, &claims->stop);
    spv_send(spv, peer, MESSAGE_GETCFHEADERS, &payload);
    writer_release(&payload);
}

/* A filter header commits to all before it: where two are equal, so are those. */
static void pass_equal_checkpoints(const struct spv *spv, struct claims *claims)
{
    size_t adopted = spv->fh_count ? (spv->fh_count - 1) / CFCHECKPT_INTERVAL : 0;
    for (;;) {
        size_t index = (claims->compared + CFCHECKPT_INTERVAL - 1) / CFCHECKPT_INTERVAL;
        index = index ? index : 1;
        if (index > adopted || index > claims->checkpt_count ||
            !filter_header_equal(&claims->checkpt[index - 1], &spv->checkpt[index - 1]))
            return;
        claims->compared = (uint32_t)index * CFCHECKPT_INTERVAL + 1;
    }
}

static void compare_peer(struct spv *spv, struct peer *peer)
{
    struct claims *claims = &peer->claims;
    if (claims->state != COMPARE_IDLE || !mono_reached(spv->now.mono, claims->deadline) ||
        !mono_reached(spv->now.mono, peer->pause_until))
        return;
    uint32_t common = common_height(spv, peer);
    if (!claims->checkpt_known ||
        common / CFCHECKPT_INTERVAL >= claims->checkpt_count + CHECKPT_BEHIND)
        ask_checkpt(spv, peer, common);
    if (claims->state != COMPARE_IDLE || !claims->checkpt_known || !spv->fh_count)
        return;
    pass_equal_checkpoints(spv, claims);
    uint32_t until = goal(spv);
    if (until > common)
        until = common;
    if (claims->compared <= until &&
        disputes_of(spv, peer->address.text) < DISPUTES_PER_PEER)
        ask_range(spv, peer, until);
    if (peer->mute && compare_done(spv, peer))
        peer->mute = false;
}

/* While headers come, it is known only of who brings them what they have. */
void compare_update(struct spv *spv)
{
    for (size_t i = 0; i < spv->peer_count; i++) {
        struct peer *peer = &spv->peers[i];
        if (peer->state == PEER_READY && peer->best &&
            (spv->headers_settled || peer->id == spv->headers_from))
            compare_peer(spv, peer);
        if (!spv->headers_settled || compare_done(spv, peer))
            peer->compared_at = spv->now.mono;
    }
}

/* ---- answers ---- */

void compare_checkpt(struct spv *spv, struct peer *peer, struct bytes payload)
{
    struct message_cfcheckpt message;
    struct claims *claims = &peer->claims;
    if (!cfcheckpt_decode(&message, payload)) {
        peer_drop(spv, peer, "malformed cfcheckpt message");
        return;
    }
    if (!claims->checkpt_asked || !block_hash_equal(&message.stop_hash, &claims->stop))
        return; /* late, or not asked for */
    if (message.count != claims->to / CFCHECKPT_INTERVAL) {
        peer_drop(spv, peer, "cfcheckpt message with a wrong number of filter headers");
        return;
    }
    for (size_t i = 0; i < message.count; i++) {
        uint32_t height = ((uint32_t)i + 1) * CFCHECKPT_INTERVAL;
        if (!pinned(spv, peer, height, &message.headers[i]) ||
            !checkpoint_holds(spv, peer, height, &message.headers[i]))
            return;
    }
    free(claims->checkpt);
    claims->checkpt = mem_dup(message.headers, message.count * sizeof *claims->checkpt);
    claims->checkpt_count = message.count;
    claims->checkpt_known = true;
    set_idle(claims, spv->now.mono);
}

/* Adopted filter header and block hash at a height: from loaded rows, or a node. */
static bool ours_at(const struct spv *spv, struct filter_header *header,
                    struct block_hash *hash, uint32_t height, uint32_t from,
                    const struct chain_row *rows, size_t count)
{
    if (height >= from && height - from < count) {
        const struct chain_row *row = &rows[height - from];
        *header = row->filter_header;
        *hash = row->hash;
        return row->has_filter_header;
    }
    const struct header_node *node = header_tree_ancestor(spv->tree, spv->best, height);
    if (!node)
        return false;
    *header = node->filter_header;
    *hash = node->hash;
    return node->has_filter_header;
}

/* There is no dispute with nobody: where nothing rests on what is adopted, and none of
 * the peers stands for it (it was imported, or its peers are gone), this peer's claims
 * take its place. Who differs from them is heard as always. */
static bool give_way(struct spv *spv, uint32_t height)
{
    if (height <= spv->filter_scanned || compare_backed(spv, height))
        return false;
    spv_note(spv, LOG_CHAIN, LOG_WARNING, NULL,
             "filter headers from height %" PRIu32
             " on are given up: nobody stands for them",
             height);
    filter_sync_cut(spv, height);
    return true;
}

/* The peer's hashes from .. to, each chained onto the adopted header below it, must give
 * the adopted header. */
static void compare_hashes(struct spv *spv, struct peer *peer, uint32_t from,
                           const struct chain_row *rows, size_t count)
{
    struct claims *claims = &peer->claims;
    struct filter_header previous = {{0}}, ours, theirs;
    struct block_hash block;
    uint32_t height = claims->from;
    bool there =
        !height || ours_at(spv, &previous, &block, height - 1, from, rows, count);
    for (; there && height <= claims->to; height++) {
        const struct filter_hash *hash = &claims->hashes[height - claims->from];
        there = height < spv->fh_count &&
                ours_at(spv, &ours, &block, height, from, rows, count);
        if (!there)
            break;
        filter_header_next(&theirs, hash, &previous);
        enum dispute_verdict verdict = DISPUTE_TAKEN;
        bool differ = !filter_header_equal(&theirs, &ours);
        if (differ && give_way(spv, height))
            return; /* the cut began this comparison anew */
        if (differ)
            verdict = dispute_add(spv, peer, height, &block, hash, &previous, &ours);
        if (verdict == DISPUTE_BANNED)
            return;
        if (verdict == DISPUTE_NO_ROOM) {
            there =
                spv->dispute_count < DISPUTES_MAX; /* others' have to be settled first */
            break;
        }
        previous = ours;
    }
    claims->compared = height;
    spv->revision++;
    set_idle(claims, there ? spv->now.mono : mono_add(spv->now.mono, RETRY_MS));
}

/* The first is chained onto the row below. */
static uint32_t lowest_row(const struct claims *claims)
{
    return claims->from ? claims->from - 1 : 0;
}

bool compare_headers(struct spv *spv, struct peer *peer,
                     const struct message_cfheaders *message)
{
    struct claims *claims = &peer->claims;
    if (claims->state != COMPARE_ASKED || claims->checkpt_asked ||
        !block_hash_equal(&claims->stop, &message->stop_hash) ||
        message->count != claims->to - claims->from + 1)
        return false;
    struct filter_header *headers = mem_zalloc(message->count, sizeof *headers);
    for (size_t i = 0; i < message->count; i++)
        filter_header_next(&headers[i], &message->hashes[i],
                           i ? &headers[i - 1] : &message->previous);
    bool holds =
        claims_hold(spv, peer, claims->from, &message->previous, headers, message->count);
    free(headers);
    if (!holds)
        return true;
    claims->hashes = mem_dup(message->hashes, message->count * sizeof *claims->hashes);
    uint32_t root = header_tree_root(spv->tree)->height;
    uint32_t low = lowest_row(claims);
    if (low >= root) {
        compare_hashes(spv, peer, 0, NULL, 0);
        return true;
    }
    claims->state = COMPARE_LOADING;
    struct spv_effect *effect = spv_effect_add(spv, SPV_LOAD_ROWS);
    claims->loading = ++spv->next_loading;
    effect->ticket = ticket_of(TICKET_COMPARE, claims->loading);
    effect->load.from = low;
    effect->load.count = (claims->to < root ? claims->to : root - 1) - low + 1;
    return true;
}

void compare_rows(struct spv *spv, uint32_t loading, const struct chain_row *rows,
                  size_t count)
{
    for (size_t i = 0; i < spv->peer_count; i++) {
        struct peer *peer = &spv->peers[i];
        const struct claims *claims = &peer->claims;
        if (claims->state == COMPARE_LOADING && claims->loading == loading) {
            compare_hashes(spv, peer, lowest_row(claims), rows, count);
            return;
        }
    }
}

/* ---- no answers, other chains ---- */

static void unanswered(struct spv *spv, struct peer *peer)
{
    struct claims *claims = &peer->claims;
    /* Filters of the newest blocks may not be built yet. */
    if (claims->checkpt_asked || claims->to + 6 <= spv->best->height)
        claims->unanswered++;
    peer->mute = true;
    spv->revision++;
    peer_stalled(spv, peer);
    set_idle(claims, mono_add(spv->now.mono, RETRY_MS));
}

void compare_tick(struct spv *spv)
{
    for (size_t i = 0; i < spv->peer_count; i++) {
        struct peer *peer = &spv->peers[i];
        struct claims *claims = &peer->claims;
        if (peer->state != PEER_READY)
            continue;
        if (claims->state == COMPARE_ASKED &&
            mono_reached(spv->now.mono, claims->deadline))
            unanswered(spv, peer);
        if (mono_reached(spv->now.mono, patience_ends(spv, peer))) {
            peer->mute = true;
            spv->revision++;
        }
        bool withholds = claims->withheld >= WITHHELD_MAX;
        if (claims->unanswered < UNANSWERED_MAX && !withholds)
            continue;
        spv_note(spv, LOG_NET, LOG_INFO, peer,
                 "doesn't answer about filters; connecting anew later");
        if (withholds)
            peer_drop_for(spv, peer, NULL, RETRY_WITHHELD_MS);
        else
            peer_drop(spv, peer, NULL);
    }
}

void compare_cut(struct spv *spv, uint32_t from)
{
    for (size_t i = 0; i < spv->peer_count; i++) {
        struct claims *claims = &spv->peers[i].claims;
        if (claims->compared > from)
            claims->compared = from;
        if (claims->first_difference != NO_HEIGHT && claims->first_difference >= from)
            claims->first_difference = NO_HEIGHT;
        if (claims->state != COMPARE_IDLE && !claims->checkpt_asked && claims->to >= from)
            set_idle(claims, spv->now.mono);
    }
}

void compare_again(struct spv *spv, uint32_t height)
{
    for (size_t i = 0; i < spv->peer_count; i++) {
        struct claims *claims = &spv->peers[i].claims;
        if (claims->first_difference > height || claims->compared <= height)
            continue;
        claims->compared = height;
        if (claims->state != COMPARE_IDLE && !claims->checkpt_asked)
            set_idle(claims, spv->now.mono);
    }
}

void compare_rewind(struct spv *spv, uint32_t fork)
{
    compare_cut(spv, fork + 1);
    for (size_t i = 0; i < spv->peer_count; i++) {
        struct claims *claims = &spv->peers[i].claims;
        if (claims->checkpt_count > fork / CFCHECKPT_INTERVAL)
            claims->checkpt_count = fork / CFCHECKPT_INTERVAL;
        if (claims->checkpt_asked && claims->to > fork)
            set_idle(claims, spv->now.mono);
    }
}

struct mono_time compare_deadline(const struct spv *spv)
{
    struct mono_time next = MONO_NEVER;
    for (size_t i = 0; i < spv->peer_count; i++) {
        const struct peer *peer = &spv->peers[i];
        struct mono_time ends = patience_ends(spv, peer);
        if (ends.ms < next.ms)
            next = ends;
        if (peer->state == PEER_READY && peer->claims.state != COMPARE_LOADING &&
            peer->claims.deadline.ms > spv->now.mono.ms &&
            peer->claims.deadline.ms < next.ms)
            next = peer->claims.deadline;
    }
    return next;
}
