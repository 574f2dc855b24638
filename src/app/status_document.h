/* The status document: what `status --json` prints, written by the running watcher into
 * the ledger and read from there, also when it has stopped. */
#ifndef APP_STATUS_DOCUMENT_H
#define APP_STATUS_DOCUMENT_H

#include <jansson.h>

#include "app/evm_driver.h"
#include "app/pending.h"
#include "app/sampler.h"
#include "store/kept_filters.h"

/* Under this name in the ledger (store_put_value). */
#define STATUS_VALUE "status"

/* How fast the present phase goes. */
struct progress_rate {
    uint64_t done, total; /* blocks */
    uint64_t per_second;
    int64_t seconds_left; /* -1: not known */
};

struct status_sources {
    const struct config *config;
    const struct client *client;
    const struct sampler *sampler;
    const struct evm_drivers *evm;
    const struct progress_rate *progress;
    bool disk_full;
    const struct pending *pending;   /* NULL: mempool=0 */
    const struct node_checker *node; /* NULL: no node_rpc= */
    const struct kept_filters *kept; /* NULL: filters aren't kept */
};

/* Keys of design.md's `status --json`, and: updated_at, pid, disk_full, progress {done,
 * total, per_second, seconds_left (null: not known)}, publishers [{feed, publisher,
 * state, detail}], pending (see pending.h; null with mempool=0), node_check (see
 * node_checker.h; null without node_rpc=); of each
 * peer also trusted, group, bytes_in, bytes_out, messages; addresses {known, tried}; bans
 * [{address, until, reason}]; kept_filters {count, bytes} (null without
 * keep_filters=1). The caller owns the reference. */
json_t *status_document(const struct status_sources *sources);

/* {address, until, reason}, as in the document. */
json_t *json_ban(const struct spv_ban *ban);

#endif
