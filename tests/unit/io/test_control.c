#include "drive.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/control.h"

static char directory[64];
static char path[100];

/* Replies at once with the request, or, to "later", when the test says so. */
struct served {
    struct control_call *waiting;
    int requests;
    size_t longest;
};

static void on_request(struct control_call *call, const char *line, size_t len,
                       void *context)
{
    struct served *served = context;
    assert_int_equal(strlen(line), len);
    served->requests++;
    if (len > served->longest)
        served->longest = len;
    if (strcmp(line, "later") == 0)
        served->waiting = call;
    else
        control_reply(call, line);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/test-control.XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/control.sock", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(directory);
}

static struct control_server *serve(struct loop *loop, struct served *served)
{
    struct error error;
    *served = (struct served){0};
    struct control_server *server =
        control_server_new(loop, path, on_request, served, &error);
    if (server == NULL)
        fail_msg("%s", error.text);
    return server;
}

/* A command: the blocking client, on a thread. */
struct command {
    const char *request;
    int64_t timeout_ms;
    pthread_t thread;
    atomic_bool finished;
    enum control_result result;
    char *reply;
    struct error error;
};

static void *run_command(void *context)
{
    struct command *command = context;
    command->result = control_request(&command->reply, path, command->request,
                                      command->timeout_ms, &command->error);
    atomic_store(&command->finished, true);
    return NULL;
}

static void command_start(struct command *command, const char *request,
                          int64_t timeout_ms)
{
    *command = (struct command){.request = request, .timeout_ms = timeout_ms};
    assert_int_equal(pthread_create(&command->thread, NULL, run_command, command), 0);
}

static void command_finish(struct command *command, struct loop *loop)
{
    DRIVE_UNTIL(loop, atomic_load(&command->finished));
    pthread_join(command->thread, NULL);
}

static void expect_reply(struct loop *loop, const char *request, const char *reply)
{
    struct command command;
    command_start(&command, request, 10000);
    command_finish(&command, loop);
    if (command.result != CONTROL_REPLIED)
        fail_msg("%s", command.error.text);
    assert_string_equal(command.reply, reply);
    free(command.reply);
}

static int connect_raw(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static bool ended(int fd)
{
    char byte;
    ssize_t len = recv(fd, &byte, 1, 0);
    return len == 0 || (len < 0 && errno == ECONNRESET);
}

static void test_request_and_reply(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct served served;
    struct control_server *server = serve(loop, &served);
    struct stat status;
    assert_int_equal(lstat(path, &status), 0);
    assert_true(S_ISSOCK(status.st_mode));
    assert_int_equal(status.st_mode & 07777, 0600);
    for (int i = 0; i < 40; i++)
        expect_reply(loop, "{\"command\":\"reload\"}", "{\"command\":\"reload\"}");
    expect_reply(loop, "", "");
    control_server_free(server);
    assert_int_equal(lstat(path, &status), -1);
    control_server_free(NULL);
    loop_free(loop);
}

static void test_longest_request(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct served served;
    struct control_server *server = serve(loop, &served);
    char *line = mem_zalloc(CONTROL_REQUEST_MAX + 2, 1);
    memset(line, 'a', CONTROL_REQUEST_MAX);
    expect_reply(loop, line, line);
    assert_int_equal(served.longest, CONTROL_REQUEST_MAX);
    line[CONTROL_REQUEST_MAX] = 'a';
    struct command command;
    command_start(&command, line, 10000);
    command_finish(&command, loop);
    assert_int_equal(command.result, CONTROL_FAILED);
    assert_non_null(strstr(command.error.text, "65536 bytes"));
    free(line);
    control_server_free(server);
    loop_free(loop);
}

static void send_all(struct loop *loop, int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            return;
        if (sent > 0) {
            data += sent;
            len -= (size_t)sent;
        }
        event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
    }
}

static void test_bad_requests_end_the_connection(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct served served;
    struct control_server *server = serve(loop, &served);
    size_t len = CONTROL_REQUEST_MAX + 2;
    char *line = mem_alloc(len);
    memset(line, 'a', len);

    int fd = connect_raw();
    send_all(loop, fd, line, len); /* no line feed within the bound */
    DRIVE_UNTIL(loop, ended(fd));
    close(fd);

    line[len - 1] = '\n';
    fd = connect_raw();
    send_all(loop, fd, line, len); /* one byte too many */
    DRIVE_UNTIL(loop, ended(fd));
    close(fd);

    fd = connect_raw();
    send_all(loop, fd, "a\0b\n", 4);
    DRIVE_UNTIL(loop, ended(fd));
    close(fd);
    assert_int_equal(served.requests, 0);
    expect_reply(loop, "sound", "sound");
    free(line);
    control_server_free(server);
    loop_free(loop);
}

static void test_slow_and_half_closed_clients(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct served served;
    struct control_server *server = serve(loop, &served);
    int slow = connect_raw();
    for (const char *at = "slow\n"; *at != '\0'; at++) {
        assert_int_equal(served.requests, 0);
        send_all(loop, slow, at, 1);
    }
    shutdown(slow, SHUT_WR);
    DRIVE_UNTIL(loop, served.requests == 1);
    char reply[8] = {0};
    DRIVE_UNTIL(loop, recv(slow, reply, 5, 0) == 5);
    assert_string_equal(reply, "slow\n");
    DRIVE_UNTIL(loop, ended(slow));
    close(slow);

    int leaver = connect_raw();
    send_all(loop, leaver, "never", 5);
    close(leaver);
    expect_reply(loop, "next", "next");
    control_server_free(server);
    loop_free(loop);
}

