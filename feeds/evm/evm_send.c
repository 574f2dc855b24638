/* A publication's way onto the chain: signature, transaction, sending. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "feeds/evm/contract_error.h"
#include "feeds/evm/eip712.h"
#include "feeds/evm/evm_publisher_state.h"

/* Of whose fees we take the measure. */
#define FEE_BLOCKS 8
#define FEE_PERCENTILE 50
/* What a transaction takes at least, and at most (EIP-7825). */
#define GAS_MIN 21000
#define GAS_MAX (UINT64_C(1) << 24)

/* The contract's rounds are its own: the one that ours became stands in `position`. */
static struct evm_report report_of(const struct evm_publisher *publisher)
{
    return evm_report_of(&publisher->current.report,
                         (uint32_t)publisher->current.position);
}

/* The transaction under way, from its bytes; its data stays within them. */
static bool raw_transaction(const struct evm_publisher *publisher,
                            struct evm_transaction *out)
{
    struct bytes raw = {publisher->current.payload, publisher->current.payload_len};
    struct evm_signature signature;
    struct evm_address sender;
    struct error error;
    return evm_transaction_read(out, &signature, &sender, raw, &error) &&
           evm_address_equal(&sender, evm_signer_address(publisher->settings.signer)) &&
           out->chain_id == publisher->settings.chain_id;
}

static bool has_raw(const struct evm_publisher *publisher)
{
    enum publication_state state = publisher->current.state;
    return state == PUBLICATION_PERSISTED || state == PUBLICATION_SENT ||
           state == PUBLICATION_MINED;
}

void evm_refuse(struct evm_publisher *publisher, const char *reason)
{
    evm_commit(publisher, PUBLICATION_REFUSED, "%.*s", PUBLICATION_TEXT_MAX - 1, reason);
}

/* ---- signature ---- */

/* Whether the contract would still take this round from us. */
static bool is_next(const struct evm_publisher *publisher)
{
    const struct reserve_feed_state *state = &publisher->state;
    const struct statement *report = &publisher->current.report;
    if (publisher->current.state != PUBLICATION_DUE &&
        publisher->current.position != (uint64_t)state->round + 1)
        return false;
    return !state->round ||
           (report->height > state->height && report->time.s >= state->observed_at.s);
}

static void sign(struct evm_publisher *publisher)
{
    publisher->current.position = (uint64_t)publisher->state.round + 1;
    struct evm_report report = report_of(publisher);
    struct evm_hash struct_hash, digest;
    struct evm_signature signature;
    struct error error;
    eip712_report_hash(&struct_hash, &report, &publisher->feed_id,
                       publisher->state.config_id);
    eip712_digest(&digest, &publisher->separator, &struct_hash);
    if (!evm_signer_sign(publisher->settings.signer, &signature, &digest, &error)) {
        evm_refuse(publisher, error.text);
        return;
    }
    free(publisher->current.payload);
    publisher->current.payload = mem_alloc(EVM_COMPACT_SIZE);
    publisher->current.payload_len = EVM_COMPACT_SIZE;
    evm_signature_compact(publisher->current.payload, &signature);
    evm_commit(publisher, PUBLICATION_SIGNED, "digest signed under operator set %u",
               publisher->state.config_id);
}

static void write_submit(const struct evm_publisher *publisher, struct writer *out)
{
    struct evm_report report = report_of(publisher);
    reserve_feed_write_submit(
        out, &report,
        (struct bytes){publisher->current.payload, publisher->current.payload_len});
}

/* ---- where it stands, and what is next ---- */

static void go_on_due(struct evm_publisher *publisher)
{
    if (publisher->state.threshold != 1) {
        evm_obstacle(publisher, EVM_NEEDS_SIGNATURES,
                     "the contract wants %u signatures, this watcher has one key",
                     publisher->state.threshold);
        return;
    }
    if (publisher->step != STEP_OPERATORS)
        evm_ask(publisher, STEP_OPERATORS);
    else
        sign(publisher);
}

static void go_on_with_raw(struct evm_publisher *publisher)
{
    struct evm_transaction transaction;
    if (!raw_transaction(publisher, &transaction)) {
        evm_obstacle(
            publisher, EVM_KEY_USED_ELSEWHERE,
            "the transaction under way, of round %llu, is of another key or chain; "
            "restore key_file= and chain_id= until it is final",
            (unsigned long long)publisher->current.round);
        return;
    }
    publisher->nonce = transaction.nonce;
    evm_transaction_hash(
        &publisher->transaction_hash,
        (struct bytes){publisher->current.payload, publisher->current.payload_len});
    if (publisher->current.state != PUBLICATION_PERSISTED)
        evm_ask(publisher, STEP_RECEIPT);
    else
        evm_ask(publisher, publisher->simulated ? STEP_SEND : STEP_SIMULATE);
}

