#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/entropy.h"
#include "io/file.h"

static char directory[64];

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static struct bytes text(const char *value)
{
    return (struct bytes){(const uint8_t *)value, strlen(value)};
}

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/test-file.XXXXXX");
    return mkdtemp(directory) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -r '%s'", directory);
    return system(command);
}

static void assert_content(const char *path, const char *expected)
{
    struct error error;
    char *data;
    size_t len;
    assert_true(file_read(&data, &len, path, 1 << 20, &error));
    assert_int_equal(len, strlen(expected));
    assert_string_equal(data, expected);
    free(data);
}

static void test_reads_within_the_bound(void **state)
{
    (void)state;
    struct error error;
    char *data;
    size_t len;
    const char *path = path_of("bound");
    assert_true(file_write_at(path, 0, text("12345"), false, &error));
    assert_true(file_read(&data, &len, path, 5, &error));
    assert_int_equal(len, 5);
    assert_string_equal(data, "12345");
    free(data);
    assert_false(file_read(&data, &len, path, 4, &error));
    assert_non_null(strstr(error.text, "longer than 4 bytes"));
    assert_non_null(strstr(error.text, path));
}

static void test_reads_what_is_longer_than_a_step(void **state)
{
    (void)state;
    struct error error;
    size_t size = 300000, len;
    uint8_t *content = malloc(size);
    entropy_fill(content, size);
    const char *path = path_of("long");
    assert_true(file_write_at(path, 0, (struct bytes){content, size}, false, &error));
    char *data;
    assert_true(file_read(&data, &len, path, size, &error));
    assert_int_equal(len, size);
    assert_memory_equal(data, content, size);
    free(data);
    free(content);
}

static void test_reads_an_empty_file(void **state)
{
    (void)state;
    struct error error;
    char *data;
    size_t len;
    const char *path = path_of("empty");
    assert_true(file_write_at(path, 0, text(""), false, &error));
    assert_true(file_read(&data, &len, path, 0, &error));
    assert_int_equal(len, 0);
    assert_string_equal(data, "");
    free(data);
}

static void test_refuses_what_is_not_a_file(void **state)
{
    (void)state;
    struct error error;
    char *data;
    size_t len;
    assert_false(file_read(&data, &len, path_of("absent"), 10, &error));
    assert_non_null(strstr(error.text, "No such file"));
    assert_false(file_read(&data, &len, directory, 10, &error));
    assert_non_null(strstr(error.text, "regular file"));
    const char *fifo = path_of("fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_false(file_read(&data, &len, fifo, 10, &error));
    assert_false(file_write_at(fifo, 0, text("x"), false, &error));
}

static void test_secrets_must_be_closed_to_others(void **state)
{
    (void)state;
    struct error error;
    char *data;
    size_t len;
    const char *path = path_of("secret");
    assert_true(file_create_private(path, text("key"), &error));
    assert_true(file_read_secret(&data, &len, path, 10, &error));
    assert_string_equal(data, "key");
    free(data);
    chmod(path, 0640);
    assert_false(file_read_secret(&data, &len, path, 10, &error));
    assert_non_null(strstr(error.text, "chmod 600"));
}

static void test_private_files_are_new_and_owner_only(void **state)
{
    (void)state;
    struct error error;
    struct stat status;
    const char *path = path_of("private");
    mode_t before = umask(0);
    assert_true(file_create_private(path, text("a"), &error));
    umask(before);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_false(file_create_private(path, text("b"), &error));
    assert_non_null(strstr(error.text, "exists already"));
    assert_content(path, "a");
    assert_false(file_create_private(path_of("absent/file"), text("b"), &error));
}

static void test_lines_are_written_where_told(void **state)
{
    (void)state;
    struct error error;
    const char *path = path_of("lines");
    assert_true(file_write_at(path, 0, text("one\n"), true, &error));
    assert_true(file_write_at(path, 4, text("two\n"), true, &error));
    assert_content(path, "one\ntwo\n");
    /* A torn line behind what is known to be written is replaced. */
    assert_true(file_write_at(path, 8, text("thr"), true, &error));
    assert_true(file_write_at(path, 8, text("4\n"), true, &error));
    assert_content(path, "one\ntwo\n4\n");
    assert_true(file_write_at(path, 0, text("ONE"), false, &error));
    assert_content(path, "ONE\ntwo\n4\n");
    assert_false(file_write_at(path, 11, text("x"), true, &error));
    assert_non_null(strstr(error.text, "has 10 bytes, but 11"));
    assert_false(file_write_at(path_of("absent/x"), 0, text("x"), true, &error));
}

/* A limit on files' size stands for a full disk. */
static void test_failed_writes_are_reported(void **state)
{
    (void)state;
    struct error error;
    struct rlimit before, small;
    char path[256];
    snprintf(path, sizeof(path), "%s", path_of("limited"));
    assert_true(file_write_at(path, 0, text("1234\n"), true, &error));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 8;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    bool written = file_write_at(path, 5, text("56789\n"), true, &error);
    bool created = file_create_private(path_of("big"), text("123456789"), &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_false(written);
    assert_false(created);
    assert_int_equal(access(path_of("big"), F_OK), -1);
    assert_true(file_write_at(path, 5, text("5\n"), true, &error));
    assert_content(path, "1234\n5\n");
}

static void test_directories_are_made(void **state)
{
    (void)state;
    struct error error;
    struct stat status;
    const char *path = path_of("a/b/c/");
    assert_true(directory_make(path, 0750, &error));
    assert_true(directory_make(path, 0750, &error));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0750);
    assert_true(directory_make("/tmp", 0700, &error));
    path = path_of("a/file");
    assert_true(file_write_at(path, 0, text("x"), true, &error));
    assert_false(directory_make(path, 0700, &error));
    assert_non_null(strstr(error.text, "isn't a directory"));
    assert_false(directory_make(path_of("a/file/d"), 0700, &error));
}

static void test_entropy_differs(void **state)
{
    (void)state;
    uint8_t a[32] = {0}, b[32] = {0};
    entropy_fill(a, sizeof(a));
    entropy_fill(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_within_the_bound),
        cmocka_unit_test(test_reads_what_is_longer_than_a_step),
        cmocka_unit_test(test_reads_an_empty_file),
        cmocka_unit_test(test_refuses_what_is_not_a_file),
        cmocka_unit_test(test_secrets_must_be_closed_to_others),
        cmocka_unit_test(test_private_files_are_new_and_owner_only),
        cmocka_unit_test(test_lines_are_written_where_told),
        cmocka_unit_test(test_failed_writes_are_reported),
        cmocka_unit_test(test_directories_are_made),
        cmocka_unit_test(test_entropy_differs),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
