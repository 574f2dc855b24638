/* LD_PRELOAD: the wall clock is off by $FAULT_CLOCK seconds; other clocks are right. */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *out)
    __attribute__((visibility("default")));

int clock_gettime(clockid_t clock, struct timespec *out)
{
    int (*real)(clockid_t, struct timespec *);
    *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    if (!real)
        abort();
    const char *off = getenv("FAULT_CLOCK");
    int code = real(clock, out);
    if (code == 0 && off && clock == CLOCK_REALTIME)
        out->tv_sec += atol(off);
    return code;
}
