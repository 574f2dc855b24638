/* Peers: dialing, handshake, keeping alive, letting go. */
#include <stdlib.h>
#include <string.h>

#include "spv/core_rooms.h"
#include "spv/mempool.h"

struct peer *peer_find(struct spv *spv, uint32_t id)
{
    for (size_t i = 0; id && i < spv->peer_count; i++)
        if (spv->peers[i].id == id)
            return &spv->peers[i];
    return NULL;
}

void peers_start(struct spv *spv, const struct spv_address *addresses, size_t count)
{
    for (size_t i = 0; i < count && i < PEERS_MAX; i++) {
        struct peer *peer = &spv->peers[spv->peer_count++];
        peer->address = addresses[i];
        peer->state = PEER_WAITING;
        peer->deadline = spv->now.mono;
        peer->retry_ms = RETRY_MIN_MS;
        claims_init(&peer->claims);
    }
}

/* The one place where a peer's state changes. */
static void peer_set_state(struct spv *spv, struct peer *peer, enum peer_state state)
{
    peer->state = state;
    spv->revision++;
}

void peer_dial(struct spv *spv, struct peer *peer)
{
    peer->id = ++spv->next_peer_id;
    peer->deadline =
        mono_add(spv->now.mono, spv->proxied ? DIAL_TIMEOUT_PROXY_MS : DIAL_TIMEOUT_MS);
    peer_set_state(spv, peer, PEER_DIALING);
    struct spv_effect *effect = spv_effect_add(spv, SPV_DIAL);
    effect->peer = peer->id;
    memcpy(effect->dial.address, peer->address.text, sizeof effect->dial.address);
}

/* Back to waiting, with everything that belonged to the connection forgotten. */
static void disconnect(struct spv *spv, struct peer *peer, int64_t retry_ms)
{
    const struct peer before = *peer;
    uint32_t id = before.id;
    mempool_peer_gone(spv, peer);
    bool mute = peer->mute;
    claims_release(&peer->claims);
    low_work_forget(peer);
    memset(peer, 0, sizeof *peer);
    claims_init(&peer->claims);
    peer->slot = before.slot;
    if (!peer->slot) {
        peer->address = before.address;
        peer->mute = mute;
    }
    peer->retry_ms = retry_ms;
    peer->deadline = mono_add(spv->now.mono, retry_ms);
    peer_set_state(spv, peer, PEER_WAITING);
    if (peer->slot)
        outbound_freed(spv, peer);
    if (before.seed)
        gossip_seed_done(spv, before.told);
    if (spv->headers_from == id)
        spv->headers_from = 0;
    requests_return_of(spv, id);
}

int64_t peer_next_retry(const struct peer *peer)
{
    int64_t doubled = peer->retry_ms * 2;
    return doubled > RETRY_MAX_MS ? RETRY_MAX_MS : doubled;
}

/* A slot goes on to another address: how long this one is left alone the book knows. */
static int64_t retry_of(const struct peer *peer)
{
    int64_t next = peer_next_retry(peer);
    return peer->slot && next > SLOT_RETRY_MAX_MS ? SLOT_RETRY_MAX_MS : next;
}

/* Say what it did wrong, and hold that against its address. */
static void blame(struct spv *spv, const struct peer *peer, const char *fault)
{
    spv_note(spv, LOG_NET, LOG_WARNING, peer, "let go: %s", fault);
    if (peer->net.kind != NET_NONE)
        address_book_try(spv->book, &peer->net, true, spv->now.wall);
}

void peer_lost(struct spv *spv, struct peer *peer, const char *fault)
{
    if (fault)
        blame(spv, peer, fault);
    else if (peer->state == PEER_READY)
        spv_note(spv, LOG_NET, LOG_INFO, peer, "connection lost; %s",
                 peer->slot ? "trying others" : "trying again");
    disconnect(spv, peer, fault && !peer->slot ? RETRY_FAULT_MS : retry_of(peer));
}

void peer_drop_for(struct spv *spv, struct peer *peer, const char *fault,
                   int64_t retry_ms)
{
    if (fault)
        blame(spv, peer, fault);
    struct spv_effect *effect = spv_effect_add(spv, SPV_DROP);
    effect->peer = peer->id;
    disconnect(spv, peer, peer->slot ? retry_of(peer) : retry_ms);
}

void peer_drop(struct spv *spv, struct peer *peer, const char *fault)
{
    peer_drop_for(spv, peer, fault, fault ? RETRY_FAULT_MS : retry_of(peer));
}

void peer_ban_key(const struct peer *peer, char out[static PEER_ADDRESS_MAX])
{
    if (peer->net.kind == NET_NONE)
        memcpy(out, peer->address.text, PEER_ADDRESS_MAX);
    else
        net_host_text(out, &peer->net);
}

