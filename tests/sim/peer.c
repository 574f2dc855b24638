/* A peer's end of a connection: framing, order, delay, and which chain it is on. */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/world.h"

#define FRAME_HEADER 24
/* Bitcoin Core announces at most so many headers; more blocks go by inv. */
#define HEADERS_ANNOUNCED_MAX 8

static const uint8_t magic[4] = {0xfa, 0xbf, 0xb5, 0xda};

void peer_init(struct sim *sim, size_t index, const struct sim_behaviour *behaviour)
{
    struct sim_peer *peer = &sim->peers[index];
    memset(peer, 0, sizeof *peer);
    peer->index = index;
    peer->behaviour = behaviour;
    peer->up = true;
    peer->latency_ms = 20;
}

void peer_release(struct sim_peer *peer)
{
    free(peer->learned_ms);
    free(peer->lie_headers);
}

/* ---- its chain ---- */

static void learn(struct sim *sim, struct sim_peer *peer, struct oracle_block *block)
{
    if (sim->oracle.block_count > peer->learned_room) {
        size_t room = sim->oracle.block_count * 2;
        peer->learned_ms = realloc(peer->learned_ms, room * sizeof *peer->learned_ms);
        if (!peer->learned_ms)
            abort();
        for (size_t i = peer->learned_room; i < room; i++)
            peer->learned_ms[i] = -1;
        peer->learned_room = room;
    }
    for (; block && peer->learned_ms[block->index] < 0; block = block->parent)
        peer->learned_ms[block->index] = sim->now_ms;
}

bool peer_knows(const struct sim_peer *peer, const struct oracle_block *block)
{
    return block && block->index < peer->learned_room &&
           peer->learned_ms[block->index] >= 0;
}

bool peer_has_filter(const struct sim *sim, const struct sim_peer *peer,
                     const struct oracle_block *block)
{
    return peer_knows(peer, block) &&
           sim->now_ms >= peer->learned_ms[block->index] + peer->filter_delay_ms;
}

void peer_set_tip(struct sim *sim, struct sim_peer *peer, struct oracle_block *tip)
{
    peer->tip = tip;
    learn(sim, peer, tip);
    if (peer->shaken && sim->now_ms >= peer->silent_until)
        peer_announce(sim, peer);
}

void peer_announce(struct sim *sim, struct sim_peer *peer)
{
    struct oracle_block *from = peer->client_best;
    while (from && !oracle_is_ancestor(from, peer->tip))
        from = from->parent;
    if (from == peer->tip)
        return;
    if (peer->sendheaders && from &&
        peer->tip->height - from->height <= HEADERS_ANNOUNCED_MAX) {
        peer_send_headers(sim, peer, from, peer->tip);
        return;
    }
    struct oracle_bytes inv = {0};
    add_varint(&inv, 1);
    add_le(&inv, 2, 4);
    add_hash(&inv, &peer->tip->hash);
    peer_send(sim, peer, "inv", &inv);
    free(inv.data);
}

/* ---- bytes ---- */

void peer_frame(struct oracle_bytes *out, const char *command,
                const struct oracle_bytes *payload)
{
    char name[12] = {0};
    size_t len = payload ? payload->len : 0;
    struct oracle_hash sum = oracle_sha256d(payload ? payload->data : NULL, len);
    memcpy(name, command, strlen(command));
    add_data(out, magic, sizeof magic);
    add_data(out, name, sizeof name);
    add_le(out, len, 4);
    add_data(out, sum.b, 4);
    if (len)
        add_data(out, payload->data, len);
}

struct parcel {
    struct sim_peer *peer;
    uint32_t link;
    uint8_t *data;
    size_t len;
};

static void parcel_drop(void *data)
{
    struct parcel *parcel = data;
    free(parcel->data);
    free(parcel);
}

static struct parcel *parcel_new(struct sim_peer *peer, uint8_t *data, size_t len)
{
    struct parcel *parcel = sim_zeroed(1, sizeof *parcel);
    *parcel = (struct parcel){peer, peer->link, data, len};
    return parcel;
}

