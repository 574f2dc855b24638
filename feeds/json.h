/* JSON of design.md's commands. Each function returns a new reference that the caller
 * owns; satoshi and heights are integers, times Unix seconds, hashes in display order. */
#ifndef FEEDS_JSON_H
#define FEEDS_JSON_H

#include <jansson.h>

#include "feeds/gate.h"
#include "store/audit.h"
#include "store/ledger.h"
#include "store/outbox.h"

/* "good", "refused", "orphaned", "retracted"; NULL (no sample): "none". */
const char *sample_state_text(const struct sample *sample);

/* An element of `reserves --json`'s feeds: state ("good", "refused", "none") and reasons
 * are of `newest`, the numbers of `good`; either may be NULL. A newest sample whose block
 * left the chain, or which a coin found late has changed, is refused for that reason. */
json_t *json_reserves_feed(const char *name, const struct sample *newest,
                           const struct sample *good, bool stale);
/* {"feeds": [...]}; takes over `feeds`. */
json_t *json_reserves(json_t *feeds);

/* `status --json`'s gates: {name: {"ok", "reason"}}, in the order of the enum. */
json_t *json_gates(const struct gate_report *gates);

/* An element of `coins --json`; `address` is null when the script has none. */
json_t *json_coin(const struct coin_view *coin, const struct network *network);

/* An element of `publications --json`: {"round", "state", "retracted", "reason",
 * "satoshi", "height", "block_hash", "observed_at", "set_hash", "coins", "created_at",
 * "changed_at", "detail"}. */
json_t *json_publication(const struct publication *publication);
/* {"feed", "publications"}; takes over `publications`. */
json_t *json_publications(const char *feed, json_t *publications);

/* {"ok", "checked": {"headers", "coins", "scripts", "samples"}, "faults"}. */
json_t *json_audit(const struct audit *audit);

#endif
