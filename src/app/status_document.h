/* The status document: what `status --json` prints, written by the running watcher into
 * the ledger and read from there, also when it has stopped. */
#ifndef APP_STATUS_DOCUMENT_H
#define APP_STATUS_DOCUMENT_H

#include <jansson.h>

#include "app/evm_driver.h"
#include "app/pending.h"
#include "app/sampler.h"

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
    const struct spv *spv;
    const struct sampler *sampler;
    const struct evm_drivers *evm;
    const struct progress_rate *progress;
    bool disk_full;
    const struct pending *pending;   /* NULL: mempool=0 */
    const struct node_checker *node; /* NULL: no node_rpc= */
};

/* Keys of design.md's `status --json`, and: updated_at, pid, disk_full, progress {done,
 * total, per_second, seconds_left (null: not known)}, publishers [{feed, publisher,
 * state, detail}], pending (see pending.h; null with mempool=0), node_check (see
 * node_checker.h; null without node_rpc=). The caller owns the reference. */
json_t *status_document(const struct status_sources *sources);

#endif
