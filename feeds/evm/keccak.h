/* Keccak-256 as Ethereum uses it: SHA-3's permutation under the submission's padding,
 * which OpenSSL 3.0 doesn't offer. */
#ifndef FEEDS_EVM_KECCAK_H
#define FEEDS_EVM_KECCAK_H

#include <stddef.h>
#include <stdint.h>

#define KECCAK256_RATE 136 /* bytes taken in between two permutations */

/* The first byte of padding, all in which Keccak-256 and FIPS 202's SHA3-256 differ. */
enum keccak_padding { KECCAK_PADDING = 0x01, SHA3_PADDING = 0x06 };

struct keccak256 {
    uint64_t state[25];
    size_t filled; /* bytes of the block that are in already, below the rate */
};

void keccak256_init(struct keccak256 *hash);
void keccak256_update(struct keccak256 *hash, const void *data, size_t len);
void keccak256_final(struct keccak256 *hash, uint8_t out[static 32]);
/* The same under either padding: so the permutation is checked against libcrypto's SHA-3.
 */
void keccak256_final_padded(struct keccak256 *hash, uint8_t out[static 32],
                            enum keccak_padding padding);

void keccak256(uint8_t out[static 32], const void *data, size_t len);

#endif
