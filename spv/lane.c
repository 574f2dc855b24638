/* Lanes: cohorts on their way to the tip. A lane is a window of heights above the point
 * that its cohort has reached; each height goes through its slot's states in its own
 * time, and what is done is handed to the ledger in height order. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "spv/core_rooms.h"

/* Rows and bytes of blocks in one batch for the ledger. */
#define APPLY_ROWS_MAX 1000
#define APPLY_BYTES_MAX (6u << 20)
#define LOAD_ROWS_MAX 1000

static void slot_enter(struct lane *lane, struct slot *slot, enum slot_state state)
{
    uint32_t first = lane->base + 1, at = (uint32_t)(slot - lane->slots);
    uint32_t height = first + (at - first) % LANE_WINDOW;
    slot->state = state;
    lane->counts[state]++;
    if (height < lane->lowest[state])
        lane->lowest[state] = height;
}

/* With what came from a peer: filters from the disk don't hold up reading, or the next of
 * them would always take the place of those that are done. */
static bool at_worker(const struct slot *slot)
{
    return (slot->state == SLOT_MATCHING && !slot->kept) || slot->state == SLOT_CHECKING;
}

/* The one place where a slot's state changes. */
void slot_set(struct lane *lane, struct slot *slot, enum slot_state state)
{
    lane->at_workers -= at_worker(slot) ? slot->held : 0;
    lane->counts[slot->state]--;
    slot_enter(lane, slot, state);
    lane->at_workers += at_worker(slot) ? slot->held : 0;
}

bool lane_next(struct lane *lane, uint32_t *height, enum slot_state state)
{
    uint32_t at = lane->lowest[state];
    if (!lane->counts[state])
        return false;
    if (at <= lane->base)
        at = lane->base + 1;
    while (lane_slot(lane, at)->state != state)
        at++;
    lane->lowest[state] = *height = at;
    return true;
}

/* Say how many bytes of filter and block the slot now holds. */
void slot_hold(struct lane *lane, struct slot *slot, size_t bytes)
{
    lane->held = lane->held - slot->held + bytes;
    if (at_worker(slot))
        lane->at_workers = lane->at_workers - slot->held + bytes;
    slot->held = bytes;
}

enum slot_state lane_wants(const struct spv *spv, const struct lane *lane,
                           uint32_t height)
{
    if (height > lane->filters_until || height_set_has(&spv->whole, height))
        return SLOT_WANTS_BLOCK;
    return height_set_has(&spv->kept, height) ? SLOT_WANTS_KEPT : SLOT_WANTS_FILTER;
}

static void slot_push(const struct spv *spv, struct lane *lane,
                      const struct chain_row *row)
{
    uint32_t height = ++lane->filled;
    struct slot *slot = lane_slot(lane, height);
    memset(slot, 0, sizeof *slot);
    slot->row = *row;
    slot_enter(lane, slot, lane_wants(spv, lane, height));
}

static void slot_release(struct lane *lane, struct slot *slot)
{
    lane->counts[slot->state]--;
    slot_hold(lane, slot, 0);
    free(slot->filter);
    block_free(slot->block);
    slot->filter = NULL;
    slot->block = NULL;
}

/* Answers on their way are about what isn't wanted any more: a new generation tells. */
static void forget_answers(const struct spv *spv, struct lane *lane)
{
    lane->generation++;
    lane->loading = false;
    for (uint32_t at = lane->base + 1; at <= lane->filled; at++) {
        struct slot *slot = lane_slot(lane, at);
        if (slot->state == SLOT_MATCHING)
            slot_set(lane, slot, lane_wants(spv, lane, at));
        else if (slot->state == SLOT_CHECKING)
            slot_set(lane, slot, SLOT_WANTS_BLOCK);
        else
            continue;
        slot_hold(lane, slot, 0);
    }
}

void lane_truncate(struct spv *spv, struct lane *lane, uint32_t height)
{
    if (lane->filled <= height)
        return;
    for (size_t i = spv->request_count; i-- > 0;) {
        struct request *request = &spv->requests[i];
        if (request_of_lane(request, lane->index)) {
            struct request copy = *request;
            request_remove(spv, request);
            lane_returned(spv, &copy);
        }
    }
    bool working = false;
    for (uint32_t at = height + 1; at <= lane->filled; at++) {
        struct slot *slot = lane_slot(lane, at);
        working |= slot->state == SLOT_MATCHING || slot->state == SLOT_CHECKING;
        slot_release(lane, slot);
    }
    lane->filled = height;
    if (working || lane->loading)
        forget_answers(spv, lane);
}

