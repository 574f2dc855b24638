/* What the core knows now, for people and for the gates. */
#include <string.h>

#include "spv/core_rooms.h"

/* A tip older than this can't be the newest (design: gate `synced`). */
#define TIP_AGE_MAX_S 7200

const char *spv_phase_name(enum spv_phase phase)
{
    switch (phase) {
    case SPV_PHASE_HEADERS:
        return "headers";
    case SPV_PHASE_FILTERS:
        return "filters";
    case SPV_PHASE_SCAN:
        return "scan";
    case SPV_PHASE_SYNCED:
        return "synced";
    }
    return "";
}

static uint32_t hindmost_cursor(const struct spv *spv)
{
    uint32_t cursor = UINT32_MAX;
    for (size_t i = 0; i < spv->cohorts.count; i++)
        if (spv->cohorts.at[i].cursor < cursor)
            cursor = spv->cohorts.at[i].cursor;
    return spv->cohorts.count ? cursor : 0;
}

static bool scanned(const struct spv *spv)
{
    const struct lane *front = &spv->lanes[LANE_FRONT];
    return !spv->cohorts.count ||
           (front->active && front->base == front->target && !front->reorganise &&
            !front->applying && spv->take_back == NO_HEIGHT);
}

static enum spv_phase phase_of(const struct spv *spv)
{
    if (!spv->headers_settled)
        return SPV_PHASE_HEADERS;
    const struct lane *front = &spv->lanes[LANE_FRONT];
    if (!scanned(spv) && front->filters_until > front->base &&
        spv->fh_count <= front->filters_until && spv->fh_count <= spv->best->height)
        return SPV_PHASE_FILTERS;
    return scanned(spv) && spv->cohorts.count <= 1 ? SPV_PHASE_SYNCED : SPV_PHASE_SCAN;
}

bool spv_busy(const struct spv *spv, bool paused)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < LANES; i++)
        bytes += spv->lanes[i].at_workers;
    return bytes >= (paused ? RECEIVE_BUDGET / 2 : RECEIVE_BUDGET);
}

void spv_summary(const struct spv *spv, struct spv_summary *out, struct spv_now now)
{
    (void)now;
    memset(out, 0, sizeof *out);
    out->phase = phase_of(spv);
    out->header_height = spv->best->height;
    out->header_hash = spv->best->hash;
    out->header_time = spv->best->header.time;
    out->filter_header_height = spv->fh_count ? spv->fh_count - 1 : 0;
    out->scan_height = spv->cohorts.count ? spv->cohorts.at[0].cursor : 0;
    out->backfill_height = hindmost_cursor(spv);
    out->target_height = spv->best->height;
    for (size_t i = 0; i < spv->peer_count; i++) {
        const struct peer *peer = &spv->peers[i];
        if (peer->state != PEER_READY)
            continue;
        out->peers_ready++;
        /* Only a hint for progress: a peer may claim anything. */
        if (!spv->headers_settled && peer->start_height > 0 &&
            (uint32_t)peer->start_height > out->target_height)
            out->target_height = (uint32_t)peer->start_height;
    }
}

static const char *state_name(enum peer_state state)
{
    switch (state) {
    case PEER_WAITING:
        return "waiting";
    case PEER_DIALING:
        return "connecting";
    case PEER_HANDSHAKE:
        return "handshake";
    case PEER_FETCHING:
        return "asked";
    case PEER_READY:
        return "ready";
    }
    return "";
}

static void fill_info(const struct spv *spv, struct spv_peer_info *out,
                      const struct peer *peer)
{
    memset(out, 0, sizeof *out);
    out->peer = peer->id;
    memcpy(out->address, peer->address.text, sizeof out->address);
    memcpy(out->agent, peer->agent, sizeof out->agent);
    out->services = peer->services;
    out->height = peer->best ? peer->best->height : 0;
    bool banned = ban_find(spv, peer->address.text, spv->now.wall);
    out->state = banned ? "banned" : state_name(peer->state);
    out->trusted = peer->address.trusted;
    out->compared = compare_done(spv, peer);
    if (peer->net.kind != NET_NONE)
        net_group_text(out->group, net_group(&peer->net));
}

