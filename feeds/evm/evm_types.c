#include "feeds/evm/evm_types.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "feeds/evm/keccak.h"

bool evm_address_equal(const struct evm_address *a, const struct evm_address *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool evm_address_is_zero(const struct evm_address *address)
{
    return evm_address_equal(address, &(struct evm_address){0});
}

bool evm_hash_equal(const struct evm_hash *a, const struct evm_hash *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

static bool has_prefix(const char *text, size_t len)
{
    return len >= 2 && text[0] == '0' && text[1] == 'x';
}

void evm_address_text(char out[static EVM_ADDRESS_TEXT_MAX],
                      const struct evm_address *address)
{
    uint8_t hash[32];
    out[0] = '0';
    out[1] = 'x';
    hex_encode(out + 2, address->b, sizeof(address->b));
    /* EIP-55: a letter is a capital where the lower-case text's hash has a digit above 7.
     */
    keccak256(hash, out + 2, 40);
    for (size_t i = 0; i < 40; i++) {
        uint8_t digit = i % 2 == 0 ? hash[i / 2] >> 4 : hash[i / 2] & 0x0f;
        if (digit > 7)
            out[2 + i] = (char)toupper((unsigned char)out[2 + i]);
    }
}

/* All letters of one case carry no checksum. */
static bool is_one_case(const char *text, size_t len)
{
    bool upper = false, lower = false;
    for (size_t i = 0; i < len; i++) {
        upper |= text[i] >= 'A' && text[i] <= 'F';
        lower |= text[i] >= 'a' && text[i] <= 'f';
    }
    return !(upper && lower);
}

bool evm_address_parse(struct evm_address *out, const char *text, size_t len,
                       struct error *error)
{
    char expected[EVM_ADDRESS_TEXT_MAX];
    int shown = (int)(len < 64 ? len : 64);
    struct evm_address address;
    if (len != 42 || !has_prefix(text, len) ||
        !hex_decode(address.b, sizeof(address.b), text + 2, len - 2, NULL))
        return error_set(error,
                         "address '%.*s': isn't of an EVM chain; write 0x and 40 hex "
                         "digits",
                         shown, text);
    evm_address_text(expected, &address);
    if (!is_one_case(text + 2, len - 2) && memcmp(expected, text, len) != 0)
        return error_set(error,
                         "address '%.*s': its capitals don't match (EIP-55), so a digit "
                         "is mistyped; copy it again from its source",
                         shown, text);
    *out = address;
    return true;
}

void evm_hash_text(char out[static EVM_HASH_TEXT_MAX], const struct evm_hash *hash)
{
    out[0] = '0';
    out[1] = 'x';
    hex_encode(out + 2, hash->b, sizeof(hash->b));
}

bool evm_hash_parse(struct evm_hash *out, const char *text, size_t len)
{
    return evm_data_parse_fixed(out->b, sizeof(out->b), text, len);
}

void evm_quantity_text(char out[static EVM_QUANTITY_TEXT_MAX], const struct u256 *value)
{
    char digits[65];
    uint8_t bytes[32];
    size_t zeros = 0;
    u256_to_be(bytes, value);
    hex_encode(digits, bytes, sizeof(bytes));
    while (zeros < 63 && digits[zeros] == '0')
        zeros++;
    snprintf(out, EVM_QUANTITY_TEXT_MAX, "0x%s", digits + zeros);
}

bool evm_quantity_parse(struct u256 *out, const char *text, size_t len)
{
    char digits[64];
    uint8_t bytes[32];
    if (!has_prefix(text, len) || len < 3 || len > 66 || (text[2] == '0' && len > 3))
        return false;
    memset(digits, '0', sizeof(digits));
    memcpy(digits + sizeof(digits) - (len - 2), text + 2, len - 2);
    if (!hex_decode(bytes, sizeof(bytes), digits, sizeof(digits), NULL))
        return false;
    *out = u256_from_be(bytes);
    return true;
}

bool evm_quantity_parse_u64(uint64_t *out, const char *text, size_t len)
{
    struct u256 value;
    if (!evm_quantity_parse(&value, text, len) || u256_bits(&value) > 64)
        return false;
    *out = value.limb[0];
    return true;
}

void evm_data_write(struct writer *out, struct bytes data)
{
    char *text = mem_alloc(2 * data.len + 1);
    hex_encode(text, data.data, data.len);
    write_bytes(out, "0x", 2);
    write_bytes(out, text, 2 * data.len);
    free(text);
}

bool evm_data_parse(struct writer *out, const char *text, size_t len)
{
    if (!has_prefix(text, len) || len % 2 != 0)
        return false;
    size_t size = (len - 2) / 2;
    uint8_t *bytes = mem_alloc(size);
    bool ok = hex_decode(bytes, size, text + 2, len - 2, NULL);
    if (ok)
        write_bytes(out, bytes, size);
    free(bytes);
    return ok;
}

bool evm_data_parse_fixed(uint8_t *out, size_t size, const char *text, size_t len)
{
    return has_prefix(text, len) && hex_decode(out, size, text + 2, len - 2, NULL);
}
