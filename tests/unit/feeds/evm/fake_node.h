/* An EVM node over the fake chain, which answers JSON-RPC as a node does, with faults as
 * a test wants them. `finalized` is the block two below the latest. */
#ifndef TESTS_FAKE_NODE_H
#define TESTS_FAKE_NODE_H

#include "fake_chain.h"

#include <jansson.h>
#include <stdio.h>

#define FAKE_FINAL_DEPTH 2

enum fake_fault {
    FAULT_NONE,
    FAULT_TRANSPORT, /* not asked at all */
    FAULT_LOST,      /* asked, but the answer doesn't come back */
    FAULT_TOO_MANY,  /* 429, retry after 30 s */
    FAULT_RPC,
    FAULT_WEB_PAGE,
    FAULT_CUT,
    FAULT_WRONG_ID,
    FAULT_NULL,
    FAULT_TEXT,
    FAULT_NUMBER,
    FAULT_ZERO,
    FAULT_HUGE,
    FAULT_EMPTY,
    FAULT_LIST,
    FAULT_OBJECT,
    FAULT_KINDS,
};

struct fake_node {
    struct fake_chain *chain;
    uint64_t chain_id;
    uint64_t foreign_pending; /* transactions of the sender that came from elsewhere */
    uint64_t logs_asked;      /* blocks in the widest range so far */
    uint64_t priority_fee;    /* what it says that others pay, in wei; 0: a gwei */
    uint64_t base_fee;        /* what it says; 0: the chain's */
    bool receipts_hidden;
    uint64_t requests;
    char method[32]; /* the newest request's */
    /* So many requests, from this one on or of the method, get the fault. */
    enum fake_fault fault;
    uint64_t fault_at; /* from 1; 0: by the method */
    const char *fault_method;
    unsigned fault_count;
};

/* What the answer is besides its body. */
struct fake_answer {
    char *body; /* malloc'd; NULL: none */
    int status;
    int64_t retry_after;
};

/* ---- JSON ---- */

static inline json_t *fake_data(const void *data, size_t len)
{
    struct writer text = {0};
    evm_data_write(&text, (struct bytes){data, len});
    json_t *value = json_stringn((const char *)text.data, text.len);
    writer_release(&text);
    return value;
}

static inline json_t *fake_quantity(uint64_t number)
{
    char text[EVM_QUANTITY_TEXT_MAX];
    struct u256 wide = u256_from_u64(number);
    evm_quantity_text(text, &wide);
    return json_string(text);
}

static inline json_t *fake_error(int code, const char *message, const struct writer *data)
{
    json_t *error = json_pack("{s:i, s:s}", "code", code, "message", message);
    if (data != NULL)
        json_object_set_new(error, "data", fake_data(data->data, data->len));
    return json_pack("{s:o}", "error", error);
}

static inline json_t *fake_result(json_t *value)
{
    return json_pack("{s:o}", "result", value);
}

static inline struct evm_address fake_read_address(const json_t *value)
{
    struct evm_address address;
    assert_true(evm_data_parse_fixed(address.b, sizeof(address.b),
                                     json_string_value(value),
                                     json_string_length(value)));
    return address;
}

/* NULL if there is no such block. */
static inline struct fake_chain_block *fake_find(struct fake_chain *chain,
                                                 const json_t *wanted, uint64_t *number)
{
    const char *tag = json_string_value(wanted);
    *number = chain->head;
    if (json_is_object(wanted)) {
        const json_t *name = json_object_get(wanted, "blockHash");
        struct evm_hash hash;
        assert_true(
            evm_hash_parse(&hash, json_string_value(name), json_string_length(name)));
        *number = get_u64be(hash.b);
        return *number <= chain->head &&
                       evm_hash_equal(&chain->blocks[*number].hash, &hash)
                   ? &chain->blocks[*number]
                   : NULL;
    }
    assert_non_null(tag);
    if (strcmp(tag, "finalized") == 0)
        *number = chain->head < FAKE_FINAL_DEPTH ? 0 : chain->head - FAKE_FINAL_DEPTH;
    else if (strcmp(tag, "latest") != 0 && strcmp(tag, "pending") != 0)
        assert_true(evm_quantity_parse_u64(number, tag, strlen(tag)));
    return *number <= chain->head ? &chain->blocks[*number] : NULL;
}

