/* Twice SHA-256 of many messages, side by side in the lanes of the processor's vectors
 * where that is the faster way. */
#ifndef BASE_SHA256_MANY_H
#define BASE_SHA256_MANY_H

#include "base/bytes.h"
#include "base/sha256_kernel.h"

/* Messages of `len` bytes each, one behind the other from `in` on. `out` may start where
 * `in` does if len is at least 32. */
void sha256d_each(uint8_t (*out)[32], const uint8_t *in, size_t len, size_t count);

/* A message is up to so many pieces, one behind the other. */
#define SHA256D_PIECES 3
/* Hashed together; more would gain little. */
#define SHA256D_BATCH_MAX 4096

struct sha256d_message {
    struct bytes pieces[SHA256D_PIECES];
    uint8_t *out;
};

/* Messages of any lengths that wait to be hashed together. */
struct sha256d_batch {
    const struct sha256_kernel *kernel;
    struct sha256d_message *messages;
    size_t count, capacity;
};

/* For about `expected` messages. */
void sha256d_batch_init(struct sha256d_batch *batch, size_t expected);
void sha256d_batch_release(struct sha256d_batch *batch);
/* Put 32 bytes into `out` at some time until sha256d_batch_finish; the pieces must be
 * there that long. */
void sha256d_batch_add(struct sha256d_batch *batch, uint8_t *out,
                       const struct bytes pieces[static SHA256D_PIECES]);
void sha256d_batch_finish(struct sha256d_batch *batch);

/* The same with this kernel; NULL: libcrypto, one message after the other. */
void sha256d_each_with(uint8_t (*out)[32], const uint8_t *in, size_t len, size_t count,
                       const struct sha256_kernel *kernel);
void sha256d_batch_init_with(struct sha256d_batch *batch, size_t expected,
                             const struct sha256_kernel *kernel);

#endif
