/* Hash functions. SHA-256 and RIPEMD-160 are libcrypto's; SipHash-2-4 is ours. Many
 * messages at once: base/sha256_many.h. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/sha.h>

/* SHA-256 in pieces. Init/Update/Final is several times faster than OpenSSL 3's one-shot
 * call for short inputs. */
struct sha256 {
    SHA256_CTX ctx;
};

void sha256_init(struct sha256 *hash);
void sha256_update(struct sha256 *hash, const void *data, size_t len);
void sha256_final(struct sha256 *hash, uint8_t out[static 32]);

void sha256(uint8_t out[static 32], const void *data, size_t len);
/* SHA-256 of SHA-256. */
void sha256d(uint8_t out[static 32], const void *data, size_t len);
/* Finish with the second SHA-256. */
void sha256d_final(struct sha256 *hash, uint8_t out[static 32]);
/* BIP 340: start SHA256(SHA256(tag) || SHA256(tag) || ...). */
void sha256_tagged_init(struct sha256 *hash, const char *tag);
/* SHA3-256 (not Ethereum's Keccak-256, which pads otherwise). */
void sha3_256(uint8_t out[static 32], const void *data, size_t len);
/* RIPEMD-160 of SHA-256. */
void hash160(uint8_t out[static 20], const void *data, size_t len);

/* SipHash-2-4 with 64-bit result (Aumasson and Bernstein). */
uint64_t siphash(uint64_t k0, uint64_t k1, const void *data, size_t len);

#endif
