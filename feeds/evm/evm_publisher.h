/* The publisher of type=evm: brings a feed's publications into its ReserveFeed contract,
 * each exactly once, through crashes and faults of the endpoint.
 *
 * A pure state machine: it is given the time and an input, and appends effects; it does
 * one thing at a time, so there is never more than one effect to be answered. What it has
 * to remember it commits to the outbox before the step that it stands for:
 *
 *   DUE -> SIGNED -> QUORUM -> PERSISTED (raw transaction) -> SENT -> MINED -> FINAL,
 *   or SUPERSEDED, REFUSED(reason); back to SENT when its block leaves the chain
 *
 * The truth is the contract's state at a final block, not a receipt and not our memory.
 */
#ifndef FEEDS_EVM_EVM_PUBLISHER_H
#define FEEDS_EVM_EVM_PUBLISHER_H

#include "base/log.h"
#include "base/time.h"
#include "feeds/evm/evm_types.h"
#include "feeds/evm/signer.h"
#include "feeds/evm/wei.h"
#include "feeds/publication.h"

/* Finality by the chain's own word (the `finalized` block). */
#define EVM_FINALITY_TAG 0
#define EVM_MAX_FEE_DEFAULT (50 * WEI_PER_GWEI)

struct evm_publisher_settings {
    const char *feed; /* its name; copied */
    uint64_t chain_id;
    struct evm_address contract;
    uint32_t finality;         /* EVM_FINALITY_TAG, or a block this deep is final */
    struct wei max_fee;        /* the most that a gas may cost */
    uint32_t confirmations;    /* the feed's: maxReportAge has to leave room for them */
    bool regtest;              /* where block times mean nothing */
    struct evm_signer *signer; /* must outlive the publisher */
};

struct evm_publisher;

struct evm_publisher *evm_publisher_new(const struct evm_publisher_settings *settings);
void evm_publisher_free(struct evm_publisher *publisher);

enum evm_input_kind {
    EVM_WAKE,      /* the deadline has come, or there is a new sample */
    EVM_LOADED,    /* answer to LOAD */
    EVM_REPLIED,   /* answer to CALL */
    EVM_EVALUATED, /* answer to EVALUATE */
    EVM_COMMITTED, /* answer to COMMIT */
};

struct evm_input {
    enum evm_input_kind kind;
    bool new_sample; /* WAKE */
    /* REPLIED: the reply's body, or why there is none. Valid during the call. */
    struct {
        const char *body;
        size_t len;
        int status;          /* of HTTP; 0: none */
        int64_t retry_after; /* seconds asked for by the endpoint; 0: none */
        const char *fault;   /* NULL if there is a body */
    } reply;
    /* LOADED, EVALUATED: the feed's newest publication; NULL: none. COMMITTED: what was
     * put. Copied. */
    const struct publication *newest;
    const struct evaluation *evaluation; /* EVALUATED; copied */
};

enum evm_effect_kind {
    EVM_LOAD,     /* read the feed's newest publication */
    EVM_CALL,     /* post `body` to the endpoint */
    EVM_EVALUATE, /* publication_evaluate() against `published`, then read the newest */
    /* outbox_put(`publication`), durably; but publication_drop() if it wasn't PERSISTED
     * before and doesn't hold any more (publication_holds) */
    EVM_COMMIT,
    EVM_NOTE, /* a line for the log; wants no answer */
};

struct evm_effect {
    enum evm_effect_kind kind;
    uint8_t *body; /* CALL: owned */
    size_t len;
    struct published published;     /* EVALUATE */
    struct publication publication; /* COMMIT: owned */
    enum log_level level;           /* NOTE */
    char text[ERROR_TEXT_MAX];
};

/* Zero-initialised is empty. */
struct evm_effects {
    struct evm_effect *items;
    size_t count, capacity;
};
void evm_effect_release(struct evm_effect *effect);
void evm_effects_clear(struct evm_effects *effects);

void evm_publisher_step(struct evm_publisher *publisher, struct evm_effects *effects,
                        struct mono_time now, struct wall_time wall,
                        const struct evm_input *input);
/* When an EVM_WAKE is wanted; MONO_NEVER while an answer is awaited. */
struct mono_time evm_publisher_deadline(const struct evm_publisher *publisher);

/* One transaction in flight for each chain and sender, over all feeds: while another
 * publisher of the same key has one under way (`held`), none is begun here. */
/* PERSISTED to SENT; and until it is known what the outbox holds. */
bool evm_publisher_sending(const struct evm_publisher *publisher);
void evm_publisher_hold(struct evm_publisher *publisher, bool held);

/* What stands in the way, or what it does now: for status and `publish --dry-run`. */
enum evm_condition {
    EVM_WORKING,
    EVM_ENDPOINT,         /* unreachable, or answers with errors */
    EVM_WRONG_CHAIN,      /* another chain id than configured */
    EVM_WRONG_CONTRACT,   /* no ReserveFeed of this feed at the address */
    EVM_REPORT_AGE,       /* the contract's maxReportAge leaves no room */
    EVM_NOT_OPERATOR,     /* our key isn't one of the contract's operators */
    EVM_NEEDS_SIGNATURES, /* k > 1: others have to sign */
    EVM_NO_FUNDS,
    EVM_FEE_CAP,            /* gas costs more than max_fee */
    EVM_KEY_USED_ELSEWHERE, /* transactions of our key that aren't ours */
    EVM_REVERTED,           /* the contract refuses the report; the reason says why */
};
/* "working", "endpoint", "wrong-chain", "wrong-contract", "report-age", "not-operator",
 * "needs-signatures", "no-funds", "fee-cap", "key-used-elsewhere", "reverted" */
const char *evm_condition_name(enum evm_condition condition);

struct evm_status {
    enum evm_condition condition;
    char detail[ERROR_TEXT_MAX]; /* for people, with the remedy; may be empty */
    bool has_published;
    struct published published; /* as last read from the contract */
    bool has_evaluation;
    struct evaluation evaluation;
};
void evm_publisher_status(const struct evm_publisher *publisher, struct evm_status *out);

#endif