void lane_stop(struct spv *spv, struct lane *lane)
{
    if (!lane->active)
        return;
    lane_truncate(spv, lane, lane->base);
    requests_drop_lane(spv, lane->index);
    if (lane->staged) {
        struct spv_effect *effect = spv_effect_add(spv, SPV_UNSTAGE);
        effect->unstage.cohort = lane->cohort;
    }
    script_set_unref(lane->scripts);
    lane->scripts = NULL;
    lane->active = false;
    lane->generation++;
}

void lane_start(struct spv *spv, struct lane *lane, const struct cohort *cohort,
                uint32_t base)
{
    lane_stop(spv, lane);
    lane->active = true;
    lane->cohort = cohort->id;
    lane->scripts = script_set_ref(cohort->scripts);
    lane->epoch = spv->cohorts.epoch;
    lane->base = lane->filled = base;
    memset(lane->lowest, 0, sizeof lane->lowest);
    lane->has_base_filter_header = false;
    lane->loading = false;
    lane->staged = false;
    lane->reorganise = false;
    lane->stale = false;
    lane->applying = 0;
    lane->filters_until = 0;
    lane->progress_at = spv->now.mono;
}

void lanes_init(struct spv *spv)
{
    spv->lanes = mem_zalloc(LANES, sizeof *spv->lanes);
    for (uint8_t i = 0; i < LANES; i++)
        spv->lanes[i].index = i;
}

void lanes_free(struct spv *spv)
{
    for (size_t i = 0; i < LANES; i++) {
        struct lane *lane = &spv->lanes[i];
        for (uint32_t at = lane->base + 1; lane->active && at <= lane->filled; at++)
            slot_release(lane, lane_slot(lane, at));
        script_set_unref(lane->scripts);
    }
    free(spv->lanes);
}

/* ---- filling: rows from the tree's nodes, older ones from the store ---- */

struct header_node *lane_chain(const struct spv *spv, const struct lane *lane)
{
    return lane->index == LANE_FRONT ? lane->target_node : spv->ledger;
}

static void row_of_node(struct chain_row *row, const struct header_node *node)
{
    row->header = node->header;
    row->hash = node->hash;
    row->filter_header = node->filter_header;
    row->has_filter_header = node->has_filter_header;
}

/* Where filters decide, slots exist only as far as filter headers are known. */
static uint32_t fill_limit(const struct spv *spv, const struct lane *lane)
{
    uint32_t limit = lane->target;
    if (limit > lane->base + LANE_WINDOW)
        limit = lane->base + LANE_WINDOW;
    if (lane->filled < lane->filters_until && limit >= spv->fh_count)
        limit = spv->fh_count ? spv->fh_count - 1 : 0;
    return limit;
}

static void ask_rows(struct spv *spv, struct lane *lane, uint32_t from, uint32_t to)
{
    if (lane->loading)
        return;
    if (to - from >= LOAD_ROWS_MAX)
        to = from + LOAD_ROWS_MAX - 1;
    lane->loading = true;
    struct spv_effect *effect = spv_effect_add(spv, SPV_LOAD_ROWS);
    effect->ticket = ticket_make(lane, from);
    effect->load.from = from;
    effect->load.count = to - from + 1;
}

static void take_base_filter_header(struct lane *lane, const struct chain_row *row)
{
    lane->base_filter_header = row->filter_header;
    lane->has_base_filter_header = row->has_filter_header;
}

/* The chain may have moved while rows are being handed over to the ledger: the lane's
 * slots follow it only afterwards, and until then none of the new chain come on top. */
static bool filled_on_chain(const struct spv *spv, struct lane *lane,
                            struct header_node *chain)
{
    uint32_t root = header_tree_root(spv->tree)->height;
    if (!chain || lane->filled == lane->base || lane->filled < root)
        return true;
    const struct header_node *node = header_tree_ancestor(spv->tree, chain, lane->filled);
    return node &&
           block_hash_equal(&node->hash, &lane_slot(lane, lane->filled)->row.hash);
}

