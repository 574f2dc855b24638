/* Headers with proof of work for networks whose limit is regtest's. */
#ifndef TESTS_UNIT_SPV_MINE_H
#define TESTS_UNIT_SPV_MINE_H

#include <string.h>

#include "base/bytes.h"
#include "spv/header_tree.h"
#include "spv/pow.h"

static inline void mine_solve(const struct network *network, struct block_header *header)
{
    struct block_hash hash;
    block_header_hash(&hash, header);
    while (!pow_check(network, &hash, header->bits)) {
        header->nonce++;
        block_header_hash(&hash, header);
    }
}

/* A header after `parent`, `seconds` later, of the parent's bits; the tag tells it from
 * its siblings. Not solved yet. */
static inline struct block_header mine_template(const struct header_node *parent,
                                                uint32_t seconds, uint32_t tag)
{
    struct block_header header = {
        .version = 4,
        .previous = parent->hash,
        .time = {parent->header.time.s + seconds},
        .bits = parent->header.bits,
    };
    put_u32le(header.merkle_root, tag);
    return header;
}

NODISCARD static inline enum header_verdict
tree_add(struct header_tree *tree, struct header_node **node,
         const struct block_header *header, struct wall_time now, struct error *error)
{
    struct block_hash hash;
    block_header_hash(&hash, header);
    return header_tree_add(tree, node, header, &hash, now, error);
}

#endif
