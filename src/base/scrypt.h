/* scrypt (RFC 7914): keys from passwords at a cost in memory. */
#ifndef BASE_SCRYPT_H
#define BASE_SCRYPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"

/* `n` is a power of two above 1; takes 128 * r * (n + p + 2) bytes of memory while it
 * runs. False if that is above `max_memory`, a parameter is out of its range, or the
 * memory isn't there. libcrypto's, wherever it agrees to the parameters. */
NODISCARD bool scrypt(uint8_t *out, size_t out_len, struct bytes password,
                      struct bytes salt, uint64_t n, uint32_t r, uint32_t p,
                      uint64_t max_memory);

/* Ours, for n not below 2^(16 * r): libcrypto insists on that bound of the RFC, but files
 * beyond it exist, the Web3 Secret Storage Definition's own example among them. The
 * caller has bounded the parameters. False if the memory isn't there. */
NODISCARD bool scrypt_portable(uint8_t *out, size_t out_len, struct bytes password,
                               struct bytes salt, uint64_t n, uint32_t r, uint32_t p);

#endif
