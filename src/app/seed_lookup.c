#include "app/seed_lookup.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "io/resolver.h"
#include "spv/core.h"

struct seed_lookup {
    struct resolver *resolver;
    struct lookup *lookup; /* NULL: none under way */
    const struct network *network;
    uint64_t ticket;
    seed_lookup_done done;
    void *context;
};

struct seed_lookup *seed_lookup_new(struct loop *loop, const struct network *network,
                                    seed_lookup_done done, void *context)
{
    struct seed_lookup *seeds = mem_zalloc(1, sizeof *seeds);
    seeds->resolver = resolver_new(loop, NULL);
    seeds->network = network;
    seeds->done = done;
    seeds->context = context;
    return seeds;
}

void seed_lookup_free(struct seed_lookup *seeds)
{
    if (!seeds)
        return;
    lookup_cancel(seeds->lookup);
    resolver_free(seeds->resolver);
    free(seeds);
}

static bool take_address(struct net_address *out, const struct sockaddr_storage *from)
{
    *out = (struct net_address){.kind = NET_IPV4};
    if (from->ss_family == AF_INET6)
        return net_address_from_16(
            out, ((const struct sockaddr_in6 *)from)->sin6_addr.s6_addr, 0);
    memcpy(out->b, &((const struct sockaddr_in *)from)->sin_addr, 4);
    return true;
}

static void on_lookup(const struct lookup_result *result, void *context)
{
    struct seed_lookup *seeds = context;
    struct net_address addresses[LOOKUP_ADDRESSES_MAX];
    size_t count = 0;
    seeds->lookup = NULL;
    for (size_t i = 0; i < result->count; i++)
        count += take_address(&addresses[count], &result->addresses[i]);
    if (result->count == 0)
        log_line(LOG_NET, LOG_DEBUG, "seed: %s", result->error.text);
    seeds->done(addresses, count, seeds->ticket, seeds->context);
}

void seed_lookup_ask(struct seed_lookup *seeds, const char *name, uint64_t ticket)
{
    char address[SEED_NAME_MAX + 8];
    snprintf(address, sizeof address, "%s:%u", name, (unsigned)seeds->network->port);
    lookup_cancel(seeds->lookup);
    seeds->ticket = ticket;
    seeds->lookup = lookup_start(seeds->resolver, address, on_lookup, seeds);
}
