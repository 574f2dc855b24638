/* The client's insides, shared by client.c and client_store.c. */
#ifndef TESTS_SIM_CLIENT_IMPL_H
#define TESTS_SIM_CLIENT_IMPL_H

#include "app/start.h"
#include "spv/core.h"
#include "store/kept_filters.h"
#include "store/ledger.h"
#include "tests/sim/world.h"

struct client {
    const struct network *network;
    struct store *store;
    struct ledger *ledger;
    struct kept_filters *kept; /* NULL: filters aren't kept */
    struct spv *spv;           /* NULL between two lives */
    uint32_t life;             /* answers for an earlier one are dropped */
    struct random random;      /* delays of workers and store */
    int64_t store_at;          /* the store works in order */
    int64_t tick_at;
    uint64_t ticks_in_vain;
    /* Bytes of effects that workers and store hold now. */
    size_t held;
    bool stepping;
};

/* An effect being performed, or a definition on its way to the ledger. */
struct errand {
    uint32_t life;
    struct spv_effect effect;
    struct sim_watch *watch; /* a definition; NULL: an effect */
    size_t bytes;
};

struct spv_now client_now(const struct sim *sim);
void client_input(struct sim *sim, const struct spv_input *input);
struct errand *errand_new(struct sim *sim, struct spv_effect *effect);
void errand_drop(void *data);
void errand_done(struct sim *sim, struct errand *errand);
/* Perform in the order of calls, some time later. */
void store_submit(struct sim *sim, struct errand *errand);
void client_open(struct sim *sim);

/* client_kept.c: filters on the disk, in some worlds. */
void client_open_kept(struct sim *sim, struct start *start);
/* A worker's part: false if the answer is there already. */
bool client_read_kept(struct sim *sim, struct spv_effect *effect,
                      struct spv_input *input);
void client_keep(struct sim *sim, const struct spv_effect *effect);

/* client_book.c: a peer's address as the client has it, and back (SIZE_MAX: nobody's). */
void client_peer_address(const struct sim *sim, char out[static PEER_ADDRESS_MAX],
                         size_t index);
size_t client_peer_index(const struct sim *sim, const char *text);
const struct network *client_network(const struct sim *sim);
void client_dial_nobody(struct sim *sim, uint32_t peer);
void client_resolve(struct sim *sim, const struct spv_effect *effect);
/* Effects that keep what is known of peers; the store performs them with this. */
bool client_is_of_peers(enum spv_effect_kind kind);
enum store_result client_put_peers(void *context, struct store_txn *txn,
                                   struct error *error);

#endif
