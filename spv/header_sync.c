/* Headers: one peer leads through the long way, all are heard at the tip. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "spv/core_state.h"

/* Headers that wait for the store before they are written as a batch of their own. Fewer
 * go to it together with their blocks. */
#define FLUSH_MIN 500
/* Not yet stored: no further ones are asked for. */
#define UNSTORED_MAX 16000
#define STORES_PENDING_MAX 4

void headers_ask(struct spv *spv, struct peer *peer, struct header_node *from)
{
    struct block_hash locator[LOCATOR_MAX];
    size_t count = header_tree_locator(spv->tree, locator, LOCATOR_MAX, from);
    struct writer payload;
    writer_init(&payload);
    getheaders_encode(&payload, locator, count);
    spv_send(spv, peer, MESSAGE_GETHEADERS, &payload);
    writer_release(&payload);
    peer->headers_asked = true;
    peer->headers_deadline = mono_add(spv->now.mono, HEADERS_TIMEOUT_MS);
    peer->probe_at = mono_add(spv->now.mono, PROBE_INTERVAL_MS);
}

/* From below the tip, so that a peer with the same tip answers with it and we know that
 * it has it. One that has nothing above that place is asked from further back. */
static void ask_from_tip(struct spv *spv, struct peer *peer)
{
    uint32_t root = header_tree_root(spv->tree)->height, height = spv->best->height;
    uint32_t back = peer->headers_back ? peer->headers_back : 1;
    height = height - root > back ? height - back : root;
    headers_ask(spv, peer, header_tree_ancestor(spv->tree, spv->best, height));
}

/* It answered that it has nothing above where it was asked from, and what it has isn't
 * known yet. */
static bool ask_further_back(struct spv *spv, struct peer *peer)
{
    uint32_t below = spv->best->height - header_tree_root(spv->tree)->height;
    if (peer->best || !spv->headers_settled || peer->headers_back >= below)
        return false;
    peer->headers_back = peer->headers_back ? peer->headers_back * 8 : 8;
    ask_from_tip(spv, peer);
    return true;
}

void headers_peer_ready(struct spv *spv, struct peer *peer)
{
    peer->probe_at = mono_add(spv->now.mono, PROBE_INTERVAL_MS);
    if (!spv->headers_settled && spv->headers_from)
        return;
    if (!spv->headers_settled)
        spv->headers_from = peer->id;
    ask_from_tip(spv, peer);
}

/* The peer has no further headers for us: from now on all peers are asked. */
static void settled(struct spv *spv, struct peer *peer)
{
    peer->headers_done = true;
    if (spv->headers_from == peer->id)
        spv->headers_from = 0;
    if (spv->headers_settled)
        return;
    spv->headers_settled = true;
    spv->revision++;
    for (size_t i = 0; i < spv->peer_count; i++) {
        struct peer *other = &spv->peers[i];
        if (other->state == PEER_READY && other != peer && !other->headers_asked)
            ask_from_tip(spv, other);
    }
}

static bool room_for_headers(const struct spv *spv)
{
    return spv->best->height < spv->stored->height + UNSTORED_MAX;
}

static void learned(struct spv *spv, struct peer *peer, struct header_node *node)
{
    if (peer->best == node ||
        (peer->best && u256_compare(&node->work, &peer->best->work) <= 0))
        return;
    peer->best = node;
    spv->revision++;
}

/* Its tip isn't from the future, or no longer. */
static void present(struct spv *spv, struct peer *peer)
{
    if (!peer->future.s)
        return;
    peer->future.s = 0;
    spv->revision++;
}

enum taken { TAKEN_ALL, TAKEN_PART, TAKEN_FAULT };

/* Add the headers to the tree up to the first that can't be; *last is the newest that is
 * there now. On TAKEN_FAULT the peer is gone. */
