#include "io/peer_link.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "base/mem.h"
#include "io/entropy.h"
#include "io/resolver.h"
#include "io/socks5.h"

/* Of a host's addresses. */
#define ADDRESSES_TRIED 4
#define CONNECT_TIMEOUT_MS 10000
#define FLUSH_TIMEOUT_MS 5000
/* Tor builds a circuit, and to an onion service another one. */
#define PROXY_TIMEOUT_S 45
/* Read ahead this much of every peer: some filters at a time, and little enough to be
 * kept for a hundred peers. Only a message that is longer makes the buffer grow, at most
 * to twice of what of it has arrived. */
#define INPUT_SIZE ((size_t)64 << 10)

enum link_state {
    LINK_RESOLVING,
    LINK_TRYING, /* has an address to try next */
    LINK_CONNECTING,
    LINK_PROXY, /* connected to the proxy, which connects further */
    LINK_UP,
    LINK_FLUSHING, /* dropped; what was sent is still to go out */
    LINK_LOST,     /* waits for the reaper */
};

struct peer_link {
    struct peer_link *next;
    struct peer_links *owner;
    uint32_t peer;
    enum link_state state;
    struct lookup *lookup; /* NULL unless resolving */
    bool proxied;
    char *target;        /* proxied: whom to connect to */
    struct socks5 socks; /* proxied */
    struct sockaddr_storage addresses[ADDRESSES_TRIED];
    size_t address_count;
    size_t next_address;
    int fd; /* -1: none */
    struct event *readable;
    struct event *writable;
    struct event *deadline; /* of the state */
    struct evbuffer *output;
    uint8_t *input;
    size_t input_len;
    size_t input_capacity;
    uint64_t skip; /* bytes of an unwanted payload still to come */
    struct peer_link_counters counters;
    struct error reason;
    bool malformed; /* it sent what isn't a message */
};

/* Events call into a link, and a link's handler may call back into here and end any link.
 * So none is freed there: it is marked, and settle() alone reaps, and dials the next
 * address. */
struct peer_links {
    struct event_base *base;
    struct resolver *resolver;
    struct event *settle;
    const struct network *network;
    struct peer_links_handler handler;
    char *proxy; /* NULL: none */
    struct timeval connect_timeout;
    struct timeval flush_timeout;
    bool paused;
    struct peer_link *first; /* a few dozen at most: the core decides */
};

static struct peer_link *link_find(const struct peer_links *links, uint32_t peer)
{
    for (struct peer_link *link = links->first; link != NULL; link = link->next) {
        if (link->peer == peer)
            return link;
    }
    return NULL;
}

static void settle_soon(const struct peer_links *links)
{
    event_add(links->settle, &(struct timeval){0});
}

static void close_socket(struct peer_link *link)
{
    if (link->fd < 0)
        return;
    event_free(link->readable);
    event_free(link->writable);
    close(link->fd);
    link->readable = NULL;
    link->writable = NULL;
    link->fd = -1;
}

static void link_free(struct peer_link *link)
{
    lookup_cancel(link->lookup);
    close_socket(link);
    event_free(link->deadline);
    evbuffer_free(link->output);
    free(link->input);
    free(link->target);
    free(link);
}

/* The only place in which a link ends. */
static void lose(struct peer_link *link, const char *reason)
{
    if (link->state == LINK_LOST)
        return;
    bool to_proxy = link->proxied && link->state < LINK_PROXY;
    link->state = LINK_LOST;
    error_set(&link->reason, "%s%s", to_proxy ? "the proxy: " : "", reason);
    if (link->fd >= 0) {
        event_del(link->readable);
        event_del(link->writable);
    }
    event_del(link->deadline);
    settle_soon(link->owner);
}

/* This address failed; the reason counts if it was the last. */
static void address_failed(struct peer_link *link, const char *reason)
{
    if (link->next_address == link->address_count) {
        lose(link, reason);
        return;
    }
    link->state = LINK_TRYING;
    settle_soon(link->owner);
}

static void on_deadline(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct peer_link *link = context;
    switch (link->state) {
    case LINK_RESOLVING:
        lose(link, "can't be resolved: timed out");
        break;
    case LINK_CONNECTING:
        event_del(link->writable);
        address_failed(link, "can't be connected to: timed out");
        break;
    case LINK_PROXY:
        lose(link, "the proxy has no connection to it in time");
        break;
    case LINK_FLUSHING:
        lose(link, "dropped; it didn't take all that was sent");
        break;
    case LINK_TRYING:
    case LINK_UP:
    case LINK_LOST:
        break;
    }
}

