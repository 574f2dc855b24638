/* bench_growth [full [AXIS]]: cost against size, of scripts, coins, feeds and headers. A
 * line for each point, with the local exponent: how the cost grew since the size before
 * it, as the power of the size. `full` goes to the sizes that are promised;
 * plot_growth.py draws what is printed. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "growth.h"
#include "place.h"

#define RUNS_LEAST 3
#define RUNS_MOST 61
#define STEP_NS 100e6

static struct bench_time run_step(const struct growth_step *step, void *context)
{
    double runs[RUNS_MOST], total = 0;
    size_t count = 0;
    while (count < RUNS_LEAST || (count < RUNS_MOST && total < STEP_NS)) {
        runs[count] = bench_run(step->run, context, 1);
        total += runs[count++];
        if (step->again != NULL)
            step->again(context);
    }
    return bench_of(runs, count);
}

static void run_axis(const struct growth_axis *axis, bool full)
{
    uint64_t largest = full ? axis->full : axis->small;
    double before[GROWTH_STEPS_MAX] = {0};
    void *context = axis->open(largest);
    for (uint64_t size = axis->from; size <= largest; size *= 10) {
        axis->grow(context, size);
        for (size_t i = 0; i < GROWTH_STEPS_MAX && axis->steps[i].name != NULL; i++) {
            struct bench_time time = run_step(&axis->steps[i], context);
            printf("%-8s %-28s %9llu %14.0f %7.0f%%", axis->name, axis->steps[i].name,
                   (unsigned long long)size, time.median,
                   100 * (time.high - time.low) / time.median);
            if (before[i] > 0)
                printf(" %6.2f", log10(time.median / before[i]));
            printf("\n");
            fflush(stdout);
            before[i] = time.median;
        }
    }
    axis->close(context);
}

int main(int argc, char **argv)
{
    static const struct growth_axis *const axes[] = {&growth_scripts, &growth_coins,
                                                     &growth_feeds, &growth_headers};
    bool full = argc > 1 && strcmp(argv[1], "full") == 0, known = argc < 3;
    require(argc < 2 || full, "usage: bench_growth [full [AXIS]]");
    printf("%-8s %-28s %9s %14s %8s %6s\n", "what", "step", "size", "ns", "spread",
           "power");
    for (size_t i = 0; i < sizeof(axes) / sizeof(axes[0]); i++) {
        if (argc < 3 || strcmp(argv[2], axes[i]->name) == 0) {
            run_axis(axes[i], full);
            known = true;
        }
    }
    require(known, "the axes are scripts, coins, feeds and headers");
    return 0;
}
