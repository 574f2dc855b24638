#include "spv/base58.h"

#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"

#define LIMBS (BASE58_DATA_MAX / 4)
/* Five digits at a time: 58^5 is the largest power below 2^32. */
#define CHUNK 5
#define CHECKSUM_SIZE 4

static const char alphabet[] =
    "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/* The digit's value, or -1: the alphabet is ASCII without 0, I, O and l. */
static int digit_value(char c)
{
    if (c >= '1' && c <= '9')
        return c - '1';
    if (c >= 'A' && c <= 'Z' && c != 'I' && c != 'O')
        return c - 'A' + 9 - (c > 'I') - (c > 'O');
    if (c >= 'a' && c <= 'z' && c != 'l')
        return c - 'a' + 33 - (c > 'l');
    return -1;
}

/* number = number * factor + add; false when it outgrows the limbs. Least significant
 * limb first. */
static bool multiply_add(uint32_t limbs[static LIMBS], size_t *used, uint32_t factor,
                         uint32_t add)
{
    uint64_t carry = add;

    for (size_t i = 0; i < *used; i++) {
        carry += (uint64_t)limbs[i] * factor;
        limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry == 0)
        return true;
    if (*used == LIMBS)
        return false;
    limbs[(*used)++] = (uint32_t)carry;
    return true;
}

static enum base58_result decode_number(uint32_t limbs[static LIMBS], size_t *used,
                                        size_t *error_at, const char *text, size_t len)
{
    size_t at = 0;

    *used = 0;
    while (at < len) {
        uint32_t factor = 1, value = 0;
        for (unsigned i = 0; i < CHUNK && at < len; i++, at++) {
            const int digit = digit_value(text[at]);
            if (digit < 0) {
                *error_at = at;
                return BASE58_BAD_CHARACTER;
            }
            factor *= 58;
            value = value * 58 + (uint32_t)digit;
        }
        if (!multiply_add(limbs, used, factor, value))
            return BASE58_TOO_LONG;
    }
    return BASE58_OK;
}

enum base58_result base58_decode(uint8_t *out, size_t *out_len, size_t *error_at,
                                 size_t size, const char *text, size_t len)
{
    uint32_t limbs[LIMBS];
    size_t used;
    const enum base58_result result = decode_number(limbs, &used, error_at, text, len);
    if (result != BASE58_OK)
        return result;

    uint8_t number[BASE58_DATA_MAX];
    for (size_t i = 0; i < used; i++)
        put_u32be(number + 4 * i, limbs[used - 1 - i]);
    size_t skip = 0;
    while (skip < 4 * used && number[skip] == 0)
        skip++;

    /* Each leading '1' stands for a zero byte. */
    size_t zeros = 0;
    while (zeros < len && text[zeros] == '1')
        zeros++;
    const size_t significant = 4 * used - skip;
    const size_t most = size < BASE58_DATA_MAX ? size : BASE58_DATA_MAX;
    if (zeros > most || significant > most - zeros)
        return BASE58_TOO_LONG;
    memset(out, 0, zeros);
    memcpy(out + zeros, number + skip, significant);
    *out_len = zeros + significant;
    return BASE58_OK;
}

bool base58_encode(char out[static BASE58_TEXT_MAX], const uint8_t *data, size_t len)
{
    if (len > BASE58_DATA_MAX)
        return false;
    size_t zeros = 0;
    while (zeros < len && data[zeros] == 0)
        zeros++;

    /* Digits, least significant first. */
    uint8_t digits[BASE58_TEXT_MAX];
    size_t count = 0;
    for (size_t i = zeros; i < len; i++) {
        unsigned carry = data[i];
        for (size_t j = 0; j < count; j++) {
            carry += digits[j] * 256U;
            digits[j] = (uint8_t)(carry % 58);
            carry /= 58;
        }
        for (; carry > 0; carry /= 58)
            digits[count++] = (uint8_t)(carry % 58);
    }

    memset(out, alphabet[0], zeros);
    for (size_t i = 0; i < count; i++)
        out[zeros + i] = alphabet[digits[count - 1 - i]];
    out[zeros + count] = '\0';
    return true;
}

bool base58_checksum_holds(const uint8_t *data, size_t len)
{
    if (len < CHECKSUM_SIZE)
        return false;
    uint8_t hash[32];
    sha256d(hash, data, len - CHECKSUM_SIZE);
    return memcmp(hash, data + len - CHECKSUM_SIZE, CHECKSUM_SIZE) == 0;
}

bool base58check_encode(char out[static BASE58_TEXT_MAX], const uint8_t *data, size_t len)
{
    if (len > BASE58_DATA_MAX - CHECKSUM_SIZE)
        return false;
    uint8_t whole[BASE58_DATA_MAX];
    uint8_t hash[32];
    sha256d(hash, data, len);
    memcpy(whole, data, len);
    memcpy(whole + len, hash, CHECKSUM_SIZE);
    return base58_encode(out, whole, len + CHECKSUM_SIZE);
}