/* Room for more of what has to be read as one piece: `whole` bytes. */
static void grow_input(struct peer_link *link, size_t whole)
{
    if (link->input_len < link->input_capacity || whole <= link->input_capacity)
        return;
    size_t capacity = link->input_capacity * 2;
    if (capacity > whole)
        capacity = whole;
    link->input = mem_realloc(link->input, capacity, 1);
    link->input_capacity = capacity;
}

/* Forget the first `used` bytes, and memory that only a long message needed. */
static void consume_input(struct peer_link *link, size_t used)
{
    if (used == 0)
        return;
    link->input_len -= used;
    if (link->input_capacity > INPUT_SIZE && link->input_len <= INPUT_SIZE) {
        uint8_t *smaller = mem_alloc(INPUT_SIZE);
        memcpy(smaller, link->input + used, link->input_len);
        free(link->input);
        link->input = smaller;
        link->input_capacity = INPUT_SIZE;
    } else {
        memmove(link->input, link->input + used, link->input_len);
    }
}

/* The next message in the input, from *at on: hands it up or skips it, and moves *at.
 * False when it isn't here whole. */
static bool take_message(struct peer_link *link, size_t *at)
{
    const struct peer_links *links = link->owner;
    size_t left = link->input_len - *at;
    if (link->skip > 0) {
        size_t skipped = link->skip < left ? (size_t)link->skip : left;
        link->skip -= skipped;
        *at += skipped;
        return skipped > 0;
    }
    if (left < FRAME_HEADER_SIZE)
        return false;
    const uint8_t *message = link->input + *at;
    struct frame frame;
    struct error error;
    if (!frame_decode(&frame, links->network, message, &error)) {
        link->malformed = true;
        lose(link, error.text);
        return false;
    }
    if (frame.kind == MESSAGE_OTHER) {
        link->skip = frame.payload_len;
        *at += FRAME_HEADER_SIZE;
        link->counters.messages++;
        links->handler.message(link->peer, &frame, (struct bytes){0},
                               links->handler.context);
        return true;
    }
    size_t whole = FRAME_HEADER_SIZE + (size_t)frame.payload_len;
    if (left < whole) {
        /* A message at the front of a full buffer needs a longer one; any other first
         * moves to the front. */
        if (*at == 0)
            grow_input(link, whole);
        return false;
    }
    *at += whole;
    link->counters.messages++;
    links->handler.message(link->peer, &frame,
                           (struct bytes){message + FRAME_HEADER_SIZE, frame.payload_len},
                           links->handler.context);
    return true;
}

static void take_messages(struct peer_link *link)
{
    size_t at = 0;
    while (link->state == LINK_UP && take_message(link, &at))
        continue;
    consume_input(link, at);
}

static void link_up(struct peer_link *link)
{
    event_del(link->deadline);
    link->state = LINK_UP;
    link->owner->handler.connected(link->peer, link->owner->handler.context);
}

static void send_to_proxy(struct peer_link *link, struct writer *out)
{
    evbuffer_add(link->output, out->data, out->len);
    writer_release(out);
    event_add(link->writable, NULL);
}

static void take_proxy(struct peer_link *link)
{
    enum socks5_result result;
    do {
        size_t used;
        struct error error;
        struct writer out = {0};
        result = socks5_take(&link->socks, &used, &out,
                             (struct bytes){link->input, link->input_len}, &error);
        consume_input(link, used);
        if (out.len > 0)
            send_to_proxy(link, &out);
        if (result == SOCKS5_FAILED)
            lose(link, error.text);
    } while (result == SOCKS5_NEXT);
    if (result == SOCKS5_DONE)
        link_up(link);
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct peer_link *link = context;
    ssize_t got =
        read(fd, link->input + link->input_len, link->input_capacity - link->input_len);
    if (got < 0) {
        if (errno != EAGAIN && errno != EINTR)
            lose(link, strerror(errno));
        return;
    }
    if (got == 0) {
        lose(link, link->input_len > 0 || link->skip > 0
                       ? "closed the connection in the middle of a message"
                       : "closed the connection");
        return;
    }
    link->counters.read += (size_t)got;
    link->input_len += (size_t)got;
    if (link->state == LINK_PROXY)
        take_proxy(link);
    if (link->state == LINK_UP)
        take_messages(link);
}

