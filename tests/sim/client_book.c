/* How the client finds peers in those worlds where nobody tells it whom to connect to: a
 * seed, gossip, many addresses at which nobody answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/peer_rows.h"
#include "tests/sim/client_impl.h"

#define DEAD_ADDRESSES 60

void client_peer_address(const struct sim *sim, char out[static PEER_ADDRESS_MAX],
                         size_t index)
{
    if (sim->finds_peers)
        snprintf(out, PEER_ADDRESS_MAX, "20.%zu.0.1:18444", index);
    else
        snprintf(out, PEER_ADDRESS_MAX, "peer%zu:18444", index);
}

size_t client_peer_index(const struct sim *sim, const char *text)
{
    for (size_t i = 0; i < sim->peer_count; i++) {
        char address[PEER_ADDRESS_MAX];
        client_peer_address(sim, address, i);
        if (strncmp(text, address, strlen(address)) == 0)
            return i;
    }
    return SIZE_MAX;
}

const struct network *client_network(const struct sim *sim)
{
    static const char *const seeds[] = {"seed.sim", "other.sim", NULL};
    static struct network found;
    found = *network_find("regtest");
    found.dns_seeds = seeds;
    found.filter_seeds = 1;
    return sim->finds_peers ? &found : network_find("regtest");
}

/* ---- dead addresses ---- */

struct dialed {
    uint32_t life, peer;
};

static void nobody_answers(struct sim *sim, void *data)
{
    struct dialed *dialed = data;
    if (dialed->life == sim->client->life)
        client_lost(sim, dialed->peer);
    free(dialed);
}

void client_dial_nobody(struct sim *sim, uint32_t peer)
{
    if (sim_once_in(sim, 3))
        return; /* a black hole */
    struct dialed *dialed = sim_zeroed(1, sizeof *dialed);
    *dialed = (struct dialed){sim->client->life, peer};
    sim_later(sim, 1 + (int64_t)sim_below(sim, 3000), nobody_answers, free, dialed);
}

static struct net_address dead_address(uint64_t number)
{
    struct net_address address = {.kind = NET_IPV4, .port = 18444};
    address.b[0] = (uint8_t)(30 + number % DEAD_ADDRESSES);
    address.b[1] = (uint8_t)(number / DEAD_ADDRESSES);
    address.b[3] = 1;
    return address;
}

static struct net_address peer_address(const struct sim *sim, size_t index)
{
    char text[PEER_ADDRESS_MAX];
    struct net_address address;
    client_peer_address(sim, text, index);
    if (!net_address_parse(&address, text))
        sim_fail(sim, "%s is no address", text);
    return address;
}

/* ---- who tells addresses ---- */

static size_t some_addresses(struct sim *sim, struct net_address *out, size_t dead)
{
    size_t count = 0;
    for (size_t i = 0; i < sim->peer_count; i++)
        if (sim->calm || !sim_once_in(sim, 3))
            out[count++] = peer_address(sim, i);
    for (; dead > 0; dead--)
        out[count++] = dead_address(sim_below(sim, DEAD_ADDRESSES));
    return count;
}

struct asked {
    uint32_t life;
    uint64_t ticket;
    bool prefix;
};

static void seed_answers(struct sim *sim, void *data)
{
    struct asked *asked = data;
    struct net_address addresses[SIM_PEERS_MAX + 20];
    struct spv_input input = {.kind = SPV_RESOLVED, .ticket = asked->ticket};
    bool knows = (asked->prefix || sim_once_in(sim, 2)) && !sim_once_in(sim, 4);
    if (knows)
        input.resolved.count = some_addresses(sim, addresses, 20);
    input.resolved.addresses = addresses;
    if (asked->life == sim->client->life)
        client_input(sim, &input);
    free(asked);
}

void client_resolve(struct sim *sim, const struct spv_effect *effect)
{
    struct asked *asked = sim_zeroed(1, sizeof *asked);
    *asked = (struct asked){sim->client->life, effect->ticket,
                            strncmp(effect->resolve.name, "x49.", 4) == 0};
    sim_later(sim, 1 + (int64_t)sim_below(sim, 2000), seed_answers, free, asked);
}

/* A node's answer to getaddr; who isn't honest tells only what is of no use. */
void peer_tell_addresses(struct sim *sim, struct sim_peer *peer)
{
    struct net_address addresses[SIM_PEERS_MAX + 900];
    struct oracle_bytes out = {0};
    bool lies = !peer->behaviour->honest;
    size_t count = lies ? 0 : some_addresses(sim, addresses, 5);
    while (lies && count < 900)
        addresses[count++] = dead_address(sim_below(sim, 40000));
    add_varint(&out, count);
    for (size_t i = 0; i < count; i++) {
        add_le(&out, (uint64_t)(sim->wall_start_s + sim->now_ms / 1000), 4);
        add_varint(&out, SERVICES_NEEDED);
        add_u8(&out, NET_IPV4);
        add_varint(&out, 4);
        add_data(&out, addresses[i].b, 4);
        add_u8(&out, (uint8_t)(addresses[i].port >> 8));
        add_u8(&out, (uint8_t)addresses[i].port);
    }
    peer_send(sim, peer, "addrv2", &out);
    free(out.data);
}

/* ---- what is remembered ---- */

bool client_is_of_peers(enum spv_effect_kind kind)
{
    return kind == SPV_STORE_BOOK || kind == SPV_BAN || kind == SPV_UNBAN;
}

enum store_result client_put_peers(void *context, struct store_txn *txn,
                                   struct error *error)
{
    const struct spv_effect *effect = context;
    const struct wall_time before = {0};
    if (effect->kind == SPV_BAN)
        return peer_rows_put_ban(txn, effect->ban, before, error);
    if (effect->kind == SPV_UNBAN)
        return peer_rows_lift_ban(txn, effect->ban->address, error);
    return peer_rows_put_book(txn, effect->book.rows, effect->book.count, error);
}