void evm_send_go_on(struct evm_publisher *publisher)
{
    enum publication_state state = publisher->current.state;
    bool unsent = state == PUBLICATION_DUE || state == PUBLICATION_SIGNED ||
                  state == PUBLICATION_QUORUM;
    if (unsent && !is_next(publisher)) {
        evm_commit(publisher, PUBLICATION_SUPERSEDED,
                   "the contract has moved to round %u", publisher->state.round);
        return;
    }
    if (unsent && !publisher->sampled) {
        evm_rest_well(publisher, EVM_POLL_MS); /* what was due may not be so any more */
        return;
    }
    switch (state) {
    case PUBLICATION_DUE:
        go_on_due(publisher);
        break;
    case PUBLICATION_SIGNED:
        evm_commit(publisher, PUBLICATION_QUORUM, "1 of 1 signatures");
        break;
    case PUBLICATION_QUORUM:
        publisher->nonce_stale = publisher->held;
        if (publisher->held)
            evm_rest_well(publisher, EVM_POLL_MS);
        else
            evm_ask(publisher, STEP_NONCE_LATEST);
        break;
    case PUBLICATION_PERSISTED:
    case PUBLICATION_SENT:
    case PUBLICATION_MINED:
        go_on_with_raw(publisher);
        break;
    case PUBLICATION_FINAL:
    case PUBLICATION_WAITING:
    case PUBLICATION_SUPERSEDED:
    case PUBLICATION_REFUSED:
        break; /* not in flight */
    }
}

/* ---- asking ---- */

static const struct rpc_block_ref latest = {.tag = RPC_BLOCK_LATEST};

static void ask_nonce_latest(const struct evm_publisher *publisher, struct writer *body)
{
    rpc_write_get_transaction_count(
        body, publisher->request, evm_signer_address(publisher->settings.signer), latest);
}

static void ask_nonce_pending(const struct evm_publisher *publisher, struct writer *body)
{
    const struct rpc_block_ref pending = {.tag = RPC_BLOCK_PENDING};
    rpc_write_get_transaction_count(body, publisher->request,
                                    evm_signer_address(publisher->settings.signer),
                                    pending);
}

static void ask_fees(const struct evm_publisher *publisher, struct writer *body)
{
    rpc_write_fee_history(body, publisher->request, FEE_BLOCKS, FEE_PERCENTILE);
}

/* submit() as the transaction has it, or will have it. */
static void ask_submit(const struct evm_publisher *publisher, struct writer *body,
                       bool estimate)
{
    struct writer data;
    struct evm_transaction transaction;
    writer_init(&data);
    struct rpc_call call = {.from = *evm_signer_address(publisher->settings.signer),
                            .to = publisher->settings.contract};
    if (has_raw(publisher) && raw_transaction(publisher, &transaction)) {
        call.to = transaction.to;
        call.data = transaction.data;
    } else {
        write_submit(publisher, &data);
        call.data = (struct bytes){data.data, data.len};
    }
    if (estimate)
        rpc_write_estimate_gas(body, publisher->request, &call);
    else
        rpc_write_call(body, publisher->request, &call, latest);
    writer_release(&data);
}

static void ask_simulation(const struct evm_publisher *publisher, struct writer *body)
{
    ask_submit(publisher, body, false);
}

static void ask_gas(const struct evm_publisher *publisher, struct writer *body)
{
    ask_submit(publisher, body, true);
}

static void ask_balance(const struct evm_publisher *publisher, struct writer *body)
{
    rpc_write_get_balance(body, publisher->request,
                          evm_signer_address(publisher->settings.signer), latest);
}

static void ask_send(const struct evm_publisher *publisher, struct writer *body)
{
    rpc_write_send_raw_transaction(
        body, publisher->request,
        (struct bytes){publisher->current.payload, publisher->current.payload_len});
}

/* ---- the transaction ---- */

static void take_nonce_latest(struct evm_publisher *publisher, uint64_t nonce)
{
    publisher->nonce = nonce;
    evm_ask(publisher, STEP_NONCE_PENDING);
}

/* The contract wouldn't take the transaction that is under way. If the endpoint has it
 * nevertheless, what becomes of it is seen soon. Else it isn't sent again; what it was to
 * bring may stand there by another's hand. */
