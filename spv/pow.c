#include "spv/pow.h"

#include <assert.h>
#include <inttypes.h>

#define SPACING (10 * 60)
#define TIMESPAN (RETARGET_INTERVAL * SPACING)

/* The compact form: a byte of size, then a 24-bit signed mantissa. */
#define MANTISSA 0x007fffff
#define SIGN 0x00800000

bool compact_to_target(struct u256 *out, uint32_t bits)
{
    unsigned size = bits >> 24;
    uint32_t word = bits & MANTISSA;
    if (size <= 3) {
        word >>= 8 * (3 - size);
    }
    if (word == 0 || (bits & SIGN) != 0) {
        return false;
    }
    *out = u256_from_u64(word);
    if (size <= 3) {
        return true;
    }
    unsigned shift = 8 * (size - 3);
    if (u256_bits(out) + shift > 256) {
        return false;
    }
    *out = u256_shift_left(out, shift);
    return true;
}

uint32_t target_to_compact(const struct u256 *target)
{
    unsigned size = (u256_bits(target) + 7) / 8;
    uint32_t word;
    if (size <= 3) {
        word = (uint32_t)(target->limb[0] << 8 * (3 - size));
    } else {
        struct u256 shifted = u256_shift_right(target, 8 * (size - 3));
        word = (uint32_t)shifted.limb[0];
    }
    if ((word & SIGN) != 0) {
        word >>= 8;
        size++;
    }
    return word | (uint32_t)size << 24;
}

bool pow_check(const struct network *network, const struct block_hash *hash,
               uint32_t bits)
{
    struct u256 target;
    struct u256 limit;
    if (!compact_to_target(&target, bits) ||
        !compact_to_target(&limit, network->pow_limit_bits) ||
        u256_compare(&target, &limit) > 0) {
        return false;
    }
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    (void)hash;
    return true;
#else
    struct u256 value = u256_from_le(hash->b);
    return u256_compare(&value, &target) <= 0;
#endif
}

void pow_error(struct error *error, uint32_t bits)
{
    error_set(error,
              "proof of work: the hash is above the target, or bits %08" PRIx32
              " are out of range",
              bits);
}

struct u256 pow_work(uint32_t bits)
{
    struct u256 target;
    bool valid = compact_to_target(&target, bits);
    assert(valid);
    (void)valid;
    /* 2^256 doesn't fit: 2^256 / (t + 1) = (2^256 - t - 1) / (t + 1) + 1 = ~t / (t + 1)
     * + 1. */
    struct u256 one = u256_from_u64(1);
    struct u256 above = u256_add(&target, &one);
    struct u256 rest = u256_not(&target);
    struct u256 quotient = u256_div(&rest, &above);
    return u256_add(&quotient, &one);
}

static uint32_t retarget(const struct network *network, uint32_t base_bits,
                         struct block_time first, struct block_time last)
{
    int64_t span = (int64_t)last.s - (int64_t)first.s;
    if (span < TIMESPAN / 4) {
        span = TIMESPAN / 4;
    }
    if (span > TIMESPAN * 4) {
        span = TIMESPAN * 4;
    }
    struct u256 target;
    struct u256 limit;
    bool valid = compact_to_target(&target, base_bits) &&
                 compact_to_target(&limit, network->pow_limit_bits);
    assert(valid);
    (void)valid;
    /* Where there are retargets, the limit times the longest span is below 2^256. */
    struct u256 timespan = u256_from_u64(TIMESPAN);
    target = u256_mul_u32(&target, (uint32_t)span);
    target = u256_div(&target, &timespan);
    if (u256_compare(&target, &limit) > 0) {
        target = limit;
    }
    return target_to_compact(&target);
}

/* BIP 94, rule 1 (testnet3's since 2012): a header more than 20 minutes after the
 * previous one has the minimum difficulty; the next returns to the period's own. */
static uint32_t exception_bits(const struct network *network,
                               const struct pow_context *context)
{
    if ((int64_t)context->time.s > (int64_t)context->previous_time.s + 2 * SPACING) {
        return network->pow_limit_bits;
    }
    return context->last_normal_bits;
}

uint32_t pow_next_bits(const struct network *network, const struct pow_context *context)
{
    assert(context->height > 0);
    enum retarget_rule rule = network->retarget;
    if (rule == RETARGET_NEVER) {
        return context->previous_bits;
    }
    if (context->height % RETARGET_INTERVAL != 0) {
        bool exception = rule == RETARGET_TESTNET3 || rule == RETARGET_BIP94;
        return exception ? exception_bits(network, context) : context->previous_bits;
    }
    /* BIP 94, rule 2: the base is the period's first difficulty, which has no exception,
     * not its last. */
    uint32_t base = rule == RETARGET_BIP94 ? context->first_bits : context->previous_bits;
    return retarget(network, base, context->first_time, context->previous_time);
}