void peer_ban(struct spv *spv, struct peer *peer, const char *proof)
{
    char key[PEER_ADDRESS_MAX];
    peer_ban_key(peer, key);
    ban_add(spv, key, proof);
    filter_sync_banned(spv, peer);
    if (peer->id)
        spv_effect_add(spv, SPV_DROP)->peer = peer->id;
    disconnect(spv, peer, peer->slot ? RETRY_MIN_MS : BAN_CHECK_MS);
}

void peer_distrust(struct spv *spv, const char *address)
{
    static const char wish[] = "distrusted by the operator";
    char key[PEER_ADDRESS_MAX];
    bool met = false;
    for (size_t i = 0; i < spv->peer_count; i++) {
        struct peer *peer = &spv->peers[i];
        peer_ban_key(peer, key);
        if (strcmp(key, address) != 0 && strcmp(peer->address.text, address) != 0)
            continue;
        peer_ban(spv, peer, wish);
        met = true;
    }
    if (!met)
        ban_add(spv, address, wish);
}

void peer_stalled(struct spv *spv, struct peer *peer)
{
    if (mono_reached(spv->now.mono, peer->stalled_until))
        spv_note(spv, LOG_NET, LOG_DEBUG, peer, "slow to answer; others are asked first");
    peer->stalled_until = mono_add(spv->now.mono, STALL_MS);
}

void peer_connected(struct spv *spv, struct peer *peer)
{
    if (peer->state != PEER_DIALING)
        return;
    peer->deadline = mono_add(spv->now.mono, HANDSHAKE_TIMEOUT_MS);
    peer_set_state(spv, peer, PEER_HANDSHAKE);
    budget_start(spv, peer);
    struct message_version version = {
        .version = PROTOCOL_VERSION,
        .time = spv->now.wall.s,
        .nonce = spv->own_nonce,
        .start_height = (int32_t)spv->best->height,
        /* BIP 37, BIP 60: whether transactions are to be announced. */
        .relay = spv->mempool != NULL,
    };
    memcpy(version.agent, spv->agent, sizeof spv->agent);
    struct writer payload;
    writer_init(&payload);
    version_encode(&payload, &version);
    spv_send(spv, peer, MESSAGE_VERSION, &payload);
    writer_release(&payload);
}

static const char *missing_service(uint64_t services, bool scan_blocks)
{
    if (!(services & NODE_NETWORK))
        return "it doesn't serve the whole chain (NODE_NETWORK); use a node that isn't "
               "pruned";
    if (!(services & NODE_WITNESS))
        return "it doesn't serve witnesses (NODE_WITNESS)";
    if (!(services & NODE_COMPACT_FILTERS) && !scan_blocks)
        return "it doesn't serve compact filters (NODE_COMPACT_FILTERS); on Bitcoin Core "
               "set blockfilterindex=1 and peerblockfilters=1";
    return NULL;
}

/* Lets go of who lacks them; but of whom nothing was said before, addresses may be had.
 */
static bool services_suffice(struct spv *spv, struct peer *peer, uint64_t services)
{
    const char *missing = missing_service(services, spv->scan_blocks);
    if (!missing)
        return true;
    if (!peer->slot) {
        peer_drop(spv, peer, missing);
        return false;
    }
    const struct book_entry *entry = address_book_find(spv->book, &peer->net);
    if (entry && entry->services == 0 && gossip_short(spv))
        peer->fetch = true;
    if (peer->net.kind != NET_NONE)
        address_book_answered(spv->book, &peer->net, services, spv->now.wall);
    if (peer->fetch)
        return true;
    spv_note(spv, LOG_NET, LOG_DEBUG, peer, "let go: %s", missing);
    peer_drop(spv, peer, NULL);
    return false;
}

static void take_version(struct spv *spv, struct peer *peer, struct bytes payload)
{
    struct message_version version;
    if (peer->has_version || !version_decode(&version, payload)) {
        peer_drop(spv, peer, "malformed or repeated version message");
        return;
    }
    if (version.nonce == spv->own_nonce) {
        peer_drop(spv, peer, "connected to ourselves");
        return;
    }
    /* Where there is no split, nodes that know of it show the bit, too. */
    if (spv->network->split_height && version.services & NODE_OTHER_CHAIN) {
        identity_other_chain(spv, peer, "its service bits name another proof of work");
        return;
    }
    if (!services_suffice(spv, peer, version.services))
        return;
    peer->has_version = true;
    peer->services = version.services;
    peer->start_height = version.start_height;
    memcpy(peer->agent, version.agent, sizeof peer->agent);
    /* BIP 155: "MUST only be sent in response to the version message from a peer and
     * prior to sending the verack message"; older software takes it for a fault. */
    if (spv->book && version.version >= PROTOCOL_VERSION)
        spv_send(spv, peer, MESSAGE_SENDADDRV2, NULL);
    spv_send(spv, peer, MESSAGE_VERACK, NULL);
}

