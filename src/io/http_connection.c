#include "io/http_connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/http.h>
#include <event2/util.h>

#include "base/mem.h"
#include "io/http_client.h"
#include "io/tls.h"

/* The library's own time-outs are kept out of the way of the posts'. */
#define LIBRARY_TIMEOUT_S (24 * 3600)

struct http_connection {
    const struct http_endpoint *endpoint;
    struct http_connection_handler handler;
    struct evhttp_connection *http;
    struct bufferevent *transport; /* http's */
    SSL *session;                  /* the transport's; NULL: plain HTTP */
    bool connected;
    bool busy;         /* with a request */
    bool closed;       /* by the other side, or after a failure */
    bool kept_alive;   /* has answered before */
    bool answer_began; /* something has come since the request went out */
    bool has_failed;
    struct error failure;               /* if it has */
    bufferevent_event_cb library_event; /* what the library wants to be told */
    void *library_context;
};

/* The first reason counts: those that follow know less. */
static void note_failure(struct http_connection *connection, const char *reason)
{
    if (!connection->has_failed)
        error_set(&connection->failure, "%s", reason);
    connection->has_failed = true;
}

/* errno is the socket's. */
static void describe_connecting(struct http_connection *connection, short what)
{
    const char *reason = strerror(errno);
    if (connection->session != NULL) {
        unsigned long code = bufferevent_get_openssl_error(connection->transport);
        connection->has_failed = tls_describe(&connection->failure, connection->session,
                                              connection->endpoint->url.host, code);
    }
    if ((what & BEV_EVENT_EOF) != 0)
        note_failure(connection, "it closed the connection during the TLS handshake");
    else
        note_failure(connection, reason);
    error_prefix(&connection->failure, "can't be connected to");
}

/* Stands before the library's own callback, which forgets the reason. */
static void on_connection_event(struct bufferevent *transport, short what, void *context)
{
    struct http_connection *connection = context;
    if ((what & BEV_EVENT_CONNECTED) != 0) {
        connection->connected = true;
        connection->handler.connected(connection->handler.context);
    } else {
        describe_connecting(connection, what);
    }
    connection->library_event(transport, what, connection->library_context);
}

static void on_input(struct evbuffer *input, const struct evbuffer_cb_info *info,
                     void *context)
{
    (void)input;
    struct http_connection *connection = context;
    if (info->n_added > 0)
        connection->answer_began = true;
}

static void on_closed(struct evhttp_connection *http, void *context)
{
    (void)http;
    struct http_connection *connection = context;
    connection->closed = true;
    if (!connection->busy)
        connection->handler.closed(connection->handler.context);
}

/* on_response() follows. */
static void on_request_error(enum evhttp_request_error error, void *context)
{
    struct http_connection *connection = context;
    struct error too_long;
    switch (error) {
    case EVREQ_HTTP_TIMEOUT:
        note_failure(connection, "timed out");
        break;
    case EVREQ_HTTP_EOF:
        note_failure(connection, connection->answer_began
                                     ? "the connection ended in the middle of the answer"
                                     : "the connection ended without an answer");
        break;
    case EVREQ_HTTP_INVALID_HEADER:
        note_failure(connection,
                     "the answer isn't HTTP, or has over 16 KiB of headers; check scheme "
                     "and port of the URL");
        break;
    case EVREQ_HTTP_DATA_TOO_LONG:
        error_set(&too_long, "the answer is too long: over %zu MiB",
                  connection->endpoint->body_max >> 20);
        note_failure(connection, too_long.text);
        break;
    case EVREQ_HTTP_BUFFER_ERROR:
    case EVREQ_HTTP_REQUEST_CANCEL:
        note_failure(connection, "the answer can't be read");
        break;
    }
}

/* RFC 9110, 10.2.3: seconds, or a date, which is taken for no hint. */
static int64_t parse_retry_after(const char *text)
{
    int64_t seconds = 0;
    if (text == NULL || *text == '\0' || text[strspn(text, "0123456789")] != '\0')
        return -1;
    for (; *text != '\0' && seconds <= INT32_MAX; text++)
        seconds = seconds * 10 + (*text - '0');
    return seconds <= INT32_MAX ? seconds : INT32_MAX;
}

static void request_failed(struct http_connection *connection)
{
    bool stale = connection->kept_alive && !connection->answer_began;
    note_failure(connection, "can't be connected to");
    connection->closed = true;
    connection->handler.failed(connection->failure.text, stale,
                               connection->handler.context);
}

/* No request, or one without a status: it failed. */
static void on_response(struct evhttp_request *request, void *context)
{
    struct http_connection *connection = context;
    const struct http_connection_handler *handler = &connection->handler;
    connection->busy = false;
    if (request == NULL || evhttp_request_get_response_code(request) == 0) {
        request_failed(connection);
        return;
    }
    connection->kept_alive = true;
    /* What nobody asked for would be taken for the next answer. */
    if (evbuffer_get_length(bufferevent_get_input(connection->transport)) > 0)
        connection->closed = true;
    const char *retry_after =
        evhttp_find_header(evhttp_request_get_input_headers(request), "Retry-After");
    handler->answered(evhttp_request_get_response_code(request),
                      parse_retry_after(retry_after),
                      evhttp_request_get_input_buffer(request), handler->context);
    if (connection->closed)
        handler->closed(handler->context);
}

/* The library drains the piece. */
static void on_piece(struct evhttp_request *request, void *context)
{
    struct http_connection *connection = context;
    if (evhttp_request_get_response_code(request) == HTTP_OK)
        connection->handler.received(evhttp_request_get_input_buffer(request),
                                     connection->handler.context);
}

