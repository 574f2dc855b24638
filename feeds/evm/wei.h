/* Money of an EVM chain is a whole number of wei, below 2^256. */
#ifndef FEEDS_EVM_WEI_H
#define FEEDS_EVM_WEI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "spv/u256.h"

struct wei {
    struct u256 value;
};

#define WEI_PER_GWEI UINT64_C(1000000000)
#define WEI_PER_ETHER UINT64_C(1000000000000000000)

struct wei wei_from_u64(uint64_t value);
int wei_compare(struct wei a, struct wei b); /* < 0, 0, > 0 */
bool wei_is_zero(struct wei value);

/* False, with *out untouched, when the result has no place in 256 bits. */
NODISCARD bool wei_add(struct wei *out, struct wei a, struct wei b);
NODISCARD bool wei_mul(struct wei *out, struct wei a, uint64_t b);
/* a * numerator / denominator, rounded up; the denominator isn't zero. */
NODISCARD bool wei_scale_up(struct wei *out, struct wei a, uint32_t numerator,
                            uint32_t denominator);

/* "1.5 ether" from 10^15 wei on, "2.000000001 gwei" from 10^6 on, else "7 wei"; exact. */
#define WEI_TEXT_MAX 96
void wei_format(char out[static WEI_TEXT_MAX], struct wei value);
/* Read a decimal number and its unit: "50 gwei", "0.2 ETH", "0.2 ether", "7 wei"; the
 * unit in either case, the space optional. A digit on each side of a point; false for
 * parts of a wei, and at 2^128 and above. */
NODISCARD bool wei_parse(struct wei *out, const char *text, size_t len);

#endif
