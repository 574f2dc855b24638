/* The light client, running: performs the core's effects on sockets, workers and the
 * store's thread, and feeds back what comes of them. */
#ifndef APP_CLIENT_H
#define APP_CLIENT_H

#include "app/store_thread.h"
#include "io/loop.h"
#include "io/peer_link.h"
#include "spv/core.h"
#include "store/foresee.h"

struct client;

/* Called from the loop, never from within a client_ call. */
struct client_handler {
    /* Something that spv_summary and its siblings show has changed. */
    void (*changed)(void *context);
    /* Cohort 0 has advanced, or was taken back. */
    void (*moved)(void *context);
    /* An unconfirmed transaction, and what it would do. */
    void (*foreseen)(void *context, const struct block *transaction,
                     const struct foreseen *foreseen);
    /* A block was applied to cohort 0, in order; not those that only a filter spoke for.
     */
    void (*block)(void *context, const struct block *block);
    /* The ledger can't be written any more: the daemon has to stop. */
    void (*failed)(void *context, const struct error *error);
    void *context;
};

struct client_settings {
    struct spv_settings spv;
    const char *proxy; /* of peers, "host:port"; NULL: none. Valid while the client is */
    size_t workers;
    struct kept_filters *kept; /* NULL: no filters are kept. Valid while the client is */
};

struct client *client_new(struct loop *loop, struct store_thread *store,
                          const struct client_settings *settings,
                          const struct spv_start *start,
                          const struct client_handler *handler);
/* Stop talking to peers and finish the workers; no handler is called any more. What is
 * queued at the store's thread still runs: free that one before client_free. */
void client_stop(struct client *client);
void client_free(struct client *client);

/* For what is known (spv_summary ...). */
const struct spv *client_core(const struct client *client);
/* What a connected peer has cost. False if it isn't connected. */
NODISCARD bool client_counters(const struct client *client,
                               struct peer_link_counters *out, uint32_t peer);
/* The operator's wishes; the address as spv_ban has it. client_lift_ban is false if there
 * is no such ban, client_distrust if it could be no peer's. */
NODISCARD bool client_lift_ban(struct client *client, const char *address);
NODISCARD bool client_distrust(struct client *client, const char *address);
/* The watch lists were reloaded. */
void client_cohorts(struct client *client, const struct cohort_table *cohorts);

#endif
