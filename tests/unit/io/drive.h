/* Drives a loop until a condition holds, within a limit that only a broken test meets. */
#ifndef TESTS_UNIT_IO_DRIVE_H
#define TESTS_UNIT_IO_DRIVE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <event2/event.h>

#include "io/clock.h"
#include "io/loop.h"

#define DRIVE_LIMIT_MS 20000

static void drive_tick(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    (void)context;
}

/* Turn the loop until `condition`; what else the condition needs to look at is polled
 * each 5 ms. */
#define DRIVE_UNTIL(loop, condition)                                                     \
    do {                                                                                 \
        struct mono_time drive_limit = mono_add(now_mono(), DRIVE_LIMIT_MS);             \
        struct event *drive_event =                                                      \
            event_new(loop_base(loop), -1, EV_PERSIST, drive_tick, NULL);                \
        event_add(drive_event, &(struct timeval){.tv_usec = 5000});                      \
        while (!(condition)) {                                                           \
            assert_false(mono_reached(now_mono(), drive_limit));                         \
            event_base_loop(loop_base(loop), EVLOOP_ONCE);                               \
        }                                                                                \
        event_free(drive_event);                                                         \
    } while (0)

#endif
