/* LD_PRELOAD: the wall clock is off by $FAULT_CLOCK seconds, and $FAULT_SPEED seconds
 * pass on the monotonic clock in one. libevent's waits are shortened alike, so that
 * whatever is due by that clock is done when it is due. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

#define VISIBLE __attribute__((visibility("default")))
#define NS_PER_S 1000000000

int clock_gettime(clockid_t clock, struct timespec *out) VISIBLE;
int epoll_wait(int fd, struct epoll_event *events, int max, int ms) VISIBLE;

static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_epoll_wait)(int, struct epoll_event *, int, int);
static long off, speed = 1;
static int64_t start;

static int64_t nanoseconds(const struct timespec *time)
{
    return (int64_t)time->tv_sec * NS_PER_S + time->tv_nsec;
}

static void *real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        abort();
    return found;
}

static void begin(void)
{
    *(void **)&real_clock_gettime = real("clock_gettime");
    *(void **)&real_epoll_wait = real("epoll_wait");
    const char *setting = getenv("FAULT_CLOCK");
    off = setting ? atol(setting) : 0;
    setting = getenv("FAULT_SPEED");
    speed = setting ? atol(setting) : 1;
    struct timespec now;
    if (speed < 1 || real_clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        abort();
    start = nanoseconds(&now);
}

static void begin_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, begin);
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    begin_once();
    int code = real_clock_gettime(clock, out);
    if (code != 0)
        return code;
    if (clock == CLOCK_REALTIME)
        out->tv_sec += off;
    if (speed > 1 && (clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE)) {
        /* The coarse one lags, and may tell a time before the start. */
        int64_t fast = start + (nanoseconds(out) - start) * speed;
        out->tv_sec = fast / NS_PER_S;
        out->tv_nsec = fast % NS_PER_S;
    }
    return 0;
}

int epoll_wait(int fd, struct epoll_event *events, int max, int ms)
{
    begin_once();
    /* Rounded up: a wait that ends early would only be begun again. */
    return real_epoll_wait(fd, events, max,
                           ms > 0 ? (int)((ms + speed - 1) / speed) : ms);
}
