#include "tests/sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void *sim_zeroed(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (!memory)
        abort();
    return memory;
}

uint64_t sim_below(struct sim *sim, uint64_t limit)
{
    return random_below(&sim->random, limit);
}

bool sim_once_in(struct sim *sim, uint64_t times)
{
    return sim_below(sim, times) == 0;
}

void sim_lowest_births(uint32_t births[SIM_SCRIPTS], const struct sim_watch *watch)
{
    for (size_t s = 0; s < SIM_SCRIPTS; s++)
        births[s] = BIRTH_NONE;
    for (size_t f = 0; f < watch->feed_count; f++)
        for (size_t s = 0; s < SIM_SCRIPTS; s++)
            if (watch->feeds[f].births[s] < births[s])
                births[s] = watch->feeds[f].births[s];
}

void sim_say(const struct sim *sim, const char *format, ...)
{
    if (!sim->verbose)
        return;
    va_list args;
    va_start(args, format);
    printf("%6lld.%03lld ", (long long)(sim->now_ms / 1000),
           (long long)(sim->now_ms % 1000));
    vprintf(format, args);
    printf("\n");
    va_end(args);
}

void sim_fail(const struct sim *sim, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fflush(stdout);
    fprintf(stderr,
            "sim: seed %llu, step %llu, at %lld ms: ", (unsigned long long)sim->seed,
            (unsigned long long)sim->steps, (long long)sim->now_ms);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\nsim: to see it again: sim %llu 1 -v\n",
            (unsigned long long)sim->seed);
    va_end(args);
    exit(1);
}

/* ---- the heap of events ---- */

static bool sooner(const struct happening *a, const struct happening *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void swap(struct happening *a, struct happening *b)
{
    struct happening kept = *a;
    *a = *b;
    *b = kept;
}

void sim_later(struct sim *sim, int64_t in_ms, void (*run)(struct sim *, void *),
               void (*drop)(void *), void *data)
{
    if (sim->event_count == sim->event_room) {
        sim->event_room = sim->event_room * 2 + 64;
        sim->events = realloc(sim->events, sim->event_room * sizeof *sim->events);
        if (!sim->events)
            abort();
    }
    size_t at = sim->event_count++;
    sim->events[at] =
        (struct happening){sim->now_ms + in_ms, sim->event_order++, run, drop, data};
    for (; at && sooner(&sim->events[at], &sim->events[(at - 1) / 2]); at = (at - 1) / 2)
        swap(&sim->events[at], &sim->events[(at - 1) / 2]);
}

bool sim_next(struct sim *sim)
{
    if (!sim->event_count)
        return false;
    struct happening first = sim->events[0];
    sim->events[0] = sim->events[--sim->event_count];
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++)
            if (child < sim->event_count &&
                sooner(&sim->events[child], &sim->events[least]))
                least = child;
        if (least == at)
            break;
        swap(&sim->events[at], &sim->events[least]);
        at = least;
    }
    sim->now_ms = first.at;
    first.run(sim, first.data);
    return true;
}

void sim_drop_events(struct sim *sim)
{
    for (size_t i = 0; i < sim->event_count; i++)
        if (sim->events[i].drop)
            sim->events[i].drop(sim->events[i].data);
    free(sim->events);
    sim->events = NULL;
    sim->event_count = sim->event_room = 0;
}
