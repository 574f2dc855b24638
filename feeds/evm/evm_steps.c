/* A cycle's way: is it the chain, is it the contract, what does it say, and what follows.
 */
#include <stdio.h>
#include <string.h>

#include "feeds/evm/evm_publisher_state.h"

/* Logs are searched backwards in windows of so many blocks: endpoints refuse larger ones.
 */
#define LOGS_WINDOW 2000

static void call_contract(const struct evm_publisher *publisher, struct writer *body,
                          enum reserve_feed_getter getter, struct rpc_block_ref block)
{
    struct writer data;
    writer_init(&data);
    reserve_feed_write_getter(&data, getter);
    const struct rpc_call call = {.to = publisher->settings.contract,
                                  .data = {data.data, data.len}};
    rpc_write_call(body, publisher->request, &call, block);
    writer_release(&data);
}

static void ask_logs(const struct evm_publisher *publisher, struct writer *body)
{
    struct evm_hash topic;
    reserve_reported_topic(&topic);
    uint64_t to = publisher->logs_to;
    const struct rpc_block_ref last = {.tag = RPC_BLOCK_NUMBER, .number = to};
    const struct rpc_block_ref first = {
        .tag = RPC_BLOCK_NUMBER, .number = to < LOGS_WINDOW ? 0 : to - LOGS_WINDOW + 1};
    rpc_write_get_logs(body, publisher->request, &publisher->settings.contract, &topic,
                       first, last);
}

static void ask_one(struct evm_publisher *publisher, enum evm_step step,
                    struct writer *body)
{
    const struct rpc_block_ref latest = {.tag = RPC_BLOCK_LATEST};
    const struct rpc_block_ref head = {.tag = RPC_BLOCK_HASH,
                                       .hash = publisher->head.hash};
    uint64_t id = publisher->request;
    switch (step) {
    case STEP_CHAIN_ID:
        rpc_write_chain_id(body, id);
        break;
    case STEP_CODE:
        rpc_write_get_code(body, id, &publisher->settings.contract, latest);
        break;
    case STEP_FEED_ID:
        call_contract(publisher, body, RESERVE_FEED_FEED_ID, latest);
        break;
    case STEP_DOMAIN:
        call_contract(publisher, body, RESERVE_FEED_EIP712_DOMAIN, latest);
        break;
    case STEP_REPORT_AGE:
        call_contract(publisher, body, RESERVE_FEED_MAX_REPORT_AGE, latest);
        break;
    case STEP_HEAD:
        rpc_write_get_block(body, id, latest);
        break;
    case STEP_STATE:
        call_contract(publisher, body, RESERVE_FEED_STATE, head);
        break;
    case STEP_LOGS:
        ask_logs(publisher, body);
        break;
    case STEP_OPERATORS:
        call_contract(publisher, body, RESERVE_FEED_OPERATORS, head);
        break;
    case STEP_NONCE_LATEST:
    case STEP_NONCE_PENDING:
    case STEP_FEES:
    case STEP_SIMULATE:
    case STEP_GAS:
    case STEP_BALANCE:
    case STEP_SEND:
    case STEP_RECEIPT:
    case STEP_NONCE_USED:
    case STEP_FINAL_BLOCK:
    case STEP_FINAL_STATE:
        evm_send_ask(publisher, step, body);
        break;
    case STEP_REST:
    case STEP_LOAD:
    case STEP_EVALUATE:
    case STEP_COMMIT:
        break; /* not the endpoint's to answer */
    }
}

void evm_ask(struct evm_publisher *publisher, enum evm_step step)
{
    publisher->request = publisher->request % RPC_ID_MAX + 1;
    struct writer body;
    writer_init(&body);
    ask_one(publisher, step, &body);
    struct evm_effect *effect = evm_effect_add(publisher, EVM_CALL);
    effect->body = writer_take(&body, &effect->len);
    evm_await(publisher, step);
}

void evm_begin_cycle(struct evm_publisher *publisher)
{
    evm_ask(publisher, STEP_CHAIN_ID);
}

/* ---- is it the chain and the contract ---- */

static void wrong_contract(struct evm_publisher *publisher, const char *why)
{
    char address[EVM_ADDRESS_TEXT_MAX];
    evm_address_text(address, &publisher->settings.contract);
    publisher->contacted = false;
    evm_obstacle(publisher, EVM_WRONG_CONTRACT,
                 "%s: %s; check contract= and rpc=", address, why);
}

static void take_chain_id(struct evm_publisher *publisher, const struct rpc_reply *reply)
{
    uint64_t id;
    struct error error;
    if (!rpc_result_u64(reply, &id, &error)) {
        evm_obstacle(publisher, EVM_ENDPOINT, "%s", error.text);
    } else if (id != publisher->settings.chain_id) {
        publisher->contacted = false;
        evm_obstacle(publisher, EVM_WRONG_CHAIN,
                     "the endpoint serves chain %llu, configured is %llu; check rpc= and "
                     "chain_id=",
                     (unsigned long long)id,
                     (unsigned long long)publisher->settings.chain_id);
    } else {
        evm_ask(publisher, publisher->contacted ? STEP_HEAD : STEP_CODE);
    }
}

