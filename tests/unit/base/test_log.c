#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static FILE *captured;
static int real_stderr;

/* Standard error goes to a file from here to capture_end(). */
static void capture_begin(void)
{
    captured = tmpfile();
    assert_non_null(captured);
    fflush(stderr);
    real_stderr = dup(STDERR_FILENO);
    assert_true(dup2(fileno(captured), STDERR_FILENO) >= 0);
}

/* What was written, NUL-terminated; the caller frees. */
static char *capture_end(void)
{
    assert_true(dup2(real_stderr, STDERR_FILENO) >= 0);
    close(real_stderr);
    assert_int_equal(fseek(captured, 0, SEEK_END), 0);
    long len = ftell(captured);
    assert_true(len >= 0);
    rewind(captured);
    char *text = malloc((size_t)len + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)len, captured), (size_t)len);
    text[len] = '\0';
    fclose(captured);
    return text;
}

static void assert_captured(const char *expected)
{
    char *text = capture_end();
    assert_string_equal(text, expected);
    free(text);
}

static int reset(void **state)
{
    (void)state;
    log_use_journal_prefix(false);
    log_on_line(NULL, NULL);
    return log_configure("info") ? 0 : -1;
}

static void test_levels(void **state)
{
    (void)state;
    assert_true(log_enabled(LOG_APP, LOG_ERROR));
    assert_true(log_enabled(LOG_APP, LOG_INFO));
    assert_false(log_enabled(LOG_APP, LOG_DEBUG));

    assert_true(log_configure("net=debug,store=warning"));
    assert_true(log_enabled(LOG_NET, LOG_DEBUG));
    assert_false(log_enabled(LOG_STORE, LOG_INFO));
    assert_true(log_enabled(LOG_STORE, LOG_WARNING));
    assert_true(log_enabled(LOG_FEED, LOG_INFO));
    assert_false(log_enabled(LOG_FEED, LOG_DEBUG));

    assert_true(log_configure("error,http=info"));
    assert_false(log_enabled(LOG_NET, LOG_WARNING));
    assert_true(log_enabled(LOG_HTTP, LOG_INFO));
}

static void test_configure_refuses(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "loud",
        "Info",
        "info,",
        ",info",
        "net",
        "net=",
        "net=loud",
        "=info",
        "wallet=info",
        "net=info=debug",
        "net=debug, store=debug",
        "debug,net=loud",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_false(log_configure(cases[i]));
        /* Nothing of it was taken. */
        assert_true(log_enabled(LOG_NET, LOG_INFO));
        assert_false(log_enabled(LOG_NET, LOG_DEBUG));
    }
}

static void test_names_configure(void **state)
{
    (void)state;
    for (int part = 0; part < LOG_PARTS; part++) {
        for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
            char text[64];
            snprintf(text, sizeof(text), "%s=%s", log_part_name((enum log_part)part),
                     log_level_name((enum log_level)level));
            assert_true(log_configure(text));
            assert_true(log_enabled((enum log_part)part, (enum log_level)level));
            if (level < LOG_DEBUG)
                assert_false(
                    log_enabled((enum log_part)part, (enum log_level)(level + 1)));
        }
    }
}

static void test_lines(void **state)
{
    (void)state;
    capture_begin();
    errno = ENOENT;
    log_line(LOG_NET, LOG_INFO, "%s height %d", "203.0.113.1:8333", 7);
    log_line(LOG_NET, LOG_DEBUG, "not written");
    log_line(LOG_CHAIN, LOG_WARNING, "agent \"%s\"", "\x1b[31m\nchain: forged");
    int after = errno;
    assert_captured("net: 203.0.113.1:8333 height 7\n"
                    "chain: agent \"?[31m?chain: forged\"\n");
    assert_int_equal(after, ENOENT);
}

static void test_journal_prefix(void **state)
{
    (void)state;
    assert_true(log_configure("debug"));
    log_use_journal_prefix(true);
    capture_begin();
    log_line(LOG_APP, LOG_ERROR, "a");
    log_line(LOG_APP, LOG_WARNING, "b");
    log_line(LOG_APP, LOG_INFO, "c");
    log_line(LOG_APP, LOG_DEBUG, "d");
    assert_captured("<3>app: a\n<4>app: b\n<6>app: c\n<7>app: d\n");
}

static struct wall_time some_time(void)
{
    return (struct wall_time){1788438896};
}

static void test_clock(void **state)
{
    (void)state;
    capture_begin();
    log_use_clock(some_time);
    log_line(LOG_NET, LOG_INFO, "timed");
    log_use_clock(NULL);
    log_line(LOG_NET, LOG_INFO, "untimed");
    assert_captured("2026-09-03T12:34:56Z net: timed\nnet: untimed\n");
}

static void test_long_line_is_cut(void **state)
{
    (void)state;
    char longer[10000];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    capture_begin();
    log_line(LOG_APP, LOG_INFO, "%s", longer);
    log_line(LOG_APP, LOG_INFO, "next");
    char *text = capture_end();
    const char *end = strchr(text, '\n');
    assert_non_null(end);
    assert_true(end - text > 1000);
    assert_string_equal(end, "\napp: next\n");
    free(text);
}

static void before(void)
{
    assert_int_equal(write(STDERR_FILENO, "[", 1), 1);
}

static void after(void)
{
    assert_int_equal(write(STDERR_FILENO, "]", 1), 1);
}

static void test_on_line(void **state)
{
    (void)state;
    log_on_line(before, after);
    capture_begin();
    log_line(LOG_APP, LOG_INFO, "a");
    log_line(LOG_APP, LOG_DEBUG, "b");
    log_on_line(NULL, NULL);
    log_line(LOG_APP, LOG_INFO, "c");
    assert_captured("[app: a\n]app: c\n");
}

static void *write_lines(void *unused)
{
    (void)unused;
    for (int i = 0; i < 500; i++)
        log_line(LOG_STORE, LOG_INFO, "a line of some length");
    return NULL;
}

static void test_threads_write_whole_lines(void **state)
{
    (void)state;
    pthread_t threads[4];
    capture_begin();
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, NULL), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    char *text = capture_end();
    static const char line[] = "store: a line of some length\n";
    assert_int_equal(strlen(text), 2000 * strlen(line));
    for (size_t i = 0; i < 2000; i++)
        assert_memory_equal(text + i * strlen(line), line, strlen(line));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_levels, reset),
        cmocka_unit_test_setup(test_configure_refuses, reset),
        cmocka_unit_test_setup(test_names_configure, reset),
        cmocka_unit_test_setup(test_lines, reset),
        cmocka_unit_test_setup(test_journal_prefix, reset),
        cmocka_unit_test_setup(test_clock, reset),
        cmocka_unit_test_setup(test_long_line_is_cut, reset),
        cmocka_unit_test_setup(test_on_line, reset),
        cmocka_unit_test_setup(test_threads_write_whole_lines, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
