/* Whether the chain is the one that is meant: checkpoints, and what tells the chain that
 * split off in August 2026 (spv.md). Its peers are let go of, never banned: they don't
 * lie.
 */
#include <stdarg.h>
#include <stdio.h>

#include "spv/core_rooms.h"

/* The other chain had plain headers for 8 blocks above the split. */
#define SPLIT_SPAN 16
/* A tip there that is older than this isn't on the way to anywhere. */
#define STUCK_AFTER_S 86400
/* How far a reorganisation between its version message and its headers may take a peer
 * back. */
#define SHORT_MAX 6

void identity_other_chain(struct spv *spv, struct peer *peer, const char *format, ...)
{
    char how[ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(how, sizeof how, format, args);
    va_end(args);
    error_set(&spv->other_chain_reason, "peer %s serves another chain: %s",
              peer->address.text, how);
    spv->other_chain = true;
    spv->revision++;
    struct error fault;
    error_set(&fault, "it serves another chain: %s", how);
    peer_drop_for(spv, peer, fault.text, RETRY_OTHER_CHAIN_MS);
}

void identity_ours(struct spv *spv)
{
    if (!spv->other_chain)
        return;
    spv->other_chain = false;
    spv->revision++;
}

bool identity_stuck_at_split(struct spv *spv, struct peer *peer, uint32_t height,
                             struct block_time time)
{
    uint32_t split = spv->network->split_height;
    if (!split || height < split || height >= split + SPLIT_SPAN ||
        spv->now.wall.s - (int64_t)time.s < STUCK_AFTER_S)
        return false;
    identity_other_chain(spv, peer,
                         "its chain ends at height %u, just above the split at %u",
                         height, split);
    return true;
}

bool identity_ends_short(struct spv *spv, struct peer *peer, uint32_t height)
{
    if (peer->start_height < 0 || (uint32_t)peer->start_height <= height + SHORT_MAX)
        return false;
    identity_other_chain(spv, peer,
                         "it said that its chain is at height %d, and its headers end at "
                         "%u",
                         (int)peer->start_height, height);
    return true;
}

bool identity_refuses(const struct spv *spv, const struct header_node *parent,
                      const struct block_header *header, struct error *error)
{
    for (size_t i = 0; i < spv->checkpoint_count; i++) {
        const struct checkpoint *checkpoint = &spv->checkpoints[i];
        if (checkpoint->height != parent->height + 1)
            continue;
        struct block_hash hash;
        block_header_hash(&hash, header);
        if (block_hash_equal(&hash, &checkpoint->hash))
            continue;
        char text[ID_TEXT_MAX];
        block_hash_text(text, &checkpoint->hash);
        error_set(error, "its block at height %u isn't the checkpoint %s",
                  checkpoint->height, text);
        return true;
    }
    return false;
}

static void checkpoint_differs(struct spv *spv, const struct checkpoint *checkpoint)
{
    char hash[ID_TEXT_MAX];
    block_hash_text(hash, &checkpoint->hash);
    error_set(
        &spv->identity_reason,
        "the chain doesn't contain the checkpoint %s at height %u: it is another chain",
        hash, checkpoint->height);
    spv->identity_bad = true;
    spv->revision++;
    spv_note(spv, LOG_CHAIN, LOG_ERROR, NULL, "%s", spv->identity_reason.text);
}

void identity_check_row(struct spv *spv, uint32_t height, const struct chain_row *row)
{
    for (size_t i = 0; i < spv->checkpoint_count; i++) {
        if (spv->checkpoints[i].height != height || spv->checkpoint_seen[i])
            continue;
        spv->checkpoint_seen[i] = true;
        spv->revision++;
        if (!block_hash_equal(&spv->checkpoints[i].hash, &row->hash))
            checkpoint_differs(spv, &spv->checkpoints[i]);
    }
}

void identity_remember_below(struct spv *spv, uint32_t height)
{
    uint32_t root = header_tree_root(spv->tree)->height;
    for (size_t i = 0; i < spv->checkpoint_count; i++) {
        const struct checkpoint *checkpoint = &spv->checkpoints[i];
        if (spv->checkpoint_seen[i] || checkpoint->height > height ||
            checkpoint->height < root)
            continue;
        spv->checkpoint_seen[i] = true;
        struct header_node *node =
            header_tree_ancestor(spv->tree, spv->best, checkpoint->height);
        if (node && !block_hash_equal(&node->hash, &checkpoint->hash))
            checkpoint_differs(spv, checkpoint);
    }
}

void identity_ask_rows(struct spv *spv)
{
    if (spv->checkpoints_asked)
        return;
    spv->checkpoints_asked = true;
    for (size_t i = 0; i < spv->checkpoint_count; i++) {
        if (spv->checkpoints[i].height >= header_tree_root(spv->tree)->height)
            continue;
        struct spv_effect *effect = spv_effect_add(spv, SPV_LOAD_ROWS);
        effect->ticket = ticket_of(TICKET_CHECKPOINT, spv->checkpoints[i].height);
        effect->load.from = spv->checkpoints[i].height;
        effect->load.count = 1;
    }
}