/* ---- methods ---- */

static inline json_t *fake_call(struct fake_node *node, const json_t *params,
                                const json_t *at)
{
    const json_t *object = json_array_get(params, 0);
    const json_t *data = json_object_get(object, "data");
    struct evm_address to = fake_read_address(json_object_get(object, "to"));
    struct writer call = {0}, out = {0};
    uint64_t number;
    struct fake_chain_block *block = fake_find(node->chain, at, &number);
    if (block == NULL)
        return fake_error(-32000, "header not found", NULL);
    assert_true(evm_data_parse(&call, json_string_value(data), json_string_length(data)));
    struct fake_contract *contract = fake_contract_at(block, &to);
    bool good = contract == NULL ||
                fake_contract_call(*contract, &out, (struct bytes){call.data, call.len},
                                   fake_block_time(number));
    json_t *answer = good ? fake_result(fake_data(out.data, out.len))
                          : fake_error(3, "execution reverted", &out);
    writer_release(&call);
    writer_release(&out);
    return answer;
}

static inline json_t *fake_estimate(struct fake_node *node, const json_t *params)
{
    json_t *latest = json_string("latest");
    json_t *answer = fake_call(node, params, latest);
    json_decref(latest);
    if (json_object_get(answer, "error") != NULL)
        return answer;
    json_decref(answer);
    return fake_result(fake_quantity(FAKE_GAS));
}

static inline json_t *fake_get_code(struct fake_node *node, const json_t *params)
{
    struct evm_address address = fake_read_address(json_array_get(params, 0));
    const struct fake_contract *contract =
        fake_contract_at(fake_head(node->chain), &address);
    bool there = contract != NULL && !contract->absent;
    return fake_result(fake_data("\x60\x80", there ? 2 : 0));
}

static inline json_t *fake_get_block(struct fake_node *node, const json_t *params)
{
    uint64_t number;
    const struct fake_chain_block *block =
        fake_find(node->chain, json_array_get(params, 0), &number);
    if (block == NULL)
        return fake_result(json_null());
    const struct evm_hash none = {{0}};
    const struct evm_hash *parent =
        number > 0 ? &node->chain->blocks[number - 1].hash : &none;
    return fake_result(
        json_pack("{s:o, s:o, s:o, s:o, s:o}", "hash", fake_data(block->hash.b, 32),
                  "parentHash", fake_data(parent->b, 32), "number", fake_quantity(number),
                  "timestamp", fake_quantity(fake_block_time(number)), "baseFeePerGas",
                  fake_quantity(FAKE_BASE_FEE)));
}

static inline json_t *fake_get_nonce(struct fake_node *node, const json_t *params)
{
    const json_t *tag = json_array_get(params, 1);
    uint64_t number;
    const struct fake_chain_block *block = fake_find(node->chain, tag, &number);
    if (block == NULL)
        return fake_error(-32000, "header not found", NULL);
    uint64_t nonce = block->nonce;
    if (strcmp(json_string_value(tag), "pending") == 0) {
        nonce += node->foreign_pending;
        for (size_t i = 0; i < node->chain->transaction_count; i++) {
            const struct fake_transaction *waits = &node->chain->transactions[i];
            nonce += waits->block == 0 && !waits->dropped && waits->nonce == nonce;
        }
    }
    return fake_result(fake_quantity(nonce));
}

