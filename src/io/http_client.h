/* POSTs of JSON to one endpoint, and GETs of what lies there, over HTTP or HTTPS. One
 * connection, kept alive between requests and made anew when it has ended; they go out
 * one after the other, in order.
 *
 * TLS 1.2 at least; the certificate's chain and name are always verified. Redirects
 * aren't followed.
 *
 * Where a kept-alive connection turns out to have ended before any byte of an answer, the
 * request goes out once more on a new one: a body must bear arriving twice. */
#ifndef IO_HTTP_CLIENT_H
#define IO_HTTP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "io/loop.h"
#include "io/resolver.h"

/* Posts not yet answered: many times what one publisher asks of an endpoint at once. */
#define HTTP_CLIENT_POSTS_MAX 64
/* A longer answer is refused while it is being read, unless settings say otherwise. */
#define HTTP_CLIENT_BODY_MAX ((size_t)1 << 20)
#define HTTP_CLIENT_HEADERS_MAX ((size_t)16 << 10)

struct http_client;

struct http_client_settings {
    const char *url;           /* see io/url.h; copied */
    const char *ca_file;       /* PEM; NULL: the system's authorities */
    struct resolver *resolver; /* outlives the client */
    /* For each of a host's addresses but the last, which has the whole time; 0: 3 s. */
    int64_t attempt_ms;
    /* After this long without posts the connection is closed; 0: 30 s. */
    int64_t idle_ms;
    /* "user:password", sent as RFC 7617's Basic; copied, wiped at the end. NULL: none. */
    const char *credentials;
    size_t body_max; /* a longer answer is refused; 0: HTTP_CLIENT_BODY_MAX */
};

/* Valid during the call that hands it over. */
struct http_answer {
    const char *failure; /* why there is no answer; NULL: there is one, below */
    int status;          /* any but 1xx and 3xx, which are failures */
    struct bytes body;   /* as sent, whatever its type */
    int64_t retry_after; /* seconds that the endpoint asks to be left alone; -1: none */
};

/* Called once for each post, from the loop, never from within an http_client_ call; it
 * may post again, and must not free the client. In the order of posting, except that a
 * time-out may overtake. */
typedef void (*http_answered)(uint64_t ticket, const struct http_answer *answer,
                              void *context);

/* NULL, with the error, if the URL or the authorities' file can't be used. */
struct http_client *http_client_new(struct loop *loop,
                                    const struct http_client_settings *settings,
                                    struct error *error);
/* Close the connection; what hasn't been answered is forgotten. */
void http_client_free(struct http_client *client);

/* POST this body, which is copied. The answer has `timeout_ms` from now, its turn in the
 * queue included. The ticket is the caller's, and comes back with the answer. False if
 * HTTP_CLIENT_POSTS_MAX are waiting. */
NODISCARD bool http_client_post(struct http_client *client, uint64_t ticket,
                                struct bytes body, int64_t timeout_ms,
                                http_answered answered, void *context);

/* The next bytes of an answer with status 200, valid during the call, which comes from
 * within the library's work: it may stop the loop, but calls nothing of the client. */
typedef void (*http_received)(struct bytes piece, void *context);

/* GET what the URL names. The body goes to `received` as it comes, that of an answer with
 * another status nowhere; `answered` ends it, without a body. It has `silence_ms` until
 * the first byte of the body, its turn in the queue included, and as much from one piece
 * to the next. The rest as in http_client_post. */
NODISCARD bool http_client_get(struct http_client *client, uint64_t ticket,
                               int64_t silence_ms, http_received received,
                               http_answered answered, void *context);

/* "https://host:port", without the path, which may hold a key. */
const char *http_client_name(const struct http_client *client);

#endif
