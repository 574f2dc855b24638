/* The core on an empty chain, its peers played by the test: one clock, effects kept until
 * they are looked at. */
#ifndef TESTS_UNIT_SPV_CORE_WORLD_H
#define TESTS_UNIT_SPV_CORE_WORLD_H

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "spv/core_rooms.h"

#define WORLD_WALL INT64_C(1800000000)

struct world {
    struct network network;
    struct spv *spv;
    struct spv_effects effects;
    int64_t ms;
};

static const char *const world_seeds[] = {"seed.one.test", "seed.two.test", NULL};

static inline struct spv_now world_now(const struct world *world)
{
    return (struct spv_now){{world->ms}, {WORLD_WALL + world->ms / 1000}};
}

/* Settings and start may be zeroed but for what the test is about. */
static inline void world_open(struct world *world, struct spv_settings settings,
                              struct spv_start start)
{
    const struct chain_row genesis = {.header = network_find("regtest")->genesis,
                                      .hash = network_find("regtest")->genesis_hash};
    memset(world, 0, sizeof(*world));
    world->network = *network_find("regtest");
    world->network.dns_seeds = world_seeds;
    world->network.filter_seeds = 2;
    settings.network = &world->network;
    settings.agent = "/test/";
    settings.map_seed[0] = 1;
    start.rows = &genesis;
    start.row_count = 1;
    start.root_work = u256_from_u64(2);
    world->ms = 1;
    world->spv = spv_new(&settings, &start, world_now(world));
}

static inline void world_close(struct world *world)
{
    spv_effects_clear(&world->effects);
    spv_free(world->spv);
}

/* Effects of before are forgotten. */
static inline void world_input(struct world *world, const struct spv_input *input)
{
    spv_effects_clear(&world->effects);
    spv_step(world->spv, &world->effects, world_now(world), input);
}

/* Let time pass, ticks as they are asked for; all effects of it are kept. */
static inline void world_pass(struct world *world, int64_t ms)
{
    int64_t until = world->ms + ms;
    spv_effects_clear(&world->effects);
    for (;;) {
        struct mono_time deadline = spv_deadline(world->spv);
        int64_t next = deadline.ms > world->ms ? deadline.ms : world->ms + 1;
        if (next > until)
            break;
        world->ms = next;
        spv_step(world->spv, &world->effects, world_now(world),
                 &(struct spv_input){.kind = SPV_TICK});
    }
    world->ms = until;
}

static inline size_t world_count(const struct world *world, enum spv_effect_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < world->effects.count; i++)
        count += world->effects.items[i].kind == kind;
    return count;
}

/* The n-th of its kind; NULL if there are fewer. */
static inline const struct spv_effect *world_effect(const struct world *world,
                                                    enum spv_effect_kind kind, size_t n)
{
    for (size_t i = 0; i < world->effects.count; i++)
        if (world->effects.items[i].kind == kind && n-- == 0)
            return &world->effects.items[i];
    return NULL;
}

/* How many messages of this kind were sent to the peer (0: to any). */
static inline size_t world_sent(const struct world *world, enum message_kind kind,
                                uint32_t peer)
{
    size_t count = 0;
    for (size_t i = 0; i < world->effects.count; i++) {
        const struct spv_effect *effect = &world->effects.items[i];
        struct frame frame;
        struct error error;
        count += effect->kind == SPV_SEND && (!peer || effect->peer == peer) &&
                 frame_decode(&frame, &world->network, effect->send.data, &error) &&
                 frame.kind == kind;
    }
    return count;
}

static inline bool world_noted(const struct world *world, const char *part)
{
    for (size_t i = 0; i < world->effects.count; i++)
        if (world->effects.items[i].kind == SPV_NOTE &&
            strstr(world->effects.items[i].note.text, part))
            return true;
    return false;
}

/* A message as it comes from the wire. Takes over what the writer holds. */
static inline void world_message(struct world *world, uint32_t peer,
                                 enum message_kind kind, struct writer *payload)
{
    struct writer frame = {0};
    struct spv_input input = {.kind = SPV_MESSAGE, .peer = peer};
    struct error error;
    struct bytes body = {payload ? payload->data : NULL, payload ? payload->len : 0};
    frame_encode(&frame, &world->network, kind, body);
    if (!frame_decode(&input.message.frame, &world->network, frame.data, &error))
        abort();
    input.message.payload = body;
    world_input(world, &input);
    writer_release(&frame);
    if (payload)
        writer_release(payload);
}

/* Connect and shake hands. The effects left are those of the verack. */
static inline void world_shake(struct world *world, uint32_t peer, uint64_t services)
{
    struct message_version version = {.version = PROTOCOL_VERSION,
                                      .services = services,
                                      .nonce = 77,
                                      .agent = "/peer:1/"};
    struct writer payload = {0};
    world_input(world, &(struct spv_input){.kind = SPV_PEER_CONNECTED, .peer = peer});
    version_encode(&payload, &version);
    world_message(world, peer, MESSAGE_VERSION, &payload);
    if (!world_count(world, SPV_DROP))
        world_message(world, peer, MESSAGE_VERACK, NULL);
}

#endif