static inline json_t *fake_fee_history(const struct fake_node *node)
{
    json_t *fees = json_array(), *rewards = json_array();
    uint64_t base = node->base_fee ? node->base_fee : FAKE_BASE_FEE;
    uint64_t priority = node->priority_fee ? node->priority_fee : WEI_PER_GWEI;
    for (int i = 0; i < 8; i++) {
        json_array_append_new(fees, fake_quantity(base));
        json_array_append_new(rewards, json_pack("[o]", fake_quantity(priority)));
    }
    json_array_append_new(fees, fake_quantity(base));
    return fake_result(json_pack("{s:o, s:o}", "baseFeePerGas", fees, "reward", rewards));
}

static inline json_t *fake_known(struct fake_transaction *transaction)
{
    transaction->sent++;
    if (transaction->block != 0)
        return fake_error(-32000, "nonce too low: next nonce is higher", NULL);
    if (!transaction->dropped)
        return fake_error(-32000, "already known", NULL);
    transaction->dropped = false;
    return fake_result(fake_data(transaction->hash.b, 32));
}

static inline json_t *fake_accept(struct fake_node *node,
                                  const struct fake_transaction *read,
                                  const struct evm_transaction *fields)
{
    struct wei cost;
    if (read->nonce < fake_head(node->chain)->nonce)
        return fake_error(-32000, "nonce too low", NULL);
    if (fields->gas_limit < 21000 || fields->gas_limit > UINT64_C(1) << 24)
        return fake_error(-32000, "intrinsic gas too low or above the block's", NULL);
    if (wei_compare(fields->max_fee, wei_from_u64(FAKE_BASE_FEE)) < 0)
        return fake_error(-32000, "max fee per gas less than block base fee", NULL);
    if (!evm_transaction_max_cost(&cost, fields) ||
        wei_compare(cost, node->chain->balance) > 0)
        return fake_error(-32000, "insufficient funds for gas * price + value", NULL);
    assert_true(node->chain->transaction_count < FAKE_TRANSACTIONS);
    struct fake_transaction *kept =
        &node->chain->transactions[node->chain->transaction_count++];
    *kept = *read;
    kept->data.data = kept->raw + (read->data.data - read->raw);
    return fake_result(fake_data(kept->hash.b, 32));
}

static inline json_t *fake_send(struct fake_node *node, const json_t *params)
{
    const json_t *text = json_array_get(params, 0);
    struct fake_transaction read = {.sent = 1};
    struct evm_transaction fields;
    struct evm_signature signature;
    struct evm_address sender;
    struct error error;
    struct writer raw = {0};
    assert_true(evm_data_parse(&raw, json_string_value(text), json_string_length(text)));
    assert_true(raw.len <= sizeof(read.raw));
    memcpy(read.raw, raw.data, raw.len);
    read.raw_len = raw.len;
    writer_release(&raw);
    struct bytes bytes = {read.raw, read.raw_len};
    assert_true(evm_transaction_read(&fields, &signature, &sender, bytes, &error));
    assert_true(evm_address_equal(&sender, &node->chain->sender));
    assert_int_equal(fields.chain_id, FAKE_CHAIN_ID);
    evm_transaction_hash(&read.hash, bytes);
    read.nonce = fields.nonce;
    read.to = fields.to;
    read.data = fields.data;
    for (size_t i = 0; i < node->chain->transaction_count; i++) {
        if (evm_hash_equal(&node->chain->transactions[i].hash, &read.hash))
            return fake_known(&node->chain->transactions[i]);
    }
    return fake_accept(node, &read, &fields);
}

static inline json_t *fake_get_receipt(struct fake_node *node, const json_t *params)
{
    const json_t *text = json_array_get(params, 0);
    struct evm_hash hash;
    assert_true(evm_hash_parse(&hash, json_string_value(text), json_string_length(text)));
    for (size_t i = 0; i < node->chain->transaction_count; i++) {
        const struct fake_transaction *at = &node->chain->transactions[i];
        if (at->block != 0 && evm_hash_equal(&at->hash, &hash) && !node->receipts_hidden)
            return fake_result(json_pack(
                "{s:o, s:o, s:o, s:o, s:o, s:o}", "status", fake_quantity(at->succeeded),
                "transactionHash", fake_data(hash.b, 32), "blockHash",
                fake_data(node->chain->blocks[at->block].hash.b, 32), "blockNumber",
                fake_quantity(at->block), "gasUsed", fake_quantity(FAKE_GAS),
                "effectiveGasPrice", fake_quantity(FAKE_BASE_FEE)));
    }
    return fake_result(json_null());
}