static void take_nonce_of_raw(struct evm_publisher *publisher, uint64_t nonce)
{
    if (nonce > publisher->nonce)
        evm_sent(publisher);
    else
        evm_ask(publisher, STEP_FINAL_STATE);
}

static void take_nonce_pending(struct evm_publisher *publisher, uint64_t nonce)
{
    if (has_raw(publisher))
        take_nonce_of_raw(publisher, nonce);
    else if (nonce > publisher->nonce)
        evm_obstacle(
            publisher, EVM_KEY_USED_ELSEWHERE,
            "the key has %llu transactions waiting that aren't ours; use it here only",
            (unsigned long long)(nonce - publisher->nonce));
    else if (nonce < publisher->nonce)
        evm_obstacle(publisher, EVM_ENDPOINT,
                     "its pending nonce is below the latest; try another endpoint");
    else
        evm_ask(publisher, STEP_FEES);
}

static void take_fees(struct evm_publisher *publisher, const struct rpc_reply *reply)
{
    struct rpc_fee_history history;
    struct error error;
    struct wei cap = publisher->settings.max_fee;
    char asked[WEI_TEXT_MAX], allowed[WEI_TEXT_MAX];
    if (!rpc_result_fee_history(reply, &history, &error)) {
        evm_obstacle(publisher, EVM_ENDPOINT, "%s", error.text);
    } else if (!evm_fees_choose(&publisher->fees, &history, publisher->head.base_fee,
                                cap)) {
        wei_format(asked, publisher->fees.max);
        wei_format(allowed, cap);
        evm_obstacle(publisher, EVM_FEE_CAP,
                     "gas costs %s, max_fee= allows %s; wait, or raise it", asked,
                     allowed);
    } else {
        evm_ask(publisher, STEP_SIMULATE);
    }
}

static void make_transaction(struct evm_publisher *publisher, struct evm_transaction *out,
                             struct writer *data)
{
    writer_init(data);
    write_submit(publisher, data);
    *out = (struct evm_transaction){.chain_id = publisher->settings.chain_id,
                                    .nonce = publisher->nonce,
                                    .max_priority_fee = publisher->fees.priority,
                                    .max_fee = publisher->fees.max,
                                    .gas_limit = publisher->gas,
                                    .to = publisher->settings.contract,
                                    .data = {data->data, data->len}};
}

static void take_simulated(struct evm_publisher *publisher, struct bytes answer)
{
    publisher->simulated = answer.len == 0;
    if (!publisher->simulated)
        evm_obstacle(publisher, EVM_ENDPOINT,
                     "eth_call: submit() answers nothing; try another endpoint");
    else
        evm_ask(publisher, has_raw(publisher) ? STEP_SEND : STEP_GAS);
}

static void take_gas(struct evm_publisher *publisher, uint64_t gas)
{
    /* A fifth more: another report may change which slots are warm. */
    publisher->gas = gas < GAS_MAX ? gas + gas / 5 : gas;
    if (gas < GAS_MIN || publisher->gas > GAS_MAX)
        evm_obstacle(
            publisher, EVM_ENDPOINT,
            "eth_estimateGas: %llu is no transaction's gas; try another endpoint",
            (unsigned long long)gas);
    else
        evm_ask(publisher, STEP_BALANCE);
}

/* The bytes that go out, committed before they do. */
static void persist(struct evm_publisher *publisher,
                    const struct evm_transaction *transaction)
{
    struct evm_hash digest;
    struct evm_signature signature;
    struct error error;
    evm_transaction_signing_hash(&digest, transaction);
    if (!evm_signer_sign(publisher->settings.signer, &signature, &digest, &error)) {
        evm_refuse(publisher, error.text);
        return;
    }
    struct writer raw;
    writer_init(&raw);
    evm_transaction_write(&raw, transaction, &signature);
    free(publisher->current.payload);
    publisher->current.payload = writer_take(&raw, &publisher->current.payload_len);
    char hash[EVM_HASH_TEXT_MAX];
    evm_transaction_hash(
        &publisher->transaction_hash,
        (struct bytes){publisher->current.payload, publisher->current.payload_len});
    evm_hash_text(hash, &publisher->transaction_hash);
    evm_commit(publisher, PUBLICATION_PERSISTED, "transaction %s", hash);
}

