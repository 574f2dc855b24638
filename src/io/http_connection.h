/* One connection of an HTTP client to one address, with one request at a time: libevent's
 * client, its bounds, and the reasons that it keeps to itself. For http_client.c. */
#ifndef IO_HTTP_CONNECTION_H
#define IO_HTTP_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include <sys/socket.h>

#include <event2/buffer.h>
#include <openssl/ssl.h>

#include "base/bytes.h"
#include "base/error.h"
#include "io/loop.h"
#include "io/url.h"

/* Called from within the library's work, also from within http_connection_post(): only
 * note what has happened, and free the connection later. */
struct http_connection_handler {
    /* TLS included. */
    void (*connected)(void *context);
    /* For a GET: the next bytes of the body of an answer with status 200, drained
     * afterwards. */
    void (*received)(struct evbuffer *piece, void *context);
    /* The body may be moved out. */
    void (*answered)(int status, int64_t retry_after, struct evbuffer *body,
                     void *context);
    /* The request failed, and the connection is of no more use. `stale`: it was kept
     * alive, and had ended before anything of an answer came. Valid during the call. */
    void (*failed)(const char *reason, bool stale, void *context);
    /* It has ended after, or apart from, a request. */
    void (*closed)(void *context);
    void *context;
};

struct http_connection;

/* All of it outlives the connection. */
struct http_endpoint {
    struct url url;
    SSL_CTX *tls;        /* NULL: plain HTTP */
    char *authorization; /* the header's value; NULL: none */
    size_t body_max;     /* of an answer */
};

/* NULL, with the error, if there can't be one. */
struct http_connection *http_connection_new(struct loop *loop,
                                            const struct http_endpoint *endpoint,
                                            const struct sockaddr_storage *address,
                                            const struct http_connection_handler *handler,
                                            struct error *error);
/* Nothing is called any more. */
void http_connection_free(struct http_connection *connection);

/* POST; the first one connects. Not before the one before has been answered. */
void http_connection_post(struct http_connection *connection, struct bytes body);
/* GET, in the same way. */
void http_connection_get(struct http_connection *connection);

#endif