static inline json_t *fake_log(const struct fake_chain *chain, uint64_t number,
                               const struct fake_contract *contract)
{
    const struct evm_report *report = &contract->report;
    struct evm_hash topics[2];
    struct writer words = {0}, data = {0};
    evm_report_write(&words, report);
    reserve_reported_topics(topics, report->round);
    abi_write_u64(&data, report->balance.sat);
    abi_write_u64(&data, report->observed_at.s);
    abi_write_word(&data, report->set_hash);
    abi_write_u64(&data, contract->state.config_id);
    abi_write_address(&data, &chain->sender);
    json_t *log = json_pack(
        "{s:o, s:[o, o, o, o], s:o, s:o, s:o, s:o, s:o}", "address",
        fake_data(contract->address.b, 20), "topics", fake_data(topics[0].b, 32),
        fake_data(topics[1].b, 32), fake_data(words.data + 2 * ABI_WORD, 32),
        fake_data(words.data + 3 * ABI_WORD, 32), "data", fake_data(data.data, data.len),
        "blockHash", fake_data(chain->blocks[number].hash.b, 32), "blockNumber",
        fake_quantity(number), "transactionHash", fake_data(topics[0].b, 32), "logIndex",
        fake_quantity(0));
    writer_release(&words);
    writer_release(&data);
    return log;
}

static inline json_t *fake_get_logs(struct fake_node *node, const json_t *params)
{
    const json_t *filter = json_array_get(params, 0);
    struct evm_address address = fake_read_address(json_object_get(filter, "address"));
    uint64_t from, to;
    assert_non_null(fake_find(node->chain, json_object_get(filter, "fromBlock"), &from));
    assert_non_null(fake_find(node->chain, json_object_get(filter, "toBlock"), &to));
    assert_true(from <= to);
    if (to - from + 1 > node->logs_asked)
        node->logs_asked = to - from + 1;
    json_t *logs = json_array();
    const json_t *round = json_array_get(json_object_get(filter, "topics"), 1);
    struct evm_hash wanted;
    assert_true(
        evm_hash_parse(&wanted, json_string_value(round), json_string_length(round)));
    for (uint64_t i = from; i <= to; i++) {
        struct fake_chain_block *block = &node->chain->blocks[i];
        const struct fake_contract *contract = fake_contract_at(block, &address);
        if (contract == NULL || !block->reported[contract - block->contracts])
            continue;
        struct evm_hash topics[2];
        reserve_reported_topics(topics, contract->report.round);
        if (evm_hash_equal(&topics[1], &wanted))
            json_array_append_new(logs, fake_log(node->chain, i, contract));
    }
    return fake_result(logs);
}

static inline json_t *fake_method(struct fake_node *node, const char *method,
                                  const json_t *params)
{
    if (strcmp(method, "eth_chainId") == 0)
        return fake_result(fake_quantity(node->chain_id));
    if (strcmp(method, "eth_getCode") == 0)
        return fake_get_code(node, params);
    if (strcmp(method, "eth_call") == 0)
        return fake_call(node, params, json_array_get(params, 1));
    if (strcmp(method, "eth_getBlockByNumber") == 0)
        return fake_get_block(node, params);
    if (strcmp(method, "eth_getTransactionCount") == 0)
        return fake_get_nonce(node, params);
    if (strcmp(method, "eth_feeHistory") == 0)
        return fake_fee_history(node);
    if (strcmp(method, "eth_estimateGas") == 0)
        return fake_estimate(node, params);
    if (strcmp(method, "eth_getBalance") == 0) {
        char text[EVM_QUANTITY_TEXT_MAX];
        evm_quantity_text(text, &node->chain->balance.value);
        return fake_result(json_string(text));
    }
    if (strcmp(method, "eth_sendRawTransaction") == 0)
        return fake_send(node, params);
    if (strcmp(method, "eth_getTransactionReceipt") == 0)
        return fake_get_receipt(node, params);
    assert_string_equal(method, "eth_getLogs");
    return fake_get_logs(node, params);
}

