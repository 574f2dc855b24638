/* What becomes of a transaction that was sent: its receipt, its nonce, finality. */
#include "feeds/evm/evm_publisher_state.h"

/* A transaction that isn't mined is sent again after this; the same bytes. */
#define RESEND_MS 30000

/* Whether the contract's newest round is this report. */
static bool is_ours(const struct evm_publisher *publisher,
                    const struct reserve_feed_state *state)
{
    const struct statement *report = &publisher->current.report;
    return state->round == publisher->current.position &&
           state->height == report->height && state->balance.sat == report->amount.sat &&
           state->observed_at.s == report->time.s;
}

/* No receipt, and this is the key's nonce at a final block. Either the transaction still
 * waits, or it was replaced for ever: what stands in the contract tells by what. */
static void take_nonce_used(struct evm_publisher *publisher, uint64_t nonce)
{
    if (nonce > publisher->nonce)
        evm_ask(publisher, STEP_FINAL_STATE);
    else if (mono_since(publisher->now, publisher->sent_at) >= RESEND_MS)
        evm_ask(publisher, STEP_SEND);
    else
        evm_rest_well(publisher, EVM_POLL_MS);
}

static void superseded(struct evm_publisher *publisher)
{
    evm_commit(publisher, PUBLICATION_SUPERSEDED, "another report became round %llu",
               (unsigned long long)publisher->current.position);
}

/* Mined, but the contract refused it. The report stands there nevertheless if somebody
 * sent our signature before us. */
static void mined_revert(struct evm_publisher *publisher)
{
    static const char reason[] = "the transaction was mined but reverted";
    if (publisher->head.number < publisher->receipt.block_number) {
        evm_rest_well(publisher, EVM_POLL_MS); /* the state is of before */
    } else if (is_ours(publisher, &publisher->state)) {
        if (publisher->current.state == PUBLICATION_MINED)
            evm_ask(publisher, STEP_FINAL_BLOCK);
        else
            evm_commit(publisher, PUBLICATION_MINED,
                       "another's transaction brought the report; ours reverted");
    } else if (publisher->state.round >= publisher->current.position) {
        superseded(publisher);
    } else {
        evm_condition_set(publisher, EVM_REVERTED, reason);
        evm_refuse(publisher, reason);
    }
}

static void take_receipt(struct evm_publisher *publisher, const struct rpc_reply *reply)
{
    bool found;
    struct error error;
    if (!rpc_result_receipt(reply, &publisher->receipt, &found, &error)) {
        evm_obstacle(publisher, EVM_ENDPOINT, "%s", error.text);
        return;
    }
    if (found &&
        !evm_hash_equal(&publisher->receipt.transaction, &publisher->transaction_hash)) {
        evm_obstacle(publisher, EVM_ENDPOINT,
                     "its receipt is of another transaction; try another endpoint");
        return;
    }
    bool mined = publisher->current.state == PUBLICATION_MINED;
    char hash[EVM_HASH_TEXT_MAX];
    evm_hash_text(hash, &publisher->transaction_hash);
    if (!found && mined) {
        publisher->sent_at = mono_add(publisher->now, -RESEND_MS); /* pools forget it */
        evm_commit(publisher, PUBLICATION_SENT,
                   "its block left the chain; transaction %s", hash);
    } else if (!found)
        evm_ask(publisher, STEP_NONCE_USED);
    else if (!publisher->receipt.succeeded)
        mined_revert(publisher);
    else if (!mined)
        evm_commit(publisher, PUBLICATION_MINED, "transaction %s in block %llu", hash,
                   (unsigned long long)publisher->receipt.block_number);
    else
        evm_ask(publisher, STEP_FINAL_BLOCK);
}

static void take_final_block(struct evm_publisher *publisher,
                             const struct rpc_reply *reply)
{
    struct rpc_block block;
    struct error error;
    if (!rpc_result_block(reply, &block, &error))
        evm_obstacle(publisher, EVM_ENDPOINT, "%s", error.text);
    else if (block.number < publisher->receipt.block_number)
        evm_rest_well(publisher, EVM_POLL_MS);
    else
        evm_ask(publisher, STEP_FINAL_STATE);
}

/* The truth is the contract's state at a final block. */
static void judge_final_state(struct evm_publisher *publisher,
                              const struct reserve_feed_state *state)
{
    bool mined = publisher->current.state == PUBLICATION_MINED;
    uint64_t position = publisher->current.position;
    if (is_ours(publisher, state) || (mined && state->round > position))
        evm_commit(publisher, PUBLICATION_FINAL, "%s", publisher->current.detail);
    else if (mined)
        evm_rest_well(publisher, EVM_POLL_MS);
    else if (state->round >= position)
        superseded(publisher);
    else
        evm_refuse(publisher, "the key sent another transaction with the same nonce");
}

static void take_final_state(struct evm_publisher *publisher,
                             const struct rpc_reply *reply)
{
    struct writer data;
    struct error error;
    struct reserve_feed_state state;
    writer_init(&data);
    if (!rpc_result_data(reply, &data, &error))
        evm_obstacle(publisher, EVM_ENDPOINT, "%s", error.text);
    else if (!reserve_feed_read_state(&state, (struct bytes){data.data, data.len}))
        evm_obstacle(publisher, EVM_WRONG_CONTRACT, "its state isn't a ReserveFeed's");
    else
        judge_final_state(publisher, &state);
    writer_release(&data);
}

void evm_confirm_take(struct evm_publisher *publisher, const struct rpc_reply *reply)
{
    enum evm_step step = publisher->step;
    if (step == STEP_RECEIPT)
        take_receipt(publisher, reply);
    else if (step == STEP_NONCE_USED)
        evm_take_number(publisher, reply, take_nonce_used);
    else if (step == STEP_FINAL_BLOCK)
        take_final_block(publisher, reply);
    else if (step == STEP_FINAL_STATE)
        take_final_state(publisher, reply);
}
