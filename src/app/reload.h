/* Reading the watch lists into the ledger, at the start and while running: all or none.
 */
#ifndef APP_RELOAD_H
#define APP_RELOAD_H

#include "app/faults.h"
#include "app/lists.h"
#include "app/store_thread.h"

struct reload {
    const struct config *config; /* whose lists are read */
    const struct feed *feeds;    /* those that run */
    size_t feed_count;

    /* What came of it. */
    bool good;
    struct faults faults; /* why not */
    size_t scripts, overlaps;
    struct cohort_table cohorts; /* when good */
};

/* A store_work: read the lists and define them. STORE_OK also when the lists are at fault
 * (good is false and nothing has changed). */
enum store_result reload_work(void *context, struct store *store, struct ledger *ledger,
                              struct error *error);
void reload_release(struct reload *reload);

#endif
