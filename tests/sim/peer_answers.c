/* What a node answers, by Bitcoin Core's habits: silent while a filter isn't built yet,
 * never forgiving who asks for what it doesn't know. */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/lies.h"

#define HEADERS_AT_ONCE 2000
#define SERVICES (1u | 1u << 3 | 1u << 6)

static struct oracle_hash hash_at(const uint8_t *data)
{
    struct oracle_hash hash;
    memcpy(hash.b, data, sizeof hash.b);
    return hash;
}

static void send_version(struct sim *sim, struct sim_peer *peer)
{
    static const char agent[] = "/Simulated:1.0/";
    struct oracle_bytes out = {0};
    add_le(&out, 70016, 4);
    add_le(&out, SERVICES, 8);
    add_le(&out, (uint64_t)(sim->wall_start_s + sim->now_ms / 1000), 8);
    for (int i = 0; i < 26 + 26; i++)
        add_u8(&out, 0);
    add_le(&out, random_u64(&sim->random), 8);
    add_varint(&out, sizeof agent - 1);
    add_data(&out, agent, sizeof agent - 1);
    add_le(&out, peer->tip->height, 4);
    add_u8(&out, 1);
    peer_send(sim, peer, "version", &out);
    free(out.data);
}

void peer_send_headers(struct sim *sim, struct sim_peer *peer,
                       struct oracle_block *first_before, struct oracle_block *last)
{
    struct oracle_bytes out = {0};
    uint32_t count = last->height - first_before->height;
    struct oracle_block **list = sim_zeroed(count, sizeof(*list));
    struct oracle_block *block = last;
    for (uint32_t i = count; i-- > 0; block = block->parent)
        list[i] = block;
    add_varint(&out, count);
    for (uint32_t i = 0; i < count; i++) {
        add_data(&out, list[i]->raw.data, 80);
        add_u8(&out, 0);
    }
    free(list);
    if (count)
        peer->client_best = last;
    peer_send(sim, peer, "headers", &out);
    free(out.data);
}

static void answer_getheaders(struct sim *sim, struct sim_peer *peer,
                              const uint8_t *payload, size_t len)
{
    if (len < 4 + 1 + 32 || payload[4] > 101 || len != 4 + 1 + 32 * (payload[4] + 1u))
        sim_fail(sim, "malformed getheaders");
    struct oracle_block *from = oracle_genesis(&sim->oracle);
    for (size_t i = 0; i < payload[4]; i++) {
        struct oracle_hash hash = hash_at(payload + 5 + 32 * i);
        struct oracle_block *block = oracle_find(&sim->oracle, &hash);
        if (peer_knows(peer, block) && oracle_is_ancestor(block, peer->tip)) {
            from = block;
            break;
        }
    }
    if (peer->behaviour->headers && peer->behaviour->headers(sim, peer))
        return;
    uint32_t to = from->height + HEADERS_AT_ONCE;
    peer->client_best = from;
    peer_send_headers(sim, peer, from, oracle_ancestor(peer->tip, to));
}

/* Start and stop of a request for filters or their headers. NULL: no answer. */
static struct oracle_block *filter_range(struct sim *sim, struct sim_peer *peer,
                                         uint32_t *start, const uint8_t *payload,
                                         size_t len, uint32_t most)
{
    if (len != 1 + 4 + 32 || payload[0] != 0)
        sim_fail(sim, "malformed request for filters");
    *start = (uint32_t)take_le(payload + 1, 4);
    struct oracle_hash hash = hash_at(payload + 5);
    struct oracle_block *stop = oracle_find(&sim->oracle, &hash);
    if (!peer_knows(peer, stop))
        sim_fail(sim, "peer %zu is asked for filters of a block that it doesn't know",
                 peer->index);
    if (*start > stop->height || stop->height - *start >= most)
        sim_fail(sim, "peer %zu is asked for filters %u to %u: nodes drop who does",
                 peer->index, *start, stop->height);
    return peer_has_filter(sim, peer, stop) ? stop : NULL;
}

static void answer_getcfilters(struct sim *sim, struct sim_peer *peer,
                               const uint8_t *payload, size_t len)
{
    uint32_t start;
    struct oracle_block *stop = filter_range(sim, peer, &start, payload, len, 1000);
    if (!stop || (peer->behaviour->filters && peer->behaviour->filters(sim, peer, stop)))
        return;
    uint32_t count = stop->height - start + 1;
    struct oracle_block **list = sim_zeroed(count, sizeof(*list));
    for (uint32_t i = count; i-- > 0; stop = stop->parent)
        list[i] = stop;
    for (uint32_t i = 0; i < count; i++) {
        struct oracle_bytes out = {0}, filter = peer_filter(peer, list[i]);
        add_u8(&out, 0);
        add_hash(&out, &list[i]->hash);
        add_varint(&out, filter.len);
        add_data(&out, filter.data, filter.len);
        if (!peer_withholds_filter(peer, list[i]))
            peer_send(sim, peer, "cfilter", &out);
        free(filter.data);
        free(out.data);
    }
    free(list);
}

