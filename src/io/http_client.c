#include "io/http_client.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "base/base64.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "io/clock.h"
#include "io/http_connection.h"
#include "io/tls.h"
#include "io/url.h"

#define ATTEMPT_MS 3000
/* Servers and routers forget an idle connection after a minute or so, some of them
 * without telling. */
#define IDLE_MS 30000

enum client_state {
    CLIENT_CLOSED,
    CLIENT_RESOLVING,
    CLIENT_TRYING,     /* has an address to try next */
    CLIENT_CONNECTING, /* with the first post's request on its way; TLS included */
    CLIENT_EXCHANGING,
    CLIENT_READY, /* kept alive */
};

struct post {
    struct post *next;
    uint64_t ticket;
    uint8_t *body;
    size_t len;
    struct mono_time deadline;
    int64_t timeout_ms;
    http_received received; /* of a GET; NULL: a POST */
    http_answered answered;
    void *context;
    bool sent_again;
    bool finished;
    struct http_answer answer;
    struct error failure;
    struct evbuffer *reply; /* NULL: none */
};

/* The library calls back from within its own work, and what we start may call back at
 * once. So callbacks only note what has happened; settle() alone frees connections, hands
 * answers up and begins the next step. */
struct http_client {
    struct loop *loop;
    struct resolver *resolver;
    struct http_endpoint endpoint;
    int64_t attempt_ms;
    int64_t idle_ms;
    struct event *settle;
    struct loop_timer *timer;

    struct post *posts; /* the first is the one under way */
    size_t post_count;
    bool delivering; /* a callback is running, which may not free the client */

    enum client_state state;
    struct lookup *lookup; /* NULL unless resolving */
    struct lookup_result addresses;
    size_t next_address;
    struct mono_time state_limit; /* of this attempt, or of being idle */

    struct http_connection *connection;
    bool lost; /* it waits for settle() to free it */
};

static void settle_soon(const struct http_client *client)
{
    event_add(client->settle, &(struct timeval){0});
}

static void set_state(struct http_client *client, enum client_state state)
{
    static const char *const names[] = {
        [CLIENT_CLOSED] = "closed",         [CLIENT_RESOLVING] = "resolving",
        [CLIENT_TRYING] = "trying",         [CLIENT_CONNECTING] = "connecting",
        [CLIENT_EXCHANGING] = "exchanging", [CLIENT_READY] = "ready",
    };
    client->state = state;
    client->state_limit = MONO_NEVER;
    if (state == CLIENT_CONNECTING && client->next_address < client->addresses.count)
        client->state_limit = mono_add(now_mono(), client->attempt_ms);
    else if (state == CLIENT_READY)
        client->state_limit = mono_add(now_mono(), client->idle_ms);
    log_line(LOG_PUBLISH, LOG_DEBUG, "%s: %s", client->endpoint.url.name, names[state]);
}

static void post_free(struct post *post)
{
    if (post->reply != NULL)
        evbuffer_free(post->reply);
    free(post->body);
    free(post);
}

static void post_fail(const struct http_client *client, struct post *post,
                      const char *reason)
{
    post->finished = true;
    error_set(&post->failure, "%s: %s", client->endpoint.url.name, reason);
    settle_soon(client);
}

static void connection_close(struct http_client *client)
{
    lookup_cancel(client->lookup);
    client->lookup = NULL;
    http_connection_free(client->connection);
    client->connection = NULL;
    client->lost = false;
}

static void on_connected(void *context)
{
    set_state(context, CLIENT_EXCHANGING);
}

static void on_received(struct evbuffer *piece, void *context)
{
    struct http_client *client = context;
    struct post *post = client->posts;
    post->deadline = mono_add(now_mono(), post->timeout_ms);
    client->delivering = true;
    size_t count = (size_t)evbuffer_peek(piece, -1, NULL, NULL, 0);
    struct evbuffer_iovec *parts = mem_zalloc(count, sizeof(*parts));
    (void)evbuffer_peek(piece, -1, NULL, parts, (int)count);
    for (size_t i = 0; i < count; i++)
        post->received((struct bytes){parts[i].iov_base, parts[i].iov_len},
                       post->context);
    free(parts);
    client->delivering = false;
}

static void on_answered(int status, int64_t retry_after, struct evbuffer *body,
                        void *context)
{
    struct http_client *client = context;
    struct post *post = client->posts;
    set_state(client, CLIENT_READY);
    if (status < 200 || (status >= 300 && status < 400)) {
        struct error error;
        error_set(&error,
                  "the answer has status %d; redirects aren't followed: write the URL "
                  "that answers itself",
                  status);
        post_fail(client, post, error.text);
        return;
    }
    post->answer = (struct http_answer){.status = status, .retry_after = retry_after};
    post->reply = evbuffer_new();
    evbuffer_add_buffer(post->reply, body);
    post->finished = true;
    settle_soon(client);
}

