/* Headers: one peer leads through the long way, all are heard at the tip. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "spv/core_rooms.h"
#include "spv/pow.h"

/* Headers that wait for the store before they are written as a batch of their own. Fewer
 * go to it together with their blocks. */
#define FLUSH_MIN 500
/* Not yet stored: no further ones are asked for. */
#define UNSTORED_MAX 8000
#define FLUSHES_PENDING_MAX 4
/* As many full messages tell all that the tree holds. */
#define KNOWN_MESSAGES_MAX (TREE_NODES_MAX / HEADERS_MAX + 1)
/* A leader that isn't through after this long gets company. */
#define LEAD_MS 300000

static void send_getheaders(struct spv *spv, struct peer *peer,
                            const struct block_hash *locator, size_t count)
{
    struct writer payload;
    writer_init(&payload);
    getheaders_encode(&payload, locator, count);
    spv_send(spv, peer, MESSAGE_GETHEADERS, &payload);
    writer_release(&payload);
    peer->headers_asked = true;
    peer->headers_more = false;
    peer->headers_deadline = mono_add(spv->now.mono, HEADERS_TIMEOUT_MS);
    peer->probe_at = mono_add(spv->now.mono, PROBE_INTERVAL_MS);
}

void headers_ask(struct spv *spv, struct peer *peer, struct header_node *from)
{
    struct block_hash locator[LOCATOR_MAX];
    size_t count = header_tree_locator(spv->tree, locator, LOCATOR_MAX, from);
    send_getheaders(spv, peer, locator, count);
}

void headers_ask_after(struct spv *spv, struct peer *peer, const struct block_hash *hash,
                       struct header_node *from)
{
    struct block_hash locator[LOCATOR_MAX] = {*hash};
    size_t count = header_tree_locator(spv->tree, locator + 1, LOCATOR_MAX - 1, from);
    send_getheaders(spv, peer, locator, count + 1);
}

/* From below the tip, so that a peer with the same tip answers with it and we know that
 * it has it. One that has nothing above that place is asked from further back. */
void headers_ask_from_tip(struct spv *spv, struct peer *peer)
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
    headers_ask_from_tip(spv, peer);
    return true;
}

static void lead(struct spv *spv, const struct peer *peer)
{
    spv->headers_from = peer->id;
    spv->lead_until = mono_add(spv->now.mono, LEAD_MS);
}

void headers_peer_ready(struct spv *spv, struct peer *peer)
{
    peer->probe_at = mono_add(spv->now.mono, PROBE_INTERVAL_MS);
    if (!spv->headers_settled && spv->headers_from)
        return;
    if (!spv->headers_settled)
        lead(spv, peer);
    headers_ask_from_tip(spv, peer);
}

/* With less than the network's chain must have, what we know isn't it. */
static bool worth_settling(const struct spv *spv)
{
    struct u256 minimum = u256_from_be(spv->network->minimum_work);
    return u256_compare(&header_tree_best(spv->tree, spv->now.mono)->work, &minimum) >= 0;
}

void headers_settled(struct spv *spv, struct peer *peer)
{
    peer->headers_done = true;
    if (spv->headers_from == peer->id)
        spv->headers_from = 0;
    if (spv->headers_settled || !worth_settling(spv))
        return;
    spv->headers_settled = true;
    spv->revision++;
    for (size_t i = 0; i < spv->peer_count; i++) {
        struct peer *other = &spv->peers[i];
        if (other->state == PEER_READY && other != peer && !other->headers_asked &&
            !other->headers_more)
            headers_ask_from_tip(spv, other);
    }
}

static bool room_for_headers(const struct spv *spv)
{
    return spv->best->height < spv->stored->height + UNSTORED_MAX;
}

