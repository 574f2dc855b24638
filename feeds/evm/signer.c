#include "feeds/evm/signer.h"

#include <stdlib.h>
#include <string.h>

#include <secp256k1.h>
#include <secp256k1_recovery.h>

#include "base/mem.h"
#include "base/secret.h"
#include "feeds/evm/keccak.h"

struct evm_signer {
    secp256k1_context *context; /* blinded */
    uint8_t key[EVM_KEY_SIZE];
    struct evm_address address;
};

/* ---- signatures ---- */

void evm_signature_compact(uint8_t out[static EVM_COMPACT_SIZE],
                           const struct evm_signature *signature)
{
    memcpy(out, signature->r, 32);
    memcpy(out + 32, signature->s, 32);
    out[32] = (uint8_t)(out[32] | signature->y_parity << 7);
}

void evm_signature_from_compact(struct evm_signature *out,
                                const uint8_t compact[static EVM_COMPACT_SIZE])
{
    memcpy(out->r, compact, 32);
    memcpy(out->s, compact + 32, 32);
    out->y_parity = out->s[0] >> 7;
    out->s[0] &= 0x7f;
}

/* The last 20 bytes of the Keccak-256 of the point's coordinates. */
static void address_of(struct evm_address *out, const secp256k1_pubkey *point)
{
    uint8_t serialised[65], hash[32];
    size_t len = sizeof(serialised);
    secp256k1_ec_pubkey_serialize(secp256k1_context_static, serialised, &len, point,
                                  SECP256K1_EC_UNCOMPRESSED);
    keccak256(hash, serialised + 1, sizeof(serialised) - 1);
    memcpy(out->b, hash + 12, sizeof(out->b));
}

bool evm_recover(struct evm_address *out, const struct evm_signature *signature,
                 const struct evm_hash *digest)
{
    secp256k1_ecdsa_recoverable_signature recoverable;
    secp256k1_ecdsa_signature plain;
    secp256k1_pubkey point;
    uint8_t rs[64];
    if (signature->y_parity > 1)
        return false;
    memcpy(rs, signature->r, 32);
    memcpy(rs + 32, signature->s, 32);
    if (!secp256k1_ecdsa_recoverable_signature_parse_compact(
            secp256k1_context_static, &recoverable, rs, signature->y_parity))
        return false;
    /* EIP-2: an s above half the order is refused. */
    secp256k1_ecdsa_recoverable_signature_convert(secp256k1_context_static, &plain,
                                                  &recoverable);
    if (secp256k1_ecdsa_signature_normalize(secp256k1_context_static, NULL, &plain))
        return false;
    if (!secp256k1_ecdsa_recover(secp256k1_context_static, &point, &recoverable,
                                 digest->b))
        return false;
    address_of(out, &point);
    return true;
}

/* ---- the signer ---- */

struct evm_signer *evm_signer_new(const uint8_t key[static EVM_KEY_SIZE],
                                  const uint8_t seed[static 32])
{
    secp256k1_pubkey point;
    struct evm_signer *signer = mem_zalloc(1, sizeof(*signer));
    signer->context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    if (!secp256k1_context_randomize(signer->context, seed) ||
        !secp256k1_ec_pubkey_create(signer->context, &point, key)) {
        evm_signer_free(signer);
        return NULL;
    }
    memcpy(signer->key, key, sizeof(signer->key));
    address_of(&signer->address, &point);
    return signer;
}

void evm_signer_free(struct evm_signer *signer)
{
    if (signer == NULL)
        return;
    secp256k1_context_destroy(signer->context);
    secret_wipe(signer, sizeof(*signer));
    free(signer);
}

const struct evm_address *evm_signer_address(const struct evm_signer *signer)
{
    return &signer->address;
}

bool evm_signer_sign(const struct evm_signer *signer, struct evm_signature *out,
                     const struct evm_hash *digest, struct error *error)
{
    secp256k1_ecdsa_recoverable_signature recoverable;
    struct evm_signature signature;
    struct evm_address recovered;
    uint8_t rs[64];
    int recovery = -1;
    if (!secp256k1_ecdsa_sign_recoverable(signer->context, &recoverable, digest->b,
                                          signer->key, NULL, NULL))
        return error_set(error, "signing: the key or the digest was refused; check that "
                                "the key file is whole");
    secp256k1_ecdsa_recoverable_signature_serialize_compact(signer->context, rs,
                                                            &recovery, &recoverable);
    memcpy(signature.r, rs, 32);
    memcpy(signature.s, rs + 32, 32);
    /* A recovery number of 2 or 3 has no place in an EVM signature; nobody has met one.
     */
    signature.y_parity = (uint8_t)recovery;
    if (!evm_recover(&recovered, &signature, digest) ||
        !evm_address_equal(&recovered, &signer->address))
        return error_set(error, "signing: the signature doesn't lead back to its key, so "
                                "it isn't released; check the machine's memory");
    *out = signature;
    return true;
}
