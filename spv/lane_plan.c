/* Where lanes go: which cohort each brings forward, from where, to which tip; what has to
 * go back first. */
#include "spv/core_rooms.h"

/* The ledger's tip as a node, after the cohorts or the tree changed. */
static void ledger_update(struct spv *spv)
{
    if (!spv->cohorts.count) {
        spv->ledger = NULL;
        return;
    }
    uint32_t cursor = spv->cohorts.at[0].cursor;
    if (!spv->ledger)
        spv->ledger = header_tree_ancestor(spv->tree, spv->stored, cursor);
    else if (spv->ledger->height != cursor)
        spv->ledger = header_tree_ancestor(spv->tree, spv->ledger, cursor);
}

/* Slots that aren't on the lane's chain any more go. */
static void follow_chain(struct spv *spv, struct lane *lane)
{
    uint32_t root = header_tree_root(spv->tree)->height;
    uint32_t keep = lane->filled < lane->target ? lane->filled : lane->target;
    uint32_t handed = lane->base + lane->applying; /* stay until the answer comes */
    struct header_node *chain = lane_chain(spv, lane);
    while (chain && keep > handed && keep >= root) {
        const struct header_node *node = header_tree_ancestor(spv->tree, chain, keep);
        if (node && block_hash_equal(&node->hash, &lane_slot(lane, keep)->row.hash))
            break;
        keep--;
    }
    lane_truncate(spv, lane, keep > handed ? keep : handed);
}

static bool on_chain(const struct spv *spv, struct header_node *tip, uint32_t height,
                     const struct block_hash *hash)
{
    if (height < header_tree_root(spv->tree)->height)
        return true;
    const struct header_node *node = header_tree_ancestor(spv->tree, tip, height);
    return node && block_hash_equal(&node->hash, hash);
}

/* Where the front lane starts from: the ledger's tip, or the fork to a better branch. */
static void front_plan(const struct spv *spv, uint32_t *base, bool *reorganise,
                       struct header_node **target)
{
    struct header_node *ledger = spv->ledger;
    *base = spv->cohorts.at[0].cursor;
    *reorganise = false;
    *target = spv->best;
    if (!ledger || header_tree_ancestor(spv->tree, spv->best, ledger->height) == ledger)
        return;
    if (!ledger->invalid && u256_compare(&spv->best->work, &ledger->work) <= 0) {
        *target = ledger; /* what is better was set aside */
        return;
    }
    *base = header_tree_fork(spv->best, ledger)->height;
    *reorganise = true;
}

static bool front_goes_on(const struct spv *spv, const struct lane *lane, uint32_t base,
                          bool reorganise, struct header_node *target)
{
    if (!lane->active || lane->epoch != spv->cohorts.epoch ||
        lane->reorganise != reorganise || lane->stale)
        return false;
    if (!reorganise)
        return lane->base == base;
    return lane->fork == base &&
           (!lane->staged || on_chain(spv, target, lane->base, &lane->base_hash));
}

/* Cohorts that passed what was found wrong go back before anything else. */
static bool take_back(struct spv *spv, struct lane *lane)
{
    bool passed = false;
    for (size_t i = 0; i < spv->cohorts.count; i++)
        passed |= spv->cohorts.at[i].cursor > spv->take_back;
    if (!passed) {
        spv->take_back = NO_HEIGHT;
        return false;
    }
    lane_start(spv, lane, &spv->cohorts.at[0], spv->cohorts.at[0].cursor);
    lane_clamp(spv, lane, spv->take_back, true);
    return true;
}

static void front_update(struct spv *spv)
{
    struct lane *lane = &spv->lanes[LANE_FRONT];
    if (lane->applying)
        return;
    if (!spv->cohorts.count) {
        spv->take_back = NO_HEIGHT;
        lane_stop(spv, lane);
        return;
    }
    uint32_t base;
    bool reorganise;
    struct header_node *target;
    front_plan(spv, &base, &reorganise, &target);
    if (take_back(spv, lane))
        return;
    if (!front_goes_on(spv, lane, base, reorganise, target)) {
        lane_start(spv, lane, &spv->cohorts.at[0], base);
        lane->reorganise = reorganise;
        lane->fork = base;
    }
    if (lane->target_node != target || lane->target != target->height)
        spv->revision++;
    lane->target_node = target;
    lane->target = target->height;
    if (base > target->height) {
        if (spv->headers_settled)
            lane_clamp(spv, lane, spv->best->height, false);
        return;
    }
    if (target->height - lane->base > WHOLE_GAP_MAX &&
        target->height > lane->filters_until && !spv->scan_blocks) {
        /* Slots that were to be fetched whole don't know the filter headers from which
         * those above would follow. */
        uint32_t known = lane->filters_until;
        lane_truncate(spv, lane, known > lane->base ? known : lane->base);
        lane->filters_until = target->height;
    }
    follow_chain(spv, lane);
}

