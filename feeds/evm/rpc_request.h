/* JSON-RPC requests to an EVM node: the bytes to post. The reply to `id` is read with
 * feeds/evm/rpc_reply.h. */
#ifndef FEEDS_EVM_RPC_REQUEST_H
#define FEEDS_EVM_RPC_REQUEST_H

#include <stdint.h>

#include "base/bytes.h"
#include "feeds/evm/evm_types.h"
#include "feeds/evm/wei.h"

/* A request's number: at most 2^53 - 1, so that no node's numbers round it. */
#define RPC_ID_MAX ((UINT64_C(1) << 53) - 1)

enum rpc_block_tag {
    RPC_BLOCK_LATEST,
    RPC_BLOCK_PENDING,
    RPC_BLOCK_SAFE,
    RPC_BLOCK_FINALIZED,
    RPC_BLOCK_NUMBER,
    RPC_BLOCK_HASH, /* EIP-1898, canonical blocks only; not for blocks and logs */
};

/* The state of which block. */
struct rpc_block_ref {
    enum rpc_block_tag tag;
    uint64_t number;      /* of RPC_BLOCK_NUMBER */
    struct evm_hash hash; /* of RPC_BLOCK_HASH */
};

/* A call as if it were sent. Zero fields are left out. */
struct rpc_call {
    struct evm_address from, to;
    struct bytes data;
    struct wei value;
    uint64_t gas;
};

void rpc_write_chain_id(struct writer *out, uint64_t id);
/* eth_getBlockByNumber, without transactions. Block 0 is genesis. */
void rpc_write_get_block(struct writer *out, uint64_t id, struct rpc_block_ref block);
void rpc_write_call(struct writer *out, uint64_t id, const struct rpc_call *call,
                    struct rpc_block_ref block);
/* At the latest block, as not every node takes another. */
void rpc_write_estimate_gas(struct writer *out, uint64_t id, const struct rpc_call *call);
void rpc_write_get_code(struct writer *out, uint64_t id,
                        const struct evm_address *address, struct rpc_block_ref block);
void rpc_write_get_transaction_count(struct writer *out, uint64_t id,
                                     const struct evm_address *address,
                                     struct rpc_block_ref block);
void rpc_write_get_balance(struct writer *out, uint64_t id,
                           const struct evm_address *address, struct rpc_block_ref block);
/* Base fees of the last `blocks` blocks and of the next, and the priority fee at a
 * percentile (0 to 100) of each. */
void rpc_write_fee_history(struct writer *out, uint64_t id, unsigned blocks,
                           unsigned percentile);
void rpc_write_send_raw_transaction(struct writer *out, uint64_t id, struct bytes raw);
void rpc_write_get_receipt(struct writer *out, uint64_t id, const struct evm_hash *hash);
/* The logs of `address` that begin with these topics, in blocks `from` to `to`, both
 * included. */
void rpc_write_get_logs(struct writer *out, uint64_t id,
                        const struct evm_address *address, const struct evm_hash *topics,
                        size_t topic_count, struct rpc_block_ref from,
                        struct rpc_block_ref to);

#endif