static void take_verack(struct spv *spv, struct peer *peer)
{
    if (peer->state != PEER_HANDSHAKE)
        return;
    if (!peer->has_version) {
        peer_drop(spv, peer, "verack before version");
        return;
    }
    peer->addresses_left = 1;
    peer->addresses_at = peer->ready_at = peer->compared_at = spv->now.mono;
    if (peer->fetch) {
        peer->deadline = mono_add(spv->now.mono, FETCH_MS);
        peer_set_state(spv, peer, PEER_FETCHING);
        gossip_ask(spv, peer);
        return;
    }
    if (peer->slot)
        address_book_answered(spv->book, &peer->net, peer->services, spv->now.wall);
    peer->ping_at = mono_add(spv->now.mono, PING_INTERVAL_MS);
    peer_set_state(spv, peer, PEER_READY);
    spv_note(spv, LOG_NET, LOG_INFO, peer, "connected to %s at height %d", peer->agent,
             (int)peer->start_height);
    /* BIP 130: announce new blocks by their headers. */
    spv_send(spv, peer, MESSAGE_SENDHEADERS, NULL);
    gossip_ask(spv, peer);
    headers_peer_ready(spv, peer);
}

static void send_nonce(struct spv *spv, struct peer *peer, enum message_kind kind,
                       uint64_t nonce)
{
    struct writer payload;
    writer_init(&payload);
    write_u64le(&payload, nonce);
    spv_send(spv, peer, kind, &payload);
    writer_release(&payload);
}

static void take_ping(struct spv *spv, struct peer *peer, struct bytes payload)
{
    uint64_t nonce;
    if (nonce_decode(&nonce, payload))
        send_nonce(spv, peer, MESSAGE_PONG, nonce);
    else
        peer_drop(spv, peer, "malformed ping");
}

static void take_pong(struct peer *peer, struct bytes payload)
{
    uint64_t nonce;
    if (nonce_decode(&nonce, payload) && nonce == peer->ping_nonce)
        peer->ping_nonce = 0;
}

static void take_inv(struct spv *spv, struct peer *peer, struct bytes payload)
{
    struct inv_item *items;
    size_t count;
    if (!inv_decode(&items, &count, payload)) {
        peer_drop(spv, peer, "malformed inv message");
        return;
    }
    headers_inv(spv, peer, items, count);
    mempool_inv(spv, peer, items, count);
    free(items);
}

static void take_notfound(struct spv *spv, struct peer *peer, struct bytes payload)
{
    struct inv_item *items;
    size_t count;
    if (!inv_decode(&items, &count, payload)) {
        peer_drop(spv, peer, "malformed notfound message");
        return;
    }
    size_t transactions = mempool_notfound(spv, peer, items, count);
    free(items);
    if (transactions == count && count)
        return;
    /* What it doesn't have, others are asked for. */
    peer_stalled(spv, peer);
    peer->pause_until = mono_add(spv->now.mono, NOTFOUND_PAUSE_MS);
    requests_return_of(spv, peer->id);
}

void peer_message(struct spv *spv, struct peer *peer, const struct frame *frame,
                  struct bytes payload)
{
    if (!budget_take(spv, peer, frame)) {
        peer_drop(spv, peer, "floods: more than it was asked for");
        return;
    }
    if (frame->kind == MESSAGE_OTHER)
        return; /* the shell has kept none of it */
    if (!frame_checksum_ok(frame, payload)) {
        peer_drop(spv, peer, "message with a wrong checksum");
        return;
    }
    bool ready = peer->state == PEER_READY;
    switch (frame->kind) {
    case MESSAGE_VERSION:
        take_version(spv, peer, payload);
        return;
    case MESSAGE_VERACK:
        take_verack(spv, peer);
        return;
    case MESSAGE_PING:
        take_ping(spv, peer, payload);
        return;
    case MESSAGE_PONG:
        take_pong(peer, payload);
        return;
    case MESSAGE_HEADERS:
        if (ready)
            headers_message(spv, peer, payload);
        return;
    case MESSAGE_INV:
        if (ready)
            take_inv(spv, peer, payload);
        return;
    case MESSAGE_CFCHECKPT:
        if (ready)
            compare_checkpt(spv, peer, payload);
        return;
    case MESSAGE_CFHEADERS:
        if (ready)
            filter_sync_headers(spv, peer, payload);
        return;
    case MESSAGE_CFILTER:
        if (ready)
            lane_cfilter(spv, peer, payload);
        return;
    case MESSAGE_BLOCK:
        if (ready)
            lane_block(spv, peer, payload);
        return;
    case MESSAGE_NOTFOUND:
        if (ready)
            take_notfound(spv, peer, payload);
        return;
    case MESSAGE_TX:
        if (ready)
            mempool_tx(spv, peer, payload);
        return;
    case MESSAGE_ADDR:
    case MESSAGE_ADDRV2:
        if (ready || peer->state == PEER_FETCHING)
            gossip_message(spv, peer, payload, frame->kind == MESSAGE_ADDRV2);
        return;
    case MESSAGE_SENDADDRV2:
    case MESSAGE_GETADDR:
    case MESSAGE_SENDHEADERS:
    case MESSAGE_GETHEADERS:
    case MESSAGE_GETCFCHECKPT:
    case MESSAGE_GETCFHEADERS:
    case MESSAGE_GETCFILTERS:
    case MESSAGE_GETDATA:
    case MESSAGE_OTHER:
        return; /* we serve nothing */
    }
}

