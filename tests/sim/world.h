/* The simulated world: one client (the real core and the real ledger), its peers, a
 * network that mines, and one clock. Everything follows from the seed. */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "base/attr.h"
#include "base/random.h"
#include "tests/sim/oracle.h"

#define SIM_PEERS_MAX 5
#define SIM_FEEDS_MAX 3
/* Scripts of the oracle's table that feeds choose from; the others are strangers'. */
#define SIM_SCRIPTS 64
#define SIM_WATCHABLE 40

struct sim;
struct sim_peer;
struct client;

/* ---- what happens when ---- */

/* Something that happens later. `run` and `drop` own `data`; exactly one is called. */
struct happening {
    int64_t at;
    uint64_t order;
    void (*run)(struct sim *sim, void *data);
    void (*drop)(void *data);
    void *data;
};

/* ---- what a peer does ---- */

/* How a peer differs from an honest node. A callback that is NULL, or returns false,
 * leaves the honest answer. */
struct sim_behaviour {
    const char *name;
    bool honest; /* is never to be blamed */
    bool (*block)(struct sim *sim, struct sim_peer *peer,
                  const struct oracle_block *block);
    bool (*filters)(struct sim *sim, struct sim_peer *peer, struct oracle_block *stop);
    bool (*filter_headers)(struct sim *sim, struct sim_peer *peer,
                           struct oracle_block *stop);
    bool (*headers)(struct sim *sim, struct sim_peer *peer);
    /* Now and then, unasked. */
    void (*idle)(struct sim *sim, struct sim_peer *peer);
};

struct sim_peer {
    size_t index;
    const struct sim_behaviour *behaviour;
    bool up;            /* accepts connections */
    uint32_t link;      /* serial number of the connection; 0: none */
    uint32_t client_id; /* the client's name for it */
    bool shaken;        /* both versions and veracks are through */
    bool sendheaders;
    int64_t latency_ms;    /* of a message, at most */
    int64_t in_at, out_at; /* messages of one direction keep their order */
    int64_t silent_until;
    int64_t filter_delay_ms;         /* filters come that long after the block */
    bool faithful;                   /* stays on its branch until the calm */
    const struct sim_lie *lie;       /* about filters; NULL: none */
    struct oracle_hash *lie_headers; /* by block index; zero: not yet known */
    size_t lie_room;
    struct oracle_block *tip;
    struct oracle_block *client_best; /* the newest block it knows the client to have */
    int64_t *learned_ms;              /* by block index; -1: not known to it */
    size_t learned_room;
};

/* ---- what is watched ---- */

struct sim_feed {
    char name[16];
    uint32_t confirmations;
    bool count_immature;
    uint32_t births[SIM_SCRIPTS]; /* BIRTH_NONE: not a member */
};

struct sim_watch {
    struct sim_feed feeds[SIM_FEEDS_MAX];
    size_t feed_count;
};

struct sim {
    uint64_t seed;
    bool verbose;
    struct random random;
    struct oracle oracle;
    int64_t now_ms;
    int64_t wall_start_s;
    uint64_t steps; /* of the core */

    struct happening *events; /* a heap, the soonest first */
    size_t event_count, event_room;
    uint64_t event_order;

    struct sim_peer peers[SIM_PEERS_MAX];
    size_t peer_count;
    bool finds_peers; /* by itself: without connect= */
    uint32_t last_link;
    struct oracle_block *tip;      /* of the honest network */
    struct oracle_block *best_bad; /* of a branch that is invalid or withheld */
    bool calm;                     /* no more trouble: the client has to get there */
    bool filter_lies;              /* some peers lie about filters */
    bool keeps_filters;            /* on the disk */
    struct sim_lie *lies[SIM_PEERS_MAX];
    bool was_good,
        unchecked;   /* gates held; the ledger changed since they were looked at */
    bool lists_stay; /* an invalid block is known by the scripts that are watched now */

    struct sim_watch watch;  /* as the ledger has it */
    struct sim_watch wanted; /* by the newest lists */
    char folder[256];
    struct client *client;
    uint64_t checks; /* sums compared */
    uint64_t applied, crashes, restarts, reorganised, defined;
    uint64_t disputed, let_go, retracted; /* steps with a dispute; peers; take-backs */
    uint64_t kept_read, kept_lost;        /* filters from the disk, and those damaged */
};

