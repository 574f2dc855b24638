/* An EVM node in plain memory, which answers JSON-RPC as a node does: blocks, a pool,
 * receipts, logs, reorganisations, and faults as a test wants them. `finalized` is the
 * block two below the latest. */
#ifndef TESTS_FAKE_CHAIN_H
#define TESTS_FAKE_CHAIN_H

#include <jansson.h>
#include <stdio.h>

#include "fake_contract.h"
#include "feeds/evm/transaction.h"

#define FAKE_BLOCKS 8192
#define FAKE_CONTRACTS 2
#define FAKE_TRANSACTIONS 64
#define FAKE_GENESIS_TIME UINT64_C(1700000000)
#define FAKE_BLOCK_TIME 12
#define FAKE_FINAL_DEPTH 2
#define FAKE_BASE_FEE WEI_PER_GWEI
#define FAKE_GAS 70000

struct fake_transaction {
    uint8_t raw[1024];
    size_t raw_len;
    struct evm_hash hash;
    uint64_t nonce;
    struct evm_address to;
    struct bytes data; /* within raw */
    bool dropped;      /* out of the pool until it is sent again */
    uint64_t block;    /* 0: not mined */
    bool succeeded;
    unsigned sent; /* how often */
};

struct fake_chain_block {
    struct evm_hash hash;
    uint64_t nonce; /* the sender's */
    struct fake_contract contracts[FAKE_CONTRACTS];
    bool reported[FAKE_CONTRACTS]; /* a log of the contract's report is in it */
};

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

struct fake_chain {
    struct fake_chain_block blocks[FAKE_BLOCKS];
    uint64_t head;
    struct fake_transaction transactions[FAKE_TRANSACTIONS];
    size_t transaction_count;
    struct evm_address sender;
    struct wei balance;
    uint64_t chain_id;
    uint64_t foreign_pending; /* transactions of the sender that came from elsewhere */
    uint64_t logs_asked;      /* blocks in the widest range so far */
    bool receipts_hidden;
    bool paused; /* blocks are mined without transactions */
    /* This request, or all of the method, is answered with the fault. */
    enum fake_fault fault;
    uint64_t fault_at; /* from 1; 0: by the method */
    const char *fault_method;
    unsigned fault_count;
    uint64_t requests;
};

/* What the answer is besides its body. */
struct fake_answer {
    char *body; /* malloc'd; NULL: none */
    int status;
    int64_t retry_after;
};

/* ---- the chain ---- */

static inline void fake_name_block(struct fake_chain *chain, uint64_t number, uint8_t fork)
{
    struct evm_hash *hash = &chain->blocks[number].hash;
    memset(hash, 0, sizeof(*hash));
    put_u64be(hash->b, number);
    hash->b[31] = fork;
}

static inline struct fake_chain *fake_chain_new(struct evm_address sender)
{
    struct fake_chain *chain = mem_zalloc(1, sizeof(*chain));
    chain->sender = sender;
    chain->balance = wei_from_u64(WEI_PER_ETHER);
    chain->chain_id = FAKE_CHAIN_ID;
    fake_name_block(chain, 0, 0xaa);
    for (size_t i = 0; i < FAKE_CONTRACTS; i++)
        chain->blocks[0].contracts[i].absent = true;
    return chain;
}

static inline uint64_t fake_block_time(uint64_t number)
{
    return FAKE_GENESIS_TIME + number * FAKE_BLOCK_TIME;
}

static inline struct fake_chain_block *fake_head(struct fake_chain *chain)
{
    return &chain->blocks[chain->head];
}

static inline struct fake_contract *fake_contract_at(struct fake_chain_block *block,
                                                     const struct evm_address *address)
{
    for (size_t i = 0; i < FAKE_CONTRACTS; i++) {
        if (evm_address_equal(&block->contracts[i].address, address))
            return &block->contracts[i];
    }
    return NULL;
}

static inline void fake_execute(struct fake_chain *chain,
                                struct fake_transaction *transaction)
{
    struct fake_chain_block *head = fake_head(chain);
    struct fake_contract *contract = fake_contract_at(head, &transaction->to);
    struct fake_submit submit;
    struct writer revert = {0};
    transaction->block = chain->head;
    head->nonce++;
    transaction->succeeded =
        contract != NULL && fake_submit_read(&submit, transaction->data) &&
        fake_submit(contract, &submit, fake_block_time(chain->head), &revert);
    if (transaction->succeeded)
        head->reported[contract - head->contracts] = true;
    writer_release(&revert);
}

