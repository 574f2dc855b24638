/* JSON-RPC replies of an EVM node, which is not trusted: bounded, strict, each fault a
 * clean error. */
#ifndef FEEDS_EVM_RPC_REPLY_H
#define FEEDS_EVM_RPC_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/error.h"
#include "feeds/evm/evm_types.h"
#include "feeds/evm/wei.h"

/* A body above this is refused unread. */
#define RPC_REPLY_MAX ((size_t)1 << 20)
/* Lists and objects within each other, and values in all: no reply to our requests comes
 * near, and the parser's memory stays within some 8 MiB. */
#define RPC_DEPTH_MAX 16
#define RPC_VALUES_MAX 65536

enum rpc_outcome {
    RPC_RESULT, /* there is a result, maybe null */
    RPC_FAULT,  /* the node answers with an error of its own */
    RPC_BROKEN, /* no reply to this request: HTML, truncated, another id, ... */
};

/* The node's own error. */
#define RPC_MESSAGE_MAX 256
#define RPC_REVERT_MAX 1024
struct rpc_fault {
    int64_t code;
    char message[RPC_MESSAGE_MAX]; /* printable, cut to fit */
    bool has_revert;               /* data of a revert came along, perhaps empty */
    uint8_t revert[RPC_REVERT_MAX];
    size_t revert_len;
};

struct rpc_reply {
    json_t *root;         /* owned */
    const json_t *result; /* within root; NULL unless RPC_RESULT */
    struct rpc_fault fault;
};

/* Read the body of a reply to request `id`. For RPC_FAULT out->fault is filled and the
 * error says the code and message; for RPC_BROKEN the error says what is wrong. Release
 * in every case. */
NODISCARD enum rpc_outcome rpc_reply_parse(struct rpc_reply *out, const char *body,
                                           size_t len, uint64_t id, struct error *error);
void rpc_reply_release(struct rpc_reply *reply);

/* What a node's words on eth_sendRawTransaction mean. Nodes agree on no codes, so it goes
 * by the phrases of the common ones. */
enum rpc_send_fault {
    RPC_SEND_ALREADY_KNOWN, /* it has these bytes: as good as sent */
    RPC_SEND_NONCE_TOO_LOW,
    RPC_SEND_UNDERPRICED, /* a replacement must pay more */
    RPC_SEND_FEE_TOO_LOW, /* below the base fee or the node's minimum */
    RPC_SEND_NO_FUNDS,
    RPC_SEND_OTHER,
};
enum rpc_send_fault rpc_send_fault(const struct rpc_fault *fault);

/* ---- results: false, with the reason, for one of another form ---- */

/* eth_chainId, eth_getTransactionCount, eth_estimateGas */
NODISCARD bool rpc_result_u64(const struct rpc_reply *reply, uint64_t *out,
                              struct error *error);
/* eth_getBalance */
NODISCARD bool rpc_result_wei(const struct rpc_reply *reply, struct wei *out,
                              struct error *error);
/* eth_call, eth_getCode: appended to `out`. */
NODISCARD bool rpc_result_data(const struct rpc_reply *reply, struct writer *out,
                               struct error *error);
/* eth_sendRawTransaction */
NODISCARD bool rpc_result_hash(const struct rpc_reply *reply, struct evm_hash *out,
                               struct error *error);

/* eth_getBlockByNumber. Null (no such block) is false. */
struct rpc_block {
    struct evm_hash hash;
    struct evm_hash parent;
    uint64_t number;
    struct evm_time time;
    struct wei base_fee;
};
NODISCARD bool rpc_result_block(const struct rpc_reply *reply, struct rpc_block *out,
                                struct error *error);

/* eth_feeHistory of at most this many blocks. */
#define RPC_FEE_BLOCKS_MAX 64
struct rpc_fee_history {
    struct wei next_base_fee;
    struct wei rewards[RPC_FEE_BLOCKS_MAX]; /* the asked percentile's, oldest first */
    size_t count;
};
NODISCARD bool rpc_result_fee_history(const struct rpc_reply *reply,
                                      struct rpc_fee_history *out, struct error *error);

/* eth_getTransactionReceipt; *found is false for null: not mined, or unknown. */
struct rpc_receipt {
    bool succeeded;
    struct evm_hash transaction;
    struct evm_hash block;
    uint64_t block_number;
    uint64_t gas_used;
    struct wei gas_price; /* what was paid for each gas */
};
NODISCARD bool rpc_result_receipt(const struct rpc_reply *reply, struct rpc_receipt *out,
                                  bool *found, struct error *error);

/* eth_getLogs. */
#define RPC_TOPICS_MAX 4
struct rpc_log {
    struct evm_address address;
    struct evm_hash topics[RPC_TOPICS_MAX];
    size_t topic_count;
    uint8_t *data; /* owned by the list */
    size_t data_len;
    struct evm_hash block;
    uint64_t block_number;
    struct evm_hash transaction;
    uint64_t index; /* within the block */
    bool removed;   /* its block left the chain */
};
struct rpc_logs {
    struct rpc_log *at;
    size_t count, capacity;
};
/* Release *out after true. */
NODISCARD bool rpc_result_logs(const struct rpc_reply *reply, struct rpc_logs *out,
                               struct error *error);
void rpc_logs_release(struct rpc_logs *logs);

#endif