void lane_fill(struct spv *spv, struct lane *lane)
{
    uint32_t root = header_tree_root(spv->tree)->height;
    uint32_t limit = fill_limit(spv, lane);
    bool wants_base = lane->base < lane->filters_until && !lane->has_base_filter_header;
    if (limit <= lane->filled && !wants_base)
        return;
    if (wants_base && lane->base >= spv->fh_count)
        return; /* nobody knows it yet: the store needn't be asked over and over */
    uint32_t from =
        wants_base && lane->filled == lane->base ? lane->base : lane->filled + 1;
    if (from < root) {
        ask_rows(spv, lane, from, limit < root ? limit : root - 1);
        return;
    }
    struct header_node *chain = lane_chain(spv, lane);
    if (!filled_on_chain(spv, lane, chain))
        return;
    for (uint32_t height = from; chain && height <= limit; height++) {
        const struct header_node *node = header_tree_ancestor(spv->tree, chain, height);
        if (!node)
            return;
        struct chain_row row;
        row_of_node(&row, node);
        if (height == lane->base)
            take_base_filter_header(lane, &row);
        else if (height <= lane->filters_until && !row.has_filter_header)
            return;
        else
            slot_push(spv, lane, &row);
        if (height == lane->filters_until)
            limit = fill_limit(spv, lane);
    }
}

void lane_rows(struct spv *spv, struct lane *lane, uint32_t from,
               const struct chain_row *rows, size_t count)
{
    lane->loading = false;
    for (size_t i = 0; i < count; i++) {
        uint32_t height = from + (uint32_t)i;
        if (height == lane->base)
            take_base_filter_header(lane, &rows[i]);
        else if (height == lane->filled + 1 && height <= lane->base + LANE_WINDOW &&
                 (rows[i].has_filter_header || height > lane->filters_until))
            slot_push(spv, lane, &rows[i]);
    }
}

/* ---- handing over to the ledger ---- */

static uint32_t done_prefix(struct lane *lane)
{
    uint32_t count = 0;
    for (size_t bytes = 0; lane->base + count < lane->filled && count < APPLY_ROWS_MAX &&
                           bytes < APPLY_BYTES_MAX;
         count++) {
        const struct slot *slot = lane_slot(lane, lane->base + count + 1);
        if (slot->state != SLOT_DONE)
            break;
        bytes += slot->held;
    }
    return count;
}

/* A reorganisation is committed once its branch, with its data, outweighs the ledger's.
 */
static bool may_commit(const struct spv *spv, const struct lane *lane, uint32_t height)
{
    if (!lane->reorganise || !spv->ledger || spv->ledger->invalid)
        return true;
    const struct header_node *node =
        header_tree_ancestor(spv->tree, lane->target_node, height);
    return node && u256_compare(&node->work, &spv->ledger->work) > 0;
}

void lane_apply(struct spv *spv, struct lane *lane)
{
    uint32_t count = lane->applying ? 0 : done_prefix(lane);
    if (!count)
        return;
    struct spv_effect *effect = spv_effect_add(spv, SPV_APPLY);
    effect->ticket = ticket_make(lane, lane->base);
    effect->apply.epoch = lane->epoch;
    effect->apply.cohort = lane->cohort;
    effect->apply.base = lane->base;
    effect->apply.count = count;
    effect->apply.reorganise = lane->reorganise;
    effect->apply.commit = may_commit(spv, lane, lane->base + count);
    effect->apply.rows = mem_zalloc(count, sizeof *effect->apply.rows);
    effect->apply.blocks = mem_zalloc(count, sizeof *effect->apply.blocks);
    for (uint32_t i = 0; i < count; i++) {
        struct slot *slot = lane_slot(lane, lane->base + 1 + i);
        effect->apply.rows[i] = slot->row;
        effect->apply.blocks[i] = slot->block;
        slot->block = NULL; /* its bytes count until they are applied */
    }
    lane->applying = count;
    lane->applying_commit = effect->apply.commit;
}

void lane_clamp(struct spv *spv, struct lane *lane, uint32_t height, bool retract)
{
    struct spv_effect *effect = spv_effect_add(spv, SPV_APPLY);
    effect->ticket = ticket_make(lane, lane->base);
    effect->apply.epoch = lane->epoch;
    effect->apply.cohort = lane->cohort;
    effect->apply.base = height;
    effect->apply.reorganise = true;
    effect->apply.commit = true;
    effect->apply.retract = retract;
    lane->taking_back = retract ? height : NO_HEIGHT;
    lane->applying = 1;
    lane->applying_clamp = true;
}

void lane_condemn(struct spv *spv, const struct block_hash *hash, uint32_t height,
                  const char *reason)
{
    char text[ID_TEXT_MAX];
    block_hash_text(text, hash);
    spv_note(spv, LOG_CHAIN, LOG_ERROR, NULL, "block %s at height %u is invalid: %s",
             text, height, reason);
    struct header_node *node = header_tree_find(spv->tree, hash);
    if (node && node != header_tree_root(spv->tree))
        header_tree_invalidate(spv->tree, node);
    else if (!spv->broken) {
        error_set(&spv->broken_reason,
                  "block %s at height %u, deep in the chain, is invalid: %s", text,
                  height, reason);
        spv->broken = true;
        spv->revision++;
    }
}

