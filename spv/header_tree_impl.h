/* The tree's insides, shared by the files that make it up and by nobody else. */
#ifndef SPV_HEADER_TREE_IMPL_H
#define SPV_HEADER_TREE_IMPL_H

#include "base/map.h"
#include "spv/header_tree.h"

struct entry {
    struct header_node node; /* first, so that a node's pointer is its entry's */
    struct entry *first_child;
    struct entry *next_sibling;
    struct entry *next_tip, *previous_tip; /* of a node without children */
    uint64_t order;                        /* of arrival */
    struct mono_time aside_until; /* the latest of the node's own and its ancestors' */
    bool kept;                    /* during header_tree_evict only */
};

struct header_tree {
    const struct network *network;
    struct map by_hash; /* struct block_hash -> struct entry * */
    struct entry *root;
    struct entry *tips; /* what became one last is first */
    struct header_node *best;
    struct header_node **chain; /* the best branch by height, from the root */
    size_t chain_len;
    size_t chain_capacity;
    struct mono_time now;         /* the newest moment that the tree was told */
    struct mono_time next_expiry; /* when something set aside counts again */
    uint64_t next_order;
    /* Neighbours nearly always have the same bits: the division is kept. */
    uint32_t work_bits;
    struct u256 work;
    struct block_hash *sparse;
    size_t sparse_count;
    size_t sparse_capacity;
};

static inline struct entry *entry_of(struct header_node *node)
{
    return (struct entry *)node;
}

/* Whether the node lies on the best branch. */
static inline bool header_tree_on_chain(const struct header_tree *tree,
                                        const struct header_node *node)
{
    size_t at = node->height - tree->root->node.height;
    return at < tree->chain_len && tree->chain[at] == node;
}

/* Note that a node has no children (any more), or has some, or goes. */
void header_tree_tip_add(struct header_tree *tree, struct entry *entry);
void header_tree_tip_remove(struct header_tree *tree, struct entry *entry);

/* Free a node, off its parent's list already or about to be, and all that descend from
 * it. */
void header_tree_free_branch(struct header_tree *tree, struct header_node *top,
                             void (*forget)(void *context, struct header_node *node),
                             void *context);

#endif
