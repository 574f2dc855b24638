/* A second opinion: the ledger's coins against those of one's own node, coin by coin, at
 * the block that the node was at. Policies don't matter to it: immature coins count. */
#ifndef FEEDS_NODE_CHECK_H
#define FEEDS_NODE_CHECK_H

#include "feeds/node_scan.h"
#include "store/ledger_walk.h"
#include "store/sample.h"

/* Scripts that are asked about together; in the set their ids are places here. */
struct node_batch {
    struct script_set *scripts; /* a reference; NULL when none is left */
    uint32_t *ids;              /* in the ledger, ascending; malloc'd */
    size_t count;
};

/* The next scripts with ids from `from` on, as many as a request may have. */
NODISCARD enum store_result node_batch_read(struct store_txn *txn, struct node_batch *out,
                                            uint32_t from, const uint64_t seed[static 2],
                                            struct error *error);
void node_batch_release(struct node_batch *batch);

enum node_verdict {
    NODE_AGREES,
    NODE_DIFFERS,   /* the findings say how */
    NODE_NOT_THERE, /* our ledger isn't, or no longer, at the node's block: nothing said
                     */
};

/* The first difference of a feed, and how many there are. */
struct node_finding {
    char feed[65];
    uint64_t differences;
    char text[SAMPLE_REASON_TEXT_MAX];
};

struct node_check {
    enum node_verdict verdict;
    struct error reason; /* of NOT_THERE */
    struct node_finding *findings;
    size_t count;
};

/* Compare. Scripts of the batch that are gone by now, or scanned anew, aren't looked at.
 * The caller calls node_check_release after STORE_OK. */
NODISCARD enum store_result node_check_compare(struct store_txn *txn,
                                               struct node_check *out,
                                               const struct node_batch *batch,
                                               const struct node_scan *scan,
                                               struct error *error);
void node_check_release(struct node_check *check);

#endif
