#include "feeds/evm/rpc_request.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

/* ---- values ---- */

static json_t *data_json(struct bytes data)
{
    struct writer text;
    writer_init(&text);
    evm_data_write(&text, data);
    json_t *value = json_stringn((const char *)text.data, text.len);
    writer_release(&text);
    return value;
}

static json_t *address_json(const struct evm_address *address)
{
    return data_json((struct bytes){address->b, sizeof(address->b)});
}

static json_t *hash_json(const struct evm_hash *hash)
{
    return data_json((struct bytes){hash->b, sizeof(hash->b)});
}

static json_t *quantity_json(uint64_t value)
{
    char text[EVM_QUANTITY_TEXT_MAX];
    struct u256 wide = u256_from_u64(value);
    evm_quantity_text(text, &wide);
    return json_string(text);
}

static json_t *wei_json(struct wei value)
{
    char text[EVM_QUANTITY_TEXT_MAX];
    evm_quantity_text(text, &value.value);
    return json_string(text);
}

static json_t *block_json(struct rpc_block_ref block)
{
    switch (block.tag) {
    case RPC_BLOCK_LATEST:
        return json_string("latest");
    case RPC_BLOCK_PENDING:
        return json_string("pending");
    case RPC_BLOCK_SAFE:
        return json_string("safe");
    case RPC_BLOCK_FINALIZED:
        return json_string("finalized");
    case RPC_BLOCK_NUMBER:
        return quantity_json(block.number);
    case RPC_BLOCK_HASH:
        return json_pack("{s:o, s:b}", "blockHash", hash_json(&block.hash),
                         "requireCanonical", 1);
    }
    return json_null();
}

static json_t *call_json(const struct rpc_call *call)
{
    json_t *object = json_object();
    if (!evm_address_is_zero(&call->from))
        json_object_set_new(object, "from", address_json(&call->from));
    json_object_set_new(object, "to", address_json(&call->to));
    if (call->gas > 0)
        json_object_set_new(object, "gas", quantity_json(call->gas));
    if (!wei_is_zero(call->value))
        json_object_set_new(object, "value", wei_json(call->value));
    if (call->data.len > 0)
        json_object_set_new(object, "data", data_json(call->data));
    return object;
}

/* ---- requests ---- */

/* Takes over `params`. */
static void write_request(struct writer *out, uint64_t id, const char *method,
                          json_t *params)
{
    json_t *request = json_pack("{s:s, s:I, s:s, s:o}", "jsonrpc", "2.0", "id",
                                (json_int_t)id, "method", method, "params", params);
    char *text = json_dumps(request, JSON_COMPACT);
    write_bytes(out, text, strlen(text));
    free(text);
    json_decref(request);
}

void rpc_write_chain_id(struct writer *out, uint64_t id)
{
    write_request(out, id, "eth_chainId", json_array());
}

void rpc_write_get_block(struct writer *out, uint64_t id, struct rpc_block_ref block)
{
    write_request(out, id, "eth_getBlockByNumber",
                  json_pack("[o, b]", block_json(block), 0));
}

void rpc_write_call(struct writer *out, uint64_t id, const struct rpc_call *call,
                    struct rpc_block_ref block)
{
    write_request(out, id, "eth_call",
                  json_pack("[o, o]", call_json(call), block_json(block)));
}

void rpc_write_estimate_gas(struct writer *out, uint64_t id, const struct rpc_call *call)
{
    write_request(out, id, "eth_estimateGas", json_pack("[o]", call_json(call)));
}

static void write_of_address(struct writer *out, uint64_t id, const char *method,
                             const struct evm_address *address,
                             struct rpc_block_ref block)
{
    write_request(out, id, method,
                  json_pack("[o, o]", address_json(address), block_json(block)));
}

void rpc_write_get_code(struct writer *out, uint64_t id,
                        const struct evm_address *address, struct rpc_block_ref block)
{
    write_of_address(out, id, "eth_getCode", address, block);
}

void rpc_write_get_transaction_count(struct writer *out, uint64_t id,
                                     const struct evm_address *address,
                                     struct rpc_block_ref block)
{
    write_of_address(out, id, "eth_getTransactionCount", address, block);
}

void rpc_write_get_balance(struct writer *out, uint64_t id,
                           const struct evm_address *address, struct rpc_block_ref block)
{
    write_of_address(out, id, "eth_getBalance", address, block);
}

void rpc_write_fee_history(struct writer *out, uint64_t id, unsigned blocks,
                           unsigned percentile)
{
    write_request(
        out, id, "eth_feeHistory",
        json_pack("[o, s, [i]]", quantity_json(blocks), "latest", (int)percentile));
}

void rpc_write_send_raw_transaction(struct writer *out, uint64_t id, struct bytes raw)
{
    write_request(out, id, "eth_sendRawTransaction", json_pack("[o]", data_json(raw)));
}

void rpc_write_get_receipt(struct writer *out, uint64_t id, const struct evm_hash *hash)
{
    write_request(out, id, "eth_getTransactionReceipt",
                  json_pack("[o]", hash_json(hash)));
}

void rpc_write_get_logs(struct writer *out, uint64_t id,
                        const struct evm_address *address, const struct evm_hash *topics,
                        size_t topic_count, struct rpc_block_ref from,
                        struct rpc_block_ref to)
{
    json_t *wanted = json_array();
    for (size_t i = 0; i < topic_count; i++)
        json_array_append_new(wanted, hash_json(&topics[i]));
    write_request(out, id, "eth_getLogs",
                  json_pack("[{s:o, s:o, s:o, s:o}]", "address", address_json(address),
                            "topics", wanted, "fromBlock", block_json(from), "toBlock",
                            block_json(to)));
}
