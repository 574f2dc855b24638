#include <string.h>

#include "spv/header_rules.h"
#include "spv/header_tree_impl.h"

/* A locator's hashes before its steps begin to double. */
#define LOCATOR_DENSE 10

struct header_node *header_tree_ancestor(const struct header_tree *tree,
                                         struct header_node *node, uint32_t height)
{
    uint32_t base = tree->root->node.height;
    if (height < base || height > node->height) {
        return NULL;
    }
    while (node->height > height && !header_tree_on_chain(tree, node)) {
        node = node->parent;
    }
    return node->height == height ? node : tree->chain[height - base];
}

struct header_node *header_tree_fork(struct header_node *a, struct header_node *b)
{
    while (a != b) {
        if (a->height >= b->height) {
            a = a->parent;
        } else {
            b = b->parent;
        }
    }
    return a;
}

struct block_time header_tree_median_time(const struct header_node *node)
{
    uint32_t times[MEDIAN_SPAN];
    size_t count = 0;
    for (; node != NULL && count < MEDIAN_SPAN; node = node->parent) {
        size_t at = count++;
        for (; at > 0 && times[at - 1] > node->header.time.s; at--) {
            times[at] = times[at - 1];
        }
        times[at] = node->header.time.s;
    }
    return (struct block_time){times[count / 2]};
}

void header_tree_tip_add(struct header_tree *tree, struct entry *entry)
{
    entry->previous_tip = NULL;
    entry->next_tip = tree->tips;
    if (tree->tips != NULL) {
        tree->tips->previous_tip = entry;
    }
    tree->tips = entry;
}

void header_tree_tip_remove(struct header_tree *tree, struct entry *entry)
{
    if (entry->next_tip != NULL) {
        entry->next_tip->previous_tip = entry->previous_tip;
    }
    if (entry->previous_tip != NULL) {
        entry->previous_tip->next_tip = entry->next_tip;
    } else {
        tree->tips = entry->next_tip;
    }
}

struct header_node *header_tree_next_tip(const struct header_tree *tree,
                                         struct header_node *tip)
{
    struct entry *next = tip == NULL ? tree->tips : entry_of(tip)->next_tip;
    return next == NULL ? NULL : &next->node;
}

size_t header_tree_locator(const struct header_tree *tree, struct block_hash *out,
                           size_t max, struct header_node *tip)
{
    uint32_t height = tip->height;
    uint32_t step = 1;
    size_t count = 0;
    while (count < max) {
        size_t index = height / RETARGET_INTERVAL;
        if (count + 1 == max) {
            height = 0;
        } else if (height < tree->root->node.height) {
            height = index < tree->sparse_count ? height - height % RETARGET_INTERVAL : 0;
        }
        if (height == 0) {
            out[count++] = tree->network->genesis_hash;
            break;
        }
        if (height >= tree->root->node.height) {
            tip = header_tree_ancestor(tree, tip, height);
            out[count++] = tip->hash;
        } else {
            out[count++] = tree->sparse[index];
        }
        step = count > LOCATOR_DENSE ? 2 * step : step;
        height = height > step ? height - step : 0;
    }
    return count;
}
