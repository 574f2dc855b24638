#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "io/clock.h"
#include "io/control.h"

#define READ_SIZE 4096

static bool wait_for(int fd, short events, struct mono_time deadline, struct error *error)
{
    for (;;) {
        int64_t left = mono_since(deadline, now_mono());
        struct pollfd item = {.fd = fd, .events = events};
        int ready =
            left > 0 ? poll(&item, 1, left > INT32_MAX ? INT32_MAX : (int)left) : 0;
        if (ready > 0)
            return true;
        if (ready == 0)
            return error_set(error, "the watcher didn't answer in time; try again");
        if (errno != EINTR)
            return error_set(error, "poll: %s", strerror(errno));
    }
}

static bool send_line(int fd, const char *request, struct mono_time deadline,
                      struct error *error)
{
    struct writer line;
    writer_init(&line);
    write_bytes(&line, request, strlen(request));
    write_u8(&line, '\n');
    bool ok = true;
    for (size_t sent = 0; ok && sent < line.len;) {
        ssize_t n = send(fd, line.data + sent, line.len - sent, MSG_NOSIGNAL);
        if (n >= 0)
            sent += (size_t)n;
        else if (errno == EAGAIN)
            ok = wait_for(fd, POLLOUT, deadline, error);
        else if (errno != EINTR)
            ok = error_set(error, "the watcher went away: %s; see its log",
                           strerror(errno));
    }
    writer_release(&line);
    return ok;
}

/* Up to the line feed, which is replaced by the NUL. */
static char *receive_line(int fd, struct mono_time deadline, struct error *error)
{
    struct writer line;
    writer_init(&line);
    while (line.len <= CONTROL_REPLY_MAX) {
        uint8_t piece[READ_SIZE];
        ssize_t got = recv(fd, piece, sizeof(piece), 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN) {
            if (!wait_for(fd, POLLIN, deadline, error))
                goto out;
            continue;
        }
        if (got <= 0) {
            error_set(error, "the watcher went away without a reply; see its log");
            goto out;
        }
        const uint8_t *end = memchr(piece, '\n', (size_t)got);
        write_bytes(&line, piece, end != NULL ? (size_t)(end - piece) : (size_t)got);
        if (end != NULL) {
            size_t len;
            write_u8(&line, '\0');
            return (char *)writer_take(&line, &len);
        }
    }
    error_set(error, "the watcher's reply is longer than %zu bytes", CONTROL_REPLY_MAX);
out:
    writer_release(&line);
    return NULL;
}

static enum control_result connect_to(int fd, const char *path, struct error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        error_set(error, "%s: too long for a socket's path; choose a shorter datadir",
                  path);
        return CONTROL_FAILED;
    }
    memcpy(address.sun_path, path, strlen(path));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return CONTROL_REPLIED;
    if (errno == ENOENT || errno == ECONNREFUSED) {
        error_set(error, "%s: no watcher runs; start it with `run`", path);
        return CONTROL_STOPPED;
    }
    if (errno == EACCES || errno == EPERM)
        error_set(error, "%s: belongs to another user; run this as the watcher's user",
                  path);
    else if (errno == EAGAIN)
        error_set(error, "%s: the watcher is busy; try again", path);
    else
        error_set(error, "%s: %s", path, strerror(errno));
    return CONTROL_FAILED;
}

enum control_result control_request(char **reply, const char *path, const char *request,
                                    int64_t timeout_ms, struct error *error)
{
    *reply = NULL;
    if (strlen(request) > CONTROL_REQUEST_MAX) {
        error_set(error, "%s: a request of more than %zu bytes; ask for less at once",
                  path, CONTROL_REQUEST_MAX);
        return CONTROL_FAILED;
    }
    struct mono_time deadline = mono_add(now_mono(), timeout_ms);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        error_set(error, "%s: %s", path, strerror(errno));
        return CONTROL_FAILED;
    }
    enum control_result result = connect_to(fd, path, error);
    if (result == CONTROL_REPLIED) {
        if (send_line(fd, request, deadline, error))
            *reply = receive_line(fd, deadline, error);
        if (*reply == NULL) {
            error_prefix(error, "%s", path);
            result = CONTROL_FAILED;
        }
    }
    close(fd);
    return result;
}