/* The bytes that a call answered; released by the caller. */
static bool take_data(struct evm_publisher *publisher, struct writer *out,
                      const struct rpc_reply *reply)
{
    struct error error;
    writer_init(out);
    if (rpc_result_data(reply, out, &error))
        return true;
    writer_release(out);
    evm_obstacle(publisher, EVM_ENDPOINT, "%s", error.text);
    return false;
}

static void take_code(struct evm_publisher *publisher, const struct rpc_reply *reply)
{
    struct writer code;
    if (!take_data(publisher, &code, reply))
        return;
    if (code.len)
        evm_ask(publisher, STEP_FEED_ID);
    else
        wrong_contract(publisher, "there is no contract at this address");
    writer_release(&code);
}

static void judge_feed_id(struct evm_publisher *publisher, struct bytes answer)
{
    struct evm_hash id;
    if (!reserve_feed_read_hash(&id, answer))
        wrong_contract(publisher, "it isn't a ReserveFeed");
    else if (!evm_hash_equal(&id, &publisher->feed_id))
        wrong_contract(publisher, "it is the ReserveFeed of another feed");
    else
        evm_ask(publisher, STEP_DOMAIN);
}

static void judge_domain(struct evm_publisher *publisher, struct bytes answer)
{
    uint64_t chain_id;
    struct evm_address contract;
    if (!reserve_feed_read_domain(&chain_id, &contract, answer) ||
        chain_id != publisher->settings.chain_id ||
        !evm_address_equal(&contract, &publisher->settings.contract))
        wrong_contract(publisher, "its EIP-712 domain isn't that of this contract");
    else
        evm_ask(publisher, STEP_REPORT_AGE);
}

/* A report is as old as its block is deep, and blocks may come slowly. */
static void judge_report_age(struct evm_publisher *publisher, struct bytes answer)
{
    uint64_t age;
    uint64_t least = ((uint64_t)publisher->settings.confirmations + 5) * 30 * 60;
    if (!reserve_feed_read_u64(&age, answer)) {
        wrong_contract(publisher, "it isn't a ReserveFeed");
    } else if (age < least && !publisher->settings.regtest) {
        evm_obstacle(
            publisher, EVM_REPORT_AGE,
            "the contract's maxReportAge is %llu s, but a feed of %u confirmations "
            "needs at least %llu s; deploy one that has it",
            (unsigned long long)age, publisher->settings.confirmations,
            (unsigned long long)least);
    } else {
        publisher->contacted = true;
        evm_ask(publisher, STEP_HEAD);
    }
}

/* ---- what does it say ---- */

static void take_head(struct evm_publisher *publisher, const struct rpc_reply *reply)
{
    struct error error;
    if (rpc_result_block(reply, &publisher->head, &error))
        evm_ask(publisher, STEP_STATE);
    else
        evm_obstacle(publisher, EVM_ENDPOINT, "%s", error.text);
}

static bool is_reported(const struct evm_report *report,
                        const struct reserve_feed_state *state)
{
    return report->round == state->round && report->balance.sat == state->balance.sat &&
           report->height == state->height &&
           report->observed_at.s == state->observed_at.s;
}

static void set_published(struct evm_publisher *publisher)
{
    struct published *published = &publisher->status.published;
    memset(published, 0, sizeof *published);
    publisher->status.has_published = true;
    published->state = PUBLISHED_NONE;
    if (!publisher->state.round)
        return;
    const struct evm_report *report = &publisher->report;
    published->state = PUBLISHED;
    published->round = report->round;
    published->height = report->height;
    published->block = report->block;
    published->time = report->observed_at;
    published->amount = report->balance;
    memcpy(published->set_hash, report->set_hash, sizeof published->set_hash);
}

static void judge_state(struct evm_publisher *publisher, struct bytes answer)
{
    uint32_t before = publisher->state.round;
    if (!reserve_feed_read_state(&publisher->state, answer)) {
        wrong_contract(publisher, "its state isn't a ReserveFeed's");
        return;
    }
    if (publisher->state.round != before)
        publisher->new_sample = true; /* compare with what stands there now */
    if (!publisher->state.round || is_reported(&publisher->report, &publisher->state)) {
        set_published(publisher);
        evm_go_on(publisher);
        return;
    }
    /* Which block and which set it was about only the log tells. */
    publisher->logs_to = publisher->head.number;
    evm_ask(publisher, STEP_LOGS);
}

