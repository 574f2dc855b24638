/* The core with peers that a test speaks for: what it sends is kept by message, what it
 * stores is answered at once. */
#ifndef TESTS_UNIT_SPV_HEADER_WORLD_H
#define TESTS_UNIT_SPV_HEADER_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "spv/core_rooms.h"
#include "tests/unit/spv/mine.h"

#define WORLD_PEERS 4

struct world_peer {
    uint32_t id; /* of the transport; 0: none */
    bool gone;   /* let go */
    size_t asked[MESSAGE_OTHER + 1];
    struct block_hash locator[2]; /* the first hashes of the newest getheaders */
};

struct world {
    const struct network *network;
    struct spv *spv;
    struct spv_now now;
    struct world_peer peers[WORLD_PEERS];
    size_t peer_count;
    int32_t start_height; /* that peers give themselves */
    size_t stored;        /* headers given to the store */
    char notes[8192];
};

static inline void world_step(struct world *world, const struct spv_input *input);

static inline struct world_peer *world_peer_of(struct world *world, uint32_t id)
{
    for (size_t i = 0; i < world->peer_count; i++) {
        if (world->peers[i].id == id) {
            return &world->peers[i];
        }
    }
    return NULL;
}

static inline void world_dialled(struct world *world, const struct spv_effect *effect)
{
    size_t index = (size_t)(effect->dial.address[0] - 'a');
    world->peers[index].id = effect->peer;
    world->peers[index].gone = false;
}

static inline void world_sent(struct world *world, const struct spv_effect *effect)
{
    struct world_peer *peer = world_peer_of(world, effect->peer);
    struct frame frame;
    struct error error;
    if (peer == NULL ||
        !frame_decode(&frame, world->network, effect->send.data, &error)) {
        return;
    }
    peer->asked[frame.kind]++;
    if (frame.kind == MESSAGE_GETHEADERS) {
        size_t count = effect->send.data[FRAME_HEADER_SIZE + 4];
        memcpy(peer->locator, effect->send.data + FRAME_HEADER_SIZE + 5,
               count > 1 ? 64 : 32);
    }
}

static inline void world_step(struct world *world, const struct spv_input *input)
{
    struct spv_effects effects = {0};
    size_t stores = 0;
    spv_step(world->spv, &effects, world->now, input);
    for (size_t i = 0; i < effects.count; i++) {
        const struct spv_effect *effect = &effects.items[i];
        size_t len = strlen(world->notes);
        if (effect->kind == SPV_DIAL) {
            world_dialled(world, effect);
        } else if (effect->kind == SPV_SEND) {
            world_sent(world, effect);
        } else if (effect->kind == SPV_DROP) {
            world_peer_of(world, effect->peer)->gone = true;
        } else if (effect->kind == SPV_STORE_HEADERS) {
            world->stored += effect->headers.count;
            stores++;
        } else if (effect->kind == SPV_NOTE && len + 600 < sizeof(world->notes)) {
            snprintf(world->notes + len, sizeof(world->notes) - len, "%s\n",
                     effect->note.text);
        }
    }
    spv_effects_clear(&effects);
    while (stores-- > 0) {
        world_step(world, &(struct spv_input){.kind = SPV_STORED});
    }
}

static inline void world_wait(struct world *world, int64_t ms)
{
    world->now.mono = mono_add(world->now.mono, ms);
    world->now.wall.s += ms / 1000;
    world_step(world, &(struct spv_input){.kind = SPV_TICK});
}

static inline void world_message(struct world *world, size_t index,
                                 enum message_kind kind, const struct writer *payload)
{
    struct spv_input input = {.kind = SPV_MESSAGE, .peer = world->peers[index].id};
    input.message.payload = (struct bytes){payload->data, payload->len};
    input.message.frame.kind = kind;
    input.message.frame.payload_len = (uint32_t)payload->len;
    uint8_t sum[32];
    sha256d(sum, payload->data, payload->len);
    memcpy(input.message.frame.checksum, sum, 4);
    world_step(world, &input);
}

static inline void world_connect(struct world *world, size_t index, uint64_t services)
{
    struct message_version version = {.version = PROTOCOL_VERSION,
                                      .services = services,
                                      .nonce = 7,
                                      .agent = "/test/",
                                      .start_height = world->start_height};
    struct writer payload;
    uint32_t id = world->peers[index].id;
    world_step(world, &(struct spv_input){.kind = SPV_PEER_CONNECTED, .peer = id});
    writer_init(&payload);
    version_encode(&payload, &version);
    world_message(world, index, MESSAGE_VERSION, &payload);
    writer_release(&payload);
    writer_init(&payload);
    world_message(world, index, MESSAGE_VERACK, &payload);
    writer_release(&payload);
}

