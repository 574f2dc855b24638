#include "io/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>

#include "base/log.h"
#include "base/mem.h"

/* What a browser sends fits many times; nothing is answered that has a body. */
#define REQUEST_HEADERS_MAX 16384
#define REQUEST_BODY_MAX 16384
/* For each step of a client that dawdles. */
#define CLIENT_TIMEOUT_S 20
#define BACKLOG 64
#define HOST_MAX 256

struct route {
    const char *path;
    http_handler handler;
    void *context;
};

struct http_server {
    struct evhttp *http;
    uint16_t port;
    char **hosts;
    size_t host_count;
    struct route *routes;
    size_t route_count;
    size_t route_capacity;
};

union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static bool parse_port(in_port_t *port, const char *digits)
{
    size_t len = strspn(digits, "0123456789");
    if (len == 0 || len > 5 || digits[len] != '\0')
        return false;
    long value = strtol(digits, NULL, 10);
    if (value > UINT16_MAX)
        return false;
    *port = htons((uint16_t)value);
    return true;
}

/* Split "host", "host:port", "[v6]" or "[v6]:port"; *port is "" when there is none. */
static bool split_host(char host[static HOST_MAX], const char **port, const char *text)
{
    const char *start = text;
    const char *end = text + strcspn(text, ":");
    const char *rest = end;
    if (*text == '[') {
        start = text + 1;
        end = strchr(start, ']');
        if (end == NULL)
            return false;
        rest = end + 1;
    }
    size_t len = (size_t)(end - start);
    if (len == 0 || len >= HOST_MAX || (*rest != '\0' && *rest != ':'))
        return false;
    memcpy(host, start, len);
    host[len] = '\0';
    *port = *rest == ':' ? rest + 1 : rest;
    return true;
}

