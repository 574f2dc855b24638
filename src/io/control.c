#include "io/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "base/log.h"
#include "base/mem.h"

/* Commands of one user; more at once than this is a mistake somewhere. */
#define CLIENTS_MAX 16
#define BACKLOG 16
/* For the request to arrive, and for the client to take the reply. */
#define CLIENT_TIMEOUT_S 10

enum client_state {
    CLIENT_READING, /* the request */
    CLIENT_WAITING, /* for control_reply() */
    CLIENT_WRITING, /* the reply */
    CLIENT_GONE,    /* waits for the reaper */
};

struct client {
    struct client *next;
    struct control_server *server;
    struct bufferevent *stream;
    struct control_call *call; /* not NULL while waiting */
    enum client_state state;
};

struct control_call {
    struct client *client; /* NULL: gone */
};

struct control_server {
    struct event_base *base;
    struct evconnlistener *listener;
    struct event *reap;
    control_handler handler;
    void *context;
    struct client *clients;
    size_t client_count;
    char *path;
    dev_t device; /* of the socket that we made */
    ino_t inode;
};

static void client_gone(struct client *client)
{
    client->state = CLIENT_GONE;
    if (client->call != NULL)
        client->call->client = NULL;
    client->call = NULL;
    bufferevent_disable(client->stream, EV_READ | EV_WRITE);
    event_add(client->server->reap, &(struct timeval){0});
}

static void client_free(struct client *client)
{
    if (client->call != NULL)
        client->call->client = NULL;
    bufferevent_free(client->stream);
    free(client);
}

static void on_reap(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct control_server *server = context;
    struct client **at = &server->clients;
    while (*at != NULL) {
        struct client *client = *at;
        if (client->state == CLIENT_GONE) {
            *at = client->next;
            server->client_count--;
            client_free(client);
        } else {
            at = &client->next;
        }
    }
}

static void on_read(struct bufferevent *stream, void *context)
{
    struct client *client = context;
    if (client->state != CLIENT_READING)
        return;
    size_t len;
    struct evbuffer *input = bufferevent_get_input(stream);
    char *line = evbuffer_readln(input, &len, EVBUFFER_EOL_LF);
    if (line == NULL && evbuffer_get_length(input) <= CONTROL_REQUEST_MAX)
        return;
    if (line == NULL || len > CONTROL_REQUEST_MAX || strlen(line) != len) {
        client_gone(client);
    } else {
        client->state = CLIENT_WAITING;
        client->call = mem_alloc(sizeof(*client->call));
        client->call->client = client;
        bufferevent_disable(stream, EV_READ);
        client->server->handler(client->call, line, len, client->server->context);
    }
    free(line);
}

static void on_written(struct bufferevent *stream, void *context)
{
    (void)stream;
    struct client *client = context;
    if (client->state == CLIENT_WRITING)
        client_gone(client);
}

/* The stream's end, an error, or a timeout: the request won't come, or the reply can't be
 * delivered. */
static void on_event(struct bufferevent *stream, short what, void *context)
{
    (void)stream;
    (void)what;
    struct client *client = context;
    if (client->state != CLIENT_GONE)
        client_gone(client);
}

static bool peer_is_allowed(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd,
                      struct sockaddr *address, int address_len, void *context)
{
    (void)listener;
    (void)address;
    (void)address_len;
    struct control_server *server = context;
    if (!peer_is_allowed(fd) || server->client_count == CLIENTS_MAX) {
        close(fd);
        return;
    }
    struct client *client = mem_alloc(sizeof(*client));
    *client = (struct client){
        .next = server->clients,
        .server = server,
        .stream = bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE),
        .state = CLIENT_READING,
    };
    server->clients = client;
    server->client_count++;
    struct timeval timeout = {.tv_sec = CLIENT_TIMEOUT_S};
    bufferevent_setcb(client->stream, on_read, on_written, on_event, client);
    bufferevent_set_timeouts(client->stream, &timeout, &timeout);
    /* A request, its line feed, and one byte to see that it is too long. */
    bufferevent_setwatermark(client->stream, EV_READ, 0, CONTROL_REQUEST_MAX + 2);
    bufferevent_enable(client->stream, EV_READ | EV_WRITE);
}

