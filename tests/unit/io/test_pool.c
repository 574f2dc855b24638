#include "drive.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "io/pool.h"

#define JOBS 2000

struct shared {
    struct pool *pool;
    pthread_mutex_t gate; /* held by a test that keeps the workers waiting */
    pthread_t loop_thread;
    atomic_int worked;
    int done;
    int work_order[JOBS];
    int done_order[JOBS];
};

struct job {
    struct shared *shared;
    int number;
};

static struct job jobs[JOBS];

static struct shared *shared_new(struct loop *loop, size_t threads)
{
    static struct shared shared;
    shared = (struct shared){.loop_thread = pthread_self()};
    pthread_mutex_init(&shared.gate, NULL);
    shared.pool = pool_new(loop, threads, "test");
    for (int i = 0; i < JOBS; i++)
        jobs[i] = (struct job){&shared, i};
    return &shared;
}

static void work(void *context)
{
    const struct job *job = context;
    assert_false(pthread_equal(pthread_self(), job->shared->loop_thread));
    pthread_mutex_lock(&job->shared->gate);
    pthread_mutex_unlock(&job->shared->gate);
    job->shared->work_order[atomic_fetch_add(&job->shared->worked, 1)] = job->number;
}

static void done(void *context)
{
    const struct job *job = context;
    assert_true(pthread_equal(pthread_self(), job->shared->loop_thread));
    job->shared->done_order[job->shared->done++] = job->number;
}

static void test_one_thread_keeps_the_order(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct shared *shared = shared_new(loop, 1);
    for (int i = 0; i < JOBS; i++)
        pool_submit(shared->pool, work, done, &jobs[i]);
    DRIVE_UNTIL(loop, shared->done == JOBS);
    for (int i = 0; i < JOBS; i++) {
        assert_int_equal(shared->work_order[i], i);
        assert_int_equal(shared->done_order[i], i);
    }
    pool_free(shared->pool);
    loop_free(loop);
}

static void test_many_threads_do_each_job_once(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct shared *shared = shared_new(loop, 4);
    for (int i = 0; i < JOBS; i++)
        pool_submit(shared->pool, work, done, &jobs[i]);
    DRIVE_UNTIL(loop, shared->done == JOBS);
    static bool seen[JOBS];
    for (int i = 0; i < JOBS; i++) {
        assert_false(seen[shared->done_order[i]]);
        seen[shared->done_order[i]] = true;
    }
    pool_free(shared->pool);
    loop_free(loop);
}

static void test_shutdown_finishes_and_reports_the_queue(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct shared *shared = shared_new(loop, 1);
    pthread_mutex_lock(&shared->gate);
    for (int i = 0; i < 100; i++)
        pool_submit(shared->pool, work, i % 2 == 0 ? done : NULL, &jobs[i]);
    pthread_mutex_unlock(&shared->gate);
    pool_free(shared->pool);
    assert_int_equal(shared->worked, 100);
    assert_int_equal(shared->done, 50);
    loop_free(loop);
}

static void submit_next(void *context)
{
    struct job *job = context;
    done(context);
    if (job->number + 1 < JOBS)
        pool_submit(job->shared->pool, work, submit_next, job + 1);
}

static void test_done_may_submit(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct shared *shared = shared_new(loop, 2);
    pool_submit(shared->pool, work, submit_next, &jobs[0]);
    DRIVE_UNTIL(loop, shared->done == JOBS);
    pool_free(shared->pool);
    loop_free(loop);
}

static void see_signals(void *context)
{
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    *(int *)context = sigismember(&blocked, SIGTERM);
}

static void test_workers_block_signals(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct pool *pool = pool_new(loop, 1, "test");
    int blocked = -1;
    pool_submit(pool, see_signals, NULL, &blocked);
    pool_free(pool);
    assert_int_equal(blocked, 1);
    pool_free(NULL);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_thread_keeps_the_order),
        cmocka_unit_test(test_many_threads_do_each_job_once),
        cmocka_unit_test(test_shutdown_finishes_and_reports_the_queue),
        cmocka_unit_test(test_done_may_submit),
        cmocka_unit_test(test_workers_block_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
