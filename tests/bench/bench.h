/* Time as the benches take it: CPU time of this thread, over runs of about a millisecond
 * each, so that what else the machine does counts little. */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#define BENCH_RUNS 61
#define BENCH_RUN_NS 1000000

/* Nanoseconds of one call: the median of all runs, the fastest, and the bounds of the
 * middle half. */
struct bench_time {
    double median, least, low, high;
};

static inline double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline double bench_wall(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline double bench_run(void (*call)(void *context), void *context, size_t calls)
{
    double start = bench_now();
    for (size_t i = 0; i < calls; i++)
        call(context);
    return (bench_now() - start) / (double)calls;
}

static inline int bench_ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* What these runs come to; sorts them. */
static inline struct bench_time bench_of(double *runs, size_t count)
{
    qsort(runs, count, sizeof(runs[0]), bench_ascending);
    return (struct bench_time){runs[count / 2], runs[0], runs[count / 4],
                               runs[count * 3 / 4]};
}

static inline struct bench_time bench(void (*call)(void *context), void *context)
{
    double runs[BENCH_RUNS];
    size_t calls = 1;
    while (bench_run(call, context, calls) * (double)calls < BENCH_RUN_NS)
        calls *= 2;
    for (size_t i = 0; i < BENCH_RUNS; i++)
        runs[i] = bench_run(call, context, calls);
    return bench_of(runs, BENCH_RUNS);
}

#endif