static struct evhttp_request *make_request(struct http_connection *connection,
                                           const char *const (*headers)[2], size_t count)
{
    struct evhttp_request *request = evhttp_request_new(on_response, connection);
    evhttp_request_set_error_cb(request, on_request_error);
    struct evkeyvalq *out = evhttp_request_get_output_headers(request);
    evhttp_add_header(out, "Host", url_authority(&connection->endpoint->url));
    evhttp_add_header(out, "User-Agent", "reservewatch/" RESERVEWATCH_VERSION);
    for (size_t i = 0; i < count; i++)
        evhttp_add_header(out, headers[i][0], headers[i][1]);
    if (connection->endpoint->authorization != NULL)
        evhttp_add_header(out, "Authorization", connection->endpoint->authorization);
    return request;
}

static void send_request(struct http_connection *connection,
                         struct evhttp_request *request, enum evhttp_cmd_type method)
{
    connection->busy = true;
    connection->answer_began = false;
    if (evhttp_make_request(connection->http, request, method,
                            connection->endpoint->url.target) != 0) {
        connection->busy = false;
        request_failed(connection);
    }
    if (connection->connected || !connection->busy || connection->library_event != NULL)
        return;
    bufferevent_getcb(connection->transport, NULL, NULL, &connection->library_event,
                      &connection->library_context);
    bufferevent_setcb(connection->transport, NULL, NULL, on_connection_event, connection);
}

void http_connection_post(struct http_connection *connection, struct bytes body)
{
    static const char *const headers[][2] = {
        {"Content-Type", "application/json"},
        {"Accept", "application/json"},
    };
    struct evhttp_request *request = make_request(connection, headers, 2);
    evbuffer_add(evhttp_request_get_output_buffer(request), body.data, body.len);
    send_request(connection, request, EVHTTP_REQ_POST);
}

void http_connection_get(struct http_connection *connection)
{
    static const char *const headers[][2] = {{"Accept-Encoding", "identity"}};
    struct evhttp_request *request = make_request(connection, headers, 1);
    evhttp_request_set_chunked_cb(request, on_piece);
    send_request(connection, request, EVHTTP_REQ_GET);
}

static int open_socket(const struct sockaddr_storage *address)
{
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* Requests are small, and answers wait for them. */
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return fd;
}

/* Callbacks are deferred, so that none runs before on_connection_event() is in place. */
static bool open_transport(struct http_connection *connection, struct event_base *base,
                           const struct sockaddr_storage *address, struct error *error)
{
    int options = BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS;
    const struct url *url = &connection->endpoint->url;
    SSL_CTX *tls = connection->endpoint->tls;
    if (tls != NULL) {
        connection->session = tls_session_new(tls, url->host, url->host_is_address);
        if (connection->session == NULL)
            return error_set(error, "TLS can't verify a host of this name");
    }
    int fd = open_socket(address);
    if (fd < 0) {
        SSL_free(connection->session);
        return error_set(error, "no socket can be opened: %s", strerror(errno));
    }
    if (tls == NULL)
        connection->transport = bufferevent_socket_new(base, fd, options);
    else
        connection->transport = bufferevent_openssl_socket_new(
            base, fd, connection->session, BUFFEREVENT_SSL_CONNECTING, options);
    evbuffer_add_cb(bufferevent_get_input(connection->transport), on_input, connection);
    return true;
}

/* The library wants the address as text. */
static void open_http(struct http_connection *connection, struct event_base *base,
                      const struct sockaddr_storage *address)
{
    char text[INET6_ADDRSTRLEN];
    bool v4 = address->ss_family == AF_INET;
    const struct sockaddr_in *in4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
    const void *host = v4 ? (const void *)&in4->sin_addr : (const void *)&in6->sin6_addr;
    uint16_t port = ntohs(v4 ? in4->sin_port : in6->sin6_port);
    evutil_inet_ntop(address->ss_family, host, text, sizeof(text));
    connection->http = evhttp_connection_base_bufferevent_new(
        base, NULL, connection->transport, text, port);
    evhttp_connection_set_timeout(connection->http, LIBRARY_TIMEOUT_S);
    evhttp_connection_set_max_headers_size(connection->http, HTTP_CLIENT_HEADERS_MAX);
    evhttp_connection_set_max_body_size(connection->http,
                                        (ev_ssize_t)connection->endpoint->body_max);
    evhttp_connection_set_closecb(connection->http, on_closed, connection);
}

struct http_connection *http_connection_new(struct loop *loop,
                                            const struct http_endpoint *endpoint,
                                            const struct sockaddr_storage *address,
                                            const struct http_connection_handler *handler,
                                            struct error *error)
{
    struct http_connection *connection = mem_zalloc(1, sizeof(*connection));
    connection->endpoint = endpoint;
    connection->handler = *handler;
    if (!open_transport(connection, loop_base(loop), address, error)) {
        free(connection);
        return NULL;
    }
    open_http(connection, loop_base(loop), address);
    return connection;
}

void http_connection_free(struct http_connection *connection)
{
    if (connection == NULL)
        return;
    if (connection->session != NULL && connection->kept_alive && !connection->busy &&
        !connection->closed)
        tls_say_goodbye(connection->session);
    evbuffer_remove_cb(bufferevent_get_input(connection->transport), on_input,
                       connection);
    evhttp_connection_set_closecb(connection->http, NULL, NULL);
    /* With the request that is under way, if any. */
    evhttp_connection_free(connection->http);
    free(connection);
}
