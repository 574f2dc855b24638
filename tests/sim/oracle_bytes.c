#include "tests/sim/oracle_bytes.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

bool oracle_hash_equal(const struct oracle_hash *a, const struct oracle_hash *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

void add_data(struct oracle_bytes *bytes, const void *data, size_t len)
{
    if (bytes->len + len > bytes->room) {
        bytes->room = (bytes->len + len) * 2 + 64;
        bytes->data = realloc(bytes->data, bytes->room);
        if (!bytes->data)
            abort();
    }
    if (len)
        memcpy(bytes->data + bytes->len, data, len);
    bytes->len += len;
}

void add_u8(struct oracle_bytes *bytes, uint8_t value)
{
    add_data(bytes, &value, 1);
}

void add_le(struct oracle_bytes *bytes, uint64_t value, size_t len)
{
    for (size_t i = 0; i < len; i++)
        add_u8(bytes, (uint8_t)(value >> 8 * i));
}

void add_varint(struct oracle_bytes *bytes, uint64_t value)
{
    if (value < 0xfd) {
        add_le(bytes, value, 1);
    } else if (value <= 0xffff) {
        add_u8(bytes, 0xfd);
        add_le(bytes, value, 2);
    } else {
        add_u8(bytes, 0xfe);
        add_le(bytes, value, 4);
    }
}

void add_hash(struct oracle_bytes *bytes, const struct oracle_hash *hash)
{
    add_data(bytes, hash->b, sizeof hash->b);
}

uint64_t take_le(const uint8_t *data, size_t len)
{
    uint64_t value = 0;
    for (size_t i = len; i-- > 0;)
        value = value << 8 | data[i];
    return value;
}

struct oracle_hash oracle_sha256(const void *data, size_t len)
{
    struct oracle_hash hash;
    if (!EVP_Digest(data, len, hash.b, NULL, EVP_sha256(), NULL))
        abort();
    return hash;
}

struct oracle_hash oracle_sha256d(const void *data, size_t len)
{
    struct oracle_hash first = oracle_sha256(data, len);
    return oracle_sha256(first.b, sizeof first.b);
}

struct sip {
    uint64_t v[4];
};

static uint64_t rotate(uint64_t value, int by)
{
    return value << by | value >> (64 - by);
}

static void sip_rounds(struct sip *sip, int count)
{
    uint64_t *v = sip->v;
    while (count-- > 0) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] = rotate(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] = rotate(v[2], 32);
    }
}

uint64_t oracle_siphash(uint64_t key0, uint64_t key1, const uint8_t *data, size_t len)
{
    struct sip sip = {
        {key0 ^ UINT64_C(0x736f6d6570736575), key1 ^ UINT64_C(0x646f72616e646f6d),
         key0 ^ UINT64_C(0x6c7967656e657261), key1 ^ UINT64_C(0x7465646279746573)}};
    size_t whole = len - len % 8;
    for (size_t i = 0; i < whole; i += 8) {
        uint64_t word = take_le(data + i, 8);
        sip.v[3] ^= word;
        sip_rounds(&sip, 2);
        sip.v[0] ^= word;
    }
    uint64_t last = (uint64_t)len << 56 | take_le(data + whole, len % 8);
    sip.v[3] ^= last;
    sip_rounds(&sip, 2);
    sip.v[0] ^= last;
    sip.v[2] ^= 0xff;
    sip_rounds(&sip, 4);
    return sip.v[0] ^ sip.v[1] ^ sip.v[2] ^ sip.v[3];
}
