/* The running watcher's own state, shared by daemon.c (its life) and daemon_serve.c (what
 * it answers). */
#ifndef APP_DAEMON_STATE_H
#define APP_DAEMON_STATE_H

#include "app/client.h"
#include "app/command.h"
#include "app/evm_driver.h"
#include "app/pending.h"
#include "app/reload.h"
#include "app/sampler.h"
#include "app/status_document.h"
#include "io/control.h"
#include "io/http.h"
#include "io/lock.h"
#include "io/loop.h"
#include "store/kept_filters.h"

struct daemon {
    const struct invocation *invocation;
    const struct config *config;
    uint64_t seed[2];
    struct lock lock;
    struct store *store;
    struct ledger *ledger;
    struct kept_filters *kept; /* NULL: filters aren't kept */
    struct loop *loop;
    struct loop_timer *tick;
    struct store_thread *store_thread;
    struct client *client;
    struct sampler *sampler;
    struct pending *pending;   /* NULL: mempool=0 */
    struct node_checker *node; /* NULL: no node_rpc= */
    struct evm_drivers *evm;
    struct http_server *http;
    struct control_server *control;
    enum exit_status status;
    bool stopping;
    bool synced;
    bool gates_held;
    bool terminal; /* progress is drawn, so it needn't be logged */
    bool dirty;    /* the status document is older than what it tells */
    bool status_pending;
    bool reloading;
    bool reload_again; /* a signal asked meanwhile: the lists may be read by then */
    struct progress_rate progress;
    uint64_t rate_milli;
    enum spv_phase rate_phase;
    struct mono_time synced_until; /* when that last ended */
    struct mono_time rate_at, progress_logged_at, readers_checked_at;
};

/* HTTP and the control socket. */
NODISCARD enum exit_status daemon_start_servers(struct daemon *daemon);
void daemon_stop_servers(struct daemon *daemon);
/* Read the lists anew; `call` (NULL for none) is answered when that is done. */
void daemon_reload(struct daemon *daemon, struct control_call *call);

#endif