static void applied_ok(struct spv *spv, struct lane *lane)
{
    uint32_t count = lane->applying;
    struct slot *last = lane_slot(lane, lane->base + count);
    take_base_filter_header(lane, &last->row);
    lane->base_hash = last->row.hash;
    for (uint32_t i = 0; i < count; i++)
        slot_release(lane, lane_slot(lane, lane->base + 1 + i));
    lane->base += count;
    lane->staged = !lane->applying_commit;
    if (lane->staged || lane->index != LANE_FRONT)
        return;
    struct header_node *tip =
        header_tree_ancestor(spv->tree, lane->target_node, lane->base);
    spv->ledger = tip;
    if (tip)
        headers_stored(spv, tip);
    lane->reorganise = false;
}

void lane_applied(struct spv *spv, const struct spv_input *input)
{
    struct lane *lane = &spv->lanes[input->ticket >> 63];
    struct slot *first = lane_slot(lane, lane->base + 1);
    cohort_table_release(&spv->cohorts);
    cohort_table_copy(&spv->cohorts, input->applied.cohorts);
    spv->revision++;
    lane->progress_at = spv->now.mono;
    bool clamp = lane->applying_clamp;
    lane->applying_clamp = false;
    switch (input->applied.verdict) {
    case APPLY_OK:
        if (!clamp) {
            applied_ok(spv, lane);
            break;
        }
        if (spv->take_back == lane->taking_back)
            spv->take_back = NO_HEIGHT;
        lane_stop(spv, lane);
        break;
    case APPLY_INVALID: {
        uint32_t at = input->applied.invalid_height;
        if (at > lane->base && at <= lane->base + lane->applying)
            first = lane_slot(lane, at);
        lane_condemn(spv, &first->row.hash, at, input->applied.reason);
        lane_stop(spv, lane);
        break;
    }
    case APPLY_STALE:
        lane_stop(spv, lane);
        break;
    }
    lane->applying = 0;
}

/* ---- filters found wrong ---- */

void lanes_take_back(struct spv *spv, uint32_t height)
{
    if (height < spv->take_back)
        spv->take_back = height;
    spv->revision++;
}

/* What the lane hasn't handed on yet. What the store has, it looks through itself. */
static void lane_whole(struct lane *lane, uint32_t height)
{
    uint32_t handed = lane->base + lane->applying;
    if (height > lane->filters_until || height > lane->filled)
        return;
    if (height <= handed) {
        bool staged = lane->staged || (lane->applying && !lane->applying_commit);
        lane->stale |= staged && height > lane->fork;
        return;
    }
    struct slot *slot = lane_slot(lane, height);
    if (slot->state == SLOT_WANTS_FILTER || slot->state == SLOT_WANTS_KEPT ||
        (slot->state == SLOT_DONE && !slot->block))
        slot_set(lane, slot, SLOT_WANTS_BLOCK);
}

void lanes_whole(struct spv *spv, uint32_t height)
{
    for (size_t i = 0; i < LANES; i++)
        if (spv->lanes[i].active)
            lane_whole(&spv->lanes[i], height);
}

void lanes_filters_cut(struct spv *spv, uint32_t from)
{
    for (size_t i = 0; i < LANES; i++) {
        struct lane *lane = &spv->lanes[i];
        uint32_t handed = lane->base + lane->applying;
        if (!lane->active || lane->applying_clamp || lane->filters_until < from)
            continue;
        lane_truncate(spv, lane, from > handed ? from - 1 : handed);
        if (lane->loading) /* rows with filter headers of before */
            forget_answers(spv, lane);
        if (lane->base >= from)
            lane->has_base_filter_header = false;
        for (uint32_t height = lane->base + 1; height <= handed; height++)
            if (height >= from)
                lane_slot(lane, height)->row.has_filter_header = false;
    }
}

uint32_t lanes_filters_until(const struct spv *spv)
{
    uint32_t highest = 0;
    for (size_t i = 0; i < LANES; i++) {
        const struct lane *lane = &spv->lanes[i];
        uint32_t until =
            lane->filters_until < lane->target ? lane->filters_until : lane->target;
        if (lane->active && until > lane->base && until > highest)
            highest = until;
    }
    return highest;
}