size_t spv_peers(const struct spv *spv, struct spv_peer_info *out, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < spv->peer_count; i++) {
        if (!spv->peers[i].address.text[0])
            continue; /* a free slot */
        if (count < max)
            fill_info(spv, &out[count], &spv->peers[i]);
        count++;
    }
    return count;
}

void spv_book_counts(const struct spv *spv, size_t *known, size_t *tried)
{
    *known = spv->book ? address_book_known(spv->book) : 0;
    *tried = spv->book ? address_book_tried(spv->book) : 0;
}

static bool somebody_is_done(const struct spv *spv)
{
    for (size_t i = 0; i < spv->peer_count; i++)
        if (spv->peers[i].state == PEER_READY && spv->peers[i].headers_done)
            return true;
    return false;
}

static bool little_work(const struct spv *spv)
{
    struct u256 minimum = u256_from_be(spv->network->minimum_work);
    return u256_compare(&spv->best->work, &minimum) < 0;
}

bool spv_synced(const struct spv *spv, struct spv_now now, struct error *reason)
{
    bool little = little_work(spv);
    if (!spv->headers_settled && !(little && somebody_is_done(spv)))
        return error_set(reason, "headers are still being fetched, at height %u",
                         spv->best->height);
    if (little)
        return error_set(
            reason, "the best chain known, at height %u, has too little work to be %s's",
            spv->best->height, spv->network->name);
    const struct lane *front = &spv->lanes[LANE_FRONT];
    if (spv->cohorts.count && !scanned(spv))
        return error_set(
            reason, "scanned up to height %u of %u", spv->cohorts.at[0].cursor,
            front->target > spv->best->height ? front->target : spv->best->height);
    int64_t age = now.wall.s - (int64_t)spv->best->header.time.s;
    if (spv->network->retarget != RETARGET_NEVER && age > TIP_AGE_MAX_S) {
        char text[TIME_TEXT_MAX];
        duration_format(text, age);
        return error_set(
            reason, "the newest block is %s old; peers may withhold newer ones", text);
    }
    return true;
}

/* Of connect= each address is one of its own, wherever it is. */
static bool same_group(const struct peer *a, const struct peer *b)
{
    if (a->net.kind == NET_NONE || b->net.kind == NET_NONE)
        return strcmp(a->address.text, b->address.text) == 0;
    return net_group(&a->net) == net_group(&b->net);
}

size_t spv_peers_agreeing(const struct spv *spv, uint32_t height,
                          const struct block_hash *hash, bool *trusted)
{
    const struct peer *agreeing[PEERS_MAX];
    size_t count = 0;
    if (trusted)
        *trusted = false;
    for (size_t i = 0; i < spv->peer_count; i++) {
        const struct peer *peer = &spv->peers[i];
        size_t at = 0;
        if (!peer_has(spv, peer, height, hash) || !compare_done(spv, peer))
            continue;
        if (trusted && peer->address.trusted)
            *trusted = true;
        while (at < count && !same_group(agreeing[at], peer))
            at++;
        if (at == count)
            agreeing[count++] = peer;
    }
    return count;
}

bool spv_connect_banned(const struct spv *spv, struct spv_now now, struct error *reason)
{
    for (size_t i = 0; i < spv->peer_count; i++) {
        const struct peer *peer = &spv->peers[i];
        const struct spv_ban *ban = ban_find(spv, peer->address.text, now.wall);
        if (peer->slot || !ban)
            continue;
        error_set(reason, "%s is banned: %s", ban->address, ban->reason);
        return true;
    }
    return false;
}

void spv_filters_relied_on(const struct spv *spv, uint32_t *from, uint32_t *to,
                           uint32_t height)
{
    uint32_t pinned = 0;
    for (size_t i = 0; i < spv->pin_count; i++)
        if (spv->pins[i].height < spv->fh_count)
            pinned = spv->pins[i].height;
    *to = height < spv->filter_scanned ? height : spv->filter_scanned;
    *from = pinned + 1;
    if (*from > *to)
        *from = *to = 0;
}

