#include "drive.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#define POSTS 1000

struct record {
    int order[POSTS];
    int count;
    struct loop *loop;
};

struct numbered {
    struct record *record;
    int number;
};

static struct numbered numbers[POSTS];

static void note(void *context)
{
    const struct numbered *numbered = context;
    struct record *record = numbered->record;
    record->order[record->count++] = numbered->number;
    if (record->count == POSTS)
        loop_stop(record->loop);
}

static void *post_all(void *context)
{
    struct record *record = context;
    for (int i = 0; i < POSTS; i++) {
        numbers[i] = (struct numbered){record, i};
        loop_post(record->loop, note, &numbers[i]);
    }
    return NULL;
}

static void test_posts_from_a_thread_run_in_order(void **state)
{
    (void)state;
    struct record record = {.loop = loop_new()};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, post_all, &record), 0);
    loop_run(record.loop);
    pthread_join(thread, NULL);
    assert_int_equal(record.count, POSTS);
    for (int i = 0; i < POSTS; i++)
        assert_int_equal(record.order[i], i);
    loop_free(record.loop);
}

static void post_again(void *context)
{
    loop_post(context, post_again, context);
}

static void stop(void *context)
{
    loop_stop(context);
}

static void test_endless_posts_let_timers_through(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct loop_timer *timer = loop_timer_new(loop, stop, loop);
    loop_timer_set(timer, mono_add(now_mono(), 10));
    post_again(loop);
    loop_run(loop);
    loop_timer_free(timer);
    loop_free(loop); /* with a post that is left */
}

static void count(void *context)
{
    ++*(int *)context;
}

static void test_timer_fires_once_and_not_early(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    int fired = 0, other = 0;
    struct loop_timer *timer = loop_timer_new(loop, count, &fired);
    struct loop_timer *later = loop_timer_new(loop, count, &other);
    for (int ms = 0; ms < 12; ms += 3) {
        struct mono_time when = mono_add(now_mono(), ms);
        fired = 0;
        loop_timer_set(timer, mono_add(when, 100000));
        loop_timer_set(timer, when);
        DRIVE_UNTIL(loop, fired > 0);
        assert_true(mono_reached(now_mono(), when));
    }
    loop_timer_set(later, mono_add(now_mono(), 20));
    DRIVE_UNTIL(loop, other > 0);
    assert_int_equal(fired, 1);

    loop_timer_set(timer, now_mono());
    loop_timer_set(timer, MONO_NEVER);
    loop_timer_set(later, mono_add(now_mono(), 10));
    DRIVE_UNTIL(loop, other > 1);
    assert_int_equal(fired, 1);
    loop_timer_set(timer, (struct mono_time){0});
    DRIVE_UNTIL(loop, fired > 1);
    loop_timer_free(timer);
    loop_timer_free(later);
    loop_timer_free(NULL);
    loop_free(loop);
}

static void test_signals_reach_their_callbacks(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    int hangups = 0, terms = 0;
    loop_on_signal(loop, SIGHUP, count, &hangups);
    loop_on_signal(loop, SIGTERM, count, &terms);
    for (int i = 1; i <= 2; i++) {
        kill(getpid(), SIGHUP);
        DRIVE_UNTIL(loop, hangups == i);
    }
    kill(getpid(), SIGTERM);
    DRIVE_UNTIL(loop, terms == 1);
    assert_int_equal(hangups, 2);
    loop_free(loop);
}

static void test_sigpipe_is_ignored(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(write(ends[1], "x", 1), -1);
    close(ends[1]);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_posts_from_a_thread_run_in_order),
        cmocka_unit_test(test_endless_posts_let_timers_through),
        cmocka_unit_test(test_timer_fires_once_and_not_early),
        cmocka_unit_test(test_signals_reach_their_callbacks),
        cmocka_unit_test(test_sigpipe_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
