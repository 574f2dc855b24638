#include "spv/u256.h"

#include <assert.h>
#include <stddef.h>

#include "base/bytes.h"

#define LIMBS 4
#define LIMB_BITS 64

struct u256 u256_from_u64(uint64_t value)
{
    return (struct u256){{value, 0, 0, 0}};
}

struct u256 u256_from_le(const uint8_t in[static 32])
{
    struct u256 out;
    for (size_t i = 0; i < LIMBS; i++) {
        out.limb[i] = get_u64le(in + 8 * i);
    }
    return out;
}

struct u256 u256_from_be(const uint8_t in[static 32])
{
    struct u256 out;
    for (size_t i = 0; i < LIMBS; i++) {
        out.limb[LIMBS - 1 - i] = get_u64be(in + 8 * i);
    }
    return out;
}

void u256_to_be(uint8_t out[static 32], const struct u256 *value)
{
    for (size_t i = 0; i < LIMBS; i++) {
        put_u64be(out + 8 * i, value->limb[LIMBS - 1 - i]);
    }
}

int u256_compare(const struct u256 *a, const struct u256 *b)
{
    for (size_t i = LIMBS; i-- > 0;) {
        if (a->limb[i] != b->limb[i]) {
            return a->limb[i] < b->limb[i] ? -1 : 1;
        }
    }
    return 0;
}

bool u256_is_zero(const struct u256 *value)
{
    return (value->limb[0] | value->limb[1] | value->limb[2] | value->limb[3]) == 0;
}

struct u256 u256_add(const struct u256 *a, const struct u256 *b)
{
    struct u256 out;
    uint64_t carry = 0;
    for (size_t i = 0; i < LIMBS; i++) {
        uint64_t sum = a->limb[i] + b->limb[i];
        uint64_t over = sum < a->limb[i];
        out.limb[i] = sum + carry;
        carry = over | (out.limb[i] < sum);
    }
    return out;
}

struct u256 u256_sub(const struct u256 *a, const struct u256 *b)
{
    struct u256 out;
    uint64_t borrow = 0;
    for (size_t i = 0; i < LIMBS; i++) {
        uint64_t difference = a->limb[i] - b->limb[i];
        uint64_t under = a->limb[i] < b->limb[i];
        out.limb[i] = difference - borrow;
        borrow = under | (difference < borrow);
    }
    return out;
}

struct u256 u256_mul_u32(const struct u256 *a, uint32_t b)
{
    struct u256 out;
    uint64_t carry = 0;
    for (size_t i = 0; i < LIMBS; i++) {
        uint64_t low = (a->limb[i] & UINT32_MAX) * b + carry;
        uint64_t high = (a->limb[i] >> 32) * b + (low >> 32);
        out.limb[i] = high << 32 | (low & UINT32_MAX);
        carry = high >> 32;
    }
    return out;
}

struct u256 u256_shift_left(const struct u256 *a, unsigned bits)
{
    struct u256 out = {{0}};
    size_t limbs = bits / LIMB_BITS;
    unsigned rest = bits % LIMB_BITS;
    for (size_t i = limbs; i < LIMBS; i++) {
        out.limb[i] = a->limb[i - limbs] << rest;
        if (rest != 0 && i > limbs) {
            out.limb[i] |= a->limb[i - limbs - 1] >> (LIMB_BITS - rest);
        }
    }
    return out;
}

struct u256 u256_shift_right(const struct u256 *a, unsigned bits)
{
    struct u256 out = {{0}};
    size_t limbs = bits / LIMB_BITS;
    unsigned rest = bits % LIMB_BITS;
    for (size_t i = limbs; i < LIMBS; i++) {
        out.limb[i - limbs] = a->limb[i] >> rest;
        if (rest != 0 && i + 1 < LIMBS) {
            out.limb[i - limbs] |= a->limb[i + 1] << (LIMB_BITS - rest);
        }
    }
    return out;
}

struct u256 u256_not(const struct u256 *a)
{
    return (struct u256){{~a->limb[0], ~a->limb[1], ~a->limb[2], ~a->limb[3]}};
}

unsigned u256_bits(const struct u256 *value)
{
    for (unsigned i = LIMBS; i-- > 0;) {
        if (value->limb[i] != 0) {
            return (i + 1) * LIMB_BITS - (unsigned)__builtin_clzll(value->limb[i]);
        }
    }
    return 0;
}

/* Shift and subtract, one step for each bit of the quotient. Targets are long and their
 * quotients short, so that nothing faster is needed. */
struct u256 u256_div(const struct u256 *a, const struct u256 *b)
{
    assert(!u256_is_zero(b));
    struct u256 quotient = {{0}};
    if (u256_compare(a, b) < 0) {
        return quotient;
    }
    unsigned shift = u256_bits(a) - u256_bits(b);
    struct u256 rest = *a;
    struct u256 divisor = u256_shift_left(b, shift);
    for (unsigned i = shift + 1; i-- > 0;) {
        if (u256_compare(&rest, &divisor) >= 0) {
            rest = u256_sub(&rest, &divisor);
            quotient.limb[i / LIMB_BITS] |= UINT64_C(1) << i % LIMB_BITS;
        }
        divisor = u256_shift_right(&divisor, 1);
    }
    return quotient;
}