void sim_later(struct sim *sim, int64_t in_ms, void (*run)(struct sim *, void *),
               void (*drop)(void *), void *data);
/* Run the soonest event; false if there is none. */
bool sim_next(struct sim *sim);
void sim_drop_events(struct sim *sim);

uint64_t sim_below(struct sim *sim, uint64_t limit);
/* True once in `times`. */
bool sim_once_in(struct sim *sim, uint64_t times);
void sim_say(const struct sim *sim, const char *format, ...) PRINTF_LIKE(2, 3);
/* The seed has found a fault: say how to see it again, and end with status 1. */
_Noreturn void sim_fail(const struct sim *sim, const char *format, ...) PRINTF_LIKE(2, 3);
void *sim_zeroed(size_t count, size_t size);
/* By script, over all feeds. */
void sim_lowest_births(uint32_t births[SIM_SCRIPTS], const struct sim_watch *watch);

/* ---- peers (peer.c, peer_answers.c, behaviours.c) ---- */

extern const struct sim_behaviour sim_honest;
extern const struct sim_behaviour *const sim_liars[];
extern const size_t sim_liar_count;
extern const struct sim_behaviour sim_withholder;

void peer_init(struct sim *sim, size_t index, const struct sim_behaviour *behaviour);
void peer_release(struct sim_peer *peer);
void peer_dialled(struct sim *sim, struct sim_peer *peer, uint32_t client_id);
/* The client closes the connection; or, with `tell`, the peer's end dies. */
void peer_close(struct sim *sim, struct sim_peer *peer, bool tell);
/* Bytes of the client on their way. Takes over `data`. */
void peer_receive(struct sim *sim, struct sim_peer *peer, uint8_t *data, size_t len);
/* Go over to this chain, tell the client. */
void peer_set_tip(struct sim *sim, struct sim_peer *peer, struct oracle_block *tip);
bool peer_knows(const struct sim_peer *peer, const struct oracle_block *block);
bool peer_has_filter(const struct sim *sim, const struct sim_peer *peer,
                     const struct oracle_block *block);
void peer_send(struct sim *sim, struct sim_peer *peer, const char *command,
               const struct oracle_bytes *payload);
/* The same without a right frame: any 24 + len bytes. */
void peer_send_raw(struct sim *sim, struct sim_peer *peer,
                   const struct oracle_bytes *frame);
void peer_send_headers(struct sim *sim, struct sim_peer *peer,
                       struct oracle_block *first_before, struct oracle_block *last);
void peer_frame(struct oracle_bytes *out, const char *command,
                const struct oracle_bytes *payload);
void peer_announce(struct sim *sim, struct sim_peer *peer);
void peer_answer(struct sim *sim, struct sim_peer *peer, const char *command,
                 const uint8_t *payload, size_t len);

/* ---- the client (client.c, client_store.c) ---- */

void client_start(struct sim *sim);
/* Stop it in an orderly way, or (also in the middle of its store's work) not. */
void client_stop(struct sim *sim);
void client_watch(struct sim *sim, const struct sim_watch *watch);
void client_connected(struct sim *sim, uint32_t client_id);
void client_lost(struct sim *sim, uint32_t client_id);
void client_receive(struct sim *sim, uint32_t client_id, const uint8_t *frame,
                    size_t len);
/* Whether it is where the honest network is, with everything; if not, why. */
bool client_arrived(struct sim *sim, char why[static 600]);
uint32_t client_scanned(const struct sim *sim);

/* ---- whom the client hears of (client_book.c) ---- */

void peer_tell_addresses(struct sim *sim, struct sim_peer *peer);

/* ---- invariants (check.c) ---- */

/* After each change of the ledger. Sums must be true, unless peers lie about filters. */
void check_ledger(struct sim *sim);
/* After each step: when peers lie, sums must be true whenever the gates hold and an
 * honest peer is compared. */
void check_gates(struct sim *sim);
bool client_good(const struct sim *sim);
void check_audit(struct sim *sim);
void check_final(struct sim *sim);

/* ---- scenario.c ---- */

void scenario_run(struct sim *sim);

#endif
