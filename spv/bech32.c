#include "spv/bech32.h"

#include <string.h>

#define CHECKSUM_LEN 6
/* Printable ASCII is what a human-readable part may hold. */
#define PRINTABLE_MIN 33
#define PRINTABLE_MAX 126

static const char charset[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/* The inverse of the charset, in both cases. */
static const int8_t digit_values[128] = {
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 15, -1, 10, 17, 21, 20, 26, 30, 7,
    5,  -1, -1, -1, -1, -1, -1, -1, 29, -1, 24, 13, 25, 9,  8,  23, -1, 18, 22,
    31, 27, 19, -1, 1,  0,  3,  16, 11, 28, 12, 14, 6,  4,  2,  -1, -1, -1, -1,
    -1, -1, 29, -1, 24, 13, 25, 9,  8,  23, -1, 18, 22, 31, 27, 19, -1, 1,  0,
    3,  16, 11, 28, 12, 14, 6,  4,  2,  -1, -1, -1, -1, -1,
};

static int digit_value(char c)
{
    const unsigned char u = (unsigned char)c;

    return u < 128 ? digit_values[u] : -1;
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static char to_lower(char c)
{
    return is_upper(c) ? (char)(c - 'A' + 'a') : c;
}

static uint32_t variant_constant(enum bech32_variant variant)
{
    /* BIP 173 and BIP 350: what the checksum's remainder must be. */
    return variant == BECH32 ? 1 : 0x2bc830a3;
}

/* One step of the BCH code's division. */
static uint32_t polymod_step(uint32_t state, unsigned value)
{
    static const uint32_t generator[5] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd,
                                          0x2a1462b3};
    const uint32_t top = state >> 25;

    state = (state & 0x1ffffff) << 5 ^ value;
    /* Masks, not branches: the bits are random, and lists have millions of addresses. */
    for (unsigned i = 0; i < 5; i++)
        state ^= generator[i] & -(top >> i & 1);
    return state;
}

/* BIP 173: the high bits of each character, a zero, then the low bits. */
static uint32_t polymod_hrp(const char *hrp, size_t len)
{
    uint32_t state = 1;

    for (size_t i = 0; i < len; i++)
        state = polymod_step(state, (unsigned char)to_lower(hrp[i]) >> 5);
    state = polymod_step(state, 0);
    for (size_t i = 0; i < len; i++)
        state = polymod_step(state, (unsigned char)to_lower(hrp[i]) & 31);
    return state;
}

static uint32_t polymod_text(const char *text, size_t len, size_t separator)
{
    uint32_t state = polymod_hrp(text, separator);

    for (size_t i = separator + 1; i < len; i++)
        state = polymod_step(state, (unsigned)digit_value(text[i]));
    return state;
}

static enum bech32_result check_characters(size_t *error_at, const char *text, size_t len)
{
    bool lower = false, upper = false;

    for (size_t i = 0; i < len; i++) {
        *error_at = i;
        const unsigned char c = (unsigned char)text[i];
        if (c < PRINTABLE_MIN || c > PRINTABLE_MAX)
            return BECH32_BAD_CHARACTER;
        lower = lower || is_lower(text[i]);
        upper = upper || is_upper(text[i]);
        if (lower && upper)
            return BECH32_MIXED_CASE;
    }
    *error_at = 0;
    return BECH32_OK;
}

static enum bech32_result check_shape(size_t *separator, size_t *error_at,
                                      const char *text, size_t len)
{
    *error_at = 0;
    if (len > BECH32_LEN_MAX)
        return BECH32_TOO_LONG;
    const enum bech32_result result = check_characters(error_at, text, len);
    if (result != BECH32_OK)
        return result;
    /* The last '1': earlier ones belong to the human-readable part. */
    const char *last = memrchr(text, '1', len);
    if (last == NULL)
        return BECH32_NO_SEPARATOR;
    *separator = (size_t)(last - text);
    if (*separator == 0)
        return BECH32_EMPTY_HRP;
    if (len - *separator - 1 < CHECKSUM_LEN)
        return BECH32_TOO_SHORT;
    for (size_t i = *separator + 1; i < len; i++) {
        if (digit_value(text[i]) < 0) {
            *error_at = i;
            return BECH32_BAD_CHARACTER;
        }
    }
    return BECH32_OK;
}

enum bech32_result bech32_decode(struct bech32 *out, size_t *error_at, const char *text,
                                 size_t len)
{
    size_t separator;
    const enum bech32_result result = check_shape(&separator, error_at, text, len);
    if (result != BECH32_OK)
        return result;

    const uint32_t remainder = polymod_text(text, len, separator);
    if (remainder == variant_constant(BECH32))
        out->variant = BECH32;
    else if (remainder == variant_constant(BECH32M))
        out->variant = BECH32M;
    else
        return BECH32_BAD_CHECKSUM;

    for (size_t i = 0; i < separator; i++)
        out->hrp[i] = to_lower(text[i]);
    out->hrp[separator] = '\0';
    out->count = len - separator - 1 - CHECKSUM_LEN;
    for (size_t i = 0; i < out->count; i++)
        out->values[i] = (uint8_t)digit_value(text[separator + 1 + i]);
    return BECH32_OK;
}

static bool hrp_allowed(const char *hrp, size_t len)
{
    if (len == 0 || len > BECH32_HRP_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)hrp[i];
        if (c < PRINTABLE_MIN || c > PRINTABLE_MAX || is_upper(hrp[i]))
            return false;
    }
    return true;
}

