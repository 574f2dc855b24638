/* The HTTP server: read-only, on loopback. It answers GET and nothing else, and only to
 * whom the Host header addresses by a loopback name or one of the configured ones, so
 * that a web page elsewhere can't reach it through a DNS name of its own (DNS rebinding).
 */
#ifndef IO_HTTP_H
#define IO_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "io/loop.h"

struct http_server;

struct http_request {
    const char *path;  /* as sent, without the query */
    const char *query; /* what follows '?'; "" when there is none */
};

struct http_reply {
    int status;               /* preset: 200 */
    const char *content_type; /* preset: "text/plain; charset=utf-8"; a literal */
    struct writer body;       /* preset: empty; released by the server */
};

/* Fill the reply, during the call. */
typedef void (*http_handler)(struct http_reply *reply, const struct http_request *request,
                             void *context);

struct http_settings {
    const char *bind; /* "address:port", "[::1]:port" or "localhost:port"; port 0: any */
    const char *const *hosts; /* http_host=: further names allowed in Host; copied */
    size_t host_count;
};

/* Whether http_server_new would take this bind, as far as that can be told without
 * listening; the error quotes it. */
NODISCARD bool http_bind_check(const char *bind, struct error *error);

/* NULL, with the error, if the address isn't loopback's or can't be listened on. */
struct http_server *http_server_new(struct loop *loop,
                                    const struct http_settings *settings,
                                    struct error *error);
/* Close every connection. */
void http_server_free(struct http_server *server);
/* Answer GETs of exactly this path (a literal). */
void http_server_route(struct http_server *server, const char *path, http_handler handler,
                       void *context);
uint16_t http_server_port(const struct http_server *server);

#endif
