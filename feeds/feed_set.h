/* Which scripts each feed counts, out of its lists; and what the ledger is to watch. */
#ifndef FEEDS_FEED_SET_H
#define FEEDS_FEED_SET_H

#include "feeds/feed.h"
#include "feeds/watch_list.h"
#include "store/ledger.h"

/* A list that was read. The strings and the entries must outlive what is built here. */
struct feed_list {
    const char *name;
    const char *custodian; /* may be empty */
    const struct watch_list *list;
};

/* Scripts that two feeds both count: coins in them are in both sums. */
struct feed_overlap {
    size_t first, second; /* feeds, first < second */
    size_t scripts;
    uint32_t example; /* index into definition.scripts */
};

/* What ledger_define takes, with the memory it points into. Scripts are ordered by their
 * bytes. A script that several lists of a feed contain is one member, with the lowest
 * birth and the label and custodian of the first list that has it. Script bytes and
 * labels are views into the lists. */
struct feed_sets {
    struct ledger_definition definition; /* feeds in the order given */
    struct feed_overlap *overlaps;       /* by first, then by second feed */
    size_t overlap_count;
    size_t repeated; /* members that a second list of the same feed contains as well */
};

/* Build for all feeds. `network` is the one whose genesis goes into the set hashes. False
 * if a feed names a list that isn't there, names one twice, or has no script; *error
 * names both. */
NODISCARD bool feed_sets_build(struct feed_sets *out, const struct feed *feeds,
                               size_t feed_count, const struct feed_list *lists,
                               size_t list_count, const struct network *network,
                               struct error *error);
void feed_sets_release(struct feed_sets *sets);

#endif
