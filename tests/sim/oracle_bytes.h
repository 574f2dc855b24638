/* The oracle's own bytes and hashes. Nothing here is shared with the program, so that a
 * fault of its serialisers, hashes or filters can't hide itself. Only libcrypto's SHA-256
 * is common. */
#ifndef TESTS_SIM_ORACLE_BYTES_H
#define TESTS_SIM_ORACLE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct oracle_hash {
    uint8_t b[32];
};

bool oracle_hash_equal(const struct oracle_hash *a, const struct oracle_hash *b);

/* Bytes that grow. Zero-initialised is empty; free(data). */
struct oracle_bytes {
    uint8_t *data;
    size_t len, room;
};

void add_data(struct oracle_bytes *bytes, const void *data, size_t len);
void add_u8(struct oracle_bytes *bytes, uint8_t value);
/* The `len` low bytes of a number, least significant first. */
void add_le(struct oracle_bytes *bytes, uint64_t value, size_t len);
/* Bitcoin's variable-length integer. */
void add_varint(struct oracle_bytes *bytes, uint64_t value);
void add_hash(struct oracle_bytes *bytes, const struct oracle_hash *hash);

uint64_t take_le(const uint8_t *data, size_t len);

/* SHA-256 of SHA-256. */
struct oracle_hash oracle_sha256d(const void *data, size_t len);
struct oracle_hash oracle_sha256(const void *data, size_t len);
/* SipHash-2-4. */
uint64_t oracle_siphash(uint64_t key0, uint64_t key1, const uint8_t *data, size_t len);

#endif
