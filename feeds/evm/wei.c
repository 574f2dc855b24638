#include "feeds/evm/wei.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

struct wei wei_from_u64(uint64_t value)
{
    return (struct wei){u256_from_u64(value)};
}

int wei_compare(struct wei a, struct wei b)
{
    return u256_compare(&a.value, &b.value);
}

bool wei_is_zero(struct wei value)
{
    return u256_is_zero(&value.value);
}

bool wei_add(struct wei *out, struct wei a, struct wei b)
{
    struct u256 sum = u256_add(&a.value, &b.value);
    if (u256_compare(&sum, &a.value) < 0)
        return false;
    out->value = sum;
    return true;
}

/* By halves of `b`, so that u256_mul_u32() serves; a part that overflows is seen in the
 * bits of its factors or by dividing back. */
static bool mul_u32(struct wei *out, struct wei a, uint32_t b)
{
    struct u256 factor = u256_from_u64(b);
    struct u256 product = u256_mul_u32(&a.value, b);
    struct u256 back = b == 0 ? a.value : u256_div(&product, &factor);
    if (u256_compare(&back, &a.value) != 0)
        return false;
    out->value = product;
    return true;
}

bool wei_mul(struct wei *out, struct wei a, uint64_t b)
{
    struct wei low, high;
    if (!mul_u32(&low, a, (uint32_t)b) || !mul_u32(&high, a, (uint32_t)(b >> 32)) ||
        u256_bits(&high.value) > 256 - 32)
        return false;
    high.value = u256_shift_left(&high.value, 32);
    return wei_add(out, low, high);
}

bool wei_scale_up(struct wei *out, struct wei a, uint32_t numerator, uint32_t denominator)
{
    struct wei product;
    struct u256 divisor = u256_from_u64(denominator);
    if (!mul_u32(&product, a, numerator) ||
        !wei_add(&product, product, wei_from_u64(denominator - 1)))
        return false;
    out->value = u256_div(&product.value, &divisor);
    return true;
}

/* ---- text ---- */

static const struct unit {
    const char *name;
    size_t decimals;
    uint64_t shown_from;
} units[] = {
    {"ether", 18, UINT64_C(1000000000000000)}, {"gwei", 9, 1000000}, {"wei", 0, 0}};
#define UNITS (sizeof(units) / sizeof(*units))

/* Every decimal digit, at least 1 + decimals of them; returns their number. */
static size_t decimal_digits(char out[static 80], struct wei value, size_t decimals)
{
    const struct u256 ten = u256_from_u64(10);
    char reversed[80];
    size_t count = 0;
    while (!wei_is_zero(value) || count <= decimals) {
        struct u256 quotient = u256_div(&value.value, &ten);
        struct u256 whole = u256_mul_u32(&quotient, 10);
        reversed[count++] = (char)('0' + u256_sub(&value.value, &whole).limb[0]);
        value.value = quotient;
    }
    for (size_t i = 0; i < count; i++)
        out[i] = reversed[count - 1 - i];
    return count;
}

void wei_format(char out[static WEI_TEXT_MAX], struct wei value)
{
    char digits[80];
    size_t at = 0;
    while (at < UNITS - 1 && wei_compare(value, wei_from_u64(units[at].shown_from)) < 0)
        at++;
    const struct unit *unit = &units[at];
    size_t count = decimal_digits(digits, value, unit->decimals);
    size_t whole = count - unit->decimals;
    while (count > whole && digits[count - 1] == '0')
        count--;
    snprintf(out, WEI_TEXT_MAX, "%.*s%s%.*s %s", (int)whole, digits,
             count > whole ? "." : "", (int)(count - whole), digits + whole, unit->name);
}

static const struct unit *unit_find(const char *text, size_t len)
{
    if (len == 3 && strncasecmp(text, "eth", 3) == 0)
        return &units[0];
    for (size_t i = 0; i < UNITS; i++) {
        if (strlen(units[i].name) == len && strncasecmp(text, units[i].name, len) == 0)
            return &units[i];
    }
    return NULL;
}

/* Append a decimal digit; false at 2^128. */
static bool append_digit(struct u256 *value, char digit)
{
    struct u256 addend = u256_from_u64((uint64_t)(digit - '0'));
    struct u256 tenfold = u256_mul_u32(value, 10);
    *value = u256_add(&tenfold, &addend);
    return u256_bits(value) <= 128;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool wei_parse(struct wei *out, const char *text, size_t len)
{
    struct u256 value = {0};
    size_t at = 0, decimals = 0;
    for (; at < len && is_digit(text[at]); at++) {
        if (!append_digit(&value, text[at]))
            return false;
    }
    if (at == 0)
        return false;
    if (at < len && text[at] == '.') {
        for (at++; at < len && is_digit(text[at]); at++, decimals++) {
            if (!append_digit(&value, text[at]))
                return false;
        }
        if (decimals == 0)
            return false;
    }
    at += at < len && text[at] == ' ';
    const struct unit *unit = unit_find(text + at, len - at);
    if (unit == NULL || decimals > unit->decimals)
        return false;
    for (; decimals < unit->decimals; decimals++) {
        if (!append_digit(&value, '0'))
            return false;
    }
    out->value = value;
    return true;
}