/* The hindmost cohort but 0, towards the one before it. */
static void back_update(struct spv *spv)
{
    struct lane *lane = &spv->lanes[LANE_BACK];
    if (lane->applying) {
        follow_chain(spv, lane); /* the ledger may have gone over to another branch */
        return;
    }
    const struct cohort *hindmost = NULL;
    for (size_t i = 1; i < spv->cohorts.count; i++)
        if (!hindmost || spv->cohorts.at[i].cursor < hindmost->cursor)
            hindmost = &spv->cohorts.at[i];
    if (!hindmost) {
        lane_stop(spv, lane);
        return;
    }
    uint32_t goal = UINT32_MAX;
    for (size_t i = 0; i < spv->cohorts.count; i++)
        if (spv->cohorts.at[i].cursor > hindmost->cursor &&
            spv->cohorts.at[i].cursor < goal)
            goal = spv->cohorts.at[i].cursor;
    if (!lane->active || lane->epoch != spv->cohorts.epoch ||
        lane->cohort != hindmost->id || lane->base != hindmost->cursor) {
        lane_start(spv, lane, hindmost, hindmost->cursor);
        lane->filters_until = spv->scan_blocks ? 0 : UINT32_MAX;
    }
    if (goal > spv->stored->height)
        goal = hindmost->cursor;
    lane->target = goal;
    follow_chain(spv, lane);
}

/* ---- a branch that nobody serves ---- */

static bool somebody_ready(const struct spv *spv)
{
    for (size_t i = 0; i < spv->peer_count; i++)
        if (spv->peers[i].state == PEER_READY)
            return true;
    return false;
}

/* Also when those who spoke of the branch are gone: let go for bad bodies, say. */
static bool may_be_withheld(const struct spv *spv, const struct lane *lane)
{
    return lane->active && !lane->applying && lane->base < lane->target &&
           lane->base >= header_tree_root(spv->tree)->height && somebody_ready(spv);
}

/* The newest block of the target's branch that somebody without the target has, too: what
 * is above it is what isn't served. */
static uint32_t shared_height(const struct spv *spv, const struct lane *lane)
{
    uint32_t height = lane->reorganise ? lane->fork : lane->base;
    struct header_node *target = lane->target_node;
    for (size_t i = 0; i < spv->peer_count; i++) {
        const struct peer *peer = &spv->peers[i];
        if (peer->state != PEER_READY || !peer->best ||
            peer_has(spv, peer, target->height, &target->hash))
            continue;
        uint32_t shared = header_tree_fork(peer->best, target)->height;
        if (shared > height)
            height = shared;
    }
    return height;
}

static void set_aside_if_withheld(struct spv *spv, struct lane *lane)
{
    if (!may_be_withheld(spv, lane)) {
        lane->progress_at = spv->now.mono;
        return;
    }
    if (mono_since(spv->now.mono, lane->progress_at) < ASIDE_AFTER_MS)
        return;
    uint32_t first = shared_height(spv, lane) + 1;
    struct header_node *node = header_tree_ancestor(spv->tree, lane->target_node, first);
    char text[ID_TEXT_MAX];
    block_hash_text(text, &node->hash);
    spv_note(spv, LOG_CHAIN, LOG_WARNING, NULL,
             "nobody serves the branch from block %s at height %u: set aside, asked for "
             "again later",
             text, first);
    header_tree_set_aside(spv->tree, node, mono_add(spv->now.mono, ASIDE_FOR_MS));
    lane->progress_at = spv->now.mono;
    headers_update(spv);
    ledger_update(spv);
    front_update(spv);
}

struct mono_time lanes_deadline(const struct spv *spv)
{
    const struct lane *lane = &spv->lanes[LANE_FRONT];
    if (!lane->active || lane->base >= lane->target)
        return MONO_NEVER;
    return mono_add(lane->progress_at, ASIDE_AFTER_MS);
}

void lanes_update(struct spv *spv)
{
    ledger_update(spv);
    front_update(spv);
    set_aside_if_withheld(spv, &spv->lanes[LANE_FRONT]);
    back_update(spv);
    for (size_t i = 0; i < LANES; i++) {
        struct lane *lane = &spv->lanes[i];
        if (!lane->active || lane->applying_clamp)
            continue;
        lane_fill(spv, lane);
        lane_fetch(spv, lane);
        lane_apply(spv, lane);
    }
}