static inline void fake_mine(struct fake_chain *chain, uint8_t fork)
{
    assert_true(chain->head + 1 < FAKE_BLOCKS);
    chain->blocks[chain->head + 1] = chain->blocks[chain->head];
    chain->head++;
    memset(fake_head(chain)->reported, 0, sizeof(fake_head(chain)->reported));
    fake_name_block(chain, chain->head, fork);
    if (chain->paused)
        return;
    for (size_t i = 0; i < chain->transaction_count; i++) {
        struct fake_transaction *next = &chain->transactions[i];
        if (next->block == 0 && !next->dropped && next->nonce == fake_head(chain)->nonce)
            fake_execute(chain, next);
    }
}

/* The last `depth` blocks are replaced by empty ones, and their transactions are gone. */
static inline void fake_reorganise(struct fake_chain *chain, uint64_t depth)
{
    chain->head -= depth;
    for (size_t i = 0; i < chain->transaction_count; i++) {
        struct fake_transaction *transaction = &chain->transactions[i];
        if (transaction->block > chain->head) {
            transaction->block = 0;
            transaction->dropped = true;
        }
    }
    for (uint64_t i = 0; i < depth; i++)
        fake_mine(chain, 0xbb);
}

/* How many rounds the contract has reported. */
static inline unsigned fake_reports(const struct fake_chain *chain, size_t contract)
{
    unsigned count = 0;
    for (uint64_t i = 0; i <= chain->head; i++)
        count += chain->blocks[i].reported[contract];
    return count;
}

/* Another's report becomes the next round, in a block of its own. */
static inline void fake_report_elsewhere(struct fake_chain *chain, size_t contract,
                                         uint32_t height, uint64_t satoshi)
{
    bool paused = chain->paused;
    chain->paused = true;
    fake_mine(chain, 0xaa);
    chain->paused = paused;
    struct fake_contract *at = &fake_head(chain)->contracts[contract];
    at->report = (struct evm_report){.round = at->state.round + 1,
                                     .balance = {satoshi},
                                     .height = height,
                                     .observed_at = {(uint32_t)FAKE_GENESIS_TIME}};
    at->state.round = at->report.round;
    at->state.balance = at->report.balance;
    at->state.height = height;
    at->state.observed_at = at->report.observed_at;
    fake_head(chain)->reported[contract] = true;
}

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

