#include "io/loop.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include <event2/event.h>
#include <event2/thread.h>

#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"

struct signal_watch {
    struct signal_watch *next;
    struct event *event;
    void (*caught)(void *context);
    void *context;
};

struct loop {
    struct event_base *base;
    struct signal_watch *signals;
};

struct loop_timer {
    struct event *event;
    struct mono_time when;
    void (*due)(void *context);
    void *context;
};

static void *event_mem_realloc(void *old, size_t size)
{
    return mem_realloc(old, 1, size);
}

/* Its warnings are about single packets and the like: nothing that an operator can mend.
 */
static void event_log(int severity, const char *text)
{
    log_line(LOG_APP, severity == EVENT_LOG_ERR ? LOG_ERROR : LOG_DEBUG, "libevent: %s",
             text);
}

static void set_up_libevent(void)
{
    event_set_mem_functions(mem_alloc, event_mem_realloc, free);
    event_set_log_callback(event_log);
    int failed = evthread_use_pthreads();
    assert(failed == 0);
    (void)failed;
    /* Both come back as errors of the write, which are told and survived. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

struct loop *loop_new(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, set_up_libevent);

    struct loop *loop = mem_zalloc(1, sizeof(*loop));
    loop->base = event_base_new();
    assert(loop->base != NULL);
    return loop;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    while (loop->signals != NULL) {
        struct signal_watch *watch = loop->signals;
        loop->signals = watch->next;
        event_free(watch->event);
        free(watch);
    }
    /* Nothing of ours is left; libevent frees cancelled look-ups in a turn of the loop.
     */
    event_base_loop(loop->base, EVLOOP_NONBLOCK);
    event_base_free(loop->base);
    free(loop);
}

void loop_run(struct loop *loop)
{
    event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

void loop_stop(struct loop *loop)
{
    event_base_loopbreak(loop->base);
}

static void on_signal(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct signal_watch *watch = context;
    watch->caught(watch->context);
}

void loop_on_signal(struct loop *loop, int signal_number, void (*caught)(void *context),
                    void *context)
{
    struct signal_watch *watch = mem_alloc(sizeof(*watch));
    *watch = (struct signal_watch){
        .next = loop->signals,
        .event = evsignal_new(loop->base, signal_number, on_signal, watch),
        .caught = caught,
        .context = context,
    };
    loop->signals = watch;
    event_add(watch->event, NULL);
}

struct event_base *loop_base(const struct loop *loop)
{
    return loop->base;
}

static void arm(struct loop_timer *timer, struct mono_time now)
{
    int64_t left = mono_since(timer->when, now);
    if (left < 0)
        left = 0;
    struct timeval delay = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};
    event_add(timer->event, &delay);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct loop_timer *timer = context;
    struct mono_time now = now_mono();
    /* libevent's clock is coarser than ours, and may be some milliseconds behind. */
    if (!mono_reached(now, timer->when))
        arm(timer, now);
    else
        timer->due(timer->context);
}

struct loop_timer *loop_timer_new(struct loop *loop, void (*due)(void *context),
                                  void *context)
{
    struct loop_timer *timer = mem_alloc(sizeof(*timer));
    *timer = (struct loop_timer){
        .event = evtimer_new(loop->base, on_timer, timer),
        .due = due,
        .context = context,
    };
    return timer;
}

void loop_timer_free(struct loop_timer *timer)
{
    if (timer == NULL)
        return;
    event_free(timer->event);
    free(timer);
}

void loop_timer_set(struct loop_timer *timer, struct mono_time when)
{
    timer->when = when;
    if (when.ms == MONO_NEVER.ms)
        event_del(timer->event);
    else
        arm(timer, now_mono());
}