static enum taken take_headers(struct spv *spv, struct peer *peer,
                               struct header_node **last,
                               const struct block_header *headers, size_t count,
                               bool asked)
{
    for (size_t i = 0; i < count; i++) {
        struct header_node *node;
        struct error error;
        switch (header_tree_add(spv->tree, &node, &headers[i], spv->now.wall, &error)) {
        case HEADER_ADDED:
        case HEADER_KNOWN:
            *last = node;
            break;
        case HEADER_ORPHAN:
            if (i > 0) {
                peer_drop(spv, peer, "headers that don't follow one another");
                return TAKEN_FAULT;
            }
            if (!asked && !peer->headers_asked)
                headers_ask(spv, peer, spv->best);
            return TAKEN_PART;
        case HEADER_TOO_OLD:
            spv_note(spv, LOG_CHAIN, LOG_DEBUG, peer,
                     "its branch forks below our window");
            return TAKEN_PART;
        case HEADER_FUTURE:
            peer->future = headers[i].time;
            peer->probe_at = mono_add(spv->now.mono, PROBE_FUTURE_MS);
            spv->revision++;
            return TAKEN_PART;
        case HEADER_INVALID:
            peer_drop(spv, peer, error.text);
            return TAKEN_FAULT;
        }
    }
    return TAKEN_ALL;
}

static void take_decoded(struct spv *spv, struct peer *peer,
                         const struct block_header *headers, size_t count)
{
    bool asked = peer->headers_asked;
    peer->headers_asked = false;
    struct header_node *last = NULL;
    enum taken taken = take_headers(spv, peer, &last, headers, count, asked);
    if (taken == TAKEN_FAULT)
        return;
    if (last)
        learned(spv, peer, last);
    if (taken == TAKEN_ALL)
        present(spv, peer);
    if (header_tree_count(spv->tree) > TREE_NODES_MAX) {
        peer_drop(spv, peer, "too many headers on branches of little work");
        return;
    }
    peer->headers_done = false;
    if (taken == TAKEN_ALL && count == HEADERS_MAX) {
        if (room_for_headers(spv))
            headers_ask(spv, peer, last);
    } else if (asked) {
        settled(spv, peer);
        if (count || !ask_further_back(spv, peer))
            peer->headers_back = 0;
    } else {
        peer->headers_done = true;
    }
}

void headers_message(struct spv *spv, struct peer *peer, struct bytes payload)
{
    struct block_header *headers;
    size_t count;
    switch (headers_decode(&headers, &count, payload)) {
    case HEADERS_PLAIN:
        take_decoded(spv, peer, headers, count);
        free(headers);
        break;
    case HEADERS_OTHER_CHAIN:
        peer_drop(spv, peer, "it is on another chain: its headers aren't 80 bytes");
        break;
    case HEADERS_MALFORMED:
        peer_drop(spv, peer, "malformed headers message");
        break;
    }
}

void headers_inv(struct spv *spv, struct peer *peer, struct bytes payload)
{
    struct inv_item *items;
    size_t count;
    if (!inv_decode(&items, &count, payload)) {
        peer_drop(spv, peer, "malformed inv message");
        return;
    }
    bool unknown = false;
    for (size_t i = 0; i < count; i++) {
        if (items[i].type != INV_BLOCK && items[i].type != INV_WITNESS_BLOCK)
            continue;
        struct block_hash hash;
        memcpy(hash.b, items[i].hash, sizeof hash.b);
        struct header_node *node = header_tree_find(spv->tree, &hash);
        if (node)
            learned(spv, peer, node);
        else
            unknown = true;
    }
    free(items);
    if (unknown && !peer->headers_asked)
        headers_ask(spv, peer, spv->best);
}

/* Another peer leads when the one that did is gone or silent. */
static void choose_leader(struct spv *spv)
{
    if (spv->headers_settled || spv->headers_from)
        return;
    struct peer *pick = NULL;
    for (size_t i = 0; i < spv->peer_count; i++) {
        struct peer *peer = &spv->peers[i];
        if (peer->state == PEER_READY && !peer->headers_asked &&
            (!pick || peer->stalled_until.ms < pick->stalled_until.ms))
            pick = peer;
    }
    if (!pick)
        return;
    spv->headers_from = pick->id;
    headers_ask(spv, pick, spv->best);
}

