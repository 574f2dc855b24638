/* The adopted chain of filter headers becomes another: by a reorganisation, where it is
 * proven false, where it contradicts what is pinned. */
#include <inttypes.h>

#include "spv/core_rooms.h"

void filter_sync_rewind(struct spv *spv, uint32_t fork)
{
    filter_sync_drop_ranges(spv, fork);
    if (spv->checkpt_count > fork / CFCHECKPT_INTERVAL)
        spv->checkpt_count = fork / CFCHECKPT_INTERVAL;
    compare_rewind(spv, fork);
    disputes_rewind(spv, fork);
    if (spv->fh_count <= fork)
        return;
    const struct header_node *node = header_tree_ancestor(spv->tree, spv->best, fork);
    spv->fh_count = fork + 1;
    spv->fh_last = node->filter_header;
    /* A branch that was left before may know its own: the ledger may have stayed there
     * and rest on them, so that it is them that peers are compared with. */
    while ((node = header_tree_ancestor(spv->tree, spv->best, spv->fh_count)) &&
           node->has_filter_header)
        filter_sync_adopt(spv, node->height, &node->filter_header);
}

/* On every branch: what lies above the cut was chained from it. */
static void forget_nodes(struct spv *spv, uint32_t from)
{
    struct header_node *tip = NULL;
    while ((tip = header_tree_next_tip(spv->tree, tip)))
        for (struct header_node *node = tip; node && node->height >= from;
             node = node->parent)
            node->has_filter_header = false;
}

/* Below the root only the filter headers at checkpoints are at hand to go on from. */
static uint32_t cut_height(const struct spv *spv, uint32_t from)
{
    if (!from || from - 1 >= header_tree_root(spv->tree)->height)
        return from;
    uint32_t below = (from - 1) / CFCHECKPT_INTERVAL * CFCHECKPT_INTERVAL;
    return below ? below + 1 : 0;
}

static void take_back(struct spv *spv, uint32_t height)
{
    if (spv->filter_scanned <= height)
        return;
    spv->filter_scanned = height;
    lanes_take_back(spv, height);
}

void filter_sync_cut(struct spv *spv, uint32_t from)
{
    from = cut_height(spv, from);
    if (from >= spv->fh_count)
        return;
    /* With what the ledger rests on goes what others would be compared with. */
    take_back(spv, from ? from - 1 : 0);
    const struct header_node *node =
        from ? header_tree_ancestor(spv->tree, spv->best, from - 1) : NULL;
    if (node)
        spv->fh_last = node->filter_header;
    else if (from)
        spv->fh_last = spv->checkpt[from / CFCHECKPT_INTERVAL - 1];
    forget_nodes(spv, from);
    spv->fh_count = from;
    spv->checkpt_count = filter_sync_checkpoints(spv);
    filter_sync_drop_ranges(spv, 0);
    if (spv->fh_stored > from) {
        spv->fh_stored = from;
        if (from < spv->fh_cut)
            spv->fh_cut = from;
    }
    spv->fh_retry_at = spv->now.mono;
    spv->fh_retry_ms = CFHEADERS_TIP_RETRY_MS;
    compare_cut(spv, from);
    disputes_cut(spv, from);
    lanes_filters_cut(spv, from);
    spv->revision++;
}

void filter_sync_false(struct spv *spv, uint32_t height, const char *proof)
{
    spv_note(spv, LOG_CHAIN, LOG_WARNING, NULL,
             "filter headers from height %" PRIu32 " on are given up: %s", height, proof);
    for (size_t i = 0; i < spv->peer_count; i++) {
        struct peer *peer = &spv->peers[i];
        if (peer->state == PEER_READY && peer->claims.compared > height &&
            peer->claims.first_difference > height)
            peer_ban(spv, peer, proof);
    }
    filter_sync_cut(spv, height);
    take_back(spv, height ? height - 1 : 0);
}

/* ---- pinned filter headers ---- */

static void check_pin(struct spv *spv, size_t index, const struct filter_header *ours)
{
    if (filter_header_equal(ours, &spv->pins[index].header))
        return;
    uint32_t good = index ? spv->pins[index - 1].height : 0;
    spv_note(spv, LOG_CHAIN, LOG_WARNING, NULL,
             "the stored filter header at height %" PRIu32
             " isn't the pinned one; filter "
             "headers above height %" PRIu32 " are fetched anew",
             spv->pins[index].height, good);
    filter_sync_cut(spv, index ? good + 1 : 0);
    take_back(spv, good);
}

void filter_sync_pin_row(struct spv *spv, uint32_t height, const struct chain_row *row)
{
    for (size_t i = 0; i < spv->pin_count; i++)
        if (spv->pins[i].height == height && height < spv->fh_count &&
            row->has_filter_header)
            check_pin(spv, i, &row->filter_header);
}

/* What is stored may be older than the pins. The lowest that differs decides. */
void filter_sync_check_pins(struct spv *spv)
{
    if (spv->pins_asked)
        return;
    spv->pins_asked = true;
    for (size_t i = 0; i < spv->pin_count && spv->pins[i].height < spv->fh_count; i++) {
        uint32_t height = spv->pins[i].height;
        const struct header_node *node =
            header_tree_ancestor(spv->tree, spv->best, height);
        if (node) {
            check_pin(spv, i, &node->filter_header);
            continue;
        }
        struct spv_effect *effect = spv_effect_add(spv, SPV_LOAD_ROWS);
        effect->ticket = ticket_of(TICKET_PIN, height);
        effect->load.from = height;
        effect->load.count = 1;
    }
}
