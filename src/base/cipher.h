/* Keys from passwords, and the cipher they are used with; libcrypto's. */
#ifndef BASE_CIPHER_H
#define BASE_CIPHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"

/* RFC 8018 with HMAC-SHA-256. False if `rounds` is 0 or above 2^31 - 1. */
NODISCARD bool pbkdf2_sha256(uint8_t *out, size_t out_len, struct bytes password,
                             struct bytes salt, uint32_t rounds);

/* Encrypt or decrypt (the same) in counter mode; `iv` is the first counter block. `out`
 * may be `in`. `len` is below 2^31. False if libcrypto has no AES. */
NODISCARD bool aes128_ctr(uint8_t *out, const uint8_t *in, size_t len,
                          const uint8_t key[static 16], const uint8_t iv[static 16]);

#endif
