/* The core's own state, shared by its rooms (core_rooms.h) and by nobody else: core.c
 * (inputs, outputs), peers.c (transports, handshake), outbound.c (who is dialed),
 * gossip.c (addresses), budget.c (what a peer may cost), bans.c, header_sync.c,
 * filter_sync.c (the adopted chain of filter headers), filter_compare.c (peers' claims
 * against it), dispute.c (where they differ), lane.c (scanning), mempool.c (unconfirmed
 * transactions), core_view.c (what is known). */
#ifndef SPV_CORE_STATE_H
#define SPV_CORE_STATE_H

#include "base/random.h"
#include "spv/core.h"
#include "spv/height_set.h"
#include "spv/presync.h"

#define NO_HEIGHT UINT32_MAX
/* Bytes asked for or held by all lanes together, by estimate: the back-pressure of
 * received data (design: at most 24 MiB over all peers). */
#define RECEIVE_BUDGET (24u << 20)
#define PEERS_MAX 256 /* as many as the configuration may name */
#define REQUESTS_MAX 64
/* Of them, kept free by the lanes for settling disputes. */
#define REQUESTS_FOR_DISPUTES 16
/* Writes that wait for the disk: with more, no further filter headers are asked for. */
#define STORES_PENDING_MAX 16
#define CFHEADERS_AHEAD 8 /* ranges asked for at once, 64 kB each when held */
#define FILTER_REQUESTS_PER_PEER 2
/* Heights at which one peer differs and that aren't settled: its comparison pauses
 * meanwhile. A false filter is mostly proven by the first, so few are enough. */
#define DISPUTES_PER_PEER 8
#define DISPUTES_MAX 128
/* Settled at once: each holds a block and two filters, at most 4.5 MB. */
#define DISPUTES_ACTIVE 4
/* False filters remembered, the newest. */
#define FALSE_FILTERS_MAX 256
/* Questions about its filter headers that a peer may leave unanswered. */
#define UNANSWERED_MAX 3
/* Who differs, or agrees, and keeps the filter to itself, delays a dispute each time; it
 * is away for so long. */
#define WITHHELD_MAX 3
#define RETRY_WITHHELD_MS 600000
/* How long the gate waits for a peer that answers, but takes its time. */
#define COMPARE_PATIENCE_MS 600000
#define BLOCK_REQUESTS_PER_PEER 16 /* Bitcoin Core's limit in its own downloads */
/* A gap of at most a week is fetched as whole blocks (spv.md). */
#define WHOLE_GAP_MAX 1008
/* Heights that a lane works on at once, a power of two: four peers' filters while they
 * are small. Also bounds how far results may arrive early. */
#define LANE_WINDOW 8192
/* Nodes of the header tree, about 300 bytes each. The best chain above the root has at
 * most 24,000: the window, what isn't stored yet, and a message. Above the first number
 * side branches are evicted down to the second. */
#define TREE_NODES_MAX 40000
#define TREE_NODES_KEPT 30000

/* Bans held, some 500 bytes each; the one that ends first gives way. */
#define BANS_MAX 1024
#define BAN_S 86400
/* How often a banned peer's turn to be dialed is looked at. */
#define BAN_CHECK_MS 60000

/* What a peer may send that answers nothing we asked. A node that relays no transactions
 * to us sends some bytes a minute; the burst is room for two blocks that nobody asked
 * for, and for announcements of a test network's. */
#define BUDGET_MESSAGES_S 20
#define BUDGET_MESSAGES_BURST 2000
#define BUDGET_BYTES_S 65536
#define BUDGET_BYTES_BURST (2 * FRAME_PAYLOAD_MAX)
/* Of a kind, still expected: room for a hundred ranges of filters that a lane asked for
 * and gave up since, but silence doesn't save up without end. */
#define BUDGET_ANSWERS_MAX 131072
/* A peer that is dialed for addresses only has so long to tell them. */
#define FETCH_MS 30000
/* A probe has so long to show a longer chain. */
#define PROBE_MS 120000