void headers_learned(struct spv *spv, struct peer *peer, struct header_node *node)
{
    if (peer->best == node ||
        (peer->best && u256_compare(&node->work, &peer->best->work) <= 0))
        return;
    peer->best = node;
    identity_ours(spv);
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

void headers_from_future(struct spv *spv, struct peer *peer, struct block_time time,
                         bool low_work)
{
    peer->future = time;
    peer->future_low = low_work;
    peer->probe_at = mono_add(spv->now.mono, PROBE_FUTURE_MS);
    spv->revision++;
}

void headers_refused(struct spv *spv, struct peer *peer,
                     const struct block_header *header, const struct error *error)
{
    /* The chain that split off marks its headers so; on ours the sign is no version. */
    if (header->version < 0)
        identity_other_chain(spv, peer, "a header of its has bit 31 of the version set");
    else
        peer_drop(spv, peer, error->text);
}

enum taken headers_add(struct spv *spv, struct peer *peer,
                       const struct block_header *headers,
                       const struct block_hash *hashes, size_t count, bool asked)
{
    struct header_node *node =
        count ? header_tree_find(spv->tree, &headers[0].previous) : NULL;
    struct header_node *last = NULL;
    enum taken taken = TAKEN_ALL;
    for (size_t i = 0; taken == TAKEN_ALL && i < count; i++) {
        struct error error;
        if (node && identity_refuses(spv, node, &headers[i], &error)) {
            identity_other_chain(spv, peer, "%s", error.text);
            return TAKEN_FAULT;
        }
        switch (header_tree_add(spv->tree, &node, &headers[i], &hashes[i], spv->now.wall,
                                &error)) {
        case HEADER_ADDED:
            peer->headers_known = 0;
            last = node;
            break;
        case HEADER_KNOWN:
            last = node;
            break;
        case HEADER_ORPHAN:
            if (!asked && !peer->headers_asked)
                headers_ask(spv, peer, spv->best);
            taken = TAKEN_PART;
            break;
        case HEADER_TOO_OLD:
            spv_note(spv, LOG_CHAIN, LOG_DEBUG, peer,
                     "its branch forks below our window");
            taken = TAKEN_PART;
            break;
        case HEADER_FUTURE:
            headers_from_future(spv, peer, headers[i].time, false);
            taken = TAKEN_PART;
            break;
        case HEADER_INVALID:
            headers_refused(spv, peer, &headers[i], &error);
            return TAKEN_FAULT;
        }
    }
    if (last)
        headers_learned(spv, peer, last);
    if (taken == TAKEN_ALL)
        present(spv, peer);
    return taken;
}

void headers_more_after(struct peer *peer, const struct block_hash *hash)
{
    peer->headers_more = true;
    peer->headers_next = *hash;
}

void headers_take(struct spv *spv, struct peer *peer, const struct block_header *headers,
                  const struct block_hash *hashes, size_t count, bool asked)
{
    enum taken taken = headers_add(spv, peer, headers, hashes, count, asked);
    if (taken == TAKEN_FAULT)
        return;
    peer->headers_done = false;
    if (taken == TAKEN_ALL && count == HEADERS_MAX) {
        if (++peer->headers_known > KNOWN_MESSAGES_MAX) {
            peer_drop(spv, peer, "headers that are known, over and over");
            return;
        }
        headers_more_after(peer, &hashes[count - 1]);
    } else if (asked) {
        struct header_node *end = taken == TAKEN_ALL && count
                                      ? header_tree_find(spv->tree, &hashes[count - 1])
                                      : NULL;
        if (end && (identity_ends_short(spv, peer, end->height) ||
                    identity_stuck_at_split(spv, peer, end->height, end->header.time)))
            return;
        if (end)
            peer->start_height = 0; /* shown: a reorganisation may take it lower */
        headers_settled(spv, peer);
        if (count || !ask_further_back(spv, peer))
            peer->headers_back = 0;
    } else {
        peer->headers_done = true;
    }
}

bool headers_connect(const struct spv *spv, const struct block_header *header)
{
    return header_tree_find(spv->tree, &header->previous) ||
           header_tree_below_root(spv->tree, NULL, &header->previous);
}

/* Its branch leaves ours below the tree. If all of it that there is can't have more work
 * than ours, that's all; else it has to be judged from genesis on. */
static void take_deep(struct spv *spv, struct peer *peer,
                      const struct block_header *headers, size_t count, uint32_t fork)
{
    struct u256 most = header_tree_root(spv->tree)->work;
    for (size_t i = 0; i < count; i++) {
        struct u256 target;
        if (!compact_to_target(&target, headers[i].bits))
            break; /* refused where it is judged */
        struct u256 one = pow_work(headers[i].bits);
        most = u256_add(&most, &one);
    }
    if (count == HEADERS_MAX || u256_compare(&most, &spv->best->work) > 0) {
        low_work_start_deep(spv, peer);
        return;
    }
    if (!identity_stuck_at_split(spv, peer, fork + (uint32_t)count,
                                 headers[count - 1].time))
        headers_settled(spv, peer);
}

static bool follow_one_another(const struct block_header *headers,
                               const struct block_hash *hashes, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (!block_hash_equal(&headers[i].previous, &hashes[i - 1]))
            return false;
    }
    return true;
}

