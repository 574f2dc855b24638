#include "feeds/evm/keccak.h"

#include <string.h>

#include "base/bytes.h"

#define ROUNDS 24

static const uint64_t round_constants[ROUNDS] = {
    UINT64_C(0x0000000000000001), UINT64_C(0x0000000000008082),
    UINT64_C(0x800000000000808a), UINT64_C(0x8000000080008000),
    UINT64_C(0x000000000000808b), UINT64_C(0x0000000080000001),
    UINT64_C(0x8000000080008081), UINT64_C(0x8000000000008009),
    UINT64_C(0x000000000000008a), UINT64_C(0x0000000000000088),
    UINT64_C(0x0000000080008009), UINT64_C(0x000000008000000a),
    UINT64_C(0x000000008000808b), UINT64_C(0x800000000000008b),
    UINT64_C(0x8000000000008089), UINT64_C(0x8000000000008003),
    UINT64_C(0x8000000000008002), UINT64_C(0x8000000000000080),
    UINT64_C(0x000000000000800a), UINT64_C(0x800000008000000a),
    UINT64_C(0x8000000080008081), UINT64_C(0x8000000000008080),
    UINT64_C(0x0000000080000001), UINT64_C(0x8000000080008008),
};

/* The walk of pi from lane 1 on, and the rotation of rho for the lane that arrives. */
static const uint8_t pi_lane[24] = {10, 7,  11, 17, 18, 3, 5,  16, 8,  21, 24, 4,
                                    15, 23, 19, 13, 12, 2, 20, 14, 22, 9,  6,  1};
static const uint8_t rho_bits[24] = {1,  3,  6,  10, 15, 21, 28, 36, 45, 55, 2,  14,
                                     27, 41, 56, 8,  25, 43, 62, 18, 39, 61, 20, 44};

static uint64_t rotate_left(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static void theta(uint64_t lanes[static 25])
{
    uint64_t parity[5];
    for (size_t x = 0; x < 5; x++)
        parity[x] =
            lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20];
    for (size_t x = 0; x < 5; x++) {
        uint64_t mix = parity[(x + 4) % 5] ^ rotate_left(parity[(x + 1) % 5], 1);
        for (size_t y = 0; y < 25; y += 5)
            lanes[x + y] ^= mix;
    }
}

static void rho_pi(uint64_t lanes[static 25])
{
    uint64_t moving = lanes[1];
    for (size_t i = 0; i < 24; i++) {
        uint64_t displaced = lanes[pi_lane[i]];
        lanes[pi_lane[i]] = rotate_left(moving, rho_bits[i]);
        moving = displaced;
    }
}

static void chi(uint64_t lanes[static 25])
{
    for (size_t y = 0; y < 25; y += 5) {
        uint64_t row[5];
        memcpy(row, lanes + y, sizeof(row));
        for (size_t x = 0; x < 5; x++)
            lanes[x + y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5]);
    }
}

static void permute(uint64_t lanes[static 25])
{
    for (size_t round = 0; round < ROUNDS; round++) {
        theta(lanes);
        rho_pi(lanes);
        chi(lanes);
        lanes[0] ^= round_constants[round];
    }
}

static void absorb_byte(struct keccak256 *hash, size_t at, uint8_t byte)
{
    hash->state[at / 8] ^= (uint64_t)byte << (8 * (at % 8));
}

void keccak256_init(struct keccak256 *hash)
{
    *hash = (struct keccak256){0};
}

void keccak256_update(struct keccak256 *hash, const void *data, size_t len)
{
    const uint8_t *in = data;
    for (size_t i = 0; i < len; i++) {
        absorb_byte(hash, hash->filled++, in[i]);
        if (hash->filled == KECCAK256_RATE) {
            permute(hash->state);
            hash->filled = 0;
        }
    }
}

void keccak256_final_padded(struct keccak256 *hash, uint8_t out[static 32],
                            enum keccak_padding padding)
{
    absorb_byte(hash, hash->filled, (uint8_t)padding);
    absorb_byte(hash, KECCAK256_RATE - 1, 0x80);
    permute(hash->state);
    for (size_t i = 0; i < 4; i++)
        put_u64le(out + 8 * i, hash->state[i]);
}

void keccak256_final(struct keccak256 *hash, uint8_t out[static 32])
{
    keccak256_final_padded(hash, out, KECCAK_PADDING);
}

void keccak256(uint8_t out[static 32], const void *data, size_t len)
{
    struct keccak256 hash;
    keccak256_init(&hash);
    keccak256_update(&hash, data, len);
    keccak256_final(&hash, out);
}