static void test_later_replies(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct served served;
    struct control_server *server = serve(loop, &served);
    struct command command;
    command_start(&command, "later", 10000);
    DRIVE_UNTIL(loop, served.waiting != NULL);
    expect_reply(loop, "meanwhile", "meanwhile");
    control_reply(served.waiting, "at last");
    command_finish(&command, loop);
    assert_int_equal(command.result, CONTROL_REPLIED);
    assert_string_equal(command.reply, "at last");
    free(command.reply);
    control_server_free(server);
    loop_free(loop);
}

static void test_replies_to_who_has_left(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct served served;
    struct control_server *server = serve(loop, &served);
    int fd = connect_raw();
    send_all(loop, fd, "later\n", 6);
    DRIVE_UNTIL(loop, served.waiting != NULL);
    close(fd);
    expect_reply(loop, "turn", "turn");
    control_reply(served.waiting, "too late");
    expect_reply(loop, "turn", "turn");

    served.waiting = NULL;
    fd = connect_raw();
    send_all(loop, fd, "later\n", 6);
    DRIVE_UNTIL(loop, served.waiting != NULL);
    control_server_free(server);
    control_reply(served.waiting, "too late");
    DRIVE_UNTIL(loop, ended(fd));
    close(fd);
    loop_free(loop);
}

static void test_command_times_out(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct served served;
    struct control_server *server = serve(loop, &served);
    struct command command;
    command_start(&command, "later", 50);
    command_finish(&command, loop);
    assert_int_equal(command.result, CONTROL_FAILED);
    assert_non_null(strstr(command.error.text, "didn't answer in time"));
    control_server_free(server);
    if (served.waiting != NULL)
        control_reply(served.waiting, "");
    loop_free(loop);
}

static void test_long_replies(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct served served;
    struct control_server *server = serve(loop, &served);
    size_t len = (size_t)3 << 20;
    char *reply = mem_alloc(len + 1);
    memset(reply, 'r', len);
    reply[len] = '\0';
    struct command command;
    command_start(&command, "later", 10000);
    DRIVE_UNTIL(loop, served.waiting != NULL);
    control_reply(served.waiting, reply);
    command_finish(&command, loop);
    assert_int_equal(command.result, CONTROL_REPLIED);
    assert_int_equal(strlen(command.reply), len);
    free(command.reply);
    free(reply);
    control_server_free(server);
    loop_free(loop);
}

static void test_too_many_clients(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct served served;
    struct control_server *server = serve(loop, &served);
    int fds[16];
    for (size_t i = 0; i < 16; i++) {
        fds[i] = connect_raw();
        event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
    }
    int more = connect_raw();
    DRIVE_UNTIL(loop, ended(more));
    close(more);
    for (size_t i = 0; i < 16; i++)
        close(fds[i]);
    /* There is room again as soon as the server has seen them go. */
    bool replied = false;
    for (int tries = 0; !replied && tries < 100; tries++) {
        struct command command;
        command_start(&command, "free again", 10000);
        command_finish(&command, loop);
        replied = command.result == CONTROL_REPLIED;
        free(command.reply);
    }
    assert_true(replied);
    control_server_free(server);
    loop_free(loop);
}

static void test_nobody_listens(void **state)
{
    (void)state;
    struct error error;
    char *reply;
    assert_int_equal(control_request(&reply, path, "x", 1000, &error), CONTROL_STOPPED);
    assert_null(reply);
    assert_non_null(strstr(error.text, "no watcher runs"));
}

/* A socket that a killed process left. */
static void leave_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
}

static void test_stale_socket_is_replaced(void **state)
{
    (void)state;
    struct error error;
    char *reply;
    leave_socket();
    assert_int_equal(control_request(&reply, path, "x", 1000, &error), CONTROL_STOPPED);
    struct loop *loop = loop_new();
    struct served served;
    struct control_server *server = serve(loop, &served);
    expect_reply(loop, "fresh", "fresh");
    /* A living one isn't. */
    assert_null(control_server_new(loop, path, on_request, &served, &error));
    assert_non_null(strstr(error.text, "another process listens"));
    expect_reply(loop, "still", "still");
    /* Nor is another's removed at the end. */
    unlink(path);
    leave_socket();
    control_server_free(server);
    assert_int_equal(unlink(path), 0);
    loop_free(loop);
}

static void test_unusable_paths(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct error error;
    char *reply;
    char long_path[200];
    memset(long_path, 'x', sizeof(long_path));
    long_path[0] = '/';
    long_path[108] = '\0';
    assert_null(control_server_new(loop, long_path, on_request, NULL, &error));
    assert_non_null(strstr(error.text, "shorter datadir"));
    assert_int_equal(control_request(&reply, long_path, "x", 1000, &error),
                     CONTROL_FAILED);
    assert_null(control_server_new(loop, directory, on_request, NULL, &error));
    assert_non_null(strstr(error.text, "isn't a socket"));
    assert_null(
        control_server_new(loop, "/nonexistent/control.sock", on_request, NULL, &error));
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_and_reply),
        cmocka_unit_test(test_longest_request),
        cmocka_unit_test(test_bad_requests_end_the_connection),
        cmocka_unit_test(test_slow_and_half_closed_clients),
        cmocka_unit_test(test_later_replies),
        cmocka_unit_test(test_replies_to_who_has_left),
        cmocka_unit_test(test_command_times_out),
        cmocka_unit_test(test_long_replies),
        cmocka_unit_test(test_too_many_clients),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_stale_socket_is_replaced),
        cmocka_unit_test(test_unusable_paths),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