#define DIAL_TIMEOUT_MS 15000
#define DIAL_TIMEOUT_PROXY_MS 60000 /* Tor builds a circuit first */
#define HANDSHAKE_TIMEOUT_MS 30000
#define RETRY_MIN_MS 500
#define RETRY_MAX_MS 30000
#define SLOT_RETRY_MAX_MS 5000
#define RETRY_FAULT_MS 60000        /* after a fault of its own */
#define RETRY_OTHER_CHAIN_MS 600000 /* a node that has changed its chain stays there */
#define PING_INTERVAL_MS 120000
#define PING_TIMEOUT_MS 1200000
#define HEADERS_TIMEOUT_MS 20000
#define PROBE_INTERVAL_MS                                                                \
    600000 /* a peer is asked for news even if it announces none                         \
            */
#define PROBE_FUTURE_MS 30000
#define REQUEST_TIMEOUT_MS 20000
/* What holds up all above it is taken from a peer that has had it for so long, and would
 * need as long again for the rest, if another has nothing to do. It gets no other work
 * for some time: what it was asked for is still on its way. */
#define STEAL_AFTER_MS 2000
#define STEAL_PAUSE_MS 20000
#define CFHEADERS_TIP_RETRY_MS 1000 /* nodes build filters a moment after the block */
#define CFHEADERS_TIP_RETRY_MAX_MS 30000
/* A peer that said `notfound` isn't asked again at once. */
#define NOTFOUND_PAUSE_MS 2000
/* How long a dispute waits for both filters before the block alone settles it. */
#define DISPUTE_FILTERS_MS 30000
/* How long nobody who agrees may be there to go on before the chain of filter headers is
 * given up for that of a peer which differs. */
#define BUILDER_GONE_MS 30000
/* The same, when those who agree are there and say nothing of what they should know. */
#define BUILDER_SILENT_MS 60000
/* Nodes build filters a moment after the block: the newest so many may lack them. */
#define FILTERS_LATE 6
/* How long silence costs a peer its turn: longer than a dozen others can be silent, one
 * after the other. So each holds up a request once. */
#define STALL_MS 300000
#define ASIDE_AFTER_MS 600000 /* a branch that nobody serves for this long ... */
#define ASIDE_FOR_MS 1800000  /* ... is passed over for this long */

enum peer_state {
    PEER_WAITING,
    PEER_DIALING,
    PEER_HANDSHAKE,
    PEER_FETCHING, /* asked for addresses, nothing else */
    PEER_READY
};

/* Messages that answer a question of ours. */
enum answer {
    ANSWER_HEADERS,
    ANSWER_CFCHECKPT,
    ANSWER_CFHEADERS,
    ANSWER_CFILTER,
    ANSWER_DATA, /* to getdata: blocks, transactions, notfound */
    ANSWER_PONG,
    ANSWER_ADDRESSES,
    ANSWERS
};

struct budget {
    int64_t messages, bytes; /* left */
    struct mono_time at;     /* of the last filling */
    uint32_t expected[ANSWERS];
};

enum compare_state { COMPARE_IDLE, COMPARE_ASKED, COMPARE_LOADING };

/* What a peer claims about filters, and how far that has been compared with the adopted
 * chain of filter headers. */
struct claims {
    bool checkpt_known; /* its cfcheckpt message has come, or there can be none */
    struct filter_header *checkpt; /* owned: at heights 1,000, 2,000 ... */
    size_t checkpt_count;
    uint32_t compared;         /* heights 0 .. compared - 1 */
    uint32_t first_difference; /* lowest height where its filter's hash isn't the adopted;
                                  NO_HEIGHT: nowhere so far */
    enum compare_state state;
    bool checkpt_asked;         /* the question under way is getcfcheckpt */
    uint32_t from, to;          /* asked for, or compared with rows being loaded */
    struct block_hash stop;     /* of the question under way */
    struct mono_time deadline;  /* of the answer; when idle: not before */
    uint32_t loading;           /* which loading of rows */
    struct filter_hash *hashes; /* owned; from .. to, while rows are loaded */
    unsigned unanswered;
    unsigned withheld; /* filters of disputed heights that it didn't send when asked */
};

