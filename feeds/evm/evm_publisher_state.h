/* The publisher's own state, shared by evm_publisher.c (its life), evm_steps.c (a cycle),
 * evm_send.c and evm_confirm.c, and by nobody else. */
#ifndef FEEDS_EVM_EVM_PUBLISHER_STATE_H
#define FEEDS_EVM_EVM_PUBLISHER_STATE_H

#include "feeds/evm/evm_publisher.h"
#include "feeds/evm/fees.h"
#include "feeds/evm/reserve_feed.h"
#include "feeds/evm/rpc_reply.h"
#include "feeds/evm/rpc_request.h"
#include "feeds/evm/transaction.h"

/* How often the contract is looked at without anything to do. */
#define EVM_IDLE_MS 15000
/* And with a transaction under way. */
#define EVM_POLL_MS 2000

/* Every wait of a cycle: for the endpoint's answer to one request, or for the store. */
enum evm_step {
    STEP_REST, /* until woken */
    STEP_LOAD,
    STEP_CHAIN_ID,
    STEP_CODE,
    STEP_FEED_ID,
    STEP_DOMAIN,
    STEP_REPORT_AGE,
    STEP_HEAD,
    STEP_STATE,
    STEP_LOGS,
    STEP_EVALUATE,
    STEP_OPERATORS,
    STEP_NONCE_LATEST,
    STEP_NONCE_PENDING,
    STEP_FEES,
    STEP_SIMULATE,
    STEP_GAS,
    STEP_BALANCE,
    STEP_SEND,
    STEP_RECEIPT,
    STEP_NONCE_USED,
    STEP_FINAL_BLOCK,
    STEP_FINAL_STATE,
    STEP_COMMIT,
};
#define EVM_STEPS (STEP_COMMIT + 1)

/* What a step asks of the endpoint, and who takes the answer, in the form it comes in. */
struct evm_exchange {
    void (*ask)(const struct evm_publisher *publisher, struct writer *body);
    void (*take)(struct evm_publisher *publisher, const struct rpc_reply *reply);
    void (*take_data)(struct evm_publisher *publisher, struct bytes data);
    void (*take_number)(struct evm_publisher *publisher, uint64_t number);
};

struct evm_publisher {
    struct evm_publisher_settings settings;
    char feed[65];
    struct evm_hash feed_id, separator;
    enum evm_step step;
    uint64_t request; /* id of the newest */
    struct mono_time deadline;
    int64_t backoff_ms;
    bool held;
    bool nonce_stale; /* held since the nonce was asked for */
    bool new_sample;
    bool sampled;                /* in this run: the gates have been looked at */
    struct mono_time not_before; /* the next look at a new sample */

    bool loaded;    /* what the outbox held at the start is known */
    bool contacted; /* the contract is the one meant */

    struct rpc_block head;
    struct reserve_feed_state state; /* of the contract at `head` */
    bool has_report; /* `report` is the state's, with block and set hash */
    struct evm_report report;
    /* The search for the log of round `logs_round`, backwards; 0: none. */
    uint32_t logs_round;
    uint64_t logs_to;    /* the next window of blocks ends here */
    unsigned logs_asked; /* windows in this cycle */

    bool has_current; /* a publication is in flight, in `current` */
    struct publication current;
    struct evm_hash transaction_hash; /* from PERSISTED on */
    uint64_t nonce, gas;
    struct evm_fees fees;
    bool simulated;               /* in this cycle, and the contract takes it */
    char refusal[ERROR_TEXT_MAX]; /* why it wouldn't take the transaction; may be empty */
    struct rpc_receipt receipt;
    struct mono_time sent_at;

    struct evm_status status;

    /* During a step only. */
    struct mono_time now;
    struct wall_time wall;
    struct evm_effects *out;
};

/* evm_publisher.c */
struct evm_effect *evm_effect_add(struct evm_publisher *publisher,
                                  enum evm_effect_kind kind);
void evm_note(struct evm_publisher *publisher, enum log_level level, const char *format,
              ...) PRINTF_LIKE(3, 4);
/* Wait for the answer to `step`. */
void evm_await(struct evm_publisher *publisher, enum evm_step step);
/* End the cycle; the next begins after `ms`. */
void evm_rest(struct evm_publisher *publisher, int64_t ms);
/* The same, with nothing in the way. */
void evm_rest_well(struct evm_publisher *publisher, int64_t ms);
void evm_condition_set(struct evm_publisher *publisher, enum evm_condition condition,
                       const char *detail);
/* End it because of something that stands in the way and may pass. */
void evm_obstacle(struct evm_publisher *publisher, enum evm_condition condition,
                  const char *format, ...) PRINTF_LIKE(3, 4);
/* Commit `current` in its new state; the cycle goes on from there. */
void evm_commit(struct evm_publisher *publisher, enum publication_state state,
                const char *format, ...) PRINTF_LIKE(3, 4);

/* evm_steps.c */
void evm_begin_cycle(struct evm_publisher *publisher);
void evm_ask(struct evm_publisher *publisher, enum evm_step step);
void evm_take(struct evm_publisher *publisher, const struct rpc_reply *reply);
/* A call of one of the contract's functions without arguments. */
void evm_write_getter(const struct evm_publisher *publisher, struct writer *body,
                      enum reserve_feed_getter getter, struct rpc_block_ref block);
/* Bring `current` further, or look for a new one, with the contract's state known. */
void evm_go_on(struct evm_publisher *publisher);
void evm_evaluated(struct evm_publisher *publisher, const struct evm_input *input);

/* evm_send.c */
extern const struct evm_exchange evm_send_exchanges[EVM_STEPS];
void evm_send_go_on(struct evm_publisher *publisher);
/* The node's own error as an answer to a step. */
void evm_send_fault(struct evm_publisher *publisher, const struct rpc_fault *fault);
/* The endpoint has the transaction. */
void evm_sent(struct evm_publisher *publisher);
/* Give `current` up. */
void evm_refuse(struct evm_publisher *publisher, const char *reason);

/* evm_confirm.c */
extern const struct evm_exchange evm_confirm_exchanges[EVM_STEPS];

#endif
