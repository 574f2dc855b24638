#include "feeds/evm/fees.h"

#include <stdlib.h>
#include <string.h>

static int compare_wei(const void *a, const void *b)
{
    return wei_compare(*(const struct wei *)a, *(const struct wei *)b);
}

static struct wei smaller(struct wei a, struct wei b)
{
    return wei_compare(a, b) < 0 ? a : b;
}

/* At least one wei: nodes leave transactions lying that pay nothing. */
static struct wei median(const struct rpc_fee_history *history)
{
    struct wei sorted[RPC_FEE_BLOCKS_MAX];
    struct wei one = wei_from_u64(1);
    if (history->count == 0)
        return one;
    memcpy(sorted, history->rewards, history->count * sizeof *sorted);
    qsort(sorted, history->count, sizeof *sorted, compare_wei);
    struct wei middle = sorted[history->count / 2];
    return wei_is_zero(middle) ? one : middle;
}

bool evm_fees_choose(struct evm_fees *out, const struct rpc_fee_history *history,
                     struct wei base, struct wei cap)
{
    struct wei twice, most;
    if (!wei_scale_up(&most, cap, 1, EVM_FEES_PRIORITY_PART))
        most = wei_from_u64(1);
    out->priority = smaller(median(history), most);
    if (wei_compare(base, history->next_base_fee) < 0)
        base = history->next_base_fee;
    if (!wei_add(&out->max, base, out->priority)) {
        out->max = base;
        return false;
    }
    if (wei_compare(out->max, cap) > 0)
        return false;
    if (wei_mul(&twice, base, 2) && wei_add(&out->max, twice, out->priority))
        out->max = smaller(out->max, cap);
    else
        out->max = cap;
    return true;
}