bool spv_disputed(const struct spv *spv, struct error *reason)
{
    if (spv->broken) {
        *reason = spv->broken_reason;
        return true;
    }
    if (spv->dispute_count) {
        const struct dispute *first = &spv->disputes[0];
        size_t left = disputes_of(spv, first->address);
        error_set(
            reason,
            "%s: its filters differ from the others' at %zu %s still to be settled, "
            "the first at height %u",
            first->address, left, left == 1 ? "height" : "heights", first->height);
        return true;
    }
    const struct peer *peer = compare_awaited(spv);
    if (!peer)
        return false;
    error_set(reason,
              "%s: its filter headers are still being compared, up to height %u of %u",
              peer->address.text, peer->claims.compared ? peer->claims.compared - 1 : 0,
              spv->filter_scanned);
    return true;
}

bool spv_fork_near(const struct spv *spv, uint32_t height, uint32_t confirmations,
                   struct error *reason)
{
    if (u256_compare(&spv->deep_work, &spv->best->work) > 0) {
        *reason = spv->deep_reason;
        return true;
    }
    if (!spv->ledger)
        return false;
    const struct header_node *ours = header_tree_ancestor(spv->tree, spv->ledger, height);
    const struct header_node *mark =
        header_tree_ancestor(spv->tree, spv->ledger, height + (confirmations - 1) / 2);
    if (!ours || !mark)
        return false;
    struct header_node *tip = NULL;
    while ((tip = header_tree_next_tip(spv->tree, tip))) {
        if (tip->invalid || u256_compare(&tip->work, &mark->work) < 0 ||
            header_tree_ancestor(spv->tree, tip, height) == ours)
            continue;
        char hash[ID_TEXT_MAX];
        block_hash_text(hash, &tip->hash);
        error_set(
            reason,
            "a competing branch without block %u comes near: its tip %s at height %u",
            height, hash, tip->height);
        return true;
    }
    return false;
}

static bool somebody_is_ours(const struct spv *spv)
{
    for (size_t i = 0; i < spv->peer_count; i++)
        if (spv->peers[i].state == PEER_READY && spv->peers[i].best)
            return true;
    return false;
}

bool spv_identity_ok(const struct spv *spv, struct error *reason)
{
    if (spv->other_chain && !somebody_is_ours(spv)) {
        *reason = spv->other_chain_reason;
        return false;
    }
    if (spv->identity_bad) {
        *reason = spv->identity_reason;
        return false;
    }
    uint32_t root = header_tree_root(spv->tree)->height;
    for (size_t i = 0; i < spv->checkpoint_count; i++) {
        const struct checkpoint *checkpoint = &spv->checkpoints[i];
        if (spv->checkpoint_seen[i] || checkpoint->height > spv->best->height)
            continue;
        if (checkpoint->height < root)
            return error_set(reason,
                             "the checkpoint at height %u is still being compared",
                             checkpoint->height);
        const struct header_node *node =
            header_tree_ancestor(spv->tree, spv->best, checkpoint->height);
        if (!node || !block_hash_equal(&node->hash, &checkpoint->hash)) {
            char hash[ID_TEXT_MAX];
            block_hash_text(hash, &checkpoint->hash);
            return error_set(reason,
                             "the chain doesn't contain the checkpoint %s at height %u",
                             hash, checkpoint->height);
        }
    }
    return true;
}

bool spv_tip_from_future(const struct spv *spv, struct spv_now now, struct error *reason)
{
    int64_t ahead = 0;
    for (size_t i = 0; i < spv->peer_count; i++) {
        const struct peer *peer = &spv->peers[i];
        /* Next to a chain of enough work a branch without is nobody's tip. */
        if (peer->future_low && !little_work(spv))
            continue;
        if ((int64_t)peer->future.s - now.wall.s > ahead)
            ahead = (int64_t)peer->future.s - now.wall.s;
    }
    if (ahead <= HEADER_FUTURE_MAX)
        return false;
    char text[TIME_TEXT_MAX];
    duration_format(text, ahead);
    error_set(reason, "a peer's tip is %s ahead of this machine's clock; set the clock",
              text);
    return true;
}

uint64_t spv_revision(const struct spv *spv)
{
    return spv->revision;
}
