#include "io/clock.h"

#include <time.h>

struct mono_time now_mono(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (struct mono_time){(int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000};
}

struct wall_time now_wall(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (struct wall_time){now.tv_sec};
}