static void take_decoded(struct spv *spv, struct peer *peer,
                         const struct block_header *headers,
                         const struct block_hash *hashes, size_t count)
{
    if (!follow_one_another(headers, hashes, count)) {
        peer_drop(spv, peer, "headers that don't follow one another");
        return;
    }
    if (peer->presync && low_work_message(spv, peer, headers, hashes, count))
        return;
    bool asked = peer->headers_asked;
    uint32_t fork;
    peer->headers_asked = false;
    if (count && header_tree_below_root(spv->tree, &fork, &headers[0].previous))
        take_deep(spv, peer, headers, count, fork);
    else if (!count || !low_work_start(spv, peer, headers, hashes, count))
        headers_take(spv, peer, headers, hashes, count, asked);
}

void headers_message(struct spv *spv, struct peer *peer, struct bytes payload)
{
    struct block_header *headers;
    struct block_hash *hashes;
    size_t count;
    switch (headers_decode(&headers, &count, payload)) {
    case HEADERS_PLAIN:
        hashes = mem_zalloc(count, sizeof *hashes);
        block_headers_hash(hashes, headers, count);
        take_decoded(spv, peer, headers, hashes, count);
        free(hashes);
        free(headers);
        break;
    case HEADERS_OTHER_CHAIN:
        identity_other_chain(spv, peer, "its headers aren't 80 bytes");
        break;
    case HEADERS_MALFORMED:
        peer_drop(spv, peer, "malformed headers message");
        break;
    }
}

void headers_inv(struct spv *spv, struct peer *peer, const struct inv_item *items,
                 size_t count)
{
    bool unknown = false;
    for (size_t i = 0; i < count; i++) {
        if (items[i].type != INV_BLOCK && items[i].type != INV_WITNESS_BLOCK)
            continue;
        struct block_hash hash;
        memcpy(hash.b, items[i].hash, sizeof hash.b);
        struct header_node *node = header_tree_find(spv->tree, &hash);
        if (node)
            headers_learned(spv, peer, node);
        else
            unknown = true;
    }
    if (unknown && !peer->headers_asked)
        headers_ask(spv, peer, spv->best);
}

/* Another peer leads when the one that did is gone, silent or takes too long: a presync
 * goes on beside the next one's. */
static void choose_leader(struct spv *spv)
{
    if (spv->headers_settled || spv->headers_from)
        return;
    struct peer *pick = NULL;
    for (size_t i = 0; i < spv->peer_count; i++) {
        struct peer *peer = &spv->peers[i];
        if (peer->state == PEER_READY && !peer->headers_asked && !peer->headers_more &&
            !peer->presync && !peer->headers_done &&
            (!pick || peer->stalled_until.ms < pick->stalled_until.ms))
            pick = peer;
    }
    if (!pick)
        return;
    lead(spv, pick);
    headers_ask(spv, pick, spv->best);
}

