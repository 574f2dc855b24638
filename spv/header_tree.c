#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "spv/header_rules.h"
#include "spv/header_tree_impl.h"
#include "spv/pow.h"

static struct entry *entry_find(const struct header_tree *tree,
                                const struct block_hash *hash)
{
    const void *slot = map_find(&tree->by_hash, hash->b);
    struct entry *entry = NULL;
    if (slot != NULL) {
        memcpy(&entry, slot, sizeof(entry));
    }
    return entry;
}

/* The next of the subtree in pre-order, with or without the present one's children. */
static struct entry *subtree_next(const struct entry *top, struct entry *at, bool descend)
{
    if (descend && at->first_child != NULL) {
        return at->first_child;
    }
    while (at != top) {
        if (at->next_sibling != NULL) {
            return at->next_sibling;
        }
        at = entry_of(at->node.parent);
    }
    return NULL;
}

static void best_set(struct header_tree *tree, struct header_node *best)
{
    assert(best != NULL); /* the root at least */
    uint32_t base = tree->root->node.height;
    size_t len = (size_t)(best->height - base) + 1;
    tree->chain = mem_grow(tree->chain, &tree->chain_capacity, len, sizeof(*tree->chain));
    for (struct header_node *at = best; at != NULL && !header_tree_on_chain(tree, at);
         at = at->parent) {
        tree->chain[at->height - base] = at;
    }
    tree->chain_len = len;
    tree->best = best;
}

static bool better(const struct entry *a, const struct entry *b)
{
    int order = u256_compare(&a->node.work, &b->node.work);
    return order > 0 || (order == 0 && a->order < b->order);
}

/* Look at every branch anew. */
static void best_choose(struct header_tree *tree)
{
    struct entry *best = tree->root;
    tree->next_expiry = MONO_NEVER;
    struct entry *at = tree->root;
    while (at != NULL) {
        bool aside = !mono_reached(tree->now, at->aside_until);
        if (aside && at->aside_until.ms < tree->next_expiry.ms) {
            tree->next_expiry = at->aside_until;
        }
        bool counts = !at->node.invalid && !aside;
        if (counts && better(at, best)) {
            best = at;
        }
        at = subtree_next(tree->root, at, counts);
    }
    best_set(tree, &best->node);
}

static struct entry *entry_add(struct header_tree *tree, const struct block_hash *hash,
                               const struct block_header *header)
{
    struct entry *entry = mem_zalloc(1, sizeof(*entry));
    entry->node.hash = *hash;
    entry->node.header = *header;
    entry->order = tree->next_order++;
    memcpy(map_put(&tree->by_hash, hash->b, NULL), &entry, sizeof(entry));
    header_tree_tip_add(tree, entry);
    return entry;
}

static uint32_t normal_bits(const struct network *network, const struct header_node *node)
{
    bool start = node->height % RETARGET_INTERVAL == 0;
    return start || node->header.bits != network->pow_limit_bits
               ? node->header.bits
               : node->parent->normal_bits;
}

static void entry_link(struct header_tree *tree, struct entry *entry,
                       struct entry *parent)
{
    struct header_node *node = &entry->node;
    if (node->header.bits != tree->work_bits) {
        tree->work_bits = node->header.bits;
        tree->work = pow_work(tree->work_bits);
    }
    node->parent = &parent->node;
    node->height = parent->node.height + 1;
    node->work = u256_add(&parent->node.work, &tree->work);
    node->normal_bits = normal_bits(tree->network, node);
    entry->aside_until = parent->aside_until;
    entry->next_sibling = parent->first_child;
    parent->first_child = entry;
    if (parent->node.children++ == 0) {
        header_tree_tip_remove(tree, parent);
    }
}

struct header_tree *header_tree_new_at(const struct network *network,
                                       const uint64_t seed[static 2], uint32_t height,
                                       const struct block_header *root,
                                       const struct u256 *work)
{
    assert(height % RETARGET_INTERVAL == 0);
    struct header_tree *tree = mem_zalloc(1, sizeof(*tree));
    tree->network = network;
    tree->work_bits = network->pow_limit_bits;
    tree->work = pow_work(tree->work_bits);
    tree->next_expiry = MONO_NEVER;
    map_init(&tree->by_hash, sizeof(struct block_hash), sizeof(struct entry *), seed);
    struct block_hash hash;
    block_header_hash(&hash, root);
    tree->root = entry_add(tree, &hash, root);
    tree->root->node.height = height;
    tree->root->node.work = *work;
    tree->root->node.normal_bits = root->bits;
    best_set(tree, &tree->root->node);
    return tree;
}

struct header_tree *header_tree_new(const struct network *network,
                                    const uint64_t seed[static 2])
{
    struct u256 work = pow_work(network->genesis.bits);
    return header_tree_new_at(network, seed, 0, &network->genesis, &work);
}

