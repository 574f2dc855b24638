/* The names of things on an EVM chain, as types of their own, and JSON-RPC's hex forms.
 */
#ifndef FEEDS_EVM_EVM_TYPES_H
#define FEEDS_EVM_EVM_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/error.h"
#include "spv/u256.h"

struct evm_address {
    uint8_t b[20];
};
/* A block's time by the EVM chain's account: Unix seconds. */
struct evm_time {
    uint64_t s;
};
/* A block's or a transaction's hash, a digest, a log's topic: bytes as shown. */
struct evm_hash {
    uint8_t b[32];
};

bool evm_address_equal(const struct evm_address *a, const struct evm_address *b);
bool evm_address_is_zero(const struct evm_address *address);
bool evm_hash_equal(const struct evm_hash *a, const struct evm_hash *b);

/* "0x", 40 digits with EIP-55's capitals, and a NUL. */
#define EVM_ADDRESS_TEXT_MAX 43
void evm_address_text(char out[static EVM_ADDRESS_TEXT_MAX],
                      const struct evm_address *address);
/* What a person wrote: "0x" and 40 digits. In mixed case EIP-55's checksum must hold. */
NODISCARD bool evm_address_parse(struct evm_address *out, const char *text, size_t len,
                                 struct error *error);

/* "0x", 64 digits and a NUL. */
#define EVM_HASH_TEXT_MAX 67
void evm_hash_text(char out[static EVM_HASH_TEXT_MAX], const struct evm_hash *hash);
NODISCARD bool evm_hash_parse(struct evm_hash *out, const char *text, size_t len);

/* ---- JSON-RPC's hex forms; digits of either case ---- */

/* A quantity: "0x0", else no leading zero. "0x", 64 digits and a NUL is the longest. */
#define EVM_QUANTITY_TEXT_MAX 67
void evm_quantity_text(char out[static EVM_QUANTITY_TEXT_MAX], const struct u256 *value);
NODISCARD bool evm_quantity_parse(struct u256 *out, const char *text, size_t len);
/* The same, of at most 64 bits. */
NODISCARD bool evm_quantity_parse_u64(uint64_t *out, const char *text, size_t len);

/* Data: "0x" and two digits a byte. */
/* Append the text of the data, without a NUL. */
void evm_data_write(struct writer *out, struct bytes data);
/* Append the bytes of the text; nothing if it isn't of that form. */
NODISCARD bool evm_data_parse(struct writer *out, const char *text, size_t len);
/* Data of exactly `size` bytes. */
NODISCARD bool evm_data_parse_fixed(uint8_t *out, size_t size, const char *text,
                                    size_t len);

#endif