void headers_tick(struct spv *spv)
{
    for (size_t i = 0; i < spv->peer_count; i++) {
        struct peer *peer = &spv->peers[i];
        if (peer->state != PEER_READY)
            continue;
        if ((int64_t)peer->future.s <= spv->now.wall.s + HEADER_FUTURE_MAX)
            present(spv, peer);
        if (peer->headers_asked && mono_reached(spv->now.mono, peer->headers_deadline)) {
            peer->headers_asked = false;
            peer_stalled(spv, peer);
            if (spv->headers_from == peer->id)
                spv->headers_from = 0;
        } else if (!peer->headers_asked && mono_reached(spv->now.mono, peer->probe_at)) {
            ask_from_tip(spv, peer);
        }
    }
}

/* A full answer that found no room is followed up once the store has caught up. */
static void ask_further(struct spv *spv)
{
    if (!room_for_headers(spv))
        return;
    struct peer *peer = peer_find(spv, spv->headers_from);
    if (peer && !peer->headers_asked && peer->state == PEER_READY)
        headers_ask(spv, peer, peer->best ? peer->best : spv->best);
    choose_leader(spv);
}

static void best_update(struct spv *spv)
{
    struct header_node *best = header_tree_best(spv->tree, spv->now.mono);
    if (best == spv->best)
        return;
    struct header_node *fork = header_tree_fork(best, spv->best);
    if (fork != spv->best) {
        spv_note(spv, LOG_CHAIN, LOG_INFO, NULL,
                 "headers reorganise: %u blocks back to height %u, then to height %u",
                 spv->best->height - fork->height, fork->height, best->height);
        spv->best = best;
        filter_sync_rewind(spv, fork->height);
    }
    spv->best = best;
    spv->revision++;
}

/* Write the best chain's headers to the store, unless that would pull the chain away from
 * under a cohort's cursor: then they go there with the reorganisation's blocks. Headers
 * of a branch that was left go at once: blocks of the new one can't be applied over them.
 */
static void flush(struct spv *spv)
{
    if (spv->lanes[LANE_FRONT].applying)
        return;
    struct header_node *fork = header_tree_fork(spv->best, spv->stored);
    uint32_t count = spv->best->height - fork->height;
    bool left = fork != spv->stored;
    /* A cursor above the chain can only come down onto headers that are stored. */
    bool wanted = !spv->cohorts.count || spv->cohorts.at[0].cursor > spv->stored->height;
    if (!left && (spv->stores_pending >= STORES_PENDING_MAX || !count ||
                  (count < FLUSH_MIN && !wanted)))
        return;
    for (size_t i = 0; left && i < spv->cohorts.count; i++) {
        uint32_t cursor = spv->cohorts.at[i].cursor;
        if (cursor > fork->height && cursor <= spv->stored->height)
            return;
    }
    struct spv_effect *effect = spv_effect_add(spv, SPV_STORE_HEADERS);
    effect->headers.from = fork->height + 1;
    effect->headers.headers = mem_zalloc(count, sizeof(struct block_header));
    effect->headers.count = count;
    const struct header_node *node = spv->best;
    for (size_t i = count; i-- > 0; node = node->parent)
        effect->headers.headers[i] = node->header;
    spv->stores_pending++;
    spv->stored = spv->best;
    if (spv->fh_stored > fork->height + 1)
        spv->fh_stored = fork->height + 1;
}

void headers_stored(struct spv *spv, struct header_node *tip)
{
    struct header_node *fork = header_tree_fork(tip, spv->stored);
    if (fork == tip)
        return; /* already there */
    if (spv->fh_stored > fork->height + 1)
        spv->fh_stored = fork->height + 1;
    spv->stored = tip;
}

static void checkpoint_differs(struct spv *spv, const struct checkpoint *checkpoint)
{
    char hash[ID_TEXT_MAX];
    block_hash_text(hash, &checkpoint->hash);
    error_set(
        &spv->identity_reason,
        "the chain doesn't contain the checkpoint %s at height %u: it is another chain",
        hash, checkpoint->height);
    spv->identity_bad = true;
    spv->revision++;
    spv_note(spv, LOG_CHAIN, LOG_ERROR, NULL, "%s", spv->identity_reason.text);
}

