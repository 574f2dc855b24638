/* The tree of recent headers: full validation, most work, reorganisation.
 *
 * Nodes exist for the newest few thousand headers (from a root that lies at least
 * HEADER_WINDOW below the tip, at a retarget boundary) and for branches off them; older
 * headers are in the store. Below the root there are only sparse hashes for locators. */
#ifndef SPV_HEADER_TREE_H
#define SPV_HEADER_TREE_H

#include "base/error.h"
#include "base/time.h"
#include "spv/header.h"
#include "spv/network.h"
#include "spv/u256.h"

#define HEADER_WINDOW 4032
/* A header may be at most two hours ahead of the local clock (consensus). */
#define HEADER_FUTURE_MAX 7200

struct header_node {
    struct block_hash hash;
    struct block_header header;
    struct u256 work; /* of the chain up to and with this header */
    uint32_t height;
    struct header_node *parent; /* NULL at the root */
    struct filter_header filter_header;
    bool has_filter_header;
    bool invalid; /* its block, or an ancestor's, breaks a rule */
    /* Testnet3's exception: bits of the newest header, at or below this one, that starts
     * a period or isn't at the network's limit (pow_context.last_normal_bits). */
    uint32_t normal_bits;
    /* Nobody served this branch's data: header_tree_best passes it over until this
     * moment. */
    struct mono_time aside_until;
    uint32_t children; /* nodes whose parent this is */
};

struct header_tree;

/* A tree rooted at genesis. */
struct header_tree *header_tree_new(const struct network *network,
                                    const uint64_t seed[static 2]);
/* A tree rooted at a stored header: height (divisible by RETARGET_INTERVAL), its header
 * and the work up to it. The stored headers above are added with header_tree_add. */
struct header_tree *header_tree_new_at(const struct network *network,
                                       const uint64_t seed[static 2], uint32_t height,
                                       const struct block_header *root,
                                       const struct u256 *work);
void header_tree_free(struct header_tree *tree);

enum header_verdict {
    HEADER_ADDED,
    HEADER_KNOWN,
    HEADER_ORPHAN,  /* parent unknown: no fault by itself */
    HEADER_TOO_OLD, /* forks below what the window can judge */
    HEADER_FUTURE,  /* more than two hours ahead of the clock: deferred, no fault */
    HEADER_INVALID, /* breaks a rule; *error names it */
};

/* Validate one header, whose hash is `hash`, against its parent's branch and add it.
 * *node (if not NULL) is the header's node for ADDED and KNOWN, else NULL. Rules: proof
 * of work, bits by the network's rule, time above the median of the 11 before, BIP 94's
 * bound on a period's first time, not over two hours ahead of `now`, version floors (BIP
 * 34, 66, 65), no invalid ancestor. A header that was condemned, or follows one, is
 * INVALID. *error is set for INVALID only.
 *
 * The first ten headers above a root other than genesis have medians that reach below it:
 * one branch of them, the stored one, is taken without judging what can't be known; forks
 * there are TOO_OLD, as are forks off the sparse hashes. Pinned checkpoints aren't looked
 * at. */
NODISCARD enum header_verdict header_tree_add(struct header_tree *tree,
                                              struct header_node **node,
                                              const struct block_header *header,
                                              const struct block_hash *hash,
                                              struct wall_time now, struct error *error);

struct header_node *header_tree_root(const struct header_tree *tree);
struct header_node *header_tree_find(const struct header_tree *tree,
                                     const struct block_hash *hash);
/* The most-work node that is neither invalid nor (at `now`) set aside nor descends from
 * such; of equal work the one that came first. Constant time unless something expired;
 * `now` never goes back. */
struct header_node *header_tree_best(struct header_tree *tree, struct mono_time now);
/* The ancestor of `node` (or itself) at this height; NULL below the root or above it.
 * Fast for the best chain. */
struct header_node *header_tree_ancestor(const struct header_tree *tree,
                                         struct header_node *node, uint32_t height);
/* The newest node on both branches; both reach the root, so there is one. */
struct header_node *header_tree_fork(struct header_node *a, struct header_node *b);
/* BIP 113: median of the times of this header and the up to 10 nodes before it. */
struct block_time header_tree_median_time(const struct header_node *node);

/* Condemn a node (never the root) and all that descend from it, present and to come. */
void header_tree_invalidate(struct header_tree *tree, struct header_node *node);
/* Pass the branch that starts at `node` over until `until`; an earlier moment replaces a
 * later one. */
void header_tree_set_aside(struct header_tree *tree, struct header_node *node,
                           struct mono_time until);

/* The tips are the nodes without children. The one after `tip`, the first one for NULL,
 * which became a tip last; NULL after the last. The tree must not change meanwhile. */
struct header_node *header_tree_next_tip(const struct header_tree *tree,
                                         struct header_node *tip);

/* Free nodes below the newest retarget boundary that lies HEADER_WINDOW or more below
 * `keep` (a node on the best chain; of another, its fork from the best chain counts), and
 * branches off them. The freed chain's sparse hashes are kept for locators. Pointers to
 * freed nodes become invalid: `forget` (NULL for none) is called with each before it
 * goes, its parent pointer being NULL or still valid. */
void header_tree_prune(struct header_tree *tree, struct header_node *keep,
                       void (*forget)(void *context, struct header_node *node),
                       void *context);

/* Free side branches, those of least work first (of equal work the newest), until at most
 * `most` nodes are left or only the best chain and the branches that lead to the nodes of
 * `keep` (NULLs are passed over). `forget` as above. */
void header_tree_evict(struct header_tree *tree, size_t most,
                       struct header_node *const *keep, size_t keep_count,
                       void (*forget)(void *context, struct header_node *node),
                       void *context);

/* The sparse hashes below the root: one for each height divisible by RETARGET_INTERVAL,
 * ascending from 0. Copied; what isn't below the root is left out. Given at start, kept
 * up by pruning. */
void header_tree_set_sparse(struct header_tree *tree, const struct block_hash *hashes,
                            size_t count);
/* Whether this hash is known to lie below the root; *height (if not NULL) is its own. */
bool header_tree_below_root(const struct header_tree *tree, uint32_t *height,
                            const struct block_hash *hash);
/* Bitcoin's block locator from `tip` downward: dense, then doubling steps, then sparse
 * hashes, genesis last. Returns the count, at most `max` (LOCATOR_MAX is enough). */
size_t header_tree_locator(const struct header_tree *tree, struct block_hash *out,
                           size_t max, struct header_node *tip);
size_t header_tree_count(const struct header_tree *tree);

#endif
