/* A small deterministic generator (SplitMix64) for choices that need no secrecy beyond
 * their seed: the same seed gives the same run. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state;
};

void random_init(struct random *random, uint64_t seed);
uint64_t random_u64(struct random *random);
/* Uniform in 0 .. limit - 1; limit > 0. */
uint64_t random_below(struct random *random, uint64_t limit);

#endif