static inline json_t *fake_call(struct fake_chain *chain, const json_t *params,
                                const json_t *at)
{
    const json_t *object = json_array_get(params, 0);
    const json_t *data = json_object_get(object, "data");
    struct evm_address to = fake_read_address(json_object_get(object, "to"));
    struct writer call = {0}, out = {0};
    uint64_t number;
    struct fake_chain_block *block = fake_find(chain, at, &number);
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

static inline json_t *fake_estimate(struct fake_chain *chain, const json_t *params)
{
    json_t *latest = json_string("latest");
    json_t *answer = fake_call(chain, params, latest);
    json_decref(latest);
    if (json_object_get(answer, "error") != NULL)
        return answer;
    json_decref(answer);
    return fake_result(fake_quantity(FAKE_GAS));
}

static inline json_t *fake_get_code(struct fake_chain *chain, const json_t *params)
{
    struct evm_address address = fake_read_address(json_array_get(params, 0));
    const struct fake_contract *contract = fake_contract_at(fake_head(chain), &address);
    bool there = contract != NULL && !contract->absent;
    return fake_result(fake_data("\x60\x80", there ? 2 : 0));
}

static inline json_t *fake_get_block(struct fake_chain *chain, const json_t *params)
{
    uint64_t number;
    const struct fake_chain_block *block =
        fake_find(chain, json_array_get(params, 0), &number);
    if (block == NULL)
        return fake_result(json_null());
    const struct evm_hash none = {{0}};
    const struct evm_hash *parent = number > 0 ? &chain->blocks[number - 1].hash : &none;
    return fake_result(json_pack("{s:o, s:o, s:o, s:o, s:o}", "hash",
                                 fake_data(block->hash.b, 32), "parentHash",
                                 fake_data(parent->b, 32), "number",
                                 fake_quantity(number), "timestamp",
                                 fake_quantity(fake_block_time(number)), "baseFeePerGas",
                                 fake_quantity(FAKE_BASE_FEE)));
}

static inline json_t *fake_get_nonce(struct fake_chain *chain, const json_t *params)
{
    const char *tag = json_string_value(json_array_get(params, 1));
    uint64_t nonce = fake_head(chain)->nonce;
    if (strcmp(tag, "pending") == 0) {
        nonce += chain->foreign_pending;
        for (size_t i = 0; i < chain->transaction_count; i++) {
            const struct fake_transaction *waits = &chain->transactions[i];
            nonce += waits->block == 0 && !waits->dropped && waits->nonce == nonce;
        }
    }
    return fake_result(fake_quantity(nonce));
}

static inline json_t *fake_fee_history(void)
{
    json_t *fees = json_array(), *rewards = json_array();
    for (int i = 0; i < 8; i++) {
        json_array_append_new(fees, fake_quantity(FAKE_BASE_FEE));
        json_array_append_new(rewards, json_pack("[o]", fake_quantity(WEI_PER_GWEI)));
    }
    json_array_append_new(fees, fake_quantity(FAKE_BASE_FEE));
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

static inline json_t *fake_accept(struct fake_chain *chain,
                                  const struct fake_transaction *read,
                                  const struct evm_transaction *fields)
{
    struct wei cost;
    if (read->nonce < fake_head(chain)->nonce)
        return fake_error(-32000, "nonce too low", NULL);
    if (fields->gas_limit < 21000 || fields->gas_limit > UINT64_C(1) << 24)
        return fake_error(-32000, "intrinsic gas too low or above the block's", NULL);
    if (wei_compare(fields->max_fee, wei_from_u64(FAKE_BASE_FEE)) < 0)
        return fake_error(-32000, "max fee per gas less than block base fee", NULL);
    if (!evm_transaction_max_cost(&cost, fields) || wei_compare(cost, chain->balance) > 0)
        return fake_error(-32000, "insufficient funds for gas * price + value", NULL);
    assert_true(chain->transaction_count < FAKE_TRANSACTIONS);
    struct fake_transaction *kept = &chain->transactions[chain->transaction_count++];
    *kept = *read;
    kept->data.data = kept->raw + (read->data.data - read->raw);
    return fake_result(fake_data(kept->hash.b, 32));
}

static inline json_t *fake_send(struct fake_chain *chain, const json_t *params)
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
    assert_true(evm_address_equal(&sender, &chain->sender));
    assert_int_equal(fields.chain_id, FAKE_CHAIN_ID);
    evm_transaction_hash(&read.hash, bytes);
    read.nonce = fields.nonce;
    read.to = fields.to;
    read.data = fields.data;
    for (size_t i = 0; i < chain->transaction_count; i++) {
        if (evm_hash_equal(&chain->transactions[i].hash, &read.hash))
            return fake_known(&chain->transactions[i]);
    }
    return fake_accept(chain, &read, &fields);
}

static inline json_t *fake_get_receipt(struct fake_chain *chain, const json_t *params)
{
    const json_t *text = json_array_get(params, 0);
    struct evm_hash hash;
    assert_true(
        evm_hash_parse(&hash, json_string_value(text), json_string_length(text)));
    for (size_t i = 0; i < chain->transaction_count; i++) {
        const struct fake_transaction *at = &chain->transactions[i];
        if (at->block != 0 && evm_hash_equal(&at->hash, &hash) && !chain->receipts_hidden)
            return fake_result(json_pack(
                "{s:o, s:o, s:o, s:o, s:o, s:o}", "status", fake_quantity(at->succeeded),
                "transactionHash", fake_data(hash.b, 32), "blockHash",
                fake_data(chain->blocks[at->block].hash.b, 32), "blockNumber",
                fake_quantity(at->block), "gasUsed", fake_quantity(FAKE_GAS),
                "effectiveGasPrice", fake_quantity(FAKE_BASE_FEE)));
    }
    return fake_result(json_null());
}

static inline json_t *fake_log(const struct fake_chain *chain, uint64_t number,
                               const struct fake_contract *contract)
{
    const struct evm_report *report = &contract->report;
    struct evm_hash topic;
    struct writer words = {0}, data = {0};
    evm_report_write(&words, report);
    reserve_reported_topic(&topic);
    abi_write_u64(&data, report->balance.sat);
    abi_write_u64(&data, report->observed_at.s);
    abi_write_word(&data, report->set_hash);
    abi_write_u64(&data, contract->state.config_id);
    abi_write_address(&data, &chain->sender);
    json_t *log = json_pack(
        "{s:o, s:[o, o, o, o], s:o, s:o, s:o, s:o, s:o}", "address",
        fake_data(contract->address.b, 20), "topics", fake_data(topic.b, 32),
        fake_data(words.data, 32), fake_data(words.data + 2 * ABI_WORD, 32),
        fake_data(words.data + 3 * ABI_WORD, 32), "data", fake_data(data.data, data.len),
        "blockHash", fake_data(chain->blocks[number].hash.b, 32), "blockNumber",
        fake_quantity(number), "transactionHash", fake_data(topic.b, 32), "logIndex",
        fake_quantity(0));
    writer_release(&words);
    writer_release(&data);
    return log;
}

static inline json_t *fake_get_logs(struct fake_chain *chain, const json_t *params)
{
    const json_t *filter = json_array_get(params, 0);
    struct evm_address address = fake_read_address(json_object_get(filter, "address"));
    uint64_t from, to;
    assert_non_null(fake_find(chain, json_object_get(filter, "fromBlock"), &from));
    assert_non_null(fake_find(chain, json_object_get(filter, "toBlock"), &to));
    assert_true(from <= to);
    if (to - from + 1 > chain->logs_asked)
        chain->logs_asked = to - from + 1;
    json_t *logs = json_array();
    for (uint64_t i = from; i <= to; i++) {
        struct fake_chain_block *block = &chain->blocks[i];
        const struct fake_contract *contract = fake_contract_at(block, &address);
        if (contract != NULL && block->reported[contract - block->contracts])
            json_array_append_new(logs, fake_log(chain, i, contract));
    }
    return fake_result(logs);
}

static inline json_t *fake_method(struct fake_chain *chain, const char *method,
                                  const json_t *params)
{
    if (strcmp(method, "eth_chainId") == 0)
        return fake_result(fake_quantity(chain->chain_id));
    if (strcmp(method, "eth_getCode") == 0)
        return fake_get_code(chain, params);
    if (strcmp(method, "eth_call") == 0)
        return fake_call(chain, params, json_array_get(params, 1));
    if (strcmp(method, "eth_getBlockByNumber") == 0)
        return fake_get_block(chain, params);
    if (strcmp(method, "eth_getTransactionCount") == 0)
        return fake_get_nonce(chain, params);
    if (strcmp(method, "eth_feeHistory") == 0)
        return fake_fee_history();
    if (strcmp(method, "eth_estimateGas") == 0)
        return fake_estimate(chain, params);
    if (strcmp(method, "eth_getBalance") == 0) {
        char text[EVM_QUANTITY_TEXT_MAX];
        evm_quantity_text(text, &chain->balance.value);
        return fake_result(json_string(text));
    }
    if (strcmp(method, "eth_sendRawTransaction") == 0)
        return fake_send(chain, params);
    if (strcmp(method, "eth_getTransactionReceipt") == 0)
        return fake_get_receipt(chain, params);
    assert_string_equal(method, "eth_getLogs");
    return fake_get_logs(chain, params);
}

/* ---- faults ---- */

static inline bool fake_is_faulty(struct fake_chain *chain, const char *method)
{
    if (chain->fault == FAULT_NONE || chain->fault_count == 0)
        return false;
    if (chain->fault_at != 0 ? chain->requests < chain->fault_at
                             : strcmp(method, chain->fault_method) != 0)
        return false;
    chain->fault_count--;
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
static inline struct fake_answer fake_answer(struct fake_chain *chain, const void *body,
                                             size_t len)
{
    json_t *request = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(request);
    const char *method = json_string_value(json_object_get(request, "method"));
    uint64_t id = (uint64_t)json_integer_value(json_object_get(request, "id"));
    assert_string_equal(json_string_value(json_object_get(request, "jsonrpc")), "2.0");
    assert_true(id > 0);
    chain->requests++;
    enum fake_fault fault = fake_is_faulty(chain, method) ? chain->fault : FAULT_NONE;
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
        json_t *answer =
            fake_method(chain, method, json_object_get(request, "params"));
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
