/* Every list of a configuration, read, and what its feeds make of them. */
#ifndef APP_LISTS_H
#define APP_LISTS_H

#include "app/config.h"
#include "feeds/feed_set.h"

struct lists {
    struct watch_list *items; /* as config->lists */
    size_t count;
    struct feed_sets sets; /* sets.definition is what ledger_define takes */
};

/* Read every list of the configuration, also those that no feed sums, and build what
 * `feeds` count (the configuration's own; at a reload, those that run). All or nothing:
 * on false every fault is added, as "file:line:column: reason" where it is in a list, and
 * *out is empty. The configuration and the feeds must outlive *out. */
NODISCARD bool lists_load(struct lists *out, struct faults *faults,
                          const struct config *config, const struct feed *feeds,
                          size_t feed_count);
/* The first half of it: read the lists only. The network must be known. */
NODISCARD bool lists_read(struct lists *out, struct faults *faults,
                          const struct config *config);
void lists_release(struct lists *lists);

#endif
