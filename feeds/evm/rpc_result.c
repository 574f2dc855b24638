#include "feeds/evm/rpc_reply.h"

#include <stdlib.h>

#include "base/mem.h"

/* ---- members ---- */

static bool wrong(struct error *error, const char *what)
{
    return error_set(error, "its reply has no sound %s; try another endpoint", what);
}

static bool value_u64(uint64_t *out, const json_t *value)
{
    return json_is_string(value) && evm_quantity_parse_u64(out, json_string_value(value),
                                                           json_string_length(value));
}

static bool value_wei(struct wei *out, const json_t *value)
{
    return json_is_string(value) &&
           evm_quantity_parse(&out->value, json_string_value(value),
                              json_string_length(value));
}

static bool value_hash(struct evm_hash *out, const json_t *value)
{
    return json_is_string(value) &&
           evm_hash_parse(out, json_string_value(value), json_string_length(value));
}

static bool value_data(struct writer *out, const json_t *value)
{
    return json_is_string(value) &&
           evm_data_parse(out, json_string_value(value), json_string_length(value));
}

static bool member_u64(uint64_t *out, const json_t *object, const char *name,
                       struct error *error)
{
    return value_u64(out, json_object_get(object, name)) || wrong(error, name);
}

static bool member_wei(struct wei *out, const json_t *object, const char *name,
                       struct error *error)
{
    return value_wei(out, json_object_get(object, name)) || wrong(error, name);
}

static bool member_hash(struct evm_hash *out, const json_t *object, const char *name,
                        struct error *error)
{
    return value_hash(out, json_object_get(object, name)) || wrong(error, name);
}

/* ---- plain results ---- */

bool rpc_result_u64(const struct rpc_reply *reply, uint64_t *out, struct error *error)
{
    return value_u64(out, reply->result) || wrong(error, "number");
}

bool rpc_result_wei(const struct rpc_reply *reply, struct wei *out, struct error *error)
{
    return value_wei(out, reply->result) || wrong(error, "amount");
}

bool rpc_result_data(const struct rpc_reply *reply, struct writer *out,
                     struct error *error)
{
    return value_data(out, reply->result) || wrong(error, "data");
}

bool rpc_result_hash(const struct rpc_reply *reply, struct evm_hash *out,
                     struct error *error)
{
    return value_hash(out, reply->result) || wrong(error, "hash");
}

/* ---- objects ---- */

bool rpc_result_block(const struct rpc_reply *reply, struct rpc_block *out,
                      struct error *error)
{
    const json_t *block = reply->result;
    if (!json_is_object(block))
        return wrong(error, "block");
    return member_hash(&out->hash, block, "hash", error) &&
           member_hash(&out->parent, block, "parentHash", error) &&
           member_u64(&out->number, block, "number", error) &&
           member_u64(&out->time.s, block, "timestamp", error) &&
           member_wei(&out->base_fee, block, "baseFeePerGas", error);
}

bool rpc_result_fee_history(const struct rpc_reply *reply, struct rpc_fee_history *out,
                            struct error *error)
{
    const json_t *fees = json_object_get(reply->result, "baseFeePerGas");
    const json_t *rewards = json_object_get(reply->result, "reward");
    out->count = json_array_size(rewards);
    if (!json_is_array(rewards) || out->count > RPC_FEE_BLOCKS_MAX)
        return wrong(error, "reward");
    /* The last base fee is that of the block to come. */
    if (json_array_size(fees) != out->count + 1 ||
        !value_wei(&out->next_base_fee, json_array_get(fees, out->count)))
        return wrong(error, "baseFeePerGas");
    for (size_t i = 0; i < out->count; i++) {
        const json_t *asked = json_array_get(rewards, i);
        if (json_array_size(asked) != 1 ||
            !value_wei(&out->rewards[i], json_array_get(asked, 0)))
            return wrong(error, "reward");
    }
    return true;
}

bool rpc_result_receipt(const struct rpc_reply *reply, struct rpc_receipt *out,
                        bool *found, struct error *error)
{
    const json_t *receipt = reply->result;
    uint64_t status;
    *found = !json_is_null(receipt);
    if (!*found)
        return true;
    if (!json_is_object(receipt))
        return wrong(error, "receipt");
    if (!member_u64(&status, receipt, "status", error) ||
        !member_hash(&out->transaction, receipt, "transactionHash", error) ||
        !member_hash(&out->block, receipt, "blockHash", error) ||
        !member_u64(&out->block_number, receipt, "blockNumber", error) ||
        !member_u64(&out->gas_used, receipt, "gasUsed", error) ||
        !member_wei(&out->gas_price, receipt, "effectiveGasPrice", error))
        return false;
    /* EIP-658: 1 for success, 0 for failure. */
    if (status > 1)
        return wrong(error, "status");
    out->succeeded = status == 1;
    return true;
}

/* ---- logs ---- */

static bool read_topics(struct rpc_log *out, const json_t *topics)
{
    out->topic_count = json_array_size(topics);
    if (!json_is_array(topics) || out->topic_count > RPC_TOPICS_MAX)
        return false;
    for (size_t i = 0; i < out->topic_count; i++) {
        if (!value_hash(&out->topics[i], json_array_get(topics, i)))
            return false;
    }
    return true;
}

static bool read_log(struct rpc_log *out, const json_t *log, struct error *error)
{
    const json_t *address = json_object_get(log, "address");
    const json_t *removed = json_object_get(log, "removed");
    struct writer data;
    if (!json_is_string(address) ||
        !evm_data_parse_fixed(out->address.b, sizeof(out->address.b),
                              json_string_value(address), json_string_length(address)))
        return wrong(error, "address");
    if (!read_topics(out, json_object_get(log, "topics")))
        return wrong(error, "topics");
    if (removed != NULL && !json_is_boolean(removed))
        return wrong(error, "removed");
    out->removed = json_is_true(removed);
    if (!member_hash(&out->block, log, "blockHash", error) ||
        !member_u64(&out->block_number, log, "blockNumber", error) ||
        !member_hash(&out->transaction, log, "transactionHash", error) ||
        !member_u64(&out->index, log, "logIndex", error))
        return false;
    writer_init(&data);
    if (!value_data(&data, json_object_get(log, "data")))
        return wrong(error, "data");
    out->data = writer_take(&data, &out->data_len);
    return true;
}

bool rpc_result_logs(const struct rpc_reply *reply, struct rpc_logs *out,
                     struct error *error)
{
    const json_t *log;
    size_t index;
    *out = (struct rpc_logs){0};
    if (!json_is_array(reply->result))
        return wrong(error, "logs");
    json_array_foreach(reply->result, index, log)
    {
        struct rpc_log read = {0};
        if (!read_log(&read, log, error)) {
            rpc_logs_release(out);
            return false;
        }
        out->at = mem_grow(out->at, &out->capacity, out->count + 1, sizeof(*out->at));
        out->at[out->count++] = read;
    }
    return true;
}

void rpc_logs_release(struct rpc_logs *logs)
{
    for (size_t i = 0; i < logs->count; i++)
        free(logs->at[i].data);
    free(logs->at);
    *logs = (struct rpc_logs){0};
}
