/* The light client's core: peers' protocol, header sync, filter headers, scanning, all as
 * one pure state machine. It is given the time and an input, and appends effects; the
 * shell performs them and feeds the results back as inputs. It does no I/O, reads no
 * clock, calls nobody back and logs nothing.
 *
 * The way of the data: headers -> header tree -> filter headers -> filters, matched by
 * workers -> blocks that matter, checked by workers -> batches for the ledger, in height
 * order. From being synced on, every block is fetched whole.
 *
 * Each effect that wants an answer carries a ticket; the answer brings it back. Tickets
 * may be answered in any order, but effects for the store (LOAD_ROWS, STORE_*, APPLY,
 * UNSTAGE, CUT_FILTER_HEADERS, REVIEW) must be performed in the order given. */
#ifndef SPV_CORE_H
#define SPV_CORE_H

#include "base/log.h"
#include "base/time.h"
#include "spv/address_book.h"
#include "spv/cohort.h"
#include "spv/header_tree.h"
#include "spv/height_set.h"
#include "spv/ledger_batch.h"
#include "spv/message.h"

#define PEER_ADDRESS_MAX 272
#define SEED_NAME_MAX 128
#define SPV_OUTBOUND_MAX 32 /* peers from the address book at once */
/* Filters that a block may be checked against at once: those of both sides of a dispute.
 */
#define CHECK_FILTERS 2

struct spv;

struct spv_now {
    struct mono_time mono;
    struct wall_time wall;
};

/* ---- making one ---- */

/* A peer from the configuration's connect=. */
struct spv_address {
    char text[PEER_ADDRESS_MAX]; /* host:port or [IPv6]:port */
    bool trusted;                /* one's own node */
};

/* A peer that was proved to lie, or that the operator distrusts: not dialed until then.
 */
#define BAN_REASON_MAX 200
struct spv_ban {
    char address[PEER_ADDRESS_MAX]; /* as configured, or the IP or onion of the book */
    struct wall_time until;
    char reason[BAN_REASON_MAX]; /* the proof */
};

struct spv_settings {
    const struct network *network;
    uint64_t seed; /* for choices that need no secrecy: the same seed, the same run */
    uint64_t map_seed[2];              /* keys of hash tables: random */
    const char *agent;                 /* "/reservewatch:0.1.0/" */
    const struct spv_address *connect; /* copied */
    size_t connect_count;
    uint32_t outbound; /* peers from the address book when there is no connect= */
    bool proxied;      /* a proxy resolves the names that are dialed, and reaches Tor */
    const struct checkpoint *checkpoints; /* from the configuration; copied */
    size_t checkpoint_count;
    const struct filter_checkpoint
        *filter_checkpoints; /* from the configuration; copied */
    size_t filter_checkpoint_count;
    /* Fetch every block from birth; filters and their headers aren't looked at. */
    bool scan_blocks;
    /* Of the heights whose filter shows nothing of ours, one in so many is fetched whole
     * and its filter checked; 0: none. */
    uint32_t audit_blocks;
    /* Ask peers to announce unconfirmed transactions, and have those near the tip looked
     * up (SPV_LOOK_UP). */
    bool mempool;
};

/* What the store knows, for the start. All copied. */
struct spv_start {
    /* The newest stored headers: from a height divisible by RETARGET_INTERVAL that lies
     * HEADER_WINDOW or more below the newest (or 0), to the newest. */
    uint32_t root_height;
    struct u256 root_work;
    const struct chain_row *rows;
    size_t row_count; /* at least 1 */
    /* Hashes at heights divisible by RETARGET_INTERVAL below the root, from 0. */
    const struct block_hash *sparse;
    size_t sparse_count;
    /* Hashes and filter headers at heights divisible by CFCHECKPT_INTERVAL, from 0, as
     * far as filter headers are stored; and the newest stored filter header. */
    const struct block_hash *checkpoint_hashes;
    const struct filter_header *checkpoint_filter_headers;
    size_t checkpoint_hash_count; /* covers every height below the root */
    size_t checkpoint_filter_header_count;
    uint32_t filter_header_count; /* rows stored; 0: not even genesis' */
    struct filter_header last_filter_header;
    /* Heights that are fetched whole for every cohort: peers differed about them. */
    const uint32_t *whole;
    size_t whole_count;
    /* Heights whose filters are kept on the disk; NULL: none ever are. */
    const struct height_set *kept;
    struct cohort_table cohorts; /* copied */
    uint32_t birth;              /* no block below it was scanned, nor will be */
    const struct spv_ban *bans;
    size_t ban_count;
    /* The address book's rows, and the key that they were made with. */
    const struct book_row *book;
    size_t book_count;
    uint64_t book_key[2];
};

