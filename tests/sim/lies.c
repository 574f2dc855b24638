#include "tests/sim/lies.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/oracle_filter.h"

struct sim_lie *lie_new(struct sim *sim, uint32_t height)
{
    struct sim_lie *lie = sim_zeroed(1, sizeof *lie);
    lie->kind = (enum lie_kind)sim_below(sim, LIE_KINDS);
    if (sim_once_in(sim, 3))
        lie->kind = LIE_OMITS; /* what a thief would want */
    lie->seed = random_u64(&sim->random);
    lie->every = 1;
    lie->to = UINT32_MAX;
    switch (sim_below(sim, 5)) {
    case 0: /* from genesis */
        break;
    case 1: /* midway, for good */
        lie->from = (uint32_t)sim_below(sim, height);
        break;
    case 2: /* up to a checkpoint at most */
        lie->to = (uint32_t)sim_below(sim, 1001);
        break;
    case 3: /* above the last checkpoint */
        lie->from = height / 1000 * 1000 + 1;
        break;
    default: /* here and there, the same as the others' between */
        lie->from = (uint32_t)sim_below(sim, height);
        lie->to = lie->from + (uint32_t)sim_below(sim, 300);
        lie->every = 1 + (uint32_t)sim_below(sim, 40);
    }
    lie->headers_true = sim_once_in(sim, 8);
    lie->checkpoints_true = sim_once_in(sim, 8);
    lie->previous_false = sim_once_in(sim, 20);
    lie->withholds = sim_once_in(sim, 8);
    lie->mute = sim_once_in(sim, 12);
    lie->silent_above =
        sim_once_in(sim, 6) ? (uint32_t)sim_below(sim, height) : UINT32_MAX;
    return lie;
}

void lie_say(const struct sim *sim, const struct sim_peer *peer)
{
    static const char *const kinds[LIE_KINDS] = {
        [LIE_OMITS] = "omits scripts", [LIE_OMITS_SPENT] = "omits spent scripts",
        [LIE_ADDS] = "adds elements",  [LIE_EMPTY] = "empty",
        [LIE_GARBAGE] = "garbage",
    };
    const struct sim_lie *lie = peer->lie;
    sim_say(sim, "peer %zu lies: %s, heights %u to %u, one in %u%s%s%s%s%s%s",
            peer->index, kinds[lie->kind], lie->from, lie->to, lie->every,
            lie->silent_above < UINT32_MAX ? ", silent above" : "",
            lie->headers_true ? ", behind true headers" : "",
            lie->checkpoints_true ? ", against its own checkpoints" : "",
            lie->previous_false ? ", not from zero" : "",
            lie->withholds ? ", withholds them" : "", lie->mute ? ", mute" : "");
}

static bool about(const struct sim_lie *lie, const struct oracle_block *block)
{
    return lie && block->height >= lie->from && block->height <= lie->to &&
           (block->height - lie->from) % lie->every == 0;
}

/* ---- filters ---- */

static void add_noise(struct random *random, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)random_u64(random);
}

static struct oracle_bytes false_filter(const struct sim_lie *lie,
                                        const struct oracle_block *block)
{
    struct oracle_item *items = sim_zeroed(block->item_count + 1, sizeof *items);
    struct oracle_bytes out = {0};
    struct random random;
    uint8_t noise[20];
    size_t count = 0;
    random_init(&random, lie->seed + block->height);
    add_noise(&random, noise, sizeof noise);
    for (size_t i = 0; i < block->item_count; i++) {
        const struct oracle_item *item = &block->items[i];
        bool left_out = lie->kind == LIE_EMPTY ||
                        (lie->kind == LIE_OMITS && item->script < SIM_WATCHABLE) ||
                        (lie->kind == LIE_OMITS_SPENT && item->spent);
        if (!left_out)
            items[count++] = *item;
    }
    if (lie->kind == LIE_ADDS)
        items[count++] = (struct oracle_item){.data = noise, .len = sizeof noise};
    if (lie->kind == LIE_GARBAGE)
        add_data(&out, noise, sizeof noise);
    else
        oracle_filter(&out, &block->hash, items, count);
    free(items);
    return out;
}

static struct oracle_bytes filter_of(const struct sim_lie *lie, bool lies,
                                     const struct oracle_block *block)
{
    struct oracle_bytes out = {0};
    if (lies && about(lie, block))
        return false_filter(lie, block);
    add_data(&out, block->filter.data, block->filter.len);
    return out;
}

struct oracle_bytes peer_filter(struct sim_peer *peer, const struct oracle_block *block)
{
    return filter_of(peer->lie, true, block);
}

bool peer_withholds_filter(const struct sim_peer *peer, const struct oracle_block *block)
{
    return peer->lie && peer->lie->withholds && about(peer->lie, block);
}

/* ---- filter headers ---- */

struct oracle_hash peer_filter_hash(struct sim_peer *peer,
                                    const struct oracle_block *block)
{
    const struct sim_lie *lie = peer->lie;
    if (!about(lie, block) || lie->headers_true)
        return block->filter_hash;
    struct oracle_bytes filter = filter_of(lie, true, block);
    struct oracle_hash hash = oracle_sha256d(filter.data, filter.len);
    free(filter.data);
    return hash;
}

static void learn_room(struct sim_peer *peer, size_t room)
{
    if (room <= peer->lie_room)
        return;
    room *= 2;
    peer->lie_headers = realloc(peer->lie_headers, room * sizeof *peer->lie_headers);
    if (!peer->lie_headers)
        abort();
    memset(peer->lie_headers + peer->lie_room, 0,
           (room - peer->lie_room) * sizeof *peer->lie_headers);
    peer->lie_room = room;
}

struct oracle_hash peer_filter_header(struct sim_peer *peer, struct oracle_block *block)
{
    if (!peer->lie)
        return block->filter_header;
    static const struct oracle_hash zero;
    struct oracle_block *at = block;
    learn_room(peer, block->index + 1);
    size_t count = 0;
    struct oracle_block **way = sim_zeroed(block->height + 1, sizeof(*way));
    for (; at && oracle_hash_equal(&peer->lie_headers[at->index], &zero); at = at->parent)
        way[count++] = at;
    struct oracle_hash header = at ? peer->lie_headers[at->index] : zero;
    if (!at && peer->lie->previous_false)
        header.b[5] ^= 1;
    while (count) {
        at = way[--count];
        struct oracle_hash hash = peer_filter_hash(peer, at);
        header = oracle_filter_header(&hash, &header);
        peer->lie_headers[at->index] = header;
    }
    free(way);
    return header;
}
