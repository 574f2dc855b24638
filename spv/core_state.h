/* The core's own state, shared by its rooms and by nobody else: core.c (inputs, outputs),
 * peers.c (transports, handshake), outbound.c (who is dialed), gossip.c (addresses),
 * budget.c (what a peer may cost), bans.c, header_sync.c, filter_sync.c (the adopted
 * chain of filter headers), filter_compare.c (peers' claims against it), dispute.c (where
 * they differ), lane.c (scanning), mempool.c (unconfirmed transactions), core_view.c
 * (what is known). */
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
#define BLOCK_REQUESTS_PER_PEER 16 /* Bitcoin Core's limit in its own downloads */
/* A gap of at most a week is fetched as whole blocks (spv.md). */
#define WHOLE_GAP_MAX 1008
/* Heights that a lane works on at once; also bounds how far results may arrive early. */
#define LANE_WINDOW 2048
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
#define CFHEADERS_TIP_RETRY_MS 1000 /* nodes build filters a moment after the block */
#define CFHEADERS_TIP_RETRY_MAX_MS 30000
/* A peer that said `notfound` isn't asked again at once. */
#define NOTFOUND_PAUSE_MS 2000
/* How long a dispute waits for both filters before the block alone settles it. */
#define DISPUTE_FILTERS_MS 30000
/* How long nobody who agrees may be there to go on before the chain of filter headers is
 * given up for that of a peer which differs. */
#define BUILDER_GONE_MS 30000
#define STALL_MS 30000        /* how long silence costs a peer its turn */
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
};

struct peer {
    struct spv_address address; /* without text: a free slot */
    bool slot;                  /* filled from the book, not by connect= */
    bool seed;                  /* dialed by a seed's name */
    bool fetch;                 /* for addresses only */
    struct net_address net;     /* of the book; NET_NONE: not of the book */
    uint32_t probe_from;        /* our height when it was dialed as a probe */
    struct mono_time ready_at;
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
    bool headers_done;     /* its answer had no further headers for us */
    uint32_t headers_back; /* blocks below the tip that its next answer starts from */
    struct mono_time headers_deadline, probe_at;
    bool headers_more; /* its last message was full; to be asked for more ... */
    struct block_hash headers_next; /* ... after this header */
    struct presync *presync;        /* owned; NULL: none under way */
    uint32_t presync_changes;       /* second downloads that differed from the first */
    uint64_t low_headers;           /* that led to nothing, since one had enough work */
    bool deep_checked;              /* its branch below the tree has been judged */
    struct block_time future; /* of its tip, refused as from the future; 0: it isn't */
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
    struct mono_time deadline;
};

enum slot_state {
    SLOT_WANTS_FILTER,
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
    uint64_t held; /* bytes in slots and at workers */
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
        builder_seen; /* somebody who agrees could go on with filter headers */
    struct filter_checkpoint *pins; /* the table's and the configuration's, ascending */
    size_t pin_count;
    bool pins_asked;
    bool scan_blocks;
    uint32_t audit_blocks;

