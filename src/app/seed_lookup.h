/* DNS seeds' names, looked up one at a time. */
#ifndef APP_SEED_LOOKUP_H
#define APP_SEED_LOOKUP_H

#include "io/loop.h"
#include "spv/net_address.h"
#include "spv/network.h"

struct seed_lookup;

/* Addresses without ports, valid during the call; none: it failed. */
typedef void (*seed_lookup_done)(const struct net_address *addresses, size_t count,
                                 uint64_t ticket, void *context);

struct seed_lookup *seed_lookup_new(struct loop *loop, const struct network *network,
                                    seed_lookup_done done, void *context);
void seed_lookup_free(struct seed_lookup *seeds);
/* Give up what is under way, and ask for this. done() is called from the loop. */
void seed_lookup_ask(struct seed_lookup *seeds, const char *name, uint64_t ticket);

#endif