static void on_failed(const char *reason, bool stale, void *context)
{
    struct http_client *client = context;
    struct post *post = client->posts;
    bool was_connecting = client->state == CLIENT_CONNECTING;
    client->lost = true;
    settle_soon(client);
    if (was_connecting && client->next_address < client->addresses.count) {
        set_state(client, CLIENT_TRYING);
        return;
    }
    set_state(client, CLIENT_CLOSED);
    if (stale && !post->sent_again)
        post->sent_again = true;
    else
        post_fail(client, post, reason);
}

static void on_closed(void *context)
{
    struct http_client *client = context;
    client->lost = true;
    settle_soon(client);
}

static void on_lookup(const struct lookup_result *result, void *context)
{
    struct http_client *client = context;
    client->lookup = NULL;
    if (result->count == 0) {
        set_state(client, CLIENT_CLOSED);
        post_fail(client, client->posts, result->error.text);
        return;
    }
    client->addresses = *result;
    client->next_address = 0;
    set_state(client, CLIENT_TRYING);
    settle_soon(client);
}

/* The first post's request, on the connection that is there. */
static void send_request(struct http_client *client)
{
    const struct post *post = client->posts;
    if (post->received != NULL)
        http_connection_get(client->connection);
    else
        http_connection_post(client->connection, (struct bytes){post->body, post->len});
}

static void try_next_address(struct http_client *client)
{
    const struct http_connection_handler handler = {
        on_connected, on_received, on_answered, on_failed, on_closed, client};
    const struct sockaddr_storage *address =
        &client->addresses.addresses[client->next_address++];
    struct error error;
    set_state(client, CLIENT_CONNECTING);
    client->connection =
        http_connection_new(client->loop, &client->endpoint, address, &handler, &error);
    if (client->connection == NULL)
        on_failed(error.text, false, client);
    else
        send_request(client);
}

/* Begin what the first post needs next. */
static void advance(struct http_client *client)
{
    switch (client->state) {
    case CLIENT_CLOSED:
        set_state(client, CLIENT_RESOLVING);
        client->lookup = lookup_start(client->resolver, client->endpoint.url.address,
                                      on_lookup, client);
        break;
    case CLIENT_TRYING:
        try_next_address(client);
        break;
    case CLIENT_READY:
        set_state(client, CLIENT_EXCHANGING);
        send_request(client);
        break;
    case CLIENT_RESOLVING:
    case CLIENT_CONNECTING:
    case CLIENT_EXCHANGING:
        break;
    }
}

static const char *step_name(enum client_state state)
{
    switch (state) {
    case CLIENT_RESOLVING:
        return "its name wasn't resolved";
    case CLIENT_TRYING:
    case CLIENT_CONNECTING:
        return "it couldn't be connected to";
    case CLIENT_EXCHANGING:
        return "it didn't answer";
    case CLIENT_CLOSED:
    case CLIENT_READY:
        break;
    }
    return "other posts kept its turn";
}

/* End what has run out of time: posts, an attempt at an address, a connection nobody
 * uses. */
static void expire(struct http_client *client, struct mono_time now)
{
    for (struct post *post = client->posts; post != NULL; post = post->next) {
        if (post->finished || !mono_reached(now, post->deadline))
            continue;
        bool under_way = post == client->posts;
        struct error error;
        error_set(&error, "timed out: %s within %lld ms",
                  step_name(under_way ? client->state : CLIENT_CLOSED),
                  (long long)post->timeout_ms);
        post_fail(client, post, error.text);
        if (under_way && client->state != CLIENT_READY) {
            connection_close(client);
            set_state(client, CLIENT_CLOSED);
        }
    }
    if (!mono_reached(now, client->state_limit))
        return;
    enum client_state next =
        client->state == CLIENT_CONNECTING ? CLIENT_TRYING : CLIENT_CLOSED;
    connection_close(client);
    set_state(client, next);
}

static void hand_up(struct http_client *client, struct post *post)
{
    struct http_answer *answer = &post->answer;
    if (post->reply == NULL) {
        *answer = (struct http_answer){.failure = post->failure.text, .retry_after = -1};
    } else {
        answer->body.len = evbuffer_get_length(post->reply);
        answer->body.data = evbuffer_pullup(post->reply, -1);
    }
    client->delivering = true;
    post->answered(post->ticket, answer, post->context);
    client->delivering = false;
    post_free(post);
}