struct spv *spv_new(const struct spv_settings *settings, const struct spv_start *start,
                    struct spv_now now);
void spv_free(struct spv *spv);

/* ---- inputs ---- */

enum spv_input_kind {
    SPV_TICK,           /* the deadline (spv_deadline) has come */
    SPV_PEER_CONNECTED, /* the transport to `peer` is up */
    SPV_PEER_LOST,      /* it is down, or never came up; also after DROP */
    SPV_MESSAGE,        /* a whole message; its checksum not yet checked */
    SPV_ROWS,           /* answer to LOAD_ROWS */
    SPV_STORED,         /* answer to STORE_* and CUT_FILTER_HEADERS */
    SPV_MATCHED,        /* answer to MATCH */
    SPV_CHECKED,        /* answer to CHECK */
    SPV_APPLIED,        /* answer to APPLY */
    SPV_COHORTS,        /* the watch lists were reloaded */
    SPV_REVIEWED,       /* answer to REVIEW */
    SPV_LOOKED_UP,      /* answer to LOOK_UP */
    SPV_RESOLVED,       /* answer to RESOLVE */
    SPV_LIFT_BAN,       /* the operator's wish */
    SPV_DISTRUST,       /* the operator's wish: ban it, forget what it said */
    SPV_STOP,           /* the last input: what is still to be stored is told */
};

enum match_verdict {
    MATCH_NONE,
    MATCH_HIT,
    MATCH_FALSE,     /* not the filter that the filter header commits to */
    MATCH_MALFORMED, /* what the filter header commits to can't be a filter */
    MATCH_ABSENT,    /* no filter of this block is kept */
};

enum apply_verdict {
    APPLY_OK,
    APPLY_INVALID, /* the block at invalid_height contradicts the ledger */
    APPLY_STALE,   /* the cohorts have changed meanwhile */
};

struct spv_input {
    enum spv_input_kind kind;
    uint32_t peer;
    uint64_t ticket;
    union {
        struct {
            struct frame frame;
            struct bytes payload; /* valid during the call */
        } message;
        struct {
            const char *fault; /* what the peer did wrong; NULL; valid during the call */
        } lost;
        struct {
            const struct chain_row *rows; /* valid during the call */
            size_t count;
        } rows;
        struct {
            enum match_verdict verdict;
            /* malloc'd: the filter back, for MATCH_HIT, and with `keep` for MATCH_NONE;
             * else NULL. */
            uint8_t *filter;
            size_t filter_len;
        } matched;
        struct {
            enum block_verdict verdict;
            /* The filter given lacks a script of the block's outputs, or can't be one. */
            bool filter_false[CHECK_FILTERS];
            struct block *block; /* owned by the core from now on; NULL unless valid */
            const char *reason;  /* valid during the call; NULL when valid */
        } checked;
        struct {
            enum apply_verdict verdict;
            uint32_t invalid_height;
            const char *reason;
            const struct cohort_table *cohorts; /* now; copied */
        } applied;
        const struct cohort_table *cohorts; /* copied */
        struct {
            const struct net_address *addresses; /* valid during the call; ports unused */
            size_t count;                        /* 0: none, or it failed */
        } resolved;
        const char *address; /* LIFT_BAN, DISTRUST: valid during the call */
        struct {
            bool lacks; /* the ledger has passed the block and lacks some of its events */
            bool elsewhere; /* the ledger's chain has another block at this height */
            /* The filter given lacks the script of a coin of ours that the block spends.
             */
            bool filter_false[CHECK_FILTERS];
        } reviewed;
    };
};

/* ---- effects ---- */

