/* 256-bit unsigned integers, as far as targets and chain work need them. */
#ifndef SPV_U256_H
#define SPV_U256_H

#include <stdbool.h>
#include <stdint.h>

/* Least significant limb first. */
struct u256 {
    uint64_t limb[4];
};

struct u256 u256_from_u64(uint64_t value);
struct u256 u256_from_le(const uint8_t in[static 32]);
struct u256 u256_from_be(const uint8_t in[static 32]);
void u256_to_be(uint8_t out[static 32], const struct u256 *value);

int u256_compare(const struct u256 *a, const struct u256 *b); /* < 0, 0, > 0 */
bool u256_is_zero(const struct u256 *value);
/* Modulo 2^256. */
struct u256 u256_add(const struct u256 *a, const struct u256 *b);
struct u256 u256_sub(const struct u256 *a, const struct u256 *b);
struct u256 u256_mul_u32(const struct u256 *a, uint32_t b);
struct u256 u256_div(const struct u256 *a, const struct u256 *b); /* b not zero */
struct u256 u256_shift_left(const struct u256 *a, unsigned bits);
struct u256 u256_shift_right(const struct u256 *a, unsigned bits);
struct u256 u256_not(const struct u256 *a);
unsigned u256_bits(
    const struct u256 *value); /* position of the highest set bit, 1-based; 0 for 0 */

#endif