void headers_check_rows(struct spv *spv, uint32_t height, const struct chain_row *row)
{
    for (size_t i = 0; i < spv->checkpoint_count; i++) {
        if (spv->checkpoints[i].height != height || spv->checkpoint_seen[i])
            continue;
        spv->checkpoint_seen[i] = true;
        spv->revision++;
        if (!block_hash_equal(&spv->checkpoints[i].hash, &row->hash))
            checkpoint_differs(spv, &spv->checkpoints[i]);
    }
}

/* What will be needed of nodes that are about to be pruned. */
static void remember_below(struct spv *spv, uint32_t height)
{
    uint32_t root = header_tree_root(spv->tree)->height;
    while (spv->checkpoint_hash_count * CFCHECKPT_INTERVAL <= height) {
        uint32_t at = (uint32_t)spv->checkpoint_hash_count * CFCHECKPT_INTERVAL;
        struct header_node *node = header_tree_ancestor(spv->tree, spv->best, at);
        if (!node)
            return;
        spv->checkpoint_hashes =
            mem_grow(spv->checkpoint_hashes, &spv->checkpoint_hash_capacity,
                     spv->checkpoint_hash_count + 1, sizeof *spv->checkpoint_hashes);
        spv->checkpoint_hashes[spv->checkpoint_hash_count++] = node->hash;
    }
    for (size_t i = 0; i < spv->checkpoint_count; i++) {
        const struct checkpoint *checkpoint = &spv->checkpoints[i];
        if (spv->checkpoint_seen[i] || checkpoint->height > height ||
            checkpoint->height < root)
            continue;
        spv->checkpoint_seen[i] = true;
        struct header_node *node =
            header_tree_ancestor(spv->tree, spv->best, checkpoint->height);
        if (node && !block_hash_equal(&node->hash, &checkpoint->hash))
            checkpoint_differs(spv, checkpoint);
    }
}

static void forget(void *context, struct header_node *node)
{
    struct spv *spv = context;
    if (spv->ledger == node)
        spv->ledger = NULL;
    for (size_t i = 0; i < spv->peer_count; i++)
        if (spv->peers[i].best == node)
            spv->peers[i].best = NULL;
}

static void prune(struct spv *spv)
{
    /* The lane that waits for its APPLY may be on a branch that has been left. */
    if (spv->lanes[LANE_FRONT].applying)
        return;
    uint32_t root = header_tree_root(spv->tree)->height;
    /* Filter headers that only nodes hold have to reach the store first. */
    bool unsaved = spv->fh_stored < spv->fh_count &&
                   spv->fh_stored + HEADER_WINDOW < spv->stored->height;
    if (unsaved || spv->stored->height < root + HEADER_WINDOW + RETARGET_INTERVAL ||
        header_tree_ancestor(spv->tree, spv->best, spv->stored->height) != spv->stored)
        return;
    remember_below(spv, spv->stored->height - HEADER_WINDOW);
    header_tree_prune(spv->tree, spv->stored, forget, spv);
}

/* Checkpoints that lie below the first root are compared with the stored rows. */
static void ask_checkpoint_rows(struct spv *spv)
{
    if (spv->checkpoints_asked)
        return;
    spv->checkpoints_asked = true;
    for (size_t i = 0; i < spv->checkpoint_count; i++) {
        if (spv->checkpoints[i].height >= header_tree_root(spv->tree)->height)
            continue;
        struct spv_effect *effect = spv_effect_add(spv, SPV_LOAD_ROWS);
        effect->ticket = ticket_of(TICKET_CHECKPOINT, spv->checkpoints[i].height);
        effect->load.from = spv->checkpoints[i].height;
        effect->load.count = 1;
    }
}

void headers_update(struct spv *spv)
{
    ask_checkpoint_rows(spv);
    best_update(spv);
    flush(spv);
    prune(spv);
    ask_further(spv);
}
