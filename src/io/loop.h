/* The event loop, owned by one thread: "the loop thread". Unless said otherwise every
 * function of this folder is called from that thread, and every callback runs on it. */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include "base/time.h"

struct event_base;
struct loop;

/* Also ignores SIGPIPE and SIGXFSZ, and lets libevent allocate through base/mem.h and log
 * through base/log.h. */
struct loop *loop_new(void);
/* Free it after all that was made on it. */
void loop_free(struct loop *loop);

/* Run until loop_stop(). */
void loop_run(struct loop *loop);
/* Make loop_run() return after the callback that is running. From any thread. */
void loop_stop(struct loop *loop);

/* Call `caught(context)` whenever the signal arrives (not inside the signal handler).
 * Once a signal. */
void loop_on_signal(struct loop *loop, int signal_number, void (*caught)(void *context),
                    void *context);

/* For this folder: what libevent's own calls want. */
struct event_base *loop_base(const struct loop *loop);

/* One deadline, armed again and again. */
struct loop_timer;

struct loop_timer *loop_timer_new(struct loop *loop, void (*due)(void *context),
                                  void *context);
void loop_timer_free(struct loop_timer *timer);
/* Call due() once when the monotonic clock has reached `when` (at once if it has
 * already), instead of any earlier setting. MONO_NEVER: not at all. */
void loop_timer_set(struct loop_timer *timer, struct mono_time when);

#endif