static void on_accept_error(struct evconnlistener *listener, void *context)
{
    (void)listener;
    struct control_server *server = context;
    log_line(LOG_APP, LOG_DEBUG, "%s: accept: %s", server->path, strerror(errno));
}

/* Whether the path is free to bind: nothing there, or a socket that nobody listens on,
 * which goes. */
static bool clear_path(const struct sockaddr_un *address, struct error *error)
{
    const char *path = address->sun_path;
    struct stat status;
    if (lstat(path, &status) != 0)
        return errno == ENOENT || error_set(error, "%s: %s", path, strerror(errno));
    if (!S_ISSOCK(status.st_mode))
        return error_set(error, "%s: isn't a socket; move it away", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_set(error, "%s: %s", path, strerror(errno));
    int failed =
        connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : errno;
    close(fd);
    if (failed == 0 || failed == EAGAIN)
        return error_set(error, "%s: another process listens here; stop it first", path);
    if (failed != ECONNREFUSED)
        return error_set(error, "%s: left behind and can't be tried: %s; remove it", path,
                         strerror(failed));
    if (unlink(path) != 0 && errno != ENOENT)
        return error_set(error, "%s: left behind and can't be removed: %s", path,
                         strerror(errno));
    return true;
}

/* A bound socket, not yet listening: nobody can connect before its mode is set. */
static int bind_socket(struct stat *status, const char *path, struct error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        error_set(error,
                  "%s: longer than the %zu bytes a socket's path may have; choose a "
                  "shorter datadir",
                  path, sizeof(address.sun_path) - 1);
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    if (!clear_path(&address, error))
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        chmod(path, S_IRUSR | S_IWUSR) != 0 || lstat(path, status) != 0) {
        error_set(error, "%s: can't be listened on: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

struct control_server *control_server_new(struct loop *loop, const char *path,
                                          control_handler handler, void *context,
                                          struct error *error)
{
    struct stat status;
    int fd = bind_socket(&status, path, error);
    if (fd < 0)
        return NULL;
    struct control_server *server = mem_zalloc(1, sizeof(*server));
    server->base = loop_base(loop);
    server->listener =
        evconnlistener_new(server->base, on_accept, server,
                           LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG, fd);
    if (server->listener == NULL) {
        error_set(error, "%s: can't be listened on: %s", path, strerror(errno));
        close(fd);
        unlink(path);
        free(server);
        return NULL;
    }
    evconnlistener_set_error_cb(server->listener, on_accept_error);
    server->reap = evtimer_new(server->base, on_reap, server);
    server->handler = handler;
    server->context = context;
    server->path = mem_strdup(path);
    server->device = status.st_dev;
    server->inode = status.st_ino;
    return server;
}

void control_server_free(struct control_server *server)
{
    if (server == NULL)
        return;
    struct stat status;
    if (lstat(server->path, &status) == 0 && status.st_dev == server->device &&
        status.st_ino == server->inode)
        unlink(server->path);
    evconnlistener_free(server->listener);
    while (server->clients != NULL) {
        struct client *client = server->clients;
        server->clients = client->next;
        client_free(client);
    }
    event_free(server->reap);
    free(server->path);
    free(server);
}

void control_reply(struct control_call *call, const char *text)
{
    struct client *client = call->client;
    free(call);
    if (client == NULL)
        return;
    client->call = NULL;
    client->state = CLIENT_WRITING;
    struct evbuffer *output = bufferevent_get_output(client->stream);
    evbuffer_add(output, text, strlen(text));
    evbuffer_add(output, "\n", 1);
}
