/* Cost against size: an axis is what grows, a step is what is done with all of it. */
#ifndef TESTS_BENCH_GROWTH_H
#define TESTS_BENCH_GROWTH_H

#include <stdint.h>

#define GROWTH_STEPS_MAX 6

struct growth_axis {
    const char *name;
    uint64_t from, small, full; /* sizes, by tens */
    void *(*open)(uint64_t largest);
    void (*grow)(void *context, uint64_t size); /* to a size above the one before */
    void (*close)(void *context);
    struct growth_step {
        const char *name;
        void (*run)(void *context);
        void (*again)(void *context); /* unmeasured, after each run; NULL: nothing */
    } steps[GROWTH_STEPS_MAX];
};

extern const struct growth_axis growth_scripts, growth_coins, growth_feeds,
    growth_headers;

#endif