enum spv_effect_kind {
    SPV_DIAL, /* open a transport to `address`, as `peer` */
    SPV_SEND, /* bytes to `peer` */
    SPV_DROP, /* close the transport of `peer` once what was sent is out */
    SPV_LOAD_ROWS,
    SPV_STORE_HEADERS,        /* chain_rows_replace */
    SPV_STORE_FILTER_HEADERS, /* chain_rows_add_filter_headers */
    SPV_MATCH,                /* worker: verify and match one filter */
    SPV_CHECK,                /* worker: block_parse, and the filter against the block */
    SPV_APPLY,                /* ledger_apply */
    SPV_UNSTAGE,              /* ledger_unstage */
    SPV_NOTE,                 /* a line for the log */
    SPV_CUT_FILTER_HEADERS,   /* chain_rows_cut_filter_headers */
    SPV_STORE_WHOLE,          /* whole_heights_add */
    SPV_REVIEW,               /* ledger_review */
    SPV_LOOK_UP,              /* ledger_foresee */
    SPV_BAN,                  /* keep this ban; one of the same address is replaced */
    SPV_UNBAN,                /* forget the ban of this address */
    SPV_RESOLVE,              /* look a seed's name up in the DNS */
    SPV_STORE_BOOK,           /* peer_rows_put_book; no answer */
};

struct spv_filter {
    uint8_t *data; /* owned; NULL when there is none */
    size_t len;
};

struct spv_effect {
    enum spv_effect_kind kind;
    uint32_t peer;
    uint64_t ticket;
    union {
        struct {
            char address[PEER_ADDRESS_MAX];
        } dial;
        struct {
            uint8_t *data; /* owned */
            size_t len;
        } send;
        struct {
            uint32_t from;
            uint32_t count;
        } load;
        struct {
            uint32_t from;
            struct block_header *headers; /* owned */
            size_t count;
        } headers;
        struct {
            uint32_t from;
            struct filter_header *headers; /* owned */
            size_t count;
        } filter_headers;
        struct {
            uint8_t *filter; /* owned */
            size_t filter_len;
            bool kept;         /* there is none here: the one on the disk is meant */
            bool keep_on_disk; /* unless it is false or malformed */
            uint32_t height;
            struct block_hash block;
            struct filter_header previous, expected;
            struct script_set *scripts; /* a reference, owned */
            bool keep;                  /* the filter is wanted back without a hit, too */
        } match;
        struct {
            uint8_t *raw; /* owned */
            size_t raw_len;
            struct block_hash hash;
            uint32_t height;
            struct spv_filter filters[CHECK_FILTERS];
        } check;
        struct ledger_batch apply; /* rows and blocks owned, with what they point to */
        struct {
            uint32_t cohort;
        } unstage;
        struct {
            enum log_part part;
            enum log_level level;
            char *text; /* owned */
        } note;
        struct {
            uint32_t from;
        } cut;
        struct {
            uint32_t height;
        } whole;
        struct {
            uint32_t height;
            struct block_hash hash;
            struct block *block; /* owned */
            struct spv_filter filters[CHECK_FILTERS];
        } review;
        struct {
            struct block *transaction; /* owned; unconfirmed, see transaction_parse */
        } look_up;
        struct spv_ban *ban; /* BAN, UNBAN; owned */
        struct {
            char name[SEED_NAME_MAX];
        } resolve;
        struct {
            struct book_row *rows; /* owned; an empty entry: the place is free */
            size_t count;
        } book;
    };
};

/* What a worker does for MATCH with a filter at hand: whether the filter header commits
 * to it, then whether it holds any of the scripts. On any thread. */
enum match_verdict spv_match(const struct spv_effect *effect);

/* A list of effects in the order in which they are to be performed. Zero-initialised is
 * empty. */
struct spv_effects {
    struct spv_effect *items;
    size_t count;
    size_t capacity;
};

/* Free what an effect owns: after performing it, where not handed on. */
void spv_effect_release(struct spv_effect *effect);
/* Release all and empty the list. */
void spv_effects_clear(struct spv_effects *effects);

/* Take one input; append effects. */
void spv_step(struct spv *spv, struct spv_effects *effects, struct spv_now now,
              const struct spv_input *input);
/* When a SPV_TICK is wanted next at the latest. */
struct mono_time spv_deadline(const struct spv *spv);

/* Whether workers have so much to look at that nothing more should be read from peers;
 * `paused`: nothing is, and they have to get through half of it first. Whatever they hold
 * they get done with without further input. */