static void write_output(struct peer_link *link)
{
    int written = evbuffer_write(link->output, link->fd);
    if (written < 0 && errno != EAGAIN && errno != EINTR) {
        lose(link, strerror(errno));
        return;
    }
    if (written > 0)
        link->counters.written += (size_t)written;
    if (evbuffer_get_length(link->output) > 0)
        event_add(link->writable, NULL);
    else if (link->state == LINK_FLUSHING)
        lose(link, "dropped");
}

static void start_proxy(struct peer_link *link)
{
    uint8_t secret[SOCKS5_SECRET_SIZE];
    struct writer out = {0};
    struct error error;
    entropy_fill(secret, sizeof(secret));
    link->state = LINK_PROXY;
    if (!socks5_start(&link->socks, &out, link->target, secret, &error)) {
        lose(link, error.text);
        return;
    }
    event_add(link->deadline, &(struct timeval){.tv_sec = PROXY_TIMEOUT_S});
    send_to_proxy(link, &out);
}

static void finish_connecting(struct peer_link *link)
{
    int failed = 0;
    socklen_t len = sizeof(failed);
    if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &failed, &len) != 0)
        failed = errno;
    event_del(link->deadline);
    if (failed != 0) {
        address_failed(link, strerror(failed));
        return;
    }
    link->input = mem_alloc(INPUT_SIZE);
    link->input_capacity = INPUT_SIZE;
    if (!link->owner->paused)
        event_add(link->readable, NULL);
    if (link->proxied)
        start_proxy(link);
    else
        link_up(link);
}

static void on_writable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct peer_link *link = context;
    switch (link->state) {
    case LINK_CONNECTING:
        finish_connecting(link);
        break;
    case LINK_PROXY:
    case LINK_UP:
    case LINK_FLUSHING:
        write_output(link);
        break;
    case LINK_RESOLVING:
    case LINK_TRYING:
    case LINK_LOST:
        break;
    }
}

static void try_next_address(struct peer_link *link)
{
    const struct peer_links *links = link->owner;
    const struct sockaddr_storage *address = &link->addresses[link->next_address++];
    socklen_t len = address->ss_family == AF_INET ? sizeof(struct sockaddr_in)
                                                  : sizeof(struct sockaddr_in6);
    close_socket(link);
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        address_failed(link, strerror(errno));
        return;
    }
    link->fd = fd;
    link->readable = event_new(links->base, fd, EV_READ | EV_PERSIST, on_readable, link);
    link->writable = event_new(links->base, fd, EV_WRITE, on_writable, link);
    /* Requests are small, and answers wait for them. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (connect(fd, (const struct sockaddr *)address, len) != 0 && errno != EINPROGRESS) {
        address_failed(link, strerror(errno));
        return;
    }
    link->state = LINK_CONNECTING;
    event_add(link->writable, NULL);
    event_add(link->deadline, &links->connect_timeout);
}

static void on_settle(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct peer_links *links = context;
    struct peer_link *lost = NULL;
    struct peer_link **lost_end = &lost;
    struct peer_link **at = &links->first;
    while (*at != NULL) {
        struct peer_link *link = *at;
        if (link->state == LINK_TRYING)
            try_next_address(link);
        if (link->state == LINK_LOST) {
            *at = link->next;
            link->next = NULL;
            *lost_end = link;
            lost_end = &link->next;
        } else {
            at = &link->next;
        }
    }
    /* Their ids are free now: lost() may dial anew. */
    while (lost != NULL) {
        struct peer_link *link = lost;
        lost = link->next;
        links->handler.lost(link->peer, link->reason.text, link->malformed,
                            links->handler.context);
        link_free(link);
    }
}

static void on_lookup(const struct lookup_result *result, void *context)
{
    struct peer_link *link = context;
    link->lookup = NULL;
    if (link->state != LINK_RESOLVING)
        return;
    event_del(link->deadline);
    if (result->count == 0) {
        lose(link, result->error.text);
        return;
    }
    link->address_count =
        result->count < ADDRESSES_TRIED ? result->count : ADDRESSES_TRIED;
    memcpy(link->addresses, result->addresses,
           link->address_count * sizeof(link->addresses[0]));
    link->state = LINK_TRYING;
    settle_soon(link->owner);
}