/* Later than what went before on the same way. */
static int64_t delay(struct sim *sim, const struct sim_peer *peer, int64_t *last)
{
    int64_t at = sim->now_ms + 1 + (int64_t)sim_below(sim, (uint64_t)peer->latency_ms);
    if (at < *last)
        at = *last;
    *last = at;
    return at - sim->now_ms;
}

static void deliver_to_client(struct sim *sim, void *data)
{
    struct parcel *parcel = data;
    if (parcel->link == parcel->peer->link)
        client_receive(sim, parcel->peer->client_id, parcel->data, parcel->len);
    parcel_drop(parcel);
}

void peer_send_raw(struct sim *sim, struct sim_peer *peer,
                   const struct oracle_bytes *frame)
{
    if (!peer->link)
        return;
    uint8_t *copy = malloc(frame->len);
    if (!copy)
        abort();
    memcpy(copy, frame->data, frame->len);
    sim_later(sim, delay(sim, peer, &peer->out_at), deliver_to_client, parcel_drop,
              parcel_new(peer, copy, frame->len));
}

void peer_send(struct sim *sim, struct sim_peer *peer, const char *command,
               const struct oracle_bytes *payload)
{
    struct oracle_bytes frame = {0};
    peer_frame(&frame, command, payload);
    peer_send_raw(sim, peer, &frame);
    free(frame.data);
}

static void deliver_to_peer(struct sim *sim, void *data)
{
    struct parcel *parcel = data;
    struct sim_peer *peer = parcel->peer;
    if (parcel->link == peer->link) {
        char command[13] = {0};
        memcpy(command, parcel->data + 4, 12);
        size_t len = parcel->len - FRAME_HEADER;
        struct oracle_hash sum = oracle_sha256d(parcel->data + FRAME_HEADER, len);
        if (memcmp(parcel->data, magic, 4) || take_le(parcel->data + 16, 4) != len ||
            memcmp(parcel->data + 20, sum.b, 4))
            sim_fail(sim, "the client sent a malformed frame");
        peer_answer(sim, peer, command, parcel->data + FRAME_HEADER, len);
    }
    parcel_drop(parcel);
}

void peer_receive(struct sim *sim, struct sim_peer *peer, uint8_t *data, size_t len)
{
    if (len < FRAME_HEADER)
        sim_fail(sim, "the client sent %zu bytes at once, less than a frame", len);
    sim_later(sim, delay(sim, peer, &peer->in_at), deliver_to_peer, parcel_drop,
              parcel_new(peer, data, len));
}

/* ---- the connection's life ---- */

static void connected(struct sim *sim, void *data)
{
    struct parcel *parcel = data;
    if (parcel->link == parcel->peer->link)
        client_connected(sim, parcel->peer->client_id);
    parcel_drop(parcel);
}

static void refused(struct sim *sim, void *data)
{
    struct parcel *parcel = data;
    if (parcel->link == parcel->peer->link)
        peer_close(sim, parcel->peer, true);
    parcel_drop(parcel);
}

void peer_dialled(struct sim *sim, struct sim_peer *peer, uint32_t client_id)
{
    if (peer->link)
        sim_fail(sim, "peer %zu is dialled while connected", peer->index);
    peer->link = ++sim->last_link;
    peer->client_id = client_id;
    peer->shaken = peer->sendheaders = false;
    peer->client_best = NULL;
    peer->in_at = peer->out_at = 0;
    int64_t in = 1 + (int64_t)sim_below(sim, 400);
    struct parcel *parcel = parcel_new(peer, NULL, 0);
    if (!peer->up && sim_once_in(sim, 3))
        free(parcel); /* a black hole */
    else
        sim_later(sim, in, peer->up ? connected : refused, parcel_drop, parcel);
}

void peer_close(struct sim *sim, struct sim_peer *peer, bool tell)
{
    uint32_t id = peer->client_id;
    if (!peer->link)
        return;
    peer->link = 0;
    peer->shaken = false;
    if (tell)
        client_lost(sim, id);
}
