/* What to pay for gas (EIP-1559), within what the user allows: an endpoint that lies
 * about fees can't make us pay more. */
#ifndef FEEDS_EVM_FEES_H
#define FEEDS_EVM_FEES_H

#include "feeds/evm/rpc_reply.h"

/* For each gas. */
struct evm_fees {
    struct wei priority;
    struct wei max;
};

/* The part of the cap that the priority fee may take: what a block's base fee is, the
 * chain says; what others pay for priority, the endpoint alone. */
#define EVM_FEES_PRIORITY_PART 10

/* The priority is the median of what others paid of late, at most a tenth of the cap; the
 * maximum leaves room for twice the base fee, so that six full blocks can't price it out,
 * and is at most the cap. `base` is the newest block's. False if even the next block's
 * base fee, with the priority, is above the cap: then *out is what would be needed. */
NODISCARD bool evm_fees_choose(struct evm_fees *out,
                               const struct rpc_fee_history *history, struct wei base,
                               struct wei cap);

#endif