static struct timeval milliseconds(int64_t ms, int64_t preset)
{
    if (ms == 0)
        ms = preset;
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

struct peer_links *peer_links_new(struct loop *loop,
                                  const struct peer_links_settings *settings,
                                  const struct peer_links_handler *handler)
{
    struct peer_links *links = mem_zalloc(1, sizeof(*links));
    links->base = loop_base(loop);
    links->resolver = resolver_new(loop, settings->nameserver);
    links->settle = evtimer_new(links->base, on_settle, links);
    links->network = settings->network;
    links->handler = *handler;
    if (settings->proxy != NULL)
        links->proxy = mem_strdup(settings->proxy);
    links->connect_timeout =
        milliseconds(settings->connect_timeout_ms, CONNECT_TIMEOUT_MS);
    links->flush_timeout = milliseconds(settings->flush_timeout_ms, FLUSH_TIMEOUT_MS);
    return links;
}

void peer_links_free(struct peer_links *links)
{
    if (links == NULL)
        return;
    while (links->first != NULL) {
        struct peer_link *link = links->first;
        links->first = link->next;
        link_free(link);
    }
    resolver_free(links->resolver);
    event_free(links->settle);
    free(links->proxy);
    free(links);
}

/* A proxy for anonymity refuses what is on one's own machine or network. */
static bool is_local(const char *address)
{
    struct net_address literal;
    return net_address_parse(&literal, address) && !net_address_routable(&literal);
}

void peer_links_dial(struct peer_links *links, uint32_t peer, const char *address)
{
    assert(link_find(links, peer) == NULL);
    struct peer_link *link = mem_zalloc(1, sizeof(*link));
    link->next = links->first;
    link->owner = links;
    link->peer = peer;
    link->state = LINK_RESOLVING;
    link->fd = -1;
    link->deadline = evtimer_new(links->base, on_deadline, link);
    link->output = evbuffer_new();
    links->first = link;
    event_add(link->deadline, &links->connect_timeout);
    link->proxied = links->proxy != NULL && !is_local(address);
    if (link->proxied)
        link->target = mem_strdup(address);
    link->lookup = lookup_start(links->resolver, link->proxied ? links->proxy : address,
                                on_lookup, link);
}

static void free_sent(const void *data, size_t len, void *owned)
{
    (void)data;
    (void)len;
    free(owned);
}

void peer_links_send(struct peer_links *links, uint32_t peer, uint8_t *data, size_t len)
{
    struct peer_link *link = link_find(links, peer);
    if (link == NULL || link->state != LINK_UP || len == 0) {
        free(data);
        return;
    }
    if (len > PEER_LINK_OUTPUT_MAX ||
        evbuffer_get_length(link->output) > PEER_LINK_OUTPUT_MAX - len) {
        free(data);
        lose(link, "doesn't read what is sent to it");
        return;
    }
    evbuffer_add_reference(link->output, data, len, free_sent, data);
    event_add(link->writable, NULL);
}

void peer_links_drop(struct peer_links *links, uint32_t peer)
{
    struct peer_link *link = link_find(links, peer);
    if (link == NULL)
        return;
    if (link->state != LINK_UP || evbuffer_get_length(link->output) == 0) {
        if (link->state != LINK_FLUSHING)
            lose(link, "dropped");
        return;
    }
    link->state = LINK_FLUSHING;
    event_del(link->readable);
    event_add(link->deadline, &links->flush_timeout);
}

void peer_links_pause(struct peer_links *links, bool pause)
{
    links->paused = pause;
    for (struct peer_link *link = links->first; link != NULL; link = link->next) {
        if (link->state != LINK_UP && link->state != LINK_PROXY)
            continue;
        if (pause)
            event_del(link->readable);
        else
            event_add(link->readable, NULL);
    }
}

bool peer_links_counters(const struct peer_links *links, struct peer_link_counters *out,
                         uint32_t peer)
{
    const struct peer_link *link = link_find(links, peer);
    if (link == NULL)
        return false;
    *out = link->counters;
    out->held = link->input_capacity + evbuffer_get_length(link->output);
    return true;
}
