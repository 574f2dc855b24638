/* Lies about filters: what a peer commits to in filter headers, and what it serves. */
#ifndef TESTS_SIM_LIES_H
#define TESTS_SIM_LIES_H

#include "tests/sim/world.h"

enum lie_kind {
    LIE_OMITS,       /* the scripts that may be watched */
    LIE_OMITS_SPENT, /* those of the coins that the block spends only */
    LIE_ADDS,        /* elements that no script of the block has: can't be proven */
    LIE_EMPTY,
    LIE_GARBAGE, /* no filter at all */
    LIE_KINDS
};

/* Peers that collude share one. */
struct sim_lie {
    enum lie_kind kind;
    uint64_t seed;
    uint32_t from, to, every; /* heights that it is about */
    bool headers_true;        /* commits to the true filters and serves others */
    bool checkpoints_true;    /* contradicts its own checkpoints */
    bool previous_false;      /* its chain doesn't start from zero */
    bool withholds;           /* never serves a false filter */
    bool mute;                /* doesn't answer about filter headers at all */
    uint32_t silent_above;    /* tells checkpoints, but no filter headers up there */
};

/* A lie about the chain up to this height. */
struct sim_lie *lie_new(struct sim *sim, uint32_t height);
void lie_say(const struct sim *sim, const struct sim_peer *peer);

/* What the peer commits to, and serves; the caller frees the filter's data. */
struct oracle_hash peer_filter_hash(struct sim_peer *peer,
                                    const struct oracle_block *block);
struct oracle_hash peer_filter_header(struct sim_peer *peer, struct oracle_block *block);
struct oracle_bytes peer_filter(struct sim_peer *peer, const struct oracle_block *block);
bool peer_withholds_filter(const struct sim_peer *peer, const struct oracle_block *block);

#endif
