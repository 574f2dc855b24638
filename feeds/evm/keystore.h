/* Keys at rest: the Web3 Secret Storage Definition, version 3. Key and password are in
 * memory only as long as a call needs them, and are wiped. */
#ifndef FEEDS_EVM_KEYSTORE_H
#define FEEDS_EVM_KEYSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/error.h"
#include "feeds/evm/evm_types.h"
#include "feeds/evm/signer.h"

/* A file is some 500 bytes; some programs add keys of their own. */
#define KEYSTORE_FILE_MAX ((size_t)16 << 10)

/* scrypt's parameters. Of a file they are taken up to 512 MiB of memory and up to four
 * times the default's work. */
struct keystore_cost {
    uint64_t n;
    uint32_t r, p;
};
/* What others make by default: 256 MiB, about a second. */
#define KEYSTORE_COST_DEFAULT ((struct keystore_cost){262144, 8, 1})

/* Fresh random bytes for one file. */
struct keystore_entropy {
    uint8_t salt[32];
    uint8_t iv[16];
    uint8_t id[16];
};

/* Append the text of a file that holds the key. False, saying so, when the memory for
 * scrypt isn't there. */
NODISCARD bool keystore_make(struct writer *out, const uint8_t key[static EVM_KEY_SIZE],
                             const struct evm_address *address, struct bytes password,
                             const struct keystore_entropy *entropy,
                             struct keystore_cost cost, struct error *error);

/* Open a file: scrypt or pbkdf2, AES-128-CTR. `seed` as for evm_signer_new(). NULL, with
 * the reason, for what isn't such a file, for parameters beyond the bounds, for a wrong
 * password, and for a key that isn't the address's which the file names. The errors name
 * no file: put its name in front. */
struct evm_signer *keystore_open(const char *text, size_t len, struct bytes password,
                                 const uint8_t seed[static 32], struct error *error);

/* Which address a file says it is of, without a password: *known is false if it doesn't
 * say. False, with the reason, for what keystore_open() would refuse unseen. */
NODISCARD bool keystore_address(struct evm_address *out, bool *known, const char *text,
                                size_t len, struct error *error);

#endif
