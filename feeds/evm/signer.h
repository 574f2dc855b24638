/* secp256k1 ECDSA with a recoverable signer, as EVM chains use it. */
#ifndef FEEDS_EVM_SIGNER_H
#define FEEDS_EVM_SIGNER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/error.h"
#include "feeds/evm/evm_types.h"

#define EVM_KEY_SIZE 32
#define EVM_COMPACT_SIZE 64

struct evm_signature {
    uint8_t r[32];
    uint8_t s[32];    /* at most half the curve's order (EIP-2) */
    uint8_t y_parity; /* 0 or 1 */
};

/* EIP-2098: r, then s with y_parity in its top bit. */
void evm_signature_compact(uint8_t out[static EVM_COMPACT_SIZE],
                           const struct evm_signature *signature);
/* Only the form is read; evm_recover() says whether it is a signature. */
void evm_signature_from_compact(struct evm_signature *out,
                                const uint8_t compact[static EVM_COMPACT_SIZE]);

/* Who signed the digest; false for a high s and for what nobody can have signed. */
NODISCARD bool evm_recover(struct evm_address *out, const struct evm_signature *signature,
                           const struct evm_hash *digest);

/* A key in memory, wiped when freed. */
struct evm_signer;

/* NULL if `key` is zero or not below the curve's order. `seed` is 32 fresh random bytes,
 * which blind the computation against timing; the caller wipes both of his. */
struct evm_signer *evm_signer_new(const uint8_t key[static EVM_KEY_SIZE],
                                  const uint8_t seed[static 32]);
void evm_signer_free(struct evm_signer *signer);

const struct evm_address *evm_signer_address(const struct evm_signer *signer);

/* Sign (deterministic, RFC 6979; low s), recover the signer from the signature and
 * compare, and only then release it. */
NODISCARD bool evm_signer_sign(const struct evm_signer *signer, struct evm_signature *out,
                               const struct evm_hash *digest, struct error *error);

#endif
