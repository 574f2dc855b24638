/* Worker threads with one queue. Jobs start in the order of submission; with one thread
 * they also end and are reported in that order, which makes a pool of one the store's
 * thread. Workers take no signals. */
#ifndef IO_POOL_H
#define IO_POOL_H

#include <stddef.h>

#include "io/loop.h"

struct pool;

/* `threads` at least 1; `name` (at most 15 characters) shows in ps and top. */
struct pool *pool_new(struct loop *loop, size_t threads, const char *name);
/* Finish every job in the queue, join the workers, call the done()s that are left (which
 * may not submit any more), free. */
void pool_free(struct pool *pool);

/* Have work(context) called on a worker and then done(context) (may be NULL) on the loop
 * thread; never from within this call. The context belongs to the job from here until
 * done(), or until work() has returned where there is no done(). The queue has no bound
 * of its own. From the loop thread only; workers see it when the loop's turn ends, so
 * that a turn's jobs wake them once. */
void pool_submit(struct pool *pool, void (*work)(void *context),
                 void (*done)(void *context), void *context);

#endif