static void take_logs(struct evm_publisher *publisher, const struct rpc_reply *reply)
{
    struct rpc_logs logs;
    struct error error;
    if (!rpc_result_logs(reply, &logs, &error)) {
        evm_obstacle(publisher, EVM_ENDPOINT, "%s", error.text);
        return;
    }
    bool found = false;
    for (size_t i = logs.count; i-- > 0 && !found;) {
        const struct rpc_log *log = &logs.at[i];
        struct reserve_reported reported;
        found = !log->removed &&
                evm_address_equal(&log->address, &publisher->settings.contract) &&
                reserve_reported_read(&reported, log->topics, log->topic_count,
                                      (struct bytes){log->data, log->data_len}) &&
                is_reported(&reported.report, &publisher->state);
        if (found)
            publisher->report = reported.report;
    }
    rpc_logs_release(&logs);
    if (found) {
        set_published(publisher);
        evm_go_on(publisher);
    } else if (publisher->logs_to < LOGS_WINDOW) {
        evm_obstacle(publisher, EVM_ENDPOINT, "the endpoint has no log of round %u",
                     publisher->state.round);
    } else {
        publisher->logs_to -= LOGS_WINDOW;
        evm_ask(publisher, STEP_LOGS);
    }
}

static void judge_operators(struct evm_publisher *publisher, struct bytes answer)
{
    struct reserve_feed_operators operators;
    const struct evm_address *ours = evm_signer_address(publisher->settings.signer);
    if (!reserve_feed_read_operators(&operators, answer)) {
        wrong_contract(publisher, "its operators can't be read");
    } else if (!reserve_feed_has_operator(&operators, ours)) {
        char address[EVM_ADDRESS_TEXT_MAX];
        evm_address_text(address, ours);
        evm_obstacle(publisher, EVM_NOT_OPERATOR,
                     "%s isn't an operator of the contract; have its owner propose it",
                     address);
    } else {
        evm_send_go_on(publisher);
    }
}

static void take_answer(struct evm_publisher *publisher, const struct rpc_reply *reply,
                        void (*judge)(struct evm_publisher *publisher,
                                      struct bytes answer))
{
    struct writer data;
    if (!take_data(publisher, &data, reply))
        return;
    judge(publisher, (struct bytes){data.data, data.len});
    writer_release(&data);
}

void evm_take(struct evm_publisher *publisher, const struct rpc_reply *reply)
{
    switch (publisher->step) {
    case STEP_CHAIN_ID:
        take_chain_id(publisher, reply);
        break;
    case STEP_CODE:
        take_code(publisher, reply);
        break;
    case STEP_FEED_ID:
        take_answer(publisher, reply, judge_feed_id);
        break;
    case STEP_DOMAIN:
        take_answer(publisher, reply, judge_domain);
        break;
    case STEP_REPORT_AGE:
        take_answer(publisher, reply, judge_report_age);
        break;
    case STEP_HEAD:
        take_head(publisher, reply);
        break;
    case STEP_STATE:
        take_answer(publisher, reply, judge_state);
        break;
    case STEP_LOGS:
        take_logs(publisher, reply);
        break;
    case STEP_OPERATORS:
        take_answer(publisher, reply, judge_operators);
        break;
    case STEP_NONCE_LATEST:
    case STEP_NONCE_PENDING:
    case STEP_FEES:
    case STEP_SIMULATE:
    case STEP_GAS:
    case STEP_BALANCE:
    case STEP_SEND:
    case STEP_RECEIPT:
    case STEP_NONCE_USED:
    case STEP_FINAL_BLOCK:
    case STEP_FINAL_STATE:
        evm_send_take(publisher, reply);
        break;
    case STEP_REST:
    case STEP_LOAD:
    case STEP_EVALUATE:
    case STEP_COMMIT:
        break;
    }
}

/* ---- what follows ---- */

void evm_go_on(struct evm_publisher *publisher)
{
    if (publisher->has_current) {
        evm_send_go_on(publisher);
    } else if (publisher->new_sample) {
        struct evm_effect *effect = evm_effect_add(publisher, EVM_EVALUATE);
        effect->published = publisher->status.published;
        publisher->new_sample = false; /* one that comes from here on may be missed */
        evm_await(publisher, STEP_EVALUATE);
    } else if (publisher->status.condition == EVM_REVERTED) {
        evm_rest(publisher, EVM_IDLE_MS); /* it stands until there is another report */
    } else {
        evm_rest_well(publisher, EVM_IDLE_MS);
    }
}

void evm_evaluated(struct evm_publisher *publisher, const struct evm_input *input)
{
    if (input->evaluation->reported_block_orphaned)
        evm_note(publisher, LOG_WARNING,
                 "reported-block-orphaned: the block of round %u left our chain",
                 publisher->state.round);
    if (publisher->has_current)
        evm_send_go_on(publisher);
    else
        evm_rest_well(publisher, EVM_IDLE_MS);
}