    /* The highest height whose scan, of any cohort, rests on a filter. */
    uint32_t filter_scanned;
    uint32_t take_back; /* cohorts are to be taken back to here; NO_HEIGHT: needn't */
    struct height_set whole; /* heights that are fetched whole for every cohort */
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

/* Tickets say to whom an answer belongs: lane, its generation, height; or to another room
 * than the lanes. */
enum ticket_room { TICKET_CHECKPOINT, TICKET_PIN, TICKET_COMPARE, TICKET_DISPUTE };
uint64_t ticket_of(enum ticket_room room, uint32_t number);
uint64_t ticket_make(const struct lane *lane, uint32_t height);
/* The lane and height of a ticket, or NULL if the lane has moved on. */
struct lane *ticket_lane(struct spv *spv, uint64_t ticket, uint32_t *height);

/* effects (core.c) */
struct spv_effect *spv_effect_add(struct spv *spv, enum spv_effect_kind kind);
void spv_note(struct spv *spv, enum log_part part, enum log_level level,
              const struct peer *peer, const char *format, ...) PRINTF_LIKE(5, 6);
void spv_send(struct spv *spv, struct peer *peer, enum message_kind kind,
              const struct writer *payload);

/* peers.c */
struct peer *peer_find(struct spv *spv, uint32_t id);
void peers_start(struct spv *spv, const struct spv_address *addresses, size_t count);
void peer_dial(struct spv *spv, struct peer *peer);
int64_t peer_next_retry(const struct peer *peer);
void peers_tick(struct spv *spv);
void peer_connected(struct spv *spv, struct peer *peer);
void peer_lost(struct spv *spv, struct peer *peer);
/* End the connection: `fault` (may be NULL) is what the peer did wrong. */
void peer_drop(struct spv *spv, struct peer *peer, const char *fault);
/* End the connection for what is proven, and keep the address away. */
void peer_ban(struct spv *spv, struct peer *peer, const char *reason);
/* The same, with a time of its own before it is dialed again. */
void peer_drop_for(struct spv *spv, struct peer *peer, const char *fault,
                   int64_t retry_ms);
/* End the connection of who is proved to lie, and don't dial it for BAN_S. What it said
 * before is the caller's to take back. */
void peer_ban(struct spv *spv, struct peer *peer, const char *proof);
void peer_message(struct spv *spv, struct peer *peer, const struct frame *frame,
                  struct bytes payload);
/* Silence costs a peer its turn for a while, never its life. */
void peer_stalled(struct spv *spv, struct peer *peer);
struct mono_time peers_deadline(const struct spv *spv);
/* Whether the peer's best chain is known to contain the block. */
bool peer_has(const struct spv *spv, const struct peer *peer, uint32_t height,
              const struct block_hash *hash);

/* What a ban of it is about: the address as configured, or the book's without its port.
 */
void peer_ban_key(const struct peer *peer, char out[static PEER_ADDRESS_MAX]);
/* As the operator says: bans whatever is, or would be, at this address. */
void peer_distrust(struct spv *spv, const char *address);

/* outbound.c */
void outbound_start(struct spv *spv, const struct spv_settings *settings,
                    const struct spv_start *start);
void outbound_stop(struct spv *spv);
void outbound_tick(struct spv *spv);
struct mono_time outbound_deadline(const struct spv *spv);
/* Dial somebody in a free slot, or look again later. */
void outbound_fill(struct spv *spv, struct peer *slot);
/* The slot has become free. */
void outbound_freed(struct spv *spv, struct peer *slot);
/* There are new addresses. */
void outbound_wake(struct spv *spv);
/* Dial a name for the addresses that its node knows. */
void outbound_fetch(struct spv *spv, const char *name);
void outbound_probed(struct spv *spv, struct peer *probe);
size_t spv_count_ready(const struct spv *spv);

/* gossip.c */
void gossip_ask(struct spv *spv, struct peer *peer);
void gossip_message(struct spv *spv, struct peer *peer, struct bytes payload, bool v2);
void gossip_resolved(struct spv *spv, const struct spv_input *input);
void gossip_seed_done(struct spv *spv, bool answered);
void gossip_tick(struct spv *spv);
/* Whether addresses are wanted from wherever they come. */
bool gossip_short(const struct spv *spv);

/* budget.c */
void budget_start(struct spv *spv, struct peer *peer);
/* So many messages of this kind will be answers. spv_send() sees to it for all but
 * filters, the number of which only who asks knows. */
void budget_expect(struct peer *peer, enum answer answer, uint32_t count);
void budget_asked(struct peer *peer, enum message_kind kind,
                  const struct writer *payload);
/* False if the peer floods us. */
NODISCARD bool budget_take(struct spv *spv, struct peer *peer, const struct frame *frame);

/* bans.c */
void bans_start(struct spv *spv, const struct spv_ban *bans, size_t count);
void ban_add(struct spv *spv, const char *address, const char *reason);
/* False if there is none. */
bool ban_lift(struct spv *spv, const char *address);
/* NULL if the address isn't banned now. */
const struct spv_ban *ban_find(const struct spv *spv, const char *address,
                               struct wall_time now);

/* requests.c: who is asked for what. */
struct peer *request_pick_peer(struct spv *spv, const struct request *request,
                               uint32_t avoid);
void request_send_getdata(struct spv *spv, struct peer *peer,
                          const struct block_hash *hash);
/* NULL: there are too many. */
struct request *request_add(struct spv *spv, const struct request *request);
void request_remove(struct spv *spv, struct request *request);
/* Give a peer's (or, with id 0, all timed-out) requests back to who wanted them. */
void requests_return_of(struct spv *spv, uint32_t peer);
void requests_tick(struct spv *spv);
struct mono_time requests_deadline(const struct spv *spv);
bool request_of_lane(const struct request *request, uint8_t lane);
void requests_drop_lane(struct spv *spv, uint8_t lane);

/* header_sync.c */
void headers_ask(struct spv *spv, struct peer *peer, struct header_node *from);
/* From a header that may not be in the tree, else from `from`. */
void headers_ask_after(struct spv *spv, struct peer *peer, const struct block_hash *hash,
                       struct header_node *from);
void headers_ask_from_tip(struct spv *spv, struct peer *peer);
void headers_peer_ready(struct spv *spv, struct peer *peer);
void headers_message(struct spv *spv, struct peer *peer, struct bytes payload);
void headers_inv(struct spv *spv, struct peer *peer, const struct inv_item *items,
                 size_t count);
void headers_tick(struct spv *spv);
/* Best chain, stored chain, pruning: after anything that may have moved them. */
void headers_update(struct spv *spv);
void headers_stored(struct spv *spv, struct header_node *tip);
struct mono_time headers_deadline(const struct spv *spv);

/* between header_sync.c and low_work.c */
enum taken { TAKEN_ALL, TAKEN_PART, TAKEN_FAULT };
/* Add headers to the tree up to the first that can't be. On TAKEN_FAULT the peer is gone.
 */
enum taken headers_add(struct spv *spv, struct peer *peer,
                       const struct block_header *headers, size_t count, bool asked);
/* The same with a whole message, and what follows from it. */
void headers_take(struct spv *spv, struct peer *peer, const struct block_header *headers,
                  size_t count, bool asked);
/* Ask for what follows this header once there is room. */
void headers_more_after(struct peer *peer, const struct block_hash *hash);
/* It has no further headers for us. */
void headers_settled(struct spv *spv, struct peer *peer);
void headers_learned(struct spv *spv, struct peer *peer, struct header_node *node);
void headers_from_future(struct spv *spv, struct peer *peer, struct block_time time);
/* Let go who sent a header that breaks a rule. */
void headers_refused(struct spv *spv, struct peer *peer,
                     const struct block_header *header, const struct error *error);
/* Whether it follows a block that we know. */
bool headers_connect(const struct spv *spv, const struct block_header *header);

/* low_work.c */
/* The work from which headers are kept. */
struct u256 low_work_enough(const struct spv *spv);
/* A message of a peer whose presync is under way; false: it is to be taken like any. */
bool low_work_message(struct spv *spv, struct peer *peer,
                      const struct block_header *headers, size_t count);
/* Begin a presync if these headers, at least one, don't show enough work; false: they do,
 * or that can't be told. */
bool low_work_start(struct spv *spv, struct peer *peer,
                    const struct block_header *headers, size_t count);
/* Begin one from genesis. */
void low_work_start_deep(struct spv *spv, struct peer *peer);
void low_work_forget(struct peer *peer);

/* chain_identity.c */
/* Let go of a peer that isn't on our chain. */
void identity_other_chain(struct spv *spv, struct peer *peer, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* A peer turned out to be on ours. */
void identity_ours(struct spv *spv);
/* If the chain that ends there is the one that split off, let the peer go. */
bool identity_stuck_at_split(struct spv *spv, struct peer *peer, uint32_t height,
                             struct block_time time);
/* The same if its chain, as far as it shows it to us, ends well below the height that it
 * gave itself: nodes of the other chain keep its headers from who doesn't ask for them.
 */
bool identity_ends_short(struct spv *spv, struct peer *peer, uint32_t height);
/* Whether a checkpoint speaks against a header after `parent`. */
bool identity_refuses(const struct spv *spv, const struct header_node *parent,
                      const struct block_header *header, struct error *error);
void identity_check_row(struct spv *spv, uint32_t height, const struct chain_row *row);
/* Compare checkpoints up to this height, whose nodes are about to be pruned. */
void identity_remember_below(struct spv *spv, uint32_t height);
/* Checkpoints that lie below the first root are compared with the stored rows. */
void identity_ask_rows(struct spv *spv);

/* filter_sync.c */
void filter_sync_update(struct spv *spv);
void filter_sync_headers(struct spv *spv, struct peer *peer, struct bytes payload);
/* A request of ours wasn't answered. */
void filter_sync_returned(struct spv *spv, const struct request *request);
/* Whether the peer's claims fit the adopted chain so that it may give this range of it.
 */
bool filter_sync_may_ask(const struct spv *spv, const struct peer *peer, uint32_t from,
                         uint32_t to);
/* The hash at a height where a range of filter headers may end. */
bool filter_sync_stop_hash(const struct spv *spv, struct block_hash *out,
                           uint32_t height);
struct mono_time filter_sync_deadline(const struct spv *spv);
/* Those asked for that end above a height, and all that came early. */
void filter_sync_drop_ranges(struct spv *spv, uint32_t above);
/* How many of spv->checkpt rest on adopted filter headers; those above are what some peer
 * claims. */
size_t filter_sync_checkpoints(const struct spv *spv);

/* filter_chain.c */
/* The best chain has left its old branch above this height. */
void filter_sync_rewind(struct spv *spv, uint32_t fork);
/* Forget the adopted filter headers from a height on; what was scanned stays. */
void filter_sync_cut(struct spv *spv, uint32_t from);
/* The adopted filter at a height is proven false: those who commit to it are banned, the
 * chain is cut there, and what rests on it is taken back. */
void filter_sync_false(struct spv *spv, uint32_t height, const char *proof);
/* What is stored against what is pinned, once. */
void filter_sync_check_pins(struct spv *spv);
/* The stored row of a pinned filter header. */
void filter_sync_pin_row(struct spv *spv, uint32_t height, const struct chain_row *row);

/* filter_compare.c: what peers claim, against the adopted chain. */
void claims_init(struct claims *claims);
void claims_release(struct claims *claims);
void compare_update(struct spv *spv);
void compare_tick(struct spv *spv);
void compare_checkpt(struct spv *spv, struct peer *peer, struct bytes payload);
/* False: the message isn't an answer to this room. */
bool compare_headers(struct spv *spv, struct peer *peer,
                     const struct message_cfheaders *message);
void compare_rows(struct spv *spv, uint32_t loading, const struct chain_row *rows,
                  size_t count);
/* The adopted chain, or the best, is another from this height on. */
void compare_cut(struct spv *spv, uint32_t from);
void compare_rewind(struct spv *spv, uint32_t fork);
/* Look at this height again of all who differ at or below it: a filter is proven false.
 */
void compare_again(struct spv *spv, uint32_t height);
/* Whether filter headers chained from `previous` are what the peer must say, by its own
 * checkpoints and the pinned ones. If not it is banned. */
bool claims_hold(struct spv *spv, struct peer *peer, uint32_t from,
                 const struct filter_header *previous,
                 const struct filter_header *headers, size_t count);
bool compare_done(const struct spv *spv, const struct peer *peer);
/* The peer that the gate waits for because it is still being compared, or NULL. */
const struct peer *compare_awaited(const struct spv *spv);
struct mono_time compare_deadline(const struct spv *spv);

/* dispute.c */
enum dispute_verdict { DISPUTE_TAKEN, DISPUTE_NO_ROOM, DISPUTE_BANNED };
/* The peer's filter at a height isn't the adopted. On BANNED the peer is gone. */
enum dispute_verdict dispute_add(struct spv *spv, struct peer *peer, uint32_t height,
                                 const struct block_hash *block,
                                 const struct filter_hash *theirs,
                                 const struct filter_header *previous,
                                 const struct filter_header *ours);
void disputes_update(struct spv *spv);
void disputes_cut(struct spv *spv, uint32_t from);
void disputes_rewind(struct spv *spv, uint32_t fork);
bool dispute_cfilter(struct spv *spv, struct peer *peer,
                     const struct message_cfilter *message);
bool dispute_block(struct spv *spv, struct peer *peer, const struct block_hash *hash,
                   struct bytes payload);
void dispute_checked(struct spv *spv, uint32_t id, const struct spv_input *input);
void dispute_reviewed(struct spv *spv, uint32_t id, const struct spv_input *input);
void dispute_returned(struct spv *spv, const struct request *request);
size_t disputes_of(const struct spv *spv, const char *address);
uint64_t disputes_bytes(const struct spv *spv);
void disputes_free(struct spv *spv);
struct mono_time disputes_deadline(const struct spv *spv);
#define PROOF_TEXT_MAX 200
void false_filter_text(char out[static PROOF_TEXT_MAX], const struct block_hash *block,
                       uint32_t height, const char *what);
void false_filter_add(struct spv *spv, const struct block_hash *block,
                      const struct filter_hash *hash);

/* lane.c */
void lanes_init(struct spv *spv);
void lanes_free(struct spv *spv);
void lanes_update(struct spv *spv);
void lane_rows(struct spv *spv, struct lane *lane, uint32_t from,
               const struct chain_row *rows, size_t count);
void lane_cfilter(struct spv *spv, struct peer *peer, struct bytes payload);
/* The highest height that a lane is going to scan by its filter; 0: none. */
uint32_t lanes_filters_until(const struct spv *spv);
void lane_block(struct spv *spv, struct peer *peer, struct bytes payload);
void lane_matched(struct spv *spv, struct lane *lane, uint32_t height,
                  const struct spv_input *input);
void lane_checked(struct spv *spv, struct lane *lane, uint32_t height,
                  const struct spv_input *input);
void lane_applied(struct spv *spv, const struct spv_input *input);
void lane_returned(struct spv *spv, const struct request *request);
struct mono_time lanes_deadline(const struct spv *spv);
/* The height is to be fetched whole from now on. */
void lanes_whole(struct spv *spv, uint32_t height);
/* The adopted filter headers are others from this height on. */
void lanes_filters_cut(struct spv *spv, uint32_t from);
/* Bring all cohorts back to this height at most, as soon as may be. */
void lanes_take_back(struct spv *spv, uint32_t height);

/* between lane.c, lane_fetch.c and lane_plan.c */
void lane_start(struct spv *spv, struct lane *lane, const struct cohort *cohort,
                uint32_t base);
void lane_stop(struct spv *spv, struct lane *lane);
/* Forget the heights above this one. What was asked for them no longer matters. */
void lane_truncate(struct spv *spv, struct lane *lane, uint32_t height);
/* The tip of the chain that the lane follows; NULL while that is only in the store. */
struct header_node *lane_chain(const struct spv *spv, const struct lane *lane);
void lane_fill(struct spv *spv, struct lane *lane);
void lane_apply(struct spv *spv, struct lane *lane);
/* Bring the cursors down to a height: the chain got shorter (or the birth is in the
 * future), or, with `retract`, what they rest on was found wrong. */
void lane_clamp(struct spv *spv, struct lane *lane, uint32_t height, bool retract);
struct slot *lane_slot(struct lane *lane, uint32_t height);
void slot_set(struct lane *lane, struct slot *slot, enum slot_state state);
void slot_hold(struct lane *lane, struct slot *slot, size_t bytes);
/* What the slot of a height starts with, and goes back to. */
enum slot_state lane_wants(const struct spv *spv, const struct lane *lane,
                           uint32_t height);
void lane_fetch(struct spv *spv, struct lane *lane);
void lane_condemn(struct spv *spv, const struct block_hash *hash, uint32_t height,
                  const char *reason);

#endif
