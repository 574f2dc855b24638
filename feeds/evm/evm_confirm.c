/* What becomes of a transaction that was sent: its receipt, its nonce, finality. */
#include <stdio.h>
#include <string.h>

#include "feeds/evm/evm_publisher_state.h"

/* A transaction that isn't mined is sent again after this; the same bytes. */
#define RESEND_MS 30000

/* ---- asking ---- */

static struct rpc_block_ref final_block(const struct evm_publisher *publisher)
{
    uint32_t depth = publisher->settings.finality;
    if (depth == EVM_FINALITY_TAG)
        return (struct rpc_block_ref){.tag = RPC_BLOCK_FINALIZED};
    uint64_t head = publisher->head.number;
    return (struct rpc_block_ref){.tag = RPC_BLOCK_NUMBER,
                                  .number = head < depth ? 0 : head - depth};
}

static void ask_receipt(const struct evm_publisher *publisher, struct writer *body)
{
    rpc_write_get_receipt(body, publisher->request, &publisher->transaction_hash);
}

static void ask_nonce_used(const struct evm_publisher *publisher, struct writer *body)
{
    rpc_write_get_transaction_count(body, publisher->request,
                                    evm_signer_address(publisher->settings.signer),
                                    final_block(publisher));
}

static void ask_final_block(const struct evm_publisher *publisher, struct writer *body)
{
    rpc_write_get_block(body, publisher->request, final_block(publisher));
}

static void ask_final_state(const struct evm_publisher *publisher, struct writer *body)
{
    evm_write_getter(publisher, body, RESERVE_FEED_STATE, final_block(publisher));
}

/* ---- receipt and nonce ---- */

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
        evm_ask(publisher, STEP_SIMULATE); /* before it is sent again */
    else
        evm_rest_well(publisher, EVM_POLL_MS);
}

static void superseded(struct evm_publisher *publisher)
{
    evm_commit(publisher, PUBLICATION_SUPERSEDED, "another report became round %llu",
               (unsigned long long)publisher->current.position);
}

static void mined(struct evm_publisher *publisher, const char *how)
{
    memcpy(publisher->current.mined_in, publisher->receipt.block.b,
           sizeof publisher->current.mined_in);
    evm_commit(publisher, PUBLICATION_MINED, "%s", how);
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
            mined(publisher, "another's transaction brought the report; ours reverted");
    } else if (publisher->state.round >= publisher->current.position) {
        superseded(publisher);
    } else {
        evm_condition_set(publisher, EVM_REVERTED, reason);
        evm_refuse(publisher, reason);
    }
}

/* Whether the block that it was mined in isn't its block any more; either way it is sent,
 * and to be mined. */
static bool left_its_block(const struct evm_publisher *publisher, bool found)
{
    return publisher->current.state == PUBLICATION_MINED &&
           (!found || memcmp(publisher->current.mined_in, publisher->receipt.block.b,
                             sizeof publisher->current.mined_in) != 0);
}

static void judge_receipt(struct evm_publisher *publisher, bool found)
{
    char text[PUBLICATION_TEXT_MAX], hash[EVM_HASH_TEXT_MAX];
    evm_hash_text(hash, &publisher->transaction_hash);
    if (left_its_block(publisher, found)) {
        publisher->sent_at = mono_add(publisher->now, -RESEND_MS); /* pools forget it */
        evm_commit(publisher, PUBLICATION_SENT,
                   "its block left the chain; transaction %s", hash);
    } else if (!found) {
        evm_ask(publisher, STEP_NONCE_USED);
    } else if (!publisher->receipt.succeeded) {
        mined_revert(publisher);
    } else if (publisher->current.state != PUBLICATION_MINED) {
        snprintf(text, sizeof text, "transaction %s in block %llu", hash,
                 (unsigned long long)publisher->receipt.block_number);
        mined(publisher, text);
    } else {
        evm_ask(publisher, STEP_FINAL_BLOCK);
    }
}

static void take_receipt(struct evm_publisher *publisher, const struct rpc_reply *reply)
{
    bool found;
    struct error error;
    if (!rpc_result_receipt(reply, &publisher->receipt, &found, &error))
        evm_obstacle(publisher, EVM_ENDPOINT, "%s", error.text);
    else if (found && !evm_hash_equal(&publisher->receipt.transaction,
                                      &publisher->transaction_hash))
        evm_obstacle(publisher, EVM_ENDPOINT,
                     "its receipt is of another transaction; try another endpoint");
    else
        judge_receipt(publisher, found);
}

/* ---- finality ---- */

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

/* It isn't there, and won't be: why. */
static void gone(struct evm_publisher *publisher)
{
    if (publisher->refusal[0] == '\0') {
        evm_refuse(publisher, "the key sent another transaction with the same nonce");
    } else if (publisher->state.round >= publisher->current.position) {
        evm_rest_well(publisher, EVM_POLL_MS); /* what became that round may change yet */
    } else {
        evm_condition_set(publisher, EVM_REVERTED, publisher->refusal);
        evm_refuse(publisher, publisher->refusal);
    }
}

/* The truth is the contract's state at a final block. */
static void judge_final_state(struct evm_publisher *publisher,
                              const struct reserve_feed_state *state)
{
    const struct publication *current = &publisher->current;
    bool is_mined = current->state == PUBLICATION_MINED;
    if (is_ours(publisher, state) || (is_mined && state->round > current->position))
        evm_commit(publisher, PUBLICATION_FINAL, "%s",
                   publisher->refusal[0] ? "another's transaction brought the report"
                                         : current->detail);
    else if (is_mined)
        evm_rest_well(publisher, EVM_POLL_MS);
    else if (state->round >= current->position)
        superseded(publisher);
    else
        gone(publisher);
}

static void take_final_state(struct evm_publisher *publisher, struct bytes answer)
{
    struct reserve_feed_state state;
    if (reserve_feed_read_state(&state, answer))
        judge_final_state(publisher, &state);
    else
        evm_obstacle(publisher, EVM_WRONG_CONTRACT, "its state isn't a ReserveFeed's");
}

const struct evm_exchange evm_confirm_exchanges[EVM_STEPS] = {
    [STEP_RECEIPT] = {.ask = ask_receipt, .take = take_receipt},
    [STEP_NONCE_USED] = {.ask = ask_nonce_used, .take_number = take_nonce_used},
    [STEP_FINAL_BLOCK] = {.ask = ask_final_block, .take = take_final_block},
    [STEP_FINAL_STATE] = {.ask = ask_final_state, .take_data = take_final_state},
};
