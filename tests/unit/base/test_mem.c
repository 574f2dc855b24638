#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_alloc(void **state)
{
    (void)state;
    void *none = mem_alloc(0);
    assert_non_null(none);
    free(none);
    uint32_t *zeros = mem_zalloc(100, sizeof(*zeros));
    for (int i = 0; i < 100; i++)
        assert_int_equal(zeros[i], 0);
    zeros = mem_realloc(zeros, 200, sizeof(*zeros));
    assert_int_equal(zeros[99], 0);
    zeros = mem_realloc(zeros, 0, sizeof(*zeros));
    assert_non_null(zeros);
    free(zeros);
}

static void test_copies(void **state)
{
    (void)state;
    assert_null(mem_dup("x", 0));
    assert_null(mem_dup(NULL, 0));
    char *copy = mem_dup("xyz", 3);
    assert_memory_equal(copy, "xyz", 3);
    free(copy);
    copy = mem_strdup("");
    assert_string_equal(copy, "");
    free(copy);
    copy = mem_strdup("text");
    assert_string_equal(copy, "text");
    free(copy);
}

static void test_grow(void **state)
{
    (void)state;
    uint32_t *items = NULL;
    size_t capacity = 0, moves = 0;
    for (uint32_t i = 0; i < 100000; i++) {
        size_t before = capacity;
        items = mem_grow(items, &capacity, i + 1, sizeof(*items));
        moves += capacity != before;
        assert_true(capacity > i);
        items[i] = i;
    }
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_equal(items[i], i);
    assert_true(moves < 32);
    items = mem_grow(items, &capacity, 1000000, sizeof(*items));
    assert_true(capacity >= 1000000);
    free(items);
}

static void realloc_overflows(void)
{
    free(mem_realloc(NULL, SIZE_MAX / 4 + 2, 4));
}

static void grow_overflows(void)
{
    size_t capacity = 0;
    free(mem_grow(NULL, &capacity, SIZE_MAX / 4 + 2, 4));
}

static void assert_aborts(void (*act)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        act();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void test_overflow_aborts(void **state)
{
    (void)state;
    assert_aborts(realloc_overflows);
    assert_aborts(grow_overflows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alloc),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_grow),
        cmocka_unit_test(test_overflow_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
