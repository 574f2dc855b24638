/* The differences to one's own node that stand, a feed at a time, over restarts too. */
#ifndef APP_NODE_FINDINGS_H
#define APP_NODE_FINDINGS_H

#include "app/config.h"
#include "app/store_thread.h"
#include "feeds/node_check.h"

struct node_findings {
    const struct config *config;
    struct node_finding *at; /* one a feed of the configuration; no differences: none */
    bool *seen;              /* by the check under way, beside */
    uint64_t differences;    /* of that check */
};

/* Read what stands. False, with the error, if the ledger can't be read; release it in
 * either case. */
NODISCARD bool node_findings_init(struct node_findings *findings,
                                  const struct config *config, struct store *store,
                                  struct error *error);
void node_findings_release(struct node_findings *findings);

/* A check begins. */
void node_findings_begin(struct node_findings *findings);
/* It found this: a feed's first stands from now on. The others are counted. */
void node_findings_add(struct node_findings *findings, const struct node_finding *found);
/* It is through: what it didn't find stands no more. Returns whether anything changed. */
bool node_findings_end(struct node_findings *findings);

/* Write what stands now, with the work that the store's thread has. */
void node_findings_save(const struct node_findings *findings,
                        struct store_thread *store_thread,
                        void (*failed)(void *context, const struct error *error),
                        void *context);

/* NULL: nothing. */
const char *node_findings_against(const struct node_findings *findings, const char *feed);

#endif
