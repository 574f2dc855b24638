#include "base/scrypt.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/cipher.h"
#include "base/secret.h"

#define BLOCK_WORDS 16 /* Salsa20's */

static uint32_t rotate_left(uint32_t value, unsigned bits)
{
    return value << bits | value >> (32 - bits);
}

static void quarter_round(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
    *b ^= rotate_left(*a + *d, 7);
    *c ^= rotate_left(*b + *a, 9);
    *d ^= rotate_left(*c + *b, 13);
    *a ^= rotate_left(*d + *c, 18);
}

/* RFC 7914, section 3: four times a round of columns and one of rows. */
static void salsa20_8(uint32_t block[static BLOCK_WORDS])
{
    uint32_t x[BLOCK_WORDS];
    memcpy(x, block, sizeof(x));
    for (size_t round = 0; round < 4; round++) {
        for (size_t i = 0; i < 4; i++)
            quarter_round(&x[5 * i], &x[(5 * i + 4) % 16], &x[(5 * i + 8) % 16],
                          &x[(5 * i + 12) % 16]);
        for (size_t i = 0; i < 4; i++)
            quarter_round(&x[5 * i], &x[4 * i + (i + 1) % 4], &x[4 * i + (i + 2) % 4],
                          &x[4 * i + (i + 3) % 4]);
    }
    for (size_t i = 0; i < BLOCK_WORDS; i++)
        block[i] += x[i];
}

/* Section 4: the blocks of even number come first, those of odd number behind. */
static void block_mix(uint32_t *out, const uint32_t *in, uint32_t r)
{
    uint32_t x[BLOCK_WORDS];
    memcpy(x, in + (size_t)(2 * r - 1) * BLOCK_WORDS, sizeof(x));
    for (size_t i = 0; i < 2 * (size_t)r; i++) {
        for (size_t j = 0; j < BLOCK_WORDS; j++)
            x[j] ^= in[i * BLOCK_WORDS + j];
        salsa20_8(x);
        memcpy(out + (i / 2 + i % 2 * r) * BLOCK_WORDS, x, sizeof(x));
    }
}

/* Section 5, on `words` words at `x`; `table` has room for n + 1 times as many. */
static void ro_mix(uint32_t *x, uint32_t *table, size_t words, uint64_t n, uint32_t r)
{
    uint32_t *mixed = table + n * words;
    for (uint64_t i = 0; i < n; i++) {
        memcpy(table + i * words, x, words * sizeof(*x));
        block_mix(mixed, x, r);
        memcpy(x, mixed, words * sizeof(*x));
    }
    for (uint64_t i = 0; i < n; i++) {
        const uint32_t *last = x + words - BLOCK_WORDS;
        uint64_t j = (last[0] | (uint64_t)last[1] << 32) & (n - 1);
        for (size_t k = 0; k < words; k++)
            x[k] ^= table[j * words + k];
        block_mix(mixed, x, r);
        memcpy(x, mixed, words * sizeof(*x));
    }
}

/* Mix each of the `p` parts of `bytes` in place. */
static void mix_parts(uint8_t *bytes, uint32_t *memory, size_t words, uint64_t n,
                      uint32_t r, uint32_t p)
{
    uint32_t *x = memory;
    for (size_t part = 0; part < p; part++) {
        uint8_t *at = bytes + part * words * 4;
        for (size_t i = 0; i < words; i++)
            x[i] = get_u32le(at + 4 * i);
        ro_mix(x, memory + words, words, n, r);
        for (size_t i = 0; i < words; i++)
            put_u32le(at + 4 * i, x[i]);
    }
}

bool scrypt_portable(uint8_t *out, size_t out_len, struct bytes password,
                     struct bytes salt, uint64_t n, uint32_t r, uint32_t p)
{
    size_t words = (size_t)r * 2 * BLOCK_WORDS;
    size_t bytes_len = words * 4 * p, memory_len = (n + 2) * words * 4;
    /* Not mem_alloc(): too little memory for this is the caller's to report. */
    uint8_t *bytes = malloc(bytes_len);
    uint32_t *memory = malloc(memory_len);
    bool ok = bytes != NULL && memory != NULL &&
              pbkdf2_sha256(bytes, bytes_len, password, salt, 1);
    if (ok) {
        mix_parts(bytes, memory, words, n, r, p);
        ok = pbkdf2_sha256(out, out_len, password, (struct bytes){bytes, bytes_len}, 1);
        secret_wipe(bytes, bytes_len);
        secret_wipe(memory, memory_len);
    }
    free(bytes);
    free(memory);
    return ok;
}

bool scrypt(uint8_t *out, size_t out_len, struct bytes password, struct bytes salt,
            uint64_t n, uint32_t r, uint32_t p, uint64_t max_memory)
{
    /* A NULL password would mean a query of the parameters. */
    const char *text = password.len > 0 ? (const char *)password.data : "";
    if (r > 0 && r < 4 && p > 0 && n >> (16 * r) != 0) {
        /* With r below 4, no product here comes near 2^64 once n and p are bounded. */
        if ((n & (n - 1)) != 0 || n > UINT32_MAX || 128 * r * (n + p + 2) > max_memory)
            return false;
        return scrypt_portable(out, out_len, password, salt, n, r, p);
    }
    return EVP_PBE_scrypt(text, password.len, salt.data, salt.len, n, r, p, max_memory,
                          out, out_len) == 1;
}
