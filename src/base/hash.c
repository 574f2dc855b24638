#include "base/hash.h"

#include <openssl/ripemd.h>
#include <string.h>

#include "base/bytes.h"
#include "base/siphash.h"

void sha256_init(struct sha256 *hash)
{
    SHA256_Init(&hash->ctx);
}

void sha256_update(struct sha256 *hash, const void *data, size_t len)
{
    SHA256_Update(&hash->ctx, data, len);
}

void sha256_final(struct sha256 *hash, uint8_t out[static 32])
{
    SHA256_Final(out, &hash->ctx);
}

void sha256(uint8_t out[static 32], const void *data, size_t len)
{
    struct sha256 hash;
    sha256_init(&hash);
    sha256_update(&hash, data, len);
    sha256_final(&hash, out);
}

void sha256d_final(struct sha256 *hash, uint8_t out[static 32])
{
    uint8_t inner[32];
    sha256_final(hash, inner);
    sha256(out, inner, sizeof(inner));
}

void sha256d(uint8_t out[static 32], const void *data, size_t len)
{
    struct sha256 hash;
    sha256_init(&hash);
    sha256_update(&hash, data, len);
    sha256d_final(&hash, out);
}

void sha256_tagged_init(struct sha256 *hash, const char *tag)
{
    uint8_t tag_hash[32];
    sha256(tag_hash, tag, strlen(tag));
    sha256_init(hash);
    sha256_update(hash, tag_hash, sizeof(tag_hash));
    sha256_update(hash, tag_hash, sizeof(tag_hash));
}

void hash160(uint8_t out[static 20], const void *data, size_t len)
{
    uint8_t inner[32];
    sha256(inner, data, len);
    /* The low-level calls: OpenSSL 3's EVP may refuse RIPEMD-160 as legacy. */
    RIPEMD160_CTX ctx;
    RIPEMD160_Init(&ctx);
    RIPEMD160_Update(&ctx, inner, sizeof(inner));
    RIPEMD160_Final(out, &ctx);
}

uint64_t siphash(uint64_t k0, uint64_t k1, const void *data, size_t len)
{
    struct sip_state state = sip_start(k0, k1);
    const uint8_t *in = data;
    size_t left = len;
    for (; left >= 8; left -= 8, in += 8)
        sip_absorb(&state, get_u64le(in));

    uint64_t last = (uint64_t)len << 56;
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)in[i] << (8 * i);
    sip_absorb(&state, last);
    return sip_finish(&state);
}
