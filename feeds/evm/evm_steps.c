/* A cycle's way: is it the chain, is it the contract, what does it say, and what follows.
 */
#include <stdio.h>
#include <string.h>

#include "feeds/evm/evm_publisher_state.h"

/* Logs are searched backwards in windows of so many blocks: endpoints refuse larger ones.
 */
#define LOGS_WINDOW 2000
/* And so many windows in one cycle, lest a contract that was quiet for long makes a burst
 * of requests that the endpoint answers with 429. */
#define LOGS_WINDOWS_MAX 16

static const struct rpc_block_ref latest = {.tag = RPC_BLOCK_LATEST};

/* ---- asking ---- */

void evm_write_getter(const struct evm_publisher *publisher, struct writer *body,
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

static void write_getter_at_head(const struct evm_publisher *publisher,
                                 struct writer *body, enum reserve_feed_getter getter)
{
    const struct rpc_block_ref head = {.tag = RPC_BLOCK_HASH,
                                       .hash = publisher->head.hash};
    evm_write_getter(publisher, body, getter, head);
}

static void ask_chain_id(const struct evm_publisher *publisher, struct writer *body)
{
    rpc_write_chain_id(body, publisher->request);
}

static void ask_code(const struct evm_publisher *publisher, struct writer *body)
{
    rpc_write_get_code(body, publisher->request, &publisher->settings.contract, latest);
}

static void ask_feed_id(const struct evm_publisher *publisher, struct writer *body)
{
    evm_write_getter(publisher, body, RESERVE_FEED_FEED_ID, latest);
}

static void ask_domain(const struct evm_publisher *publisher, struct writer *body)
{
    evm_write_getter(publisher, body, RESERVE_FEED_EIP712_DOMAIN, latest);
}

static void ask_report_age(const struct evm_publisher *publisher, struct writer *body)
{
    evm_write_getter(publisher, body, RESERVE_FEED_MAX_REPORT_AGE, latest);
}

static void ask_head(const struct evm_publisher *publisher, struct writer *body)
{
    rpc_write_get_block(body, publisher->request, latest);
}

static void ask_state(const struct evm_publisher *publisher, struct writer *body)
{
    write_getter_at_head(publisher, body, RESERVE_FEED_STATE);
}

/* Of this one round, so that the answer is short whatever was reported before. */
static void ask_logs(const struct evm_publisher *publisher, struct writer *body)
{
    struct evm_hash topics[2];
    reserve_reported_topics(topics, publisher->logs_round);
    uint64_t to = publisher->logs_to;
    const struct rpc_block_ref last = {.tag = RPC_BLOCK_NUMBER, .number = to};
    const struct rpc_block_ref first = {
        .tag = RPC_BLOCK_NUMBER, .number = to < LOGS_WINDOW ? 0 : to - LOGS_WINDOW + 1};
    rpc_write_get_logs(body, publisher->request, &publisher->settings.contract, topics, 2,
                       first, last);
}

static void ask_operators(const struct evm_publisher *publisher, struct writer *body)
{
    write_getter_at_head(publisher, body, RESERVE_FEED_OPERATORS);
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

static void take_chain_id(struct evm_publisher *publisher, uint64_t id)
{
    if (id != publisher->settings.chain_id) {
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

static void take_code(struct evm_publisher *publisher, struct bytes code)
{
    if (code.len)
        evm_ask(publisher, STEP_FEED_ID);
    else
        wrong_contract(publisher, "there is no contract at this address");
}

static void take_feed_id(struct evm_publisher *publisher, struct bytes answer)
{
    struct evm_hash id;
    if (!reserve_feed_read_hash(&id, answer))
        wrong_contract(publisher, "it isn't a ReserveFeed");
    else if (!evm_hash_equal(&id, &publisher->feed_id))
        wrong_contract(publisher, "it is the ReserveFeed of another feed");
    else
        evm_ask(publisher, STEP_DOMAIN);
}

static void take_domain(struct evm_publisher *publisher, struct bytes answer)
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
static void take_report_age(struct evm_publisher *publisher, struct bytes answer)
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

static void take_state(struct evm_publisher *publisher, struct bytes answer)
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
    if (publisher->logs_round != publisher->state.round) {
        publisher->logs_round = publisher->state.round;
        publisher->logs_to = publisher->head.number;
    }
    evm_ask(publisher, STEP_LOGS);
}

/* What this cycle has asked for is enough; the search goes on with the next. */
static void pause_search(struct evm_publisher *publisher)
{
    char text[ERROR_TEXT_MAX];
    snprintf(text, sizeof text, "looking for the log of round %u, below block %llu",
             publisher->logs_round, (unsigned long long)publisher->logs_to);
    evm_rest_well(publisher, EVM_POLL_MS);
    evm_condition_set(publisher, EVM_WORKING, text);
    publisher->not_before = publisher->deadline;
}

static void search_on(struct evm_publisher *publisher)
{
    if (publisher->logs_to < LOGS_WINDOW) {
        publisher->logs_round = 0;
        evm_obstacle(publisher, EVM_ENDPOINT, "the endpoint has no log of round %u",
                     publisher->state.round);
        return;
    }
    publisher->logs_to -= LOGS_WINDOW;
    if (++publisher->logs_asked < LOGS_WINDOWS_MAX)
        evm_ask(publisher, STEP_LOGS);
    else
        pause_search(publisher);
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
    if (!found) {
        search_on(publisher);
        return;
    }
    publisher->logs_round = 0;
    set_published(publisher);
    evm_go_on(publisher);
}

static void take_operators(struct evm_publisher *publisher, struct bytes answer)
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

/* ---- every step that an endpoint answers ---- */

static const struct evm_exchange exchanges[EVM_STEPS] = {
    [STEP_CHAIN_ID] = {.ask = ask_chain_id, .take_number = take_chain_id},
    [STEP_CODE] = {.ask = ask_code, .take_data = take_code},
    [STEP_FEED_ID] = {.ask = ask_feed_id, .take_data = take_feed_id},
    [STEP_DOMAIN] = {.ask = ask_domain, .take_data = take_domain},
    [STEP_REPORT_AGE] = {.ask = ask_report_age, .take_data = take_report_age},
    [STEP_HEAD] = {.ask = ask_head, .take = take_head},
    [STEP_STATE] = {.ask = ask_state, .take_data = take_state},
    [STEP_LOGS] = {.ask = ask_logs, .take = take_logs},
    [STEP_OPERATORS] = {.ask = ask_operators, .take_data = take_operators},
};

static const struct evm_exchange *exchange_of(enum evm_step step)
{
    if (exchanges[step].ask)
        return &exchanges[step];
    return evm_send_exchanges[step].ask ? &evm_send_exchanges[step]
                                        : &evm_confirm_exchanges[step];
}

void evm_ask(struct evm_publisher *publisher, enum evm_step step)
{
    publisher->request = publisher->request % RPC_ID_MAX + 1;
    struct writer body;
    writer_init(&body);
    exchange_of(step)->ask(publisher, &body);
    struct evm_effect *effect = evm_effect_add(publisher, EVM_CALL);
    effect->body = writer_take(&body, &effect->len);
    evm_await(publisher, step);
}

void evm_begin_cycle(struct evm_publisher *publisher)
{
    publisher->simulated = false;
    publisher->refusal[0] = '\0';
    publisher->logs_asked = 0;
    evm_ask(publisher, STEP_CHAIN_ID);
}

static void take_data(struct evm_publisher *publisher, const struct rpc_reply *reply,
                      const struct evm_exchange *exchange)
{
    struct writer data;
    struct error error;
    writer_init(&data);
    if (rpc_result_data(reply, &data, &error))
        exchange->take_data(publisher, (struct bytes){data.data, data.len});
    else
        evm_obstacle(publisher, EVM_ENDPOINT, "%s", error.text);
    writer_release(&data);
}

static void take_number(struct evm_publisher *publisher, const struct rpc_reply *reply,
                        const struct evm_exchange *exchange)
{
    uint64_t number;
    struct error error;
    if (rpc_result_u64(reply, &number, &error))
        exchange->take_number(publisher, number);
    else
        evm_obstacle(publisher, EVM_ENDPOINT, "%s", error.text);
}

void evm_take(struct evm_publisher *publisher, const struct rpc_reply *reply)
{
    const struct evm_exchange *exchange = exchange_of(publisher->step);
    bool sends = exchange == &evm_send_exchanges[publisher->step];
    if (sends && publisher->nonce_stale && publisher->current.state == PUBLICATION_QUORUM)
        evm_rest_well(publisher, EVM_POLL_MS); /* another publisher has begun to send */
    else if (exchange->take_data)
        take_data(publisher, reply, exchange);
    else if (exchange->take_number)
        take_number(publisher, reply, exchange);
    else
        exchange->take(publisher, reply);
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
