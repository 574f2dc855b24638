/* Kinds of peers. Those that lie about filters have their place here, too: each callback
 * may send something else than an honest node would. */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/world.h"

const struct sim_behaviour sim_honest = {.name = "honest", .honest = true};

/* ---- a block whose body isn't the one that its header commits to ---- */

static bool wrong_body(struct sim *sim, struct sim_peer *peer,
                       const struct oracle_block *block)
{
    if (!sim_once_in(sim, 3))
        return false;
    struct oracle_bytes body = {0};
    add_data(&body, block->raw.data, block->raw.len);
    size_t at = 80 + sim_below(sim, body.len - 80);
    if (sim_once_in(sim, 3))
        body.len = at; /* cut short */
    else
        body.data[at] ^= (uint8_t)(1 + sim_below(sim, 255));
    peer_send(sim, peer, "block", &body);
    free(body.data);
    return true;
}

static const struct sim_behaviour wrong_body_sender = {.name = "wrong bodies",
                                                       .block = wrong_body};

/* ---- messages that can't be read ---- */

static void malformed(struct sim *sim, struct sim_peer *peer)
{
    static const char *const commands[] = {"headers", "inv",    "cfheaders",
                                           "cfilter", "block",  "cfcheckpt",
                                           "ping",    "version"};
    struct oracle_bytes noise = {0};
    for (uint64_t len = sim_below(sim, 200); len > 0; len--)
        add_u8(&noise, (uint8_t)random_u64(&sim->random));
    peer_send(sim, peer, commands[sim_below(sim, 8)], &noise);
    free(noise.data);
}

static const struct sim_behaviour malformed_sender = {.name = "malformed messages",
                                                      .idle = malformed};

static void bad_checksum(struct sim *sim, struct sim_peer *peer)
{
    struct oracle_bytes frame = {0}, nonce = {0};
    add_le(&nonce, 1, 8);
    peer_frame(&frame, "ping", &nonce);
    frame.data[20 + sim_below(sim, 4)] ^= 1;
    peer_send_raw(sim, peer, &frame);
    free(frame.data);
    free(nonce.data);
}

static const struct sim_behaviour bad_checksum_sender = {.name = "bad checksums",
                                                         .idle = bad_checksum};

/* ---- headers that aren't worth it ---- */

static void send_header(struct sim *sim, struct sim_peer *peer, uint32_t time,
                        bool solved)
{
    struct oracle_bytes out = {0};
    uint8_t header[80];
    oracle_header(&sim->oracle, header, peer->tip, time, solved);
    add_varint(&out, 1);
    add_data(&out, header, sizeof header);
    add_u8(&out, 0);
    peer_send(sim, peer, "headers", &out);
    free(out.data);
}

static void no_work(struct sim *sim, struct sim_peer *peer)
{
    send_header(sim, peer, peer->tip->time + 600, false);
}

static const struct sim_behaviour no_work_sender = {.name = "headers without work",
                                                    .idle = no_work};

static void from_future(struct sim *sim, struct sim_peer *peer)
{
    int64_t wall = sim->wall_start_s + sim->now_ms / 1000;
    send_header(sim, peer, (uint32_t)(wall + 1000000000), true);
}

static const struct sim_behaviour future_sender = {
    .name = "headers from the future", .honest = true, .idle = from_future};

/* ---- what nobody asked for ---- */

static void unasked(struct sim *sim, struct sim_peer *peer)
{
    const struct oracle_block *block =
        sim->oracle.blocks[sim_below(sim, sim->oracle.block_count)];
    struct oracle_bytes out = {0};
    switch (sim_below(sim, 5)) {
    case 0:
        peer_send(sim, peer, "block", &block->raw);
        break;
    case 1:
        add_u8(&out, 0);
        add_hash(&out, &block->hash);
        add_varint(&out, block->filter.len);
        add_data(&out, block->filter.data, block->filter.len);
        peer_send(sim, peer, "cfilter", &out);
        break;
    case 2:
        add_varint(&out, 1);
        add_le(&out, 2, 4);
        for (int i = 0; i < 32; i++)
            add_u8(&out, (uint8_t)random_u64(&sim->random));
        peer_send(sim, peer, "inv", &out);
        break;
    case 3:
        peer_send(sim, peer, "verack", NULL);
        break;
    default:
        add_varint(&out, 0);
        peer_send(sim, peer, "addrv2", &out);
    }
    free(out.data);
}

static const struct sim_behaviour unasked_sender = {
    .name = "unasked messages", .honest = true, .idle = unasked};

const struct sim_behaviour *const sim_liars[] = {
    &wrong_body_sender, &malformed_sender, &bad_checksum_sender,
    &no_work_sender,    &future_sender,    &unasked_sender,
};
const size_t sim_liar_count = sizeof sim_liars / sizeof sim_liars[0];

/* ---- headers of a branch whose data never come ---- */

static bool withhold_block(struct sim *sim, struct sim_peer *peer,
                           const struct oracle_block *block)
{
    (void)peer;
    return !block->invalid && !oracle_is_ancestor(block, sim->tip);
}

static bool withhold(struct sim *sim, struct sim_peer *peer, struct oracle_block *stop)
{
    return withhold_block(sim, peer, stop);
}

const struct sim_behaviour sim_withholder = {.name = "withholds a branch",
                                             .block = withhold_block,
                                             .filters = withhold,
                                             .filter_headers = withhold};