void header_tree_free(struct header_tree *tree)
{
    if (tree == NULL) {
        return;
    }
    header_tree_free_branch(tree, &tree->root->node, NULL, NULL);
    map_release(&tree->by_hash);
    free(tree->chain);
    free(tree->sparse);
    free(tree);
}

/* Whether the median of a header after `parent` reaches below the root. */
static bool median_unknown(const struct header_tree *tree,
                           const struct header_node *parent)
{
    uint32_t base = tree->root->node.height;
    return base > 0 && parent->height - base < MEDIAN_SPAN - 1;
}

/* The verdict on a header with proof of work whose hash is new; *parent when ADDED. */
static enum header_verdict judge(const struct header_tree *tree, struct entry **parent,
                                 const struct block_header *header, struct wall_time now,
                                 struct error *error)
{
    *parent = entry_find(tree, &header->previous);
    if (*parent == NULL) {
        return header_tree_below_root(tree, NULL, &header->previous) ? HEADER_TOO_OLD
                                                                     : HEADER_ORPHAN;
    }
    struct header_node *node = &(*parent)->node;
    if (node->invalid) {
        error_set(error, "a block before it breaks a rule");
        return HEADER_INVALID;
    }
    if (node->children > 0 && median_unknown(tree, node)) {
        return HEADER_TOO_OLD;
    }
    const struct header_node *first = NULL;
    if ((node->height + 1) % RETARGET_INTERVAL == 0) {
        first = header_tree_ancestor(tree, node, node->height + 1 - RETARGET_INTERVAL);
    }
    return header_rules_check(tree->network, node, first, header, now, error);
}

static enum header_verdict add(struct header_tree *tree, struct entry **out,
                               const struct block_hash *hash,
                               const struct block_header *header, struct wall_time now,
                               struct error *error)
{
    struct entry *known = entry_find(tree, hash);
    if (known != NULL && known->node.invalid) {
        error_set(error, "its block, or one before it, breaks a rule");
        return HEADER_INVALID;
    }
    if (known != NULL) {
        *out = known;
        return HEADER_KNOWN;
    }
    if (!pow_check(tree->network, hash, header->bits)) {
        pow_error(error, header->bits);
        return HEADER_INVALID;
    }
    struct entry *parent;
    enum header_verdict verdict = judge(tree, &parent, header, now, error);
    if (verdict != HEADER_ADDED) {
        return verdict;
    }
    struct entry *entry = entry_add(tree, hash, header);
    entry_link(tree, entry, parent);
    /* On equal work the first stays. */
    if (mono_reached(tree->now, entry->aside_until) &&
        u256_compare(&entry->node.work, &tree->best->work) > 0) {
        best_set(tree, &entry->node);
    }
    *out = entry;
    return HEADER_ADDED;
}

enum header_verdict header_tree_add(struct header_tree *tree, struct header_node **node,
                                    const struct block_header *header,
                                    const struct block_hash *hash, struct wall_time now,
                                    struct error *error)
{
    struct entry *entry = NULL;
    enum header_verdict verdict = add(tree, &entry, hash, header, now, error);
    if (verdict == HEADER_INVALID) {
        char text[ID_TEXT_MAX];
        block_hash_text(text, hash);
        error_prefix(error, "header %s", text);
    }
    if (node != NULL) {
        *node = entry == NULL ? NULL : &entry->node;
    }
    return verdict;
}

struct header_node *header_tree_root(const struct header_tree *tree)
{
    return &tree->root->node;
}

struct header_node *header_tree_find(const struct header_tree *tree,
                                     const struct block_hash *hash)
{
    struct entry *entry = entry_find(tree, hash);
    return entry == NULL ? NULL : &entry->node;
}

struct header_node *header_tree_best(struct header_tree *tree, struct mono_time now)
{
    if (mono_since(now, tree->now) > 0) {
        tree->now = now;
    }
    if (mono_reached(tree->now, tree->next_expiry)) {
        best_choose(tree);
    }
    return tree->best;
}

void header_tree_invalidate(struct header_tree *tree, struct header_node *node)
{
    struct entry *top = entry_of(node);
    assert(top != tree->root);
    for (struct entry *at = top; at != NULL; at = subtree_next(top, at, true)) {
        at->node.invalid = true;
    }
    best_choose(tree);
}

void header_tree_set_aside(struct header_tree *tree, struct header_node *node,
                           struct mono_time until)
{
    struct entry *top = entry_of(node);
    assert(top != tree->root);
    node->aside_until = until;
    for (struct entry *at = top; at != NULL; at = subtree_next(top, at, true)) {
        struct mono_time above = entry_of(at->node.parent)->aside_until;
        at->aside_until = at->node.aside_until;
        if (mono_since(above, at->aside_until) > 0) {
            at->aside_until = above;
        }
    }
    best_choose(tree);
}

size_t header_tree_count(const struct header_tree *tree)
{
    return tree->by_hash.count;
}
