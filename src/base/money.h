/* Money is a whole number of satoshi. */
#ifndef BASE_MONEY_H
#define BASE_MONEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define SATOSHI_PER_BTC UINT64_C(100000000)
/* 21 million BTC: no output and no reserve is larger (consensus' MAX_MONEY). */
#define MAX_MONEY_SAT (UINT64_C(21000000) * SATOSHI_PER_BTC)

struct amount {
    uint64_t sat;
};

/* *out = a + b; false, with *out untouched, above 2^64 - 1. */
NODISCARD bool amount_add(struct amount *out, struct amount a, struct amount b);
/* *out = a - b; false, with *out untouched, below zero. */
NODISCARD bool amount_sub(struct amount *out, struct amount a, struct amount b);

/* "12.34567890": always eight decimals. The longest text with its NUL. */
#define AMOUNT_TEXT_MAX 24
void amount_format_btc(char out[static AMOUNT_TEXT_MAX], struct amount amount);
/* Read a decimal number of BTC, a digit on each side of a point, with at most eight
 * decimals, no sign, no exponent, at most MAX_MONEY_SAT. */
NODISCARD bool amount_parse_btc(struct amount *out, const char *text, size_t len);

#endif
