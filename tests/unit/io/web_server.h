/* A web server that follows a script, on a thread and loopback of its own. */
#ifndef TESTS_UNIT_IO_WEB_SERVER_H
#define TESTS_UNIT_IO_WEB_SERVER_H

#include "drive.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

enum then {
    THEN_KEEP,  /* the connection, for the next act */
    THEN_CLOSE, /* it */
    THEN_DROP,  /* it, without a word of TLS */
    THEN_RESET,
    THEN_HANG, /* until the client closes it */
};

/* Read a whole request, on a new connection if there is none, and answer. */
struct act {
    const char *reply; /* NULL: none */
    size_t filler;     /* this many 'a's after it */
    enum then then;
    bool any_bytes; /* some bytes will do for a request */
};

struct web_server {
    const struct act *acts;
    size_t act_count;
    SSL_CTX *tls; /* NULL: plain */
    int listener;
    uint16_t port;
    pthread_t thread;
    atomic_int connections;
    atomic_int requests; /* read whole */
    atomic_int done;     /* acts */
    atomic_bool left;    /* after the last act: the client has closed the connection */
    atomic_bool polite;  /* and said so by TLS */
    char last_request[16384];
    size_t last_len;
    char server_name[64]; /* the last SNI */
};

struct web_connection {
    int fd;
    SSL *session;
};

static inline void web_hang_up(struct web_connection *connection, enum then how)
{
    if (connection->fd < 0)
        return;
    if (connection->session != NULL && how == THEN_CLOSE)
        SSL_shutdown(connection->session);
    SSL_free(connection->session);
    if (how == THEN_RESET) {
        struct linger linger = {.l_onoff = 1};
        setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    }
    close(connection->fd);
    *connection = (struct web_connection){.fd = -1};
}

static inline bool web_wait(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, DRIVE_LIMIT_MS) == 1;
}

static inline bool web_accept(struct web_server *server,
                              struct web_connection *connection)
{
    if (!web_wait(server->listener))
        return false;
    connection->fd = accept(server->listener, NULL, NULL);
    /* No test's fault may leave the thread hanging. */
    struct timeval limit = {.tv_sec = DRIVE_LIMIT_MS / 1000};
    setsockopt(connection->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(connection->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    server->connections++;
    if (server->tls == NULL)
        return true;
    connection->session = SSL_new(server->tls);
    SSL_set_fd(connection->session, connection->fd);
    bool good = SSL_accept(connection->session) == 1;
    const char *name = SSL_get_servername(connection->session, TLSEXT_NAMETYPE_host_name);
    snprintf(server->server_name, sizeof(server->server_name), "%s",
             name != NULL ? name : "");
    return good;
}

static inline ssize_t web_read(struct web_connection *connection, char *out, size_t len)
{
    if (connection->session != NULL)
        return SSL_read(connection->session, out, (int)len);
    return recv(connection->fd, out, len, 0);
}

static inline bool web_write(struct web_connection *connection, const char *data,
                             size_t len)
{
    while (len > 0) {
        ssize_t sent = connection->session != NULL
                           ? SSL_write(connection->session, data, (int)len)
                           : send(connection->fd, data, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        data += sent;
        len -= (size_t)sent;
    }
    return true;
}

static inline bool web_is_whole(const char *request, size_t len)
{
    const char *end = strstr(request, "\r\n\r\n");
    const char *field = strstr(request, "Content-Length: ");
    if (end != NULL && strncmp(request, "GET ", 4) == 0)
        return true;
    if (end == NULL || field == NULL)
        return false;
    size_t body = strtoul(field + strlen("Content-Length: "), NULL, 10);
    return len >= (size_t)(end + 4 - request) + body;
}

static inline bool web_read_request(struct web_server *server,
                                    struct web_connection *connection, bool any_bytes)
{
    server->last_len = 0;
    for (;;) {
        size_t room = sizeof(server->last_request) - 1 - server->last_len;
        ssize_t got = web_read(connection, server->last_request + server->last_len, room);
        if (got <= 0)
            return false;
        server->last_len += (size_t)got;
        server->last_request[server->last_len] = '\0';
        if (any_bytes)
            return true;
        if (web_is_whole(server->last_request, server->last_len)) {
            server->requests++;
            return true;
        }
    }
}

static inline void web_reply(struct web_connection *connection, const struct act *act)
{
    if (act->reply == NULL)
        return;
    bool good = web_write(connection, act->reply, strlen(act->reply));
    char filler[4096];
    memset(filler, 'a', sizeof(filler));
    for (size_t left = act->filler; good && left > 0;) {
        size_t piece = left < sizeof(filler) ? left : sizeof(filler);
        good = web_write(connection, filler, piece);
        left -= piece;
    }
}

static inline void web_play(struct web_server *server, struct web_connection *connection,
                            const struct act *act)
{
    bool good = (connection->fd >= 0 || web_accept(server, connection)) &&
                web_read_request(server, connection, act->any_bytes);
    if (good)
        web_reply(connection, act);
    char rest[4096];
    if (good && act->then == THEN_HANG) {
        while (web_read(connection, rest, sizeof(rest)) > 0)
            continue;
    }
    if (!good || act->then != THEN_KEEP)
        web_hang_up(connection, act->then);
}

static inline void *web_run(void *context)
{
    struct web_server *server = context;
    struct web_connection connection = {.fd = -1};
    for (size_t i = 0; i < server->act_count; i++) {
        web_play(server, &connection, &server->acts[i]);
        server->done++;
    }
    /* What is kept open at the end stays so until the client leaves. */
    char rest[4096];
    while (connection.fd >= 0 && web_read(&connection, rest, sizeof(rest)) > 0)
        continue;
    server->polite = connection.session != NULL &&
                     (SSL_get_shutdown(connection.session) & SSL_RECEIVED_SHUTDOWN) != 0;
    server->left = true;
    web_hang_up(&connection, THEN_CLOSE);
    return NULL;
}

static inline void web_start(struct web_server *server, SSL_CTX *tls,
                             const struct act *acts, size_t act_count)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    *server = (struct web_server){.acts = acts, .act_count = act_count, .tls = tls};
    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(server->listener, 8), 0);
    getsockname(server->listener, (struct sockaddr *)&address, &len);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, web_run, server), 0);
}

/* After the client is gone, or has nothing more to do with it. */
static inline void web_stop(struct web_server *server)
{
    pthread_join(server->thread, NULL);
    close(server->listener);
}

#endif
