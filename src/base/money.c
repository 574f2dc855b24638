#include "base/money.h"

#include <inttypes.h>
#include <stdio.h>

bool amount_add(struct amount *out, struct amount a, struct amount b)
{
    if (a.sat > UINT64_MAX - b.sat)
        return false;
    out->sat = a.sat + b.sat;
    return true;
}

bool amount_sub(struct amount *out, struct amount a, struct amount b)
{
    if (a.sat < b.sat)
        return false;
    out->sat = a.sat - b.sat;
    return true;
}

void amount_format_btc(char out[static AMOUNT_TEXT_MAX], struct amount amount)
{
    snprintf(out, AMOUNT_TEXT_MAX, "%" PRIu64 ".%08" PRIu64, amount.sat / SATOSHI_PER_BTC,
             amount.sat % SATOSHI_PER_BTC);
}

bool amount_parse_btc(struct amount *out, const char *text, size_t len)
{
    uint64_t sat = 0;
    size_t decimals = 0;
    bool digit_last = false, point_seen = false;
    for (size_t i = 0; i < len; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (digit) {
            decimals += point_seen;
            sat = sat * 10 + (uint64_t)(text[i] - '0');
            if (decimals > 8 || sat > MAX_MONEY_SAT)
                return false;
        } else if (text[i] == '.' && digit_last && !point_seen) {
            point_seen = true;
        } else {
            return false;
        }
        digit_last = digit;
    }
    if (!digit_last)
        return false;
    for (; decimals < 8; decimals++) {
        sat *= 10;
        if (sat > MAX_MONEY_SAT)
            return false;
    }
    out->sat = sat;
    return true;
}
