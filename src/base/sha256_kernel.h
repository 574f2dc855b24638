/* SHA-256 of many messages side by side in the lanes of a processor's vectors. */
#ifndef BASE_SHA256_KERNEL_H
#define BASE_SHA256_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BLOCK 64
#define SHA256_LANES_MAX 16

/* FIPS 180-4's initial hash value. */
extern const uint32_t sha256_initial[8];

/* States lie word by word, in each word lane by lane: lane l's word i is
 * states[i * lanes + l]. */
struct sha256_kernel {
    const char *name;
    size_t lanes; /* at most SHA256_LANES_MAX */

    /* Take up `blocks` blocks from each lane's pointer, one behind the other. */
    void (*compress)(uint32_t *states, const uint8_t *const *data, size_t blocks);
    /* Replace each lane's state by SHA-256 of the 32 bytes that it stands for. */
    void (*again)(uint32_t *states);
};

/* Those that this processor runs, the fastest first; NULL ends them. */
const struct sha256_kernel *const *sha256_kernels(void);

/* The one to use, or NULL where one message after the other, as libcrypto hashes them,
 * is the fastest way. */
const struct sha256_kernel *sha256_kernel(void);

#endif
