#include "base/decimal.h"

bool decimal_parse(uint64_t *out, const char *text, size_t len, uint64_t max)
{
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (digit > max || value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (len > 0)
        *out = value;
    return len > 0;
}