static void answer_getcfheaders(struct sim *sim, struct sim_peer *peer,
                                const uint8_t *payload, size_t len)
{
    uint32_t start;
    struct oracle_block *stop = filter_range(sim, peer, &start, payload, len, 2000);
    if (!stop || (peer->behaviour->filter_headers &&
                  peer->behaviour->filter_headers(sim, peer, stop)))
        return;
    if (peer->lie && (peer->lie->mute || stop->height > peer->lie->silent_above))
        return;
    static const struct oracle_hash zero;
    struct oracle_bytes out = {0};
    uint32_t count = stop->height - start + 1;
    struct oracle_hash before = zero;
    if (start)
        before = peer_filter_header(peer, oracle_ancestor(stop, start - 1));
    else if (peer->lie && peer->lie->previous_false)
        before.b[5] ^= 1;
    add_u8(&out, 0);
    add_hash(&out, &stop->hash);
    add_hash(&out, &before);
    add_varint(&out, count);
    size_t hashes = out.len;
    for (uint32_t i = 0; i < count; i++)
        add_hash(&out, &zero);
    const struct oracle_block *block = stop;
    for (uint32_t i = count; i-- > 0; block = block->parent) {
        struct oracle_hash hash = peer_filter_hash(peer, block);
        memcpy(out.data + hashes + (size_t)i * 32, hash.b, 32);
    }
    peer_send(sim, peer, "cfheaders", &out);
    free(out.data);
}

static void answer_getcfcheckpt(struct sim *sim, struct sim_peer *peer,
                                const uint8_t *payload, size_t len)
{
    if (len != 1 + 32 || payload[0] != 0)
        sim_fail(sim, "malformed getcfcheckpt");
    struct oracle_hash hash = hash_at(payload + 1);
    struct oracle_block *stop = oracle_find(&sim->oracle, &hash);
    if (!peer_knows(peer, stop))
        sim_fail(sim, "peer %zu is asked for checkpoints of a block that it doesn't know",
                 peer->index);
    if (!peer_has_filter(sim, peer, stop) || (peer->lie && peer->lie->mute))
        return;
    struct oracle_bytes out = {0};
    add_u8(&out, 0);
    add_hash(&out, &hash);
    add_varint(&out, stop->height / 1000);
    for (uint32_t height = 1000; height <= stop->height; height += 1000) {
        struct oracle_block *at = oracle_ancestor(stop, height);
        bool truly = !peer->lie || peer->lie->checkpoints_true;
        struct oracle_hash header =
            truly ? at->filter_header : peer_filter_header(peer, at);
        add_hash(&out, &header);
    }
    peer_send(sim, peer, "cfcheckpt", &out);
    free(out.data);
}

static void answer_getdata(struct sim *sim, struct sim_peer *peer, const uint8_t *payload,
                           size_t len)
{
    if (len != 1 + 36 || payload[0] != 1 || take_le(payload + 1, 4) != 0x40000002)
        sim_fail(sim, "getdata of anything but one block with witnesses");
    struct oracle_hash hash = hash_at(payload + 5);
    const struct oracle_block *block = oracle_find(&sim->oracle, &hash);
    if (!peer_knows(peer, block))
        sim_fail(sim, "peer %zu is asked for a block that it doesn't know", peer->index);
    if (peer->behaviour->block && peer->behaviour->block(sim, peer, block))
        return;
    struct oracle_bytes missing = {0};
    if (sim_once_in(sim, 200) && !sim->calm) {
        add_data(&missing, payload, len);
        peer_send(sim, peer, "notfound", &missing);
        free(missing.data);
        return;
    }
    peer_send(sim, peer, "block", &block->raw);
}

void peer_answer(struct sim *sim, struct sim_peer *peer, const char *command,
                 const uint8_t *payload, size_t len)
{
    if (strcmp(command, "version") == 0) {
        send_version(sim, peer);
        peer_send(sim, peer, "verack", NULL);
        return;
    }
    if (strcmp(command, "sendaddrv2") == 0)
        return;
    if (strcmp(command, "verack") == 0) {
        peer->shaken = true;
        return;
    }
    if (sim->now_ms < peer->silent_until)
        return;
    if (peer->behaviour->idle && sim_once_in(sim, 12))
        peer->behaviour->idle(sim, peer);
    if (strcmp(command, "ping") == 0) {
        struct oracle_bytes nonce = {(uint8_t *)(uintptr_t)payload, len, len};
        peer_send(sim, peer, "pong", &nonce);
    } else if (strcmp(command, "sendheaders") == 0) {
        peer->sendheaders = true;
    } else if (strcmp(command, "getheaders") == 0) {
        answer_getheaders(sim, peer, payload, len);
    } else if (strcmp(command, "getcfilters") == 0) {
        answer_getcfilters(sim, peer, payload, len);
    } else if (strcmp(command, "getcfheaders") == 0) {
        answer_getcfheaders(sim, peer, payload, len);
    } else if (strcmp(command, "getcfcheckpt") == 0) {
        answer_getcfcheckpt(sim, peer, payload, len);
    } else if (strcmp(command, "getdata") == 0) {
        answer_getdata(sim, peer, payload, len);
    } else if (strcmp(command, "getaddr") == 0) {
        peer_tell_addresses(sim, peer);
    } else if (strcmp(command, "pong") != 0) {
        sim_fail(sim, "the client sent a message \"%s\"", command);
    }
}
