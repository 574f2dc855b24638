#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/lock.h"

static char directory[64];
static char path[128];

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/test-lock.XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/lock", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

/* The pid of a process that holds the lock until the pipe `hold` is closed. */
static pid_t fork_holder(int *hold)
{
    int ready[2], until[2];
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(until), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct lock lock;
        struct error error;
        pid_t holder;
        char byte;
        close(until[1]);
        if (lock_take(&lock, &holder, path, &error) != LOCK_FREE)
            _exit(1);
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        _exit(read(until[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(ready[1]);
    close(until[0]);
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    *hold = until[1];
    return child;
}

static void test_a_second_instance_learns_the_pid(void **state)
{
    (void)state;
    struct error error;
    struct lock lock;
    pid_t holder;
    int hold;
    assert_int_equal(lock_test(&holder, path, &error), LOCK_FREE);
    pid_t child = fork_holder(&hold);
    assert_int_equal(lock_test(&holder, path, &error), LOCK_HELD);
    assert_int_equal(holder, child);
    assert_int_equal(lock_take(&lock, &holder, path, &error), LOCK_HELD);
    assert_int_equal(holder, child);
    assert_int_equal(lock.fd, -1);
    close(hold);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(lock_test(&holder, path, &error), LOCK_FREE);
    assert_int_equal(lock_take(&lock, &holder, path, &error), LOCK_FREE);
    lock_release(&lock);
}

static void test_a_killed_holder_lets_go(void **state)
{
    (void)state;
    struct error error;
    struct lock lock;
    pid_t holder;
    int hold;
    pid_t child = fork_holder(&hold);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(hold);
    assert_int_equal(lock_take(&lock, &holder, path, &error), LOCK_FREE);
    lock_release(&lock);
}

static void test_testing_in_the_holder_keeps_the_lock(void **state)
{
    (void)state;
    struct error error;
    struct lock lock, second;
    pid_t holder;
    assert_int_equal(lock_take(&lock, &holder, path, &error), LOCK_FREE);
    assert_int_equal(lock_test(&holder, path, &error), LOCK_HELD);
    assert_int_equal(holder, getpid());
    assert_int_equal(lock_take(&second, &holder, path, &error), LOCK_HELD);
    assert_int_equal(lock_test(&holder, path, &error), LOCK_HELD);
    lock_release(&lock);
    lock_release(&lock);
    assert_int_equal(lock_test(&holder, path, &error), LOCK_FREE);
}

static void test_what_cannot_be_opened_is_named(void **state)
{
    (void)state;
    struct error error;
    struct lock lock;
    pid_t holder;
    assert_int_equal(lock_take(&lock, &holder, directory, &error), LOCK_FAILED);
    assert_non_null(strstr(error.text, directory));
    assert_int_equal(lock.fd, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_second_instance_learns_the_pid),
        cmocka_unit_test(test_a_killed_holder_lets_go),
        cmocka_unit_test(test_testing_in_the_holder_keeps_the_lock),
        cmocka_unit_test(test_what_cannot_be_opened_is_named),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
