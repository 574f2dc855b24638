#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "app/store_thread.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/pool.h"

/* How long a full disk is left alone before the next try. */
#define FULL_RETRY_S 2

struct store_thread {
    struct pool *pool;
    struct store *store;
    struct ledger *ledger;
    atomic_bool full;
    pthread_mutex_t mutex;
    pthread_cond_t stop;
    bool stopping;
};

struct job {
    struct store_thread *thread;
    store_work work;
    store_done done;
    void *context;
    enum store_result result;
    struct error error;
};

struct store_thread *store_thread_new(struct loop *loop, struct store *store,
                                      struct ledger *ledger)
{
    struct store_thread *thread = mem_zalloc(1, sizeof *thread);
    thread->store = store;
    thread->ledger = ledger;
    pthread_mutex_init(&thread->mutex, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&thread->stop, &monotonic);
    pthread_condattr_destroy(&monotonic);
    thread->pool = pool_new(loop, 1, "store");
    return thread;
}

void store_thread_free(struct store_thread *thread)
{
    if (!thread)
        return;
    pthread_mutex_lock(&thread->mutex);
    thread->stopping = true;
    pthread_cond_signal(&thread->stop);
    pthread_mutex_unlock(&thread->mutex);
    pool_free(thread->pool);
    pthread_cond_destroy(&thread->stop);
    pthread_mutex_destroy(&thread->mutex);
    free(thread);
}

/* False when the daemon stops. */
static bool wait_for_room(struct store_thread *thread, const struct error *error)
{
    if (!atomic_exchange(&thread->full, true))
        log_line(LOG_STORE, LOG_ERROR,
                 "%s; nothing is lost, and it goes on by itself when there is room",
                 error->text);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += FULL_RETRY_S;
    pthread_mutex_lock(&thread->mutex);
    int waited = 0;
    while (!thread->stopping && waited == 0)
        waited = pthread_cond_timedwait(&thread->stop, &thread->mutex, &until);
    bool stopping = thread->stopping;
    pthread_mutex_unlock(&thread->mutex);
    return !stopping;
}

static void work(void *context)
{
    struct job *job = context;
    struct store_thread *thread = job->thread;
    do {
        job->error.text[0] = '\0';
        job->result = job->work(job->context, thread->store, thread->ledger, &job->error);
    } while (job->result == STORE_FULL && wait_for_room(thread, &job->error));
    if (job->result != STORE_FULL && atomic_exchange(&thread->full, false))
        log_line(LOG_STORE, LOG_INFO, "there is room on the disk again");
}

static void done(void *context)
{
    struct job *job = context;
    job->done(job->context, job->result, &job->error);
    free(job);
}

void store_thread_submit(struct store_thread *thread, store_work work_, store_done done_,
                         void *context)
{
    struct job *job = mem_zalloc(1, sizeof *job);
    job->thread = thread;
    job->work = work_;
    job->done = done_;
    job->context = context;
    pool_submit(thread->pool, work, done, job);
}

bool store_thread_full(const struct store_thread *thread)
{
    return atomic_load(&thread->full);
}
