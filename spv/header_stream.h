/* The rules of headers for a chain that streams by: the same verdicts as header_tree_add
 * gives, in constant memory, with nothing kept but what the next header is judged by. */
#ifndef SPV_HEADER_STREAM_H
#define SPV_HEADER_STREAM_H

#include "spv/header_rules.h"

struct header_stream {
    const struct network *network;
    struct block_hash hash; /* of the newest header */
    struct u256 work;       /* of the chain up to and with it */
    struct header_past past;
    uint32_t next_time; /* the place of the oldest time */
    /* Neighbours nearly always have the same bits: the division is kept. */
    uint32_t work_bits;
    struct u256 header_work;
};

void header_stream_at_genesis(struct header_stream *stream,
                              const struct network *network);
/* Go on from a node of the tree. */
void header_stream_at_node(struct header_stream *stream, const struct network *network,
                           const struct header_tree *tree, struct header_node *node);

/* `hash` is the header's own. HEADER_ADDED: the stream has gone on. HEADER_ORPHAN: it
 * doesn't follow the newest. HEADER_FUTURE and HEADER_INVALID as in header_tree_add;
 * *error is set for INVALID only. */
NODISCARD enum header_verdict header_stream_add(struct header_stream *stream,
                                                const struct block_header *header,
                                                const struct block_hash *hash,
                                                struct wall_time now,
                                                struct error *error);

#endif