/* A loopback address, or localhost (then 127.0.0.1's). */
static bool parse_loopback(union socket_address *out, const char *host)
{
    memset(out, 0, sizeof(*out));
    if (strcasecmp(host, "localhost") == 0)
        host = "127.0.0.1";
    if (inet_pton(AF_INET, host, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        return ntohl(out->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    if (inet_pton(AF_INET6, host, &out->v6.sin6_addr) == 1) {
        out->v6.sin6_family = AF_INET6;
        return IN6_IS_ADDR_LOOPBACK(&out->v6.sin6_addr);
    }
    return false;
}

static bool parse_bind(union socket_address *out, const char *bind, struct error *error)
{
    char host[HOST_MAX];
    const char *port_text;
    in_port_t port;
    if (!split_host(host, &port_text, bind) || !parse_port(&port, port_text))
        return error_set(error, "'%s': isn't address:port; write 127.0.0.1:8350", bind);
    if (!parse_loopback(out, host))
        return error_set(
            error,
            "'%s': isn't a loopback address; write 127.0.0.1:%s, and put a TLS proxy in "
            "front for others",
            bind, port_text);
    if (out->any.sa_family == AF_INET)
        out->v4.sin_port = port;
    else
        out->v6.sin6_port = port;
    return true;
}

bool http_bind_check(const char *bind, struct error *error)
{
    union socket_address address;
    return parse_bind(&address, bind, error);
}

static bool host_is_allowed(const struct http_server *server, const char *text)
{
    char host[HOST_MAX];
    const char *port;
    union socket_address address = {0};
    if (!split_host(host, &port, text))
        return false;
    if (parse_loopback(&address, host))
        return true;
    for (size_t i = 0; i < server->host_count; i++) {
        if (strcasecmp(host, server->hosts[i]) == 0)
            return true;
    }
    return false;
}

static void free_body(const void *data, size_t len, void *owned)
{
    (void)data;
    (void)len;
    free(owned);
}

/* Sends and releases the reply. */
static void send_reply(struct evhttp_request *request, struct http_reply *reply)
{
    static const char *const headers[][2] = {
        {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
        {"X-Content-Type-Options", "nosniff"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Referrer-Policy", "no-referrer"},
        {"Cache-Control", "no-store"},
    };
    struct evkeyvalq *out = evhttp_request_get_output_headers(request);
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        evhttp_add_header(out, headers[i][0], headers[i][1]);
    evhttp_add_header(out, "Content-Type", reply->content_type);
    struct evbuffer *body = evbuffer_new();
    size_t len;
    uint8_t *data = writer_take(&reply->body, &len);
    if (len > 0)
        evbuffer_add_reference(body, data, len, free_body, data);
    else
        free(data);
    /* The library doesn't know the phrase of this one. */
    const char *phrase = reply->status == 421 ? "Misdirected Request" : NULL;
    evhttp_send_reply(request, reply->status, phrase, body);
    evbuffer_free(body);
}

static void refuse(struct http_reply *reply, int status, const char *text)
{
    reply->status = status;
    write_bytes(&reply->body, text, strlen(text));
}

static const struct route *find_route(const struct http_server *server, const char *path)
{
    for (size_t i = 0; i < server->route_count; i++) {
        if (strcmp(server->routes[i].path, path) == 0)
            return &server->routes[i];
    }
    return NULL;
}

static void answer(const struct http_server *server, struct http_reply *reply,
                   struct evhttp_request *request)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const char *host =
        evhttp_find_header(evhttp_request_get_input_headers(request), "Host");
    const char *uri_host = evhttp_uri_get_host(uri);
    const char *path = evhttp_uri_get_path(uri);
    const char *query = evhttp_uri_get_query(uri);
    if (host == NULL) {
        refuse(reply, HTTP_BADREQUEST, "a Host header is required\n");
        return;
    }
    if (!host_is_allowed(server, host) ||
        (uri_host != NULL && !host_is_allowed(server, uri_host))) {
        refuse(reply, 421,
               "this name isn't served here; http_host= allows further ones\n");
        return;
    }
    if (evhttp_request_get_command(request) != EVHTTP_REQ_GET) {
        evhttp_add_header(evhttp_request_get_output_headers(request), "Allow", "GET");
        refuse(reply, HTTP_BADMETHOD, "read-only: GET is all there is\n");
        return;
    }
    if (path == NULL || *path == '\0')
        path = "/";
    const struct route *route = find_route(server, path);
    if (route == NULL) {
        refuse(reply, HTTP_NOTFOUND, "there is no such page\n");
        return;
    }
    struct http_request asked = {.path = path, .query = query != NULL ? query : ""};
    route->handler(reply, &asked, route->context);
}

static void on_request(struct evhttp_request *request, void *context)
{
    const struct http_server *server = context;
    struct http_reply reply = {.status = HTTP_OK,
                               .content_type = "text/plain; charset=utf-8"};
    writer_init(&reply.body);
    answer(server, &reply, request);
    log_line(LOG_HTTP, LOG_DEBUG, "%s: %d", evhttp_request_get_uri(request),
             reply.status);
    send_reply(request, &reply);
}

static struct evconnlistener *listen_on(struct loop *loop, const char *bind,
                                        struct error *error)
{
    union socket_address address = {0};
    if (!parse_bind(&address, bind, error)) {
        error_prefix(error, "http_bind");
        return NULL;
    }
    int len = address.any.sa_family == AF_INET ? sizeof(address.v4) : sizeof(address.v6);
    unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE;
    /* The server puts its own callback in. */
    struct evconnlistener *listener = evconnlistener_new_bind(
        loop_base(loop), NULL, NULL, flags, BACKLOG, &address.any, len);
    if (listener == NULL && errno == EADDRINUSE)
        error_set(
            error,
            "http_bind=%s: taken by another program; stop it or choose another port",
            bind);
    else if (listener == NULL)
        error_set(error, "http_bind=%s: can't be listened on: %s", bind, strerror(errno));
    return listener;
}

static uint16_t port_of(struct evconnlistener *listener)
{
    union socket_address address = {0};
    socklen_t len = sizeof(address);
    if (getsockname(evconnlistener_get_fd(listener), &address.any, &len) != 0)
        return 0;
    return ntohs(address.any.sa_family == AF_INET ? address.v4.sin_port
                                                  : address.v6.sin6_port);
}

struct http_server *http_server_new(struct loop *loop,
                                    const struct http_settings *settings,
                                    struct error *error)
{
    struct evconnlistener *listener = listen_on(loop, settings->bind, error);
    if (listener == NULL)
        return NULL;
    struct http_server *server = mem_zalloc(1, sizeof(*server));
    server->port = port_of(listener);
    server->hosts = mem_zalloc(settings->host_count, sizeof(*server->hosts));
    server->host_count = settings->host_count;
    for (size_t i = 0; i < settings->host_count; i++)
        server->hosts[i] = mem_strdup(settings->hosts[i]);
    server->http = evhttp_new(loop_base(loop));
    evhttp_set_max_headers_size(server->http, REQUEST_HEADERS_MAX);
    evhttp_set_max_body_size(server->http, REQUEST_BODY_MAX);
    evhttp_set_timeout(server->http, CLIENT_TIMEOUT_S);
    /* Every method comes to us: the library's refusal would be "not implemented". */
    evhttp_set_allowed_methods(server->http, UINT16_MAX);
    evhttp_set_gencb(server->http, on_request, server);
    evhttp_bind_listener(server->http, listener);
    return server;
}

void http_server_free(struct http_server *server)
{
    if (server == NULL)
        return;
    evhttp_free(server->http);
    for (size_t i = 0; i < server->host_count; i++)
        free(server->hosts[i]);
    free(server->hosts);
    free(server->routes);
    free(server);
}

void http_server_route(struct http_server *server, const char *path, http_handler handler,
                       void *context)
{
    server->routes = mem_grow(server->routes, &server->route_capacity,
                              server->route_count + 1, sizeof(*server->routes));
    server->routes[server->route_count++] =
        (struct route){.path = path, .handler = handler, .context = context};
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}