static bool is_probe(const struct spv *spv, const struct peer *peer)
{
    return spv->book && peer == &spv->peers[spv->outbound];
}

static void tick_ready(struct spv *spv, struct peer *peer)
{
    if (is_probe(spv, peer) &&
        mono_reached(spv->now.mono, mono_add(peer->ready_at, PROBE_MS))) {
        outbound_probed(spv, peer);
        return;
    }
    if (peer->ping_nonce && mono_reached(spv->now.mono, peer->pong_deadline)) {
        spv_note(spv, LOG_NET, LOG_INFO, peer, "no answer to a ping; connecting anew");
        peer_drop(spv, peer, NULL);
        return;
    }
    if (mono_reached(spv->now.mono, peer->ping_at)) {
        peer->ping_at = mono_add(spv->now.mono, PING_INTERVAL_MS);
        if (!peer->ping_nonce) {
            peer->ping_nonce = random_u64(&spv->random) | 1;
            peer->pong_deadline = mono_add(spv->now.mono, PING_TIMEOUT_MS);
            send_nonce(spv, peer, MESSAGE_PING, peer->ping_nonce);
        }
    }
}

void peers_tick(struct spv *spv)
{
    gossip_tick(spv);
    outbound_tick(spv);
    for (size_t i = 0; i < spv->peer_count; i++) {
        struct peer *peer = &spv->peers[i];
        bool late = mono_reached(spv->now.mono, peer->deadline);
        switch (peer->state) {
        case PEER_WAITING:
            if (late && peer->slot)
                outbound_fill(spv, peer);
            else if (late && ban_find(spv, peer->address.text, spv->now.wall))
                peer->deadline = mono_add(spv->now.mono, BAN_CHECK_MS);
            else if (late)
                peer_dial(spv, peer);
            break;
        case PEER_DIALING:
        case PEER_HANDSHAKE:
        case PEER_FETCHING:
            if (late)
                peer_drop(spv, peer, NULL);
            break;
        case PEER_READY:
            tick_ready(spv, peer);
            break;
        }
    }
}

static struct mono_time peer_deadline(const struct spv *spv, const struct peer *peer)
{
    if (peer->state != PEER_READY)
        return peer->deadline;
    struct mono_time next = peer->ping_at;
    if (peer->ping_nonce && peer->pong_deadline.ms < next.ms)
        next = peer->pong_deadline;
    if (peer->headers_asked && peer->headers_deadline.ms < next.ms)
        next = peer->headers_deadline;
    if (!peer->headers_asked && peer->probe_at.ms < next.ms)
        next = peer->probe_at;
    if (is_probe(spv, peer) && peer->ready_at.ms + PROBE_MS < next.ms)
        next = mono_add(peer->ready_at, PROBE_MS);
    return next;
}

struct mono_time peers_deadline(const struct spv *spv)
{
    struct mono_time next = outbound_deadline(spv);
    for (size_t i = 0; i < spv->peer_count; i++) {
        struct mono_time deadline = peer_deadline(spv, &spv->peers[i]);
        if (deadline.ms < next.ms)
            next = deadline;
    }
    return next;
}

bool peer_has(const struct spv *spv, const struct peer *peer, uint32_t height,
              const struct block_hash *hash)
{
    if (peer->state != PEER_READY || !peer->best || peer->best->height < height)
        return false;
    /* Below the root all branches of the tree are one. */
    if (height < header_tree_root(spv->tree)->height)
        return true;
    const struct header_node *node = header_tree_ancestor(spv->tree, peer->best, height);
    return node && block_hash_equal(&node->hash, hash);
}