#define WORLD_SERVICES (NODE_NETWORK | NODE_WITNESS | NODE_COMPACT_FILTERS)

static inline void world_headers(struct world *world, size_t index,
                                 const struct block_header *headers, size_t count)
{
    struct writer payload;
    writer_init(&payload);
    write_compact_size(&payload, count);
    for (size_t i = 0; i < count; i++) {
        uint8_t raw[BLOCK_HEADER_SIZE];
        block_header_encode(raw, &headers[i]);
        write_bytes(&payload, raw, sizeof(raw));
        write_u8(&payload, 0);
    }
    world_message(world, index, MESSAGE_HEADERS, &payload);
    writer_release(&payload);
}

/* Headers on genesis alone in the store, and `peer_count` connect= called a, b, ... */
static inline void world_init(struct world *world, const struct network *network,
                              size_t peer_count, struct wall_time wall)
{
    struct spv_address addresses[WORLD_PEERS] = {
        {"a:1", false}, {"b:1", false}, {"c:1", false}, {"d:1", false}};
    struct chain_row row = {.header = network->genesis, .hash = network->genesis_hash};
    struct spv_start start = {.root_work = pow_work(network->genesis.bits),
                              .rows = &row,
                              .row_count = 1,
                              .checkpoint_hashes = &network->genesis_hash,
                              .checkpoint_hash_count = 1};
    const struct spv_settings settings = {.network = network,
                                          .map_seed = {3, 4},
                                          .agent = "/test/",
                                          .connect = addresses,
                                          .connect_count = peer_count};
    *world = (struct world){
        .network = network, .now = {{1000}, wall}, .peer_count = peer_count};
    world->spv = spv_new(&settings, &start, world->now);
    world_step(world, &(struct spv_input){.kind = SPV_TICK});
}

/* Mine `count` headers on a place, `seconds` apart, in a malloc'd array. The bits are the
 * place's own. */
static inline struct block_header *world_mine(const struct network *network,
                                              const struct block_hash *parent,
                                              const struct block_header *header,
                                              size_t count, uint32_t seconds,
                                              uint32_t tag)
{
    struct block_header *headers = mem_zalloc(count, sizeof(*headers));
    struct header_node node = {.hash = *parent, .header = *header};
    for (size_t i = 0; i < count; i++) {
        headers[i] = mine_template(&node, seconds, tag);
        mine_solve(network, &headers[i]);
        block_header_hash(&node.hash, &headers[i]);
        node.header = headers[i];
    }
    return headers;
}

#define SPACING 600

/* Regtest's proof of work under another network's demands. */
static inline struct network demanding(size_t minimum_headers)
{
    struct network network = *network_find("regtest");
    struct u256 work = u256_from_u64(2 * (minimum_headers + 1));
    u256_to_be(network.minimum_work, &work);
    return network;
}

static inline struct wall_time after(const struct network *network, size_t headers)
{
    return (struct wall_time){(int64_t)network->genesis.time.s +
                              SPACING * (int64_t)headers};
}

static inline struct block_header *mine_on_genesis(const struct network *network,
                                                   size_t count, uint32_t tag)
{
    return world_mine(network, &network->genesis_hash, &network->genesis, count, SPACING,
                      tag);
}

static inline struct block_header *mine_on(const struct network *network,
                                           const struct block_header *parent,
                                           size_t count, uint32_t tag)
{
    struct block_hash hash;
    block_header_hash(&hash, parent);
    return world_mine(network, &hash, parent, count, SPACING, tag);
}

/* Tell a chain in messages as a node would, each after it was asked for. */
static inline void tell(struct world *world, size_t index,
                        const struct block_header *headers, size_t count)
{
    for (size_t at = 0; at <= count && !world->peers[index].gone; at += HEADERS_MAX) {
        size_t rest = count - at;
        world_headers(world, index, headers + at,
                      rest < HEADERS_MAX ? rest : HEADERS_MAX);
    }
}

static inline size_t nodes(const struct world *world)
{
    return header_tree_count(world->spv->tree);
}

static inline void free_world(struct world *world)
{
    spv_free(world->spv);
}

#endif