static void take_balance(struct evm_publisher *publisher, const struct rpc_reply *reply)
{
    struct wei balance, cost;
    struct error error;
    if (!rpc_result_wei(reply, &balance, &error)) {
        evm_obstacle(publisher, EVM_ENDPOINT, "%s", error.text);
        return;
    }
    struct writer data;
    struct evm_transaction transaction;
    make_transaction(publisher, &transaction, &data);
    if (!evm_transaction_max_cost(&cost, &transaction)) {
        evm_obstacle(publisher, EVM_ENDPOINT, "a fee without measure");
    } else if (wei_compare(balance, cost) < 0) {
        char address[EVM_ADDRESS_TEXT_MAX], has[WEI_TEXT_MAX], wants[WEI_TEXT_MAX];
        evm_address_text(address, evm_signer_address(publisher->settings.signer));
        wei_format(has, balance);
        wei_format(wants, cost);
        evm_obstacle(publisher, EVM_NO_FUNDS,
                     "%s has %s, the transaction may take %s; fund it", address, has,
                     wants);
    } else {
        persist(publisher, &transaction);
    }
    writer_release(&data);
}

/* ---- sent ---- */

void evm_sent(struct evm_publisher *publisher)
{
    char hash[EVM_HASH_TEXT_MAX];
    evm_hash_text(hash, &publisher->transaction_hash);
    publisher->sent_at = publisher->now;
    if (publisher->current.state == PUBLICATION_PERSISTED)
        evm_commit(publisher, PUBLICATION_SENT, "transaction %s", hash);
    else
        evm_rest_well(publisher, EVM_POLL_MS);
}

static void take_sent(struct evm_publisher *publisher, const struct rpc_reply *reply)
{
    struct evm_hash hash;
    struct error error;
    if (!rpc_result_hash(reply, &hash, &error))
        evm_obstacle(publisher, EVM_ENDPOINT, "%s", error.text);
    else if (!evm_hash_equal(&hash, &publisher->transaction_hash))
        evm_obstacle(publisher, EVM_ENDPOINT,
                     "it took another transaction than was sent; try another endpoint");
    else
        evm_sent(publisher);
}

const struct evm_exchange evm_send_exchanges[EVM_STEPS] = {
    [STEP_NONCE_LATEST] = {.ask = ask_nonce_latest, .take_number = take_nonce_latest},
    [STEP_NONCE_PENDING] = {.ask = ask_nonce_pending, .take_number = take_nonce_pending},
    [STEP_FEES] = {.ask = ask_fees, .take = take_fees},
    [STEP_SIMULATE] = {.ask = ask_simulation, .take_data = take_simulated},
    [STEP_GAS] = {.ask = ask_gas, .take_number = take_gas},
    [STEP_BALANCE] = {.ask = ask_balance, .take = take_balance},
    [STEP_SEND] = {.ask = ask_send, .take = take_sent},
};

/* ---- the node says no ---- */

/* The contract refuses the report: this one is given up, the next block is looked at.
 * Unless its bytes may have been seen: then the chain has the last word. */
static void reverted(struct evm_publisher *publisher, const struct rpc_fault *fault)
{
    struct contract_error revert;
    struct error reason;
    contract_error_decode(&revert, (struct bytes){fault->revert, fault->revert_len});
    contract_error_explain(&reason, &revert);
    if (has_raw(publisher)) {
        memcpy(publisher->refusal, reason.text, sizeof publisher->refusal);
        evm_ask(publisher, STEP_NONCE_PENDING);
        return;
    }
    evm_condition_set(publisher, EVM_REVERTED, reason.text);
    evm_refuse(publisher, reason.text);
}

static void send_refused(struct evm_publisher *publisher, const struct rpc_fault *fault)
{
    switch (rpc_send_fault(fault)) {
    case RPC_SEND_ALREADY_KNOWN:
    case RPC_SEND_NONCE_TOO_LOW: /* it, or another with its nonce, is mined already */
        evm_sent(publisher);
        break;
    case RPC_SEND_NO_FUNDS:
        evm_obstacle(publisher, EVM_NO_FUNDS, "the endpoint says: %s; fund the key",
                     fault->message);
        break;
    case RPC_SEND_UNDERPRICED:
    case RPC_SEND_FEE_TOO_LOW:
    case RPC_SEND_OTHER:
        evm_obstacle(publisher, EVM_ENDPOINT, "it refuses the transaction: %s",
                     fault->message);
        break;
    }
}

void evm_send_fault(struct evm_publisher *publisher, const struct rpc_fault *fault)
{
    bool simulated = publisher->step == STEP_SIMULATE || publisher->step == STEP_GAS;
    if (simulated && fault->has_revert)
        reverted(publisher, fault);
    else if (publisher->step == STEP_SEND)
        send_refused(publisher, fault);
    else
        evm_obstacle(publisher, EVM_ENDPOINT, "the endpoint answers with error %lld: %s",
                     (long long)fault->code, fault->message);
}
