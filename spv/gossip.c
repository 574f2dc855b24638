/* Addresses: asked of each new peer once, and of DNS seeds when the book is short. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spv/core_rooms.h"

/* Bitcoin Core's: a peer may tell an address in ten seconds, and 1,000 more when asked.
 */
#define ADDRESS_EVERY_MS 10000
#define ADDRESSES_BURST 1000
/* What passes through others' hands is taken to be older than it says. */
#define GOSSIP_PENALTY_S 7200

/* Fewer addresses than this, or for a minute fewer peers than a sample needs by default
 * (who are there may all hide the others), and seeds are asked. */
#define BOOK_SHORT 64
#define COMPANY 3
#define ALONE_MS 60000
#define SEEDS_LOOK_MS 5000
#define SEED_TIMEOUT_MS 60000
#define SEED_INTERVAL_MS 5000
/* When all have been asked. */
#define SEEDS_PAUSE_MS 600000
/* An answer counts up to here: a seed that lies can't fill the book. */
#define SEED_ADDRESSES_MAX 256
/* Seeds tell no times; what the network says later shall count as fresher. */
#define SEED_AGE_S (4 * 86400)

/* A number that is no network group (those have a kind above 0 in the top byte). */
static uint64_t seed_source(size_t index)
{
    return index + 1;
}

static bool worth_knowing(const struct spv *spv, const struct net_address *address)
{
    char host[NET_ADDRESS_TEXT_MAX];
    if (!net_address_routable(address) || (address->kind == NET_ONION && !spv->proxied))
        return false;
    net_host_text(host, address);
    return !ban_find(spv, host, spv->now.wall);
}

static void know(struct spv *spv, const struct told_address *told, uint64_t source)
{
    if (!worth_knowing(spv, &told->address) ||
        !address_book_add(spv->book, told, source, spv->now.wall))
        return;
    outbound_wake(spv);
}

/* ---- gossip ---- */

void gossip_ask(struct spv *spv, struct peer *peer)
{
    if (!spv->book)
        return;
    peer->addresses_left += ADDRESSES_BURST;
    spv_send(spv, peer, MESSAGE_GETADDR, NULL);
}

static void refill(struct spv *spv, struct peer *peer)
{
    int64_t passed = mono_since(spv->now.mono, peer->addresses_at) / ADDRESS_EVERY_MS;
    peer->addresses_at = mono_add(peer->addresses_at, passed * ADDRESS_EVERY_MS);
    if (peer->addresses_left < ADDRESSES_BURST)
        peer->addresses_left = passed < ADDRESSES_BURST - peer->addresses_left
                                   ? peer->addresses_left + passed
                                   : ADDRESSES_BURST;
}

void gossip_message(struct spv *spv, struct peer *peer, struct bytes payload, bool v2)
{
    struct told_address *told;
    size_t count;
    if (!spv->book)
        return;
    if (!(v2 ? addrv2_decode(&told, &count, payload)
             : addr_decode(&told, &count, payload))) {
        peer_drop(spv, peer, "malformed list of addresses");
        return;
    }
    uint64_t source = net_group(&peer->net);
    if (peer->seed)
        source = seed_source(spv->seeds.at);
    refill(spv, peer);
    for (size_t i = 0; i < count && peer->addresses_left > 0; i++) {
        if ((told[i].services & SERVICES_NEEDED) != SERVICES_NEEDED)
            continue;
        peer->addresses_left--;
        if (told[i].time > GOSSIP_PENALTY_S)
            told[i].time -= GOSSIP_PENALTY_S;
        know(spv, &told[i], source);
    }
    free(told);
    /* A node also tells its own address, alone. */
    peer->told |= count > 1;
    if (peer->state == PEER_FETCHING && peer->told)
        peer_drop(spv, peer, NULL);
}

/* ---- seeds ---- */

bool gossip_short(const struct spv *spv)
{
    return address_book_known(spv->book) < BOOK_SHORT ||
           mono_since(spv->now.mono, spv->seeds.company_at) >= ALONE_MS;
}

static void ask_seed(struct spv *spv)
{
    struct seeds *seeds = &spv->seeds;
    char name[SEED_NAME_MAX];
    /* Not all seeds filter by services: else the plain name. */
    seeds->plain |= seeds->at >= spv->network->filter_seeds;
    snprintf(name, sizeof name, "%s%s", seeds->plain ? "" : "x49.",
             spv->network->dns_seeds[seeds->at]);
    seeds->asked = true;
    seeds->next = mono_add(spv->now.mono, SEED_TIMEOUT_MS);
    if (spv->proxied) {
        outbound_fetch(spv, name);
        return;
    }
    struct spv_effect *effect = spv_effect_add(spv, SPV_RESOLVE);
    effect->ticket = ++seeds->ticket;
    memcpy(effect->resolve.name, name, sizeof name);
}

void gossip_seed_done(struct spv *spv, bool answered)
{
    struct seeds *seeds = &spv->seeds;
    if (!seeds->asked)
        return;
    seeds->asked = false;
    seeds->next = mono_add(spv->now.mono, SEED_INTERVAL_MS);
    if (!answered && !seeds->plain) {
        seeds->plain = true;
        return;
    }
    seeds->plain = false;
    if (spv->network->dns_seeds[++seeds->at])
        return;
    seeds->at = 0;
    seeds->next = mono_add(spv->now.mono, SEEDS_PAUSE_MS);
}

void gossip_resolved(struct spv *spv, const struct spv_input *input)
{
    struct seeds *seeds = &spv->seeds;
    if (!seeds->asked || input->ticket != seeds->ticket)
        return;
    size_t count = input->resolved.count;
    for (size_t i = 0; i < count && i < SEED_ADDRESSES_MAX; i++) {
        struct told_address told = {.address = input->resolved.addresses[i],
                                    .services = seeds->plain ? 0 : SERVICES_NEEDED,
                                    .time = (uint32_t)(spv->now.wall.s - SEED_AGE_S)};
        told.address.port = spv->network->port;
        know(spv, &told, seed_source(seeds->at));
    }
    spv_note(spv, LOG_NET, LOG_INFO, NULL, "seed %s%s: %zu address%s",
             seeds->plain ? "" : "x49.", spv->network->dns_seeds[seeds->at], count,
             count == 1 ? "" : "es");
    gossip_seed_done(spv, count > 0);
}

void gossip_tick(struct spv *spv)
{
    struct seeds *seeds = &spv->seeds;
    if (!spv->book || !spv->network->dns_seeds[0])
        return;
    if (spv_count_ready(spv) >= COMPANY || spv_count_ready(spv) == spv->outbound)
        seeds->company_at = spv->now.mono;
    if (!mono_reached(spv->now.mono, seeds->next))
        return;
    if (seeds->asked)
        gossip_seed_done(spv, false);
    else if (gossip_short(spv))
        ask_seed(spv);
    else
        seeds->next = mono_add(spv->now.mono, SEEDS_LOOK_MS);
}