/* A callback may add posts at the end. */
static void deliver(struct http_client *client)
{
    struct post **at = &client->posts;
    while (*at != NULL) {
        struct post *post = *at;
        if (!post->finished) {
            at = &post->next;
            continue;
        }
        *at = post->next;
        client->post_count--;
        hand_up(client, post);
    }
}

static void set_timer(struct http_client *client)
{
    struct mono_time when = client->state_limit;
    for (const struct post *post = client->posts; post != NULL; post = post->next) {
        if (!mono_reached(post->deadline, when))
            when = post->deadline;
    }
    loop_timer_set(client->timer, when);
}

static void settle(void *context)
{
    struct http_client *client = context;
    if (client->lost) {
        connection_close(client);
        if (client->state == CLIENT_READY)
            set_state(client, CLIENT_CLOSED);
    }
    expire(client, now_mono());
    deliver(client);
    if (client->posts != NULL)
        advance(client);
    set_timer(client);
}

static void on_settle(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    settle(context);
}

/* RFC 7617. */
static char *make_authorization(const char *credentials)
{
    static const char scheme[] = "Basic ";
    if (credentials == NULL)
        return NULL;
    struct bytes plain = {(const uint8_t *)credentials, strlen(credentials)};
    char *value = mem_alloc(strlen(scheme) + BASE64_TEXT_SIZE(plain.len));
    memcpy(value, scheme, strlen(scheme));
    base64_encode(value + strlen(scheme), plain);
    return value;
}

struct http_client *http_client_new(struct loop *loop,
                                    const struct http_client_settings *settings,
                                    struct error *error)
{
    struct url url;
    SSL_CTX *tls = NULL;
    if (!url_parse(&url, settings->url, error))
        return NULL;
    if (url.tls) {
        tls = tls_context_new(settings->ca_file, error);
        if (tls == NULL) {
            url_release(&url);
            return NULL;
        }
    }
    struct http_client *client = mem_zalloc(1, sizeof(*client));
    client->loop = loop;
    client->resolver = settings->resolver;
    client->endpoint.url = url;
    client->endpoint.tls = tls;
    client->endpoint.authorization = make_authorization(settings->credentials);
    client->endpoint.body_max =
        settings->body_max > 0 ? settings->body_max : HTTP_CLIENT_BODY_MAX;
    client->attempt_ms = settings->attempt_ms > 0 ? settings->attempt_ms : ATTEMPT_MS;
    client->idle_ms = settings->idle_ms > 0 ? settings->idle_ms : IDLE_MS;
    client->settle = evtimer_new(loop_base(loop), on_settle, client);
    client->timer = loop_timer_new(loop, settle, client);
    client->state_limit = MONO_NEVER;
    return client;
}

void http_client_free(struct http_client *client)
{
    if (client == NULL)
        return;
    assert(!client->delivering);
    connection_close(client);
    while (client->posts != NULL) {
        struct post *post = client->posts;
        client->posts = post->next;
        post_free(post);
    }
    loop_timer_free(client->timer);
    event_free(client->settle);
    SSL_CTX_free(client->endpoint.tls);
    url_release(&client->endpoint.url);
    if (client->endpoint.authorization != NULL)
        secret_wipe(client->endpoint.authorization,
                    strlen(client->endpoint.authorization));
    free(client->endpoint.authorization);
    free(client);
}

/* NULL if too many wait. */
static struct post *add_post(struct http_client *client, uint64_t ticket,
                             int64_t timeout_ms, http_answered answered, void *context)
{
    if (client->post_count == HTTP_CLIENT_POSTS_MAX)
        return NULL;
    struct post *post = mem_zalloc(1, sizeof(*post));
    post->ticket = ticket;
    post->deadline = mono_add(now_mono(), timeout_ms);
    post->timeout_ms = timeout_ms;
    post->answered = answered;
    post->context = context;
    struct post **end = &client->posts;
    while (*end != NULL)
        end = &(*end)->next;
    *end = post;
    client->post_count++;
    settle_soon(client);
    return post;
}

bool http_client_post(struct http_client *client, uint64_t ticket, struct bytes body,
                      int64_t timeout_ms, http_answered answered, void *context)
{
    struct post *post = add_post(client, ticket, timeout_ms, answered, context);
    if (post == NULL)
        return false;
    post->body = mem_dup(body.data, body.len);
    post->len = body.len;
    return true;
}

bool http_client_get(struct http_client *client, uint64_t ticket, int64_t silence_ms,
                     http_received received, http_answered answered, void *context)
{
    struct post *post = add_post(client, ticket, silence_ms, answered, context);
    if (post == NULL)
        return false;
    post->received = received;
    return true;
}

const char *http_client_name(const struct http_client *client)
{
    return client->endpoint.url.name;
}