bool spv_busy(const struct spv *spv, bool paused);

/* ---- what is known now ---- */

enum spv_phase { SPV_PHASE_HEADERS, SPV_PHASE_FILTERS, SPV_PHASE_SCAN, SPV_PHASE_SYNCED };
const char *spv_phase_name(enum spv_phase phase);

struct spv_summary {
    enum spv_phase phase;
    uint32_t header_height; /* of the best chain */
    struct block_hash header_hash;
    struct block_time header_time;
    uint32_t filter_header_height;
    uint32_t scan_height;     /* of cohort 0 */
    uint32_t backfill_height; /* of the hindmost cohort; == scan_height without one */
    uint32_t target_height;   /* the highest that a ready peer speaks of */
    size_t peers_ready;
};
void spv_summary(const struct spv *spv, struct spv_summary *out, struct spv_now now);

struct spv_peer_info {
    uint32_t peer;
    char address[PEER_ADDRESS_MAX];
    char agent[AGENT_MAX + 1];
    uint64_t services;
    uint32_t height; /* of the best header it is known to have */
    /* "waiting", "banned", "connecting", "handshake", "asked" (for addresses only),
     * "ready"
     */
    const char *state;
    bool trusted;
    char group[NET_GROUP_TEXT_MAX]; /* "" for one of connect= */
    bool compared; /* its filter headers, with ours, as far as the ledger rests on them */
};
/* Fill at most `max`; returns how many there are. */
size_t spv_peers(const struct spv *spv, struct spv_peer_info *out, size_t max);

/* What the address book knows, and how many of those have answered. Zeros with connect=.
 */
void spv_book_counts(const struct spv *spv, size_t *known, size_t *tried);
/* The bans in force. Fill at most `max`; returns how many there are. */
size_t spv_bans(const struct spv *spv, struct spv_ban *out, size_t max,
                struct spv_now now);

/* Whether everything is at the tip, and if not, why: headers, filter headers up to the
 * last height scanned by filter, blocks of cohort 0; tip not older than 2 h (not on
 * regtest). */
NODISCARD bool spv_synced(const struct spv *spv, struct spv_now now,
                          struct error *reason);
/* In how many distinct network groups there are ready peers whose best chains contain
 * this block, and whose filter headers are compared; each of connect= is one of its
 * own. *trusted (may be NULL): one of them is
 * trusted. */
size_t spv_peers_agreeing(const struct spv *spv, uint32_t height,
                          const struct block_hash *hash, bool *trusted);
bool spv_is_banned(const struct spv *spv, const char *address);
/* Whether a ban of this address could be one of a peer: of connect=, or when peers are
 * found, an IP or onion address without port. */
bool spv_could_ban(const struct spv *spv, const char *address);
/* True if a peer of connect= is banned: the reason names it and says why. */
bool spv_connect_banned(const struct spv *spv, struct spv_now now, struct error *reason);
/* The heights up to `height` whose scan may rest on filters that no pinned filter header
 * covers, as far as is known: after a start, all that was scanned before counts. Both 0:
 * none. */
void spv_filters_relied_on(const struct spv *spv, uint32_t *from, uint32_t *to,
                           uint32_t height);
/* True while a height at which peers' filters differ isn't settled (names the peer and
 * how many heights are left), while a peer's filter headers are still being compared, and
 * for good once a block deep in the chain is shown to be invalid. */
bool spv_disputed(const struct spv *spv, struct error *reason);
/* True if a validated branch without this block has the work of our chain at
 * height + (confirmations - 1) / 2. */
bool spv_fork_near(const struct spv *spv, uint32_t height, uint32_t confirmations,
                   struct error *reason);
/* Whether the chain contains the checkpoints that it has reached. */
NODISCARD bool spv_identity_ok(const struct spv *spv, struct error *reason);
/* True while a peer's tip is from the future. */
bool spv_tip_from_future(const struct spv *spv, struct spv_now now, struct error *reason);
/* How many of the peers have announced this transaction, as far as is remembered. */
size_t spv_announcers(const struct spv *spv, const struct txid *txid);
/* Rises with every change that the functions above could show. */
uint64_t spv_revision(const struct spv *spv);

#endif
