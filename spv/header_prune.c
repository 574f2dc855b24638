#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "spv/header_tree_impl.h"

static void entry_free(struct header_tree *tree, struct entry *entry,
                       void (*forget)(void *context, struct header_node *node),
                       void *context)
{
    if (forget != NULL) {
        forget(context, &entry->node);
    }
    if (entry->node.children == 0) {
        header_tree_tip_remove(tree, entry);
    }
    struct block_hash hash = entry->node.hash;
    bool removed = map_remove(&tree->by_hash, hash.b);
    assert(removed);
    (void)removed;
    free(entry);
}

/* Take the child that `link` points to off its parent's list. */
static void unlink_child(struct header_tree *tree, struct entry *parent,
                         struct entry **link)
{
    *link = (*link)->next_sibling;
    if (--parent->node.children == 0) {
        header_tree_tip_add(tree, parent);
    }
}

/* Leaves first, so that a parent outlives its children. */
void header_tree_free_branch(struct header_tree *tree, struct header_node *node,
                             void (*forget)(void *context, struct header_node *node),
                             void *context)
{
    struct entry *top = entry_of(node);
    struct entry *at = top;
    for (;;) {
        while (at->first_child != NULL) {
            at = at->first_child;
        }
        if (at == top) {
            break;
        }
        struct entry *parent = entry_of(at->node.parent);
        unlink_child(tree, parent, &parent->first_child);
        entry_free(tree, at, forget, context);
        at = parent;
    }
    entry_free(tree, top, forget, context);
}

bool header_tree_below_root(const struct header_tree *tree, uint32_t *height,
                            const struct block_hash *hash)
{
    size_t at = 0;
    while (at < tree->sparse_count && !block_hash_equal(&tree->sparse[at], hash)) {
        at++;
    }
    bool genesis = tree->root->node.height > 0 &&
                   block_hash_equal(&tree->network->genesis_hash, hash);
    if (height != NULL) {
        *height = genesis ? 0 : (uint32_t)at * RETARGET_INTERVAL;
    }
    return genesis || at < tree->sparse_count;
}

static void sparse_add(struct header_tree *tree, const struct header_node *node)
{
    /* A gap can't be closed: what was never given stays out. */
    if (node->height != tree->sparse_count * RETARGET_INTERVAL) {
        return;
    }
    tree->sparse = mem_grow(tree->sparse, &tree->sparse_capacity, tree->sparse_count + 1,
                            sizeof(*tree->sparse));
    tree->sparse[tree->sparse_count++] = node->hash;
}

/* Free the root and every branch off it but the best chain's, whose next node is the root
 * then. */
static void root_advance(struct header_tree *tree, struct entry *next,
                         void (*forget)(void *context, struct header_node *node),
                         void *context)
{
    struct entry *old = tree->root;
    struct entry *child = old->first_child;
    while (child != NULL) {
        struct entry *sibling = child->next_sibling;
        if (child != next) {
            header_tree_free_branch(tree, &child->node, forget, context);
        }
        child = sibling;
    }
    old->first_child = next;
    old->node.children = 1;
    sparse_add(tree, &old->node);
    next->node.parent = NULL;
    next->next_sibling = NULL;
    tree->root = next;
    entry_free(tree, old, forget, context);
}

void header_tree_prune(struct header_tree *tree, struct header_node *keep,
                       void (*forget)(void *context, struct header_node *node),
                       void *context)
{
    uint32_t base = tree->root->node.height;
    keep = header_tree_fork(keep, tree->best);
    if (keep->height < HEADER_WINDOW) {
        return;
    }
    uint32_t height = keep->height - HEADER_WINDOW;
    height -= height % RETARGET_INTERVAL;
    if (height <= base) {
        return;
    }
    size_t freed = height - base;
    for (size_t i = 1; i <= freed; i++) {
        root_advance(tree, entry_of(tree->chain[i]), forget, context);
    }
    tree->chain_len -= freed;
    memmove(tree->chain, tree->chain + freed, tree->chain_len * sizeof(*tree->chain));
}

/* Mark, or unmark, the nodes' branches down to the best chain. */
static void keep_set(const struct header_tree *tree, struct header_node *const *keep,
                     size_t keep_count, bool kept)
{
    for (size_t i = 0; i < keep_count; i++) {
        struct header_node *at = keep[i];
        while (at != NULL && !header_tree_on_chain(tree, at) &&
               entry_of(at)->kept != kept) {
            entry_of(at)->kept = kept;
            at = at->parent;
        }
    }
}

/* Of less work first; of equal work the one that came last. */
static int worth_compare(const void *left, const void *right)
{
    const struct entry *a;
    const struct entry *b;
    memcpy(&a, left, sizeof(a));
    memcpy(&b, right, sizeof(b));
    int order = u256_compare(&a->node.work, &b->node.work);
    return order != 0 ? order : (a->order < b->order) - (a->order > b->order);
}

static struct entry **tips_by_worth(const struct header_tree *tree, size_t *count)
{
    struct entry **tips = NULL;
    size_t capacity = 0;
    struct header_node *tip = NULL;
    *count = 0;
    while ((tip = header_tree_next_tip(tree, tip)) != NULL) {
        tips = mem_grow(tips, &capacity, *count + 1, sizeof(*tips));
        tips[(*count)++] = entry_of(tip);
    }
    if (*count > 0) {
        qsort(tips, *count, sizeof(*tips), worth_compare);
    }
    return tips;
}

static void child_remove(struct header_tree *tree, struct entry *parent,
                         const struct entry *child)
{
    struct entry **link = &parent->first_child;
    while (*link != child) {
        link = &(*link)->next_sibling;
    }
    unlink_child(tree, parent, link);
}

void header_tree_evict(struct header_tree *tree, size_t most,
                       struct header_node *const *keep, size_t keep_count,
                       void (*forget)(void *context, struct header_node *node),
                       void *context)
{
    size_t count;
    keep_set(tree, keep, keep_count, true);
    struct entry **tips = tips_by_worth(tree, &count);
    for (size_t i = 0; i < count && header_tree_count(tree) > most; i++) {
        struct entry *at = tips[i];
        while (at->node.children == 0 && !at->kept &&
               !header_tree_on_chain(tree, &at->node)) {
            struct entry *parent = entry_of(at->node.parent);
            child_remove(tree, parent, at);
            entry_free(tree, at, forget, context);
            at = parent;
        }
    }
    free(tips);
    keep_set(tree, keep, keep_count, false);
}

void header_tree_set_sparse(struct header_tree *tree, const struct block_hash *hashes,
                            size_t count)
{
    size_t most = tree->root->node.height / RETARGET_INTERVAL;
    free(tree->sparse);
    tree->sparse_count = count < most ? count : most;
    tree->sparse_capacity = tree->sparse_count;
    tree->sparse = mem_dup(hashes, tree->sparse_count * sizeof(*hashes));
}
