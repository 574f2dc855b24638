/* Base58 and Base58Check: Bitcoin's first text form of addresses and keys. */
#ifndef SPV_BASE58_H
#define SPV_BASE58_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* The work is quadratic, so that lengths are bounded: bytes, and the text that the
 * longest of them take with its NUL. */
#define BASE58_DATA_MAX 256
#define BASE58_TEXT_MAX 351

enum base58_result {
    BASE58_OK,
    BASE58_BAD_CHARACTER, /* *error_at is its index */
    BASE58_TOO_LONG,      /* more than `size` or BASE58_DATA_MAX bytes */
};

/* Decode into at most `size` bytes. *error_at is set for BASE58_BAD_CHARACTER only. */
NODISCARD enum base58_result base58_decode(uint8_t *out, size_t *out_len,
                                           size_t *error_at, size_t size,
                                           const char *text, size_t len);

/* Write the text and a NUL; false for more than BASE58_DATA_MAX bytes. */
NODISCARD bool base58_encode(char out[static BASE58_TEXT_MAX], const uint8_t *data,
                             size_t len);

/* Whether the last four bytes are the first of the double SHA-256 of those before. */
NODISCARD bool base58_checksum_holds(const uint8_t *data, size_t len);
/* Append that checksum and encode; false for more than BASE58_DATA_MAX - 4 bytes. */
NODISCARD bool base58check_encode(char out[static BASE58_TEXT_MAX], const uint8_t *data,
                                  size_t len);

#endif
