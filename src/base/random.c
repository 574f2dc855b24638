#include "base/random.h"

#include <assert.h>

void random_init(struct random *random, uint64_t seed)
{
    random->state = seed;
}

uint64_t random_u64(struct random *random)
{
    random->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = random->state;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t random_below(struct random *random, uint64_t limit)
{
    assert(limit > 0);
    /* The lowest 2^64 mod limit values are drawn again: what stays divides evenly. */
    uint64_t reject = (0 - limit) % limit;
    uint64_t value;
    do
        value = random_u64(random);
    while (value < reject);
    return value % limit;
}