struct peer {
    struct spv_address address; /* without text: a free slot */
    bool slot;                  /* filled from the book, not by connect= */
    bool seed;                  /* dialed by a seed's name */
    bool fetch;                 /* for addresses only */
    struct net_address net;     /* of the book; NET_NONE: not of the book */
    uint32_t probe_from;        /* our height when it was dialed as a probe */
    struct mono_time ready_at;
    /* When it was ready, when headers still came, or when its claims were compared as far
     * as the ledger rests on them: the latest of these. */
    struct mono_time compared_at;
    bool told;              /* addresses, when it was asked */
    int64_t addresses_left; /* that it may tell */
    struct mono_time addresses_at;
    struct budget budget;
    enum peer_state state;
    uint32_t id; /* of the transport; 0 without one */
    struct mono_time
        deadline; /* of dialing or the handshake; when waiting: the next try */
    int64_t retry_ms;
    bool has_version;
    char agent[AGENT_MAX + 1];
    uint64_t services;
    int32_t start_height;
    struct header_node *best; /* newest header of ours that it has; NULL: not known */
    bool headers_asked;
    bool headers_done;      /* its answer had no further headers for us */
    uint32_t headers_known; /* full messages of it without news, since the last news */
    uint32_t headers_back;  /* blocks below the tip that its next answer starts from */
    struct mono_time headers_deadline, probe_at;
    bool headers_more; /* its last message was full; to be asked for more ... */
    struct block_hash headers_next; /* ... after this header */
    struct presync *presync;        /* owned; NULL: none under way */
    uint32_t presync_changes;       /* second downloads that differed from the first */
    uint64_t low_headers;           /* that led to nothing, since one had enough work */
    bool presync_deep;              /* started below the tree */
    bool deep_checked;              /* its branch below the tree has been judged */
    struct block_time future; /* of its tip, refused as from the future; 0: it isn't */
    bool future_low;          /* of a branch that hasn't shown enough work */
    uint64_t ping_nonce;      /* 0: none under way */
    struct mono_time ping_at, pong_deadline;
    struct claims claims;
    bool mute; /* has let us wait for filter headers: the gate doesn't wait any more; kept
                  until it is compared */
    struct mono_time stalled_until;
    struct mono_time pause_until; /* isn't asked for anything before */
    uint32_t txs_asked;           /* transactions under way */
};

/* Of a dispute: the adopted chain, or the peer that differs. */
enum side { SIDE_OURS, SIDE_THEIRS, SIDES };

enum request_kind {
    REQUEST_CFHEADERS,
    REQUEST_FILTERS, /* of a lane, as REQUEST_BLOCK */
    REQUEST_BLOCK,
    REQUEST_DISPUTED_FILTER,
    REQUEST_DISPUTED_BLOCK,
};

struct request {
    enum request_kind kind;
    uint32_t peer; /* transport id */
    uint8_t lane;
    uint32_t from, to; /* heights */
    uint32_t next;     /* filters: the height expected next */
    uint32_t missing;  /* filters: not yet received */
    uint32_t dispute;  /* its id */
    enum side side;    /* whose filter */
    struct block_hash stop;
    struct mono_time started, deadline;
};

enum slot_state {
    SLOT_WANTS_FILTER,
    SLOT_WANTS_KEPT, /* its filter is on the disk */
    SLOT_FILTER_ASKED,
    SLOT_MATCHING,
    SLOT_WANTS_BLOCK,
    SLOT_BLOCK_ASKED,
    SLOT_CHECKING,
    SLOT_DONE,
    SLOT_STATES
};