void headers_tick(struct spv *spv)
{
    if (!spv->headers_settled && spv->headers_from &&
        mono_reached(spv->now.mono, spv->lead_until))
        spv->headers_from = 0;
    for (size_t i = 0; i < spv->peer_count; i++) {
        struct peer *peer = &spv->peers[i];
        if (peer->state != PEER_READY)
            continue;
        if ((int64_t)peer->future.s <= spv->now.wall.s + HEADER_FUTURE_MAX)
            present(spv, peer);
        if (peer->headers_asked && mono_reached(spv->now.mono, peer->headers_deadline)) {
            peer->headers_asked = false;
            low_work_forget(peer);
            peer_stalled(spv, peer);
            if (spv->headers_from == peer->id)
                spv->headers_from = 0;
        } else if (!peer->headers_asked && mono_reached(spv->now.mono, peer->probe_at)) {
            headers_ask_from_tip(spv, peer);
        }
    }
}

struct mono_time headers_deadline(const struct spv *spv)
{
    return spv->headers_from && !spv->headers_settled ? spv->lead_until : MONO_NEVER;
}

/* A full message is followed up once there is room, whoever sent it. */
static void ask_further(struct spv *spv)
{
    for (size_t i = 0; i < spv->peer_count && room_for_headers(spv); i++) {
        struct peer *peer = &spv->peers[i];
        if (peer->state != PEER_READY || !peer->headers_more || peer->headers_asked)
            continue;
        struct header_node *from = header_tree_find(spv->tree, &peer->headers_next);
        headers_ask(spv, peer, from ? from : spv->best);
    }
    if (room_for_headers(spv))
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
    if (!left && (spv->stores_pending >= FLUSHES_PENDING_MAX || !count ||
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

/* What will be needed of nodes that are about to be pruned. */
static void remember_below(struct spv *spv, uint32_t height)
{
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
    identity_remember_below(spv, height);
}

static void forget(void *context, struct header_node *node)
{
    struct spv *spv = context;
    struct lane *front = &spv->lanes[LANE_FRONT];
    if (spv->ledger == node)
        spv->ledger = NULL;
    if (front->target_node == node)
        front->target_node = NULL; /* planned anew before it is looked at */
    for (size_t i = 0; i < spv->peer_count; i++)
        if (spv->peers[i].best == node)
            spv->peers[i].best = node->parent; /* it has that one, too */
}

/* The newest node below which all is in the store: filter headers, too, that only nodes
 * hold. */
static struct header_node *newest_saved(const struct spv *spv)
{
    if (spv->fh_stored >= spv->fh_count || spv->fh_stored >= spv->stored->height)
        return spv->stored;
    return header_tree_ancestor(spv->tree, spv->stored, spv->fh_stored);
}

static void prune(struct spv *spv)
{
    /* The lane that waits for its APPLY may be on a branch that has been left. */
    if (spv->lanes[LANE_FRONT].applying)
        return;
    uint32_t root = header_tree_root(spv->tree)->height;
    struct header_node *saved = newest_saved(spv);
    if (!saved || saved->height < root + HEADER_WINDOW + RETARGET_INTERVAL ||
        header_tree_ancestor(spv->tree, spv->best, spv->stored->height) != spv->stored)
        return;
    remember_below(spv, saved->height - HEADER_WINDOW);
    header_tree_prune(spv->tree, saved, forget, spv);
}

/* More branches than there is room for: those of least work go. Those that peers' second
 * downloads stand on only if all else isn't enough. */
static void evict(struct spv *spv)
{
    if (header_tree_count(spv->tree) <= TREE_NODES_MAX || spv->lanes[LANE_FRONT].applying)
        return;
    struct header_node *keep[3 + PEERS_MAX] = {spv->stored, spv->ledger,
                                               spv->lanes[LANE_FRONT].target_node};
    size_t count = 3;
    for (size_t i = 0; i < spv->peer_count; i++)
        if (spv->peers[i].presync && presync_second(spv->peers[i].presync))
            keep[count++] =
                header_tree_find(spv->tree, presync_at(spv->peers[i].presync));
    header_tree_evict(spv->tree, TREE_NODES_KEPT, keep, count, forget, spv);
    if (header_tree_count(spv->tree) > TREE_NODES_MAX)
        header_tree_evict(spv->tree, TREE_NODES_KEPT, keep, 3, forget, spv);
}

void headers_update(struct spv *spv)
{
    identity_ask_rows(spv);
    best_update(spv);
    flush(spv);
    prune(spv);
    evict(spv);
    ask_further(spv);
}
