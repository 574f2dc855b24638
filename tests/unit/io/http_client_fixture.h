/* A client, a scripted server, and the answers that came. */
#ifndef TESTS_UNIT_IO_HTTP_CLIENT_FIXTURE_H
#define TESTS_UNIT_IO_HTTP_CLIENT_FIXTURE_H

#include "drive.h"
#include "nameserver.h"
#include "web_server.h"

#include <stdio.h>
#include <string.h>

#include "io/http_client.h"

#define LONG_MS 15000

struct got {
    uint64_t ticket;
    char failure[ERROR_TEXT_MAX]; /* "" for none */
    int status;
    int64_t retry_after;
    size_t body_len;
    char body[128]; /* its beginning */
};

struct fixture {
    struct loop *loop;
    struct nameserver nameserver;
    struct resolver *resolver;
    struct http_client *client;
    struct web_server server;
    struct http_client_settings settings; /* what open_client() doesn't set */
    int count;
    struct got got[80]; /* the last is got[count - 1] */
    int post_again;     /* from within the callback, this often */
};

static inline void post(struct fixture *fixture, uint64_t ticket, int64_t timeout_ms);

static inline void on_answer(uint64_t ticket, const struct http_answer *answer,
                             void *context)
{
    struct fixture *fixture = context;
    assert_in_range(fixture->count, 0, 79);
    struct got *got = &fixture->got[fixture->count++];
    *got = (struct got){.ticket = ticket,
                        .status = answer->status,
                        .retry_after = answer->retry_after,
                        .body_len = answer->body.len};
    if (answer->failure != NULL)
        snprintf(got->failure, sizeof(got->failure), "%s", answer->failure);
    size_t len =
        answer->body.len < sizeof(got->body) ? answer->body.len : sizeof(got->body) - 1;
    if (len > 0)
        memcpy(got->body, answer->body.data, len);
    if (fixture->post_again > 0) {
        fixture->post_again--;
        post(fixture, ticket + 1, LONG_MS);
    }
}

static inline void post(struct fixture *fixture, uint64_t ticket, int64_t timeout_ms)
{
    char body[64];
    int len = snprintf(body, sizeof(body), "{\"id\":%llu}", (unsigned long long)ticket);
    assert_true(http_client_post(fixture->client, ticket,
                                 (struct bytes){(const uint8_t *)body, (size_t)len},
                                 timeout_ms, on_answer, fixture));
}

static inline const struct got *wait_for(struct fixture *fixture, int count)
{
    DRIVE_UNTIL(fixture->loop, fixture->count >= count);
    assert_int_equal(fixture->count, count);
    return &fixture->got[count - 1];
}

static inline void begin(struct fixture *fixture)
{
    *fixture = (struct fixture){.loop = loop_new(), .server.listener = -1};
    nameserver_start(&fixture->nameserver, fixture->loop);
    fixture->resolver = resolver_new(fixture->loop, fixture->nameserver.address);
}

static inline void open_client(struct fixture *fixture, const char *scheme,
                               const char *host, const char *ca_file)
{
    char url[256];
    struct error error;
    snprintf(url, sizeof(url), "%s://%s:%u/v3/key?a=b", scheme, host,
             fixture->server.port);
    fixture->settings.url = url;
    fixture->settings.ca_file = ca_file;
    fixture->settings.resolver = fixture->resolver;
    fixture->client = http_client_new(fixture->loop, &fixture->settings, &error);
    if (fixture->client == NULL)
        fail_msg("%s", error.text);
}

/* A plain server with this script, and a client for it. */
static inline void start(struct fixture *fixture, const struct act *acts, size_t count)
{
    begin(fixture);
    web_start(&fixture->server, NULL, acts, count);
    open_client(fixture, "http", "127.0.0.1", NULL);
}

static inline void end(struct fixture *fixture)
{
    http_client_free(fixture->client);
    /* The library closes the socket in a turn of its own. */
    event_base_loop(loop_base(fixture->loop), EVLOOP_NONBLOCK);
    if (fixture->server.listener >= 0)
        web_stop(&fixture->server);
    resolver_free(fixture->resolver);
    nameserver_stop(&fixture->nameserver);
    loop_free(fixture->loop);
}

static inline void expect_failure(const struct got *got, const char *reason)
{
    if (strstr(got->failure, reason) == NULL)
        fail_msg("\"%s\" doesn't say \"%s\" (status %d)", got->failure, reason,
                 got->status);
    /* The key in the path is nobody's business. */
    assert_null(strstr(got->failure, "key"));
    assert_int_equal(got->body_len, 0);
    assert_int_equal(got->retry_after, -1);
}

static inline void expect_body(const struct got *got, int status, const char *body)
{
    assert_string_equal(got->failure, "");
    assert_int_equal(got->status, status);
    assert_string_equal(got->body, body);
}

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

#endif