bool bech32_encode(char out[static BECH32_TEXT_MAX], const struct bech32 *in)
{
    const size_t hrp_len = strnlen(in->hrp, sizeof in->hrp);

    if (!hrp_allowed(in->hrp, hrp_len) || in->count > BECH32_VALUES_MAX ||
        hrp_len + 1 + in->count + CHECKSUM_LEN > BECH32_LEN_MAX)
        return false;
    uint32_t state = polymod_hrp(in->hrp, hrp_len);
    memcpy(out, in->hrp, hrp_len);
    char *at = out + hrp_len;
    *at++ = '1';
    for (size_t i = 0; i < in->count; i++) {
        if (in->values[i] > 31)
            return false;
        state = polymod_step(state, in->values[i]);
        *at++ = charset[in->values[i]];
    }
    for (unsigned i = 0; i < CHECKSUM_LEN; i++)
        state = polymod_step(state, 0);
    state ^= variant_constant(in->variant);
    for (unsigned i = 0; i < CHECKSUM_LEN; i++)
        *at++ = charset[state >> (5 * (CHECKSUM_LEN - 1 - i)) & 31];
    *at = '\0';
    return true;
}

bool bech32_locate_error(size_t *at, const char *text, size_t len,
                         enum bech32_variant variant)
{
    size_t separator, error_at;
    if (check_shape(&separator, &error_at, text, len) != BECH32_OK)
        return false;
    const uint32_t syndrome =
        polymod_text(text, len, separator) ^ variant_constant(variant);

    /* The code is linear: a difference in one value, carried on to the end of the text,
     * is the whole syndrome. */
    for (unsigned difference = 1; difference < 32; difference++) {
        uint32_t state = difference;
        for (size_t i = len - 1; i > separator; i--) {
            if (state == syndrome) {
                *at = i;
                return true;
            }
            state = polymod_step(state, 0);
        }
    }
    return false;
}

enum bech32_padding bech32_to_bytes(uint8_t *out, size_t *out_len, const uint8_t *values,
                                    size_t count)
{
    uint32_t pending = 0;
    unsigned bits = 0;

    *out_len = 0;
    for (size_t i = 0; i < count; i++) {
        pending = pending << 5 | values[i];
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            out[(*out_len)++] = (uint8_t)(pending >> bits);
            pending &= (1U << bits) - 1;
        }
    }
    if (bits >= 5)
        return BECH32_PADDING_TOO_LONG;
    return pending == 0 ? BECH32_PADDING_OK : BECH32_PADDING_NOT_ZERO;
}

size_t bech32_from_bytes(uint8_t *out, const uint8_t *data, size_t len)
{
    uint32_t pending = 0;
    unsigned bits = 0;
    size_t count = 0;

    for (size_t i = 0; i < len; i++) {
        pending = pending << 8 | data[i];
        bits += 8;
        for (; bits >= 5; bits -= 5)
            out[count++] = (uint8_t)(pending >> (bits - 5) & 31);
        pending &= (1U << bits) - 1;
    }
    if (bits > 0)
        out[count++] = (uint8_t)(pending << (5 - bits) & 31);
    return count;
}