/* ---- faults ---- */

static inline bool fake_is_faulty(struct fake_node *node, const char *method)
{
    if (node->fault == FAULT_NONE || node->fault_count == 0)
        return false;
    if (node->fault_at != 0 ? node->requests < node->fault_at
                            : strcmp(method, node->fault_method) != 0)
        return false;
    node->fault_count--;
    return true;
}

static inline json_t *fake_lie(enum fake_fault fault)
{
    static const char huge[] =
        "0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
    if (fault == FAULT_RPC)
        return fake_error(-32603, "internal error", NULL);
    if (fault == FAULT_NULL)
        return fake_result(json_null());
    if (fault == FAULT_TEXT)
        return fake_result(json_string("yes"));
    if (fault == FAULT_NUMBER)
        return fake_result(json_integer(7));
    if (fault == FAULT_ZERO)
        return fake_result(json_string("0x0"));
    if (fault == FAULT_HUGE)
        return fake_result(json_string(huge));
    if (fault == FAULT_EMPTY)
        return fake_result(json_string("0x"));
    if (fault == FAULT_LIST)
        return fake_result(json_array());
    return fake_result(json_object());
}

static inline struct fake_answer fake_finish(json_t *answer, uint64_t id,
                                             enum fake_fault fault)
{
    struct fake_answer out = {.status = 200};
    json_object_set_new(answer, "jsonrpc", json_string("2.0"));
    json_object_set_new(answer, "id", json_integer((json_int_t)id));
    out.body = json_dumps(answer, JSON_COMPACT);
    json_decref(answer);
    if (fault == FAULT_CUT)
        out.body[strlen(out.body) - 3] = '\0';
    return out;
}

/* What the node, or what is in its place, says to a request. */
static inline struct fake_answer fake_answer(struct fake_node *node, const void *body,
                                             size_t len)
{
    json_t *request = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(request);
    const char *method = json_string_value(json_object_get(request, "method"));
    uint64_t id = (uint64_t)json_integer_value(json_object_get(request, "id"));
    assert_string_equal(json_string_value(json_object_get(request, "jsonrpc")), "2.0");
    assert_true(id > 0);
    node->requests++;
    snprintf(node->method, sizeof(node->method), "%s", method);
    enum fake_fault fault = fake_is_faulty(node, method) ? node->fault : FAULT_NONE;
    struct fake_answer out = {0};
    if (fault == FAULT_TOO_MANY) {
        out = (struct fake_answer){.status = 429, .retry_after = 30};
        out.body = mem_dup("slow down", sizeof("slow down"));
    } else if (fault == FAULT_WEB_PAGE) {
        out = (struct fake_answer){.status = 502};
        out.body = mem_dup("<html>Bad gateway", sizeof("<html>Bad gateway"));
    } else if (fault > FAULT_CUT && fault != FAULT_WRONG_ID) {
        out = fake_finish(fake_lie(fault), id, fault);
    } else if (fault == FAULT_RPC) {
        out = fake_finish(fake_lie(fault), id, fault);
    } else if (fault != FAULT_TRANSPORT) {
        json_t *answer = fake_method(node, method, json_object_get(request, "params"));
        out = fake_finish(answer, fault == FAULT_WRONG_ID ? id - 1 : id, fault);
        if (fault == FAULT_LOST) {
            free(out.body);
            out.body = NULL;
        }
    }
    json_decref(request);
    return out;
}

#endif
