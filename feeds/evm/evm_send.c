/* A publication's way onto the chain: signature, transaction, sending. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "feeds/evm/contract_error.h"
#include "feeds/evm/eip712.h"
#include "feeds/evm/evm_publisher_state.h"

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

/* Nonce and hash of the raw transaction under way, from its bytes. */
static bool read_raw(struct evm_publisher *publisher)
{
    struct bytes raw = {publisher->current.payload, publisher->current.payload_len};
    struct evm_transaction transaction;
    struct evm_signature signature;
    struct evm_address sender;
    struct error error;
    if (!evm_transaction_read(&transaction, &signature, &sender, raw, &error) ||
        !evm_address_equal(&sender, evm_signer_address(publisher->settings.signer)) ||
        transaction.chain_id != publisher->settings.chain_id)
        return false;
    publisher->nonce = transaction.nonce;
    evm_transaction_hash(&publisher->transaction_hash, raw);
    return true;
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
    if (!read_raw(publisher))
        evm_obstacle(
            publisher, EVM_KEY_USED_ELSEWHERE,
            "the transaction under way, of round %llu, is of another key or chain; "
            "restore key_file= and chain_id= until it is final",
            (unsigned long long)publisher->current.round);
    else
        evm_ask(publisher, publisher->current.state == PUBLICATION_PERSISTED
                               ? STEP_SEND
                               : STEP_RECEIPT);
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

static struct rpc_block_ref final_block(const struct evm_publisher *publisher)
{
    uint32_t depth = publisher->settings.finality;
    if (depth == EVM_FINALITY_TAG)
        return (struct rpc_block_ref){.tag = RPC_BLOCK_FINALIZED};
    uint64_t head = publisher->head.number;
    return (struct rpc_block_ref){.tag = RPC_BLOCK_NUMBER,
                                  .number = head < depth ? 0 : head - depth};
}

static void ask_submit(const struct evm_publisher *publisher, enum evm_step step,
                       struct writer *body)
{
    struct writer data;
    writer_init(&data);
    write_submit(publisher, &data);
    const struct rpc_call call = {.from = *evm_signer_address(publisher->settings.signer),
                                  .to = publisher->settings.contract,
                                  .data = {data.data, data.len}};
    const struct rpc_block_ref latest = {.tag = RPC_BLOCK_LATEST};
    if (step == STEP_SIMULATE)
        rpc_write_call(body, publisher->request, &call, latest);
    else
        rpc_write_estimate_gas(body, publisher->request, &call);
    writer_release(&data);
}

static void ask_final_state(const struct evm_publisher *publisher, struct writer *body)
{
    struct writer data;
    writer_init(&data);
    reserve_feed_write_getter(&data, RESERVE_FEED_STATE);
    const struct rpc_call call = {.to = publisher->settings.contract,
                                  .data = {data.data, data.len}};
    rpc_write_call(body, publisher->request, &call, final_block(publisher));
    writer_release(&data);
}

void evm_send_ask(struct evm_publisher *publisher, enum evm_step step,
                  struct writer *body)
{
    const struct evm_address *ours = evm_signer_address(publisher->settings.signer);
    const struct rpc_block_ref latest = {.tag = RPC_BLOCK_LATEST};
    const struct rpc_block_ref pending = {.tag = RPC_BLOCK_PENDING};
    uint64_t id = publisher->request;
    if (step == STEP_SIMULATE || step == STEP_GAS)
        ask_submit(publisher, step, body);
    else if (step == STEP_NONCE_LATEST)
        rpc_write_get_transaction_count(body, id, ours, latest);
    else if (step == STEP_NONCE_USED)
        rpc_write_get_transaction_count(body, id, ours, final_block(publisher));
    else if (step == STEP_NONCE_PENDING)
        rpc_write_get_transaction_count(body, id, ours, pending);
    else if (step == STEP_FEES)
        rpc_write_fee_history(body, id, FEE_BLOCKS, FEE_PERCENTILE);
    else if (step == STEP_BALANCE)
        rpc_write_get_balance(body, id, ours, latest);
    else if (step == STEP_SEND)
        rpc_write_send_raw_transaction(
            body, id,
            (struct bytes){publisher->current.payload, publisher->current.payload_len});
    else if (step == STEP_FINAL_BLOCK)
        rpc_write_get_block(body, id, final_block(publisher));
    else if (step == STEP_FINAL_STATE)
        ask_final_state(publisher, body);
    else
        rpc_write_get_receipt(body, id, &publisher->transaction_hash);
}

/* ---- the transaction ---- */

void evm_take_number(struct evm_publisher *publisher, const struct rpc_reply *reply,
                     void (*take)(struct evm_publisher *publisher, uint64_t number))
{
    uint64_t number;
    struct error error;
    if (rpc_result_u64(reply, &number, &error))
        take(publisher, number);
    else
        evm_obstacle(publisher, EVM_ENDPOINT, "%s", error.text);
}

static void take_nonce_latest(struct evm_publisher *publisher, uint64_t nonce)
{
    publisher->nonce = nonce;
    evm_ask(publisher, STEP_NONCE_PENDING);
}

static void take_nonce_pending(struct evm_publisher *publisher, uint64_t nonce)
{
    if (nonce > publisher->nonce)
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

static int compare_wei(const void *a, const void *b)
{
    return wei_compare(*(const struct wei *)a, *(const struct wei *)b);
}

/* The median of what others paid of late for priority; twice the next base fee, so that
 * six full blocks can't price it out. */
static void take_fees(struct evm_publisher *publisher, const struct rpc_reply *reply)
{
    struct rpc_fee_history history;
    struct error error;
    struct wei base;
    if (!rpc_result_fee_history(reply, &history, &error)) {
        evm_obstacle(publisher, EVM_ENDPOINT, "%s", error.text);
        return;
    }
    qsort(history.rewards, history.count, sizeof *history.rewards, compare_wei);
    publisher->priority_fee =
        history.count ? history.rewards[history.count / 2] : wei_from_u64(0);
    if (wei_is_zero(publisher->priority_fee))
        publisher->priority_fee = wei_from_u64(1);
    base = publisher->head.base_fee;
    if (wei_compare(base, history.next_base_fee) < 0)
        base = history.next_base_fee;
    if (!wei_mul(&base, base, 2) ||
        !wei_add(&publisher->max_fee, base, publisher->priority_fee))
        evm_obstacle(publisher, EVM_ENDPOINT,
                     "eth_feeHistory: a base fee without measure");
    else
        evm_ask(publisher, STEP_SIMULATE);
}

static void make_transaction(struct evm_publisher *publisher, struct evm_transaction *out,
                             struct writer *data)
{
    writer_init(data);
    write_submit(publisher, data);
    *out = (struct evm_transaction){.chain_id = publisher->settings.chain_id,
                                    .nonce = publisher->nonce,
                                    .max_priority_fee = publisher->priority_fee,
                                    .max_fee = publisher->max_fee,
                                    .gas_limit = publisher->gas,
                                    .to = publisher->settings.contract,
                                    .data = {data->data, data->len}};
}

static void take_simulated(struct evm_publisher *publisher, const struct rpc_reply *reply)
{
    struct writer nothing;
    struct error error;
    writer_init(&nothing);
    if (rpc_result_data(reply, &nothing, &error) && !nothing.len)
        evm_ask(publisher, STEP_GAS);
    else
        evm_obstacle(publisher, EVM_ENDPOINT,
                     "eth_call: submit() answers nothing; try another endpoint");
    writer_release(&nothing);
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

static void sent(struct evm_publisher *publisher)
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
        sent(publisher);
}

void evm_send_take(struct evm_publisher *publisher, const struct rpc_reply *reply)
{
    enum evm_step step = publisher->step;
    if (publisher->nonce_stale && publisher->current.state == PUBLICATION_QUORUM)
        evm_rest_well(publisher, EVM_POLL_MS); /* another publisher has begun to send */
    else if (step == STEP_NONCE_LATEST)
        evm_take_number(publisher, reply, take_nonce_latest);
    else if (step == STEP_NONCE_PENDING)
        evm_take_number(publisher, reply, take_nonce_pending);
    else if (step == STEP_FEES)
        take_fees(publisher, reply);
    else if (step == STEP_SIMULATE)
        take_simulated(publisher, reply);
    else if (step == STEP_GAS)
        evm_take_number(publisher, reply, take_gas);
    else if (step == STEP_BALANCE)
        take_balance(publisher, reply);
    else if (step == STEP_SEND)
        take_sent(publisher, reply);
    else
        evm_confirm_take(publisher, reply);
}

/* ---- the node says no ---- */

/* The contract refuses the report: this one is given up, the next block is looked at. */
static void reverted(struct evm_publisher *publisher, const struct rpc_fault *fault)
{
    struct contract_error revert;
    struct error reason;
    contract_error_decode(&revert, (struct bytes){fault->revert, fault->revert_len});
    contract_error_explain(&reason, &revert);
    evm_condition_set(publisher, EVM_REVERTED, reason.text);
    evm_refuse(publisher, reason.text);
}

static void send_refused(struct evm_publisher *publisher, const struct rpc_fault *fault)
{
    switch (rpc_send_fault(fault)) {
    case RPC_SEND_ALREADY_KNOWN:
    case RPC_SEND_NONCE_TOO_LOW: /* it, or another with its nonce, is mined already */
        sent(publisher);
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
