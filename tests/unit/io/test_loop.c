#include "drive.h"

#include <signal.h>
#include <unistd.h>

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
        cmocka_unit_test(test_timer_fires_once_and_not_early),
        cmocka_unit_test(test_signals_reach_their_callbacks),
        cmocka_unit_test(test_sigpipe_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