/* One height of a lane on its way to the ledger. */
struct slot {
    enum slot_state state;
    struct chain_row row;
    uint8_t *filter; /* kept from its match to the block's check */
    size_t filter_len;
    bool kept;            /* the filter being matched is from the disk */
    bool audit;           /* its block is wanted in any case */
    bool has_filter_hash; /* of the filter that the block was checked against */
    struct filter_hash filter_hash;
    size_t held;         /* bytes of filter and block here or at a worker */
    struct block *block; /* when done; NULL: nothing of ours */
    uint32_t peer;       /* transport that sent the block or filter last */
};

/* A cohort being brought forward. The front lane brings cohort 0 to the tip, the back
 * lane the hindmost other cohort towards it. */
struct lane {
    bool active;
    uint8_t index;
    uint32_t cohort;
    struct script_set *scripts;
    uint64_t epoch;              /* of the cohort table that it works for */
    uint32_t generation;         /* answers for an earlier one are dropped */
    uint32_t base;               /* applied, or staged, up to here */
    struct block_hash base_hash; /* of a base that lies on nodes of the tree */
    struct filter_header base_filter_header;
    bool has_base_filter_header;
    uint32_t filled;                 /* slots exist for base + 1 .. filled */
    uint32_t target;                 /* the height to reach */
    struct header_node *target_node; /* front lane; NULL in the back lane */
    uint32_t filters_until;          /* heights above are fetched whole */
    bool reorganise; /* base is a fork; staged until there is more work than the ledger's
                      */
    uint32_t fork;
    bool staged;
    bool stale;        /* what is staged rests on a filter that was disputed since */
    uint32_t applying; /* rows of the APPLY under way; 0: none */
    bool applying_clamp;
    uint32_t taking_back; /* height of the retraction under way, or NO_HEIGHT */
    bool applying_commit;
    bool loading;
    struct mono_time progress_at;
    uint32_t counts[SLOT_STATES];
    uint32_t lowest[SLOT_STATES]; /* no slot below this height is in the state */
    uint64_t held;                /* bytes in slots and at workers */
    uint64_t at_workers; /* of these, from peers, in slots that a worker looks at */
    struct slot slots[LANE_WINDOW];
};

#define LANE_FRONT 0
#define LANE_BACK 1
#define LANES 2

/* A range of filter headers that came before an earlier one. */
struct cfheaders_range {
    uint32_t from, to;
    struct filter_header previous;
    struct filter_header *headers; /* owned; NULL: free entry */
};

/* Which of the network's DNS seeds is asked next. */
struct seeds {
    size_t at;
    bool plain; /* without the prefix of services */
    bool asked;
    uint64_t ticket;
    struct mono_time next;
    struct mono_time company_at; /* when enough peers were ready last */
};

enum dispute_state {
    DISPUTE_WAITING,
    DISPUTE_FILTERS, /* both filters are asked for */
    DISPUTE_WANTS_BLOCK,
    DISPUTE_BLOCK_ASKED,
    DISPUTE_CHECKING,
    DISPUTE_REVIEWING, /* the store looks whether the ledger lacks anything of it */
    DISPUTE_TAKING_BACK,
};

/* A height at which a peer's filter isn't the adopted chain's, until it is settled. */
struct dispute {
    uint32_t id;
    enum dispute_state state;
    uint32_t height;
    struct block_hash block;
    struct filter_hash theirs;
    struct filter_header previous, ours; /* adopted filter headers below and at height */
    bool ours_gone;                      /* the adopted chain is another one by now */
    uint32_t peer;                       /* transport of the one that differs */
    char address[PEER_ADDRESS_MAX];
    struct spv_filter filters[SIDES];
    bool asked[SIDES], done[SIDES]; /* done: got, or given up */
    struct mono_time filters_until;
    uint32_t block_peer; /* transport that sent the block last */
};

/* A filter proven false: its hash, and the block that it isn't of. */
struct false_filter {
    struct block_hash block;
    struct filter_hash hash;
};

