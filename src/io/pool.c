#include "io/pool.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/log.h"
#include "base/mem.h"

struct job {
    struct job *next;
    void (*work)(void *context);
    void (*done)(void *context);
    void *context;
};

struct job_queue {
    struct job *first;
    struct job **end;
};

/* Both ways jobs travel in groups: what one turn of the loop submits wakes the workers
 * once, and what they have done meanwhile wakes the loop once. */
struct pool {
    struct event *submit_event;
    struct event *done_event;
    struct job_queue fresh; /* the loop's: submitted in this turn */
    pthread_t *workers;
    size_t worker_count;
    pthread_mutex_t lock; /* over all below */
    pthread_cond_t wake;
    struct job_queue todo;
    struct job_queue done;
    bool closing;
};

static void queue_init(struct job_queue *queue)
{
    queue->first = NULL;
    queue->end = &queue->first;
}

static void queue_push(struct job_queue *queue, struct job *job)
{
    job->next = NULL;
    *queue->end = job;
    queue->end = &job->next;
}

static void queue_append(struct job_queue *queue, struct job_queue *more)
{
    if (more->first == NULL)
        return;
    *queue->end = more->first;
    queue->end = more->end;
    queue_init(more);
}

static struct job *queue_pop(struct job_queue *queue)
{
    struct job *job = queue->first;
    if (job != NULL) {
        queue->first = job->next;
        if (queue->first == NULL)
            queue->end = &queue->first;
    }
    return job;
}

static void *worker_main(void *context)
{
    struct pool *pool = context;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        struct job *job = queue_pop(&pool->todo);
        if (job == NULL) {
            if (pool->closing)
                break;
            pthread_cond_wait(&pool->wake, &pool->lock);
            continue;
        }
        pthread_mutex_unlock(&pool->lock);
        job->work(job->context);
        pthread_mutex_lock(&pool->lock);
        bool first = pool->done.first == NULL;
        queue_push(&pool->done, job);
        if (first)
            event_add(pool->done_event, &(struct timeval){0});
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* Reports the jobs that are done up to now, so that a busy pool can't keep the loop. */
static void report_done(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct job *job = pool->done.first;
    queue_init(&pool->done);
    pthread_mutex_unlock(&pool->lock);
    while (job != NULL) {
        struct job *next = job->next;
        if (job->done != NULL)
            job->done(job->context);
        free(job);
        job = next;
    }
}

static void on_done(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    report_done(context);
}

static void hand_over(struct pool *pool)
{
    bool single = pool->fresh.first != NULL && pool->fresh.first->next == NULL;
    pthread_mutex_lock(&pool->lock);
    queue_append(&pool->todo, &pool->fresh);
    if (single && !pool->closing)
        pthread_cond_signal(&pool->wake);
    else
        pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
}

static void on_submit(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    hand_over(context);
}

/* Signals are the loop's: the workers' system calls are never interrupted. */
static void start_workers(struct pool *pool, const char *name)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (size_t i = 0; i < pool->worker_count; i++) {
        int failed = pthread_create(&pool->workers[i], NULL, worker_main, pool);
        if (failed != 0) {
            log_line(LOG_APP, LOG_ERROR,
                     "%s: a thread can't be started: %s; raise the "
                     "limit of processes or of address space",
                     name, strerror(failed));
            abort();
        }
        pthread_setname_np(pool->workers[i], name);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct pool *pool_new(struct loop *loop, size_t threads, const char *name)
{
    assert(threads > 0);
    struct pool *pool = mem_zalloc(1, sizeof(*pool));
    pool->submit_event = evtimer_new(loop_base(loop), on_submit, pool);
    pool->done_event = evtimer_new(loop_base(loop), on_done, pool);
    pool->workers = mem_zalloc(threads, sizeof(*pool->workers));
    pool->worker_count = threads;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    queue_init(&pool->fresh);
    queue_init(&pool->todo);
    queue_init(&pool->done);
    start_workers(pool, name);
    return pool;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_mutex_unlock(&pool->lock);
    hand_over(pool);
    for (size_t i = 0; i < pool->worker_count; i++)
        pthread_join(pool->workers[i], NULL);
    report_done(pool);
    event_free(pool->submit_event);
    event_free(pool->done_event);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    free(pool->workers);
    free(pool);
}

void pool_submit(struct pool *pool, void (*work)(void *context),
                 void (*done)(void *context), void *context)
{
    struct job *job = mem_alloc(sizeof(*job));
    *job = (struct job){.work = work, .done = done, .context = context};
    assert(!pool->closing);
    if (pool->fresh.first == NULL)
        event_active(pool->submit_event, 0, 0);
    queue_push(&pool->fresh, job);
}
