/* A reply of an EVM node, or of whatever answers in its place. */
#include <stdlib.h>

#include "feeds/evm/rpc_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void results(const struct rpc_reply *reply)
{
    struct rpc_block block;
    struct rpc_fee_history fees;
    struct rpc_receipt receipt;
    struct rpc_logs logs;
    struct evm_hash hash;
    struct wei amount;
    struct writer bytes = {0};
    struct error error;
    uint64_t number;
    bool found;
    (void)!rpc_result_u64(reply, &number, &error);
    (void)!rpc_result_wei(reply, &amount, &error);
    (void)!rpc_result_hash(reply, &hash, &error);
    (void)!rpc_result_block(reply, &block, &error);
    (void)!rpc_result_receipt(reply, &receipt, &found, &error);
    if (rpc_result_data(reply, &bytes, &error) && bytes.len > RPC_REPLY_MAX / 2)
        abort();
    writer_release(&bytes);
    if (rpc_result_fee_history(reply, &fees, &error) && fees.count > RPC_FEE_BLOCKS_MAX)
        abort();
    if (rpc_result_logs(reply, &logs, &error))
        rpc_logs_release(&logs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rpc_reply reply;
    struct error error;
    switch (rpc_reply_parse(&reply, (const char *)data, size, 7, &error)) {
    case RPC_RESULT:
        results(&reply);
        break;
    case RPC_FAULT:
        if (reply.fault.revert_len > sizeof(reply.fault.revert))
            abort();
        (void)rpc_send_fault(&reply.fault);
        break;
    case RPC_BROKEN:
        break;
    }
    rpc_reply_release(&reply);
    return 0;
}