struct spv {
    const struct network *network;
    struct random random;
    char agent[64];
    struct checkpoint *checkpoints; /* the table's and the configuration's */
    bool *checkpoint_seen;          /* met on the chain that is below the root */
    size_t checkpoint_count;

    struct peer peers[PEERS_MAX];
    size_t peer_count;
    uint32_t next_peer_id;
    struct spv_ban *bans;
    size_t ban_count, ban_capacity;
    struct address_book *book; /* NULL with connect= */
    uint32_t outbound;
    bool proxied;
    struct seeds seeds;
    struct mono_time book_store_at, rotate_at;
    uint64_t own_nonce;

    struct header_tree *tree;
    struct header_node *best;   /* most work */
    struct header_node *stored; /* newest header in the store */
    struct header_node
        *ledger; /* cohort 0's cursor; NULL: below the root or above the chain */
    uint32_t headers_from; /* transport that header sync runs with; 0: none */
    struct mono_time lead_until;
    uint64_t secret[2]; /* of presyncs' salts */
    uint64_t presyncs;
    struct u256 deep_work; /* of a chain that leaves ours below the tree; 0: none */
    struct error deep_reason;
    bool headers_settled; /* some peer had nothing more for us */
    bool checkpoints_asked;
    bool identity_bad;
    struct error identity_reason;
    bool other_chain; /* only peers of another chain were met since the last of ours */
    struct error other_chain_reason;

    uint32_t stores_pending;

    /* Filter headers known on the best chain: heights 0 .. fh_count - 1. */
    uint32_t fh_count, fh_stored;
    uint32_t fh_cut; /* those stored from here on are to go, once nothing rests on them;
                        NO_HEIGHT: none */
    struct filter_header fh_last;
    struct cfheaders_range fh_early[CFHEADERS_AHEAD];
    struct mono_time fh_retry_at;
    int64_t fh_retry_ms;
    struct block_hash *checkpoint_hashes; /* below the root, at multiples of 1,000 */
    size_t checkpoint_hash_count, checkpoint_hash_capacity;
    struct filter_header
        *checkpt; /* adopted filter headers at heights 1,000, 2,000 ... */
    size_t checkpt_count, checkpt_capacity;
    bool builder_missing;
    struct mono_time
        builder_seen;    /* somebody who agrees could go on with filter headers */
    bool builder_banned; /* one of those was banned since */
    struct mono_time fh_grown_at;   /* or nothing but the newest was missing */
    struct filter_checkpoint *pins; /* the table's and the configuration's, ascending */
    size_t pin_count;
    bool pins_asked;
    bool scan_blocks;
    uint32_t audit_blocks;

    /* The highest height whose scan, of any cohort, rests on a filter. */
    uint32_t filter_scanned;
    uint32_t take_back; /* cohorts are to be taken back to here; NO_HEIGHT: needn't */
    struct height_set whole;   /* heights that are fetched whole for every cohort */
    struct height_set settled; /* those of them where the best chain's block has been
                                  reviewed, and since then was scanned whole */
    bool keeps_filters;
    struct height_set kept; /* heights whose filters should be on the disk */
    bool kept_lost;         /* one wasn't what it should be: said */
    struct dispute disputes[DISPUTES_MAX];
    size_t dispute_count;
    uint32_t next_dispute_id, next_loading;
    struct false_filter false_filters[FALSE_FILTERS_MAX]; /* a ring */
    size_t false_filter_count;
    bool broken; /* a block below the root is invalid: for good */
    struct error broken_reason;

    struct cohort_table cohorts;
    struct lane *lanes; /* LANES */
    struct request requests[REQUESTS_MAX];
    size_t request_count;
    uint32_t filter_size, block_size; /* moving averages in bytes */

    struct mempool *mempool; /* NULL: unconfirmed transactions aren't wanted */

    uint64_t revision;

    /* During spv_step only. */
    struct spv_now now;
    struct spv_effects *out;
};

#endif
