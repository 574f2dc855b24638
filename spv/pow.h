/* Proof of work: targets, retargeting, work. */
#ifndef SPV_POW_H
#define SPV_POW_H

#include "base/error.h"
#include "spv/header.h"
#include "spv/network.h"
#include "spv/u256.h"

/* Expand the compact form; false if it is negative, zero, or overflows 256 bits. */
NODISCARD bool compact_to_target(struct u256 *out, uint32_t bits);
uint32_t target_to_compact(const struct u256 *target);

/* Whether the hash, read as a little-endian number, is at most the target that `bits`
 * stands for, and that target at most the network's limit. (The fuzz build takes the hash
 * as good enough.) */
NODISCARD bool pow_check(const struct network *network, const struct block_hash *hash,
                         uint32_t bits);

/* Say that a header with these bits failed pow_check. */
void pow_error(struct error *error, uint32_t bits);

/* 2^256 / (target + 1): the expected number of hashes behind a header with these valid
 * bits. */
struct u256 pow_work(uint32_t bits);

/* What the next header's bits must be. */
struct pow_context {
    uint32_t height; /* of the new header, at least 1 */
    uint32_t previous_bits;
    struct block_time previous_time;
    struct block_time time; /* of the new header */
    /* Of the first header of the period that the previous header ends; used only at
     * heights divisible by RETARGET_INTERVAL. */
    uint32_t first_bits;
    struct block_time first_time;
    /* Testnet3's exception: bits of the newest header at or below the previous that isn't
     * at the limit by exception (or is at a period's start). */
    uint32_t last_normal_bits;
};
uint32_t pow_next_bits(const struct network *network, const struct pow_context *context);

#endif
