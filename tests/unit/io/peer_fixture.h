/* Links to a peer that lives in the test's own process. */
#ifndef TESTS_UNIT_IO_PEER_FIXTURE_H
#define TESTS_UNIT_IO_PEER_FIXTURE_H

#include "drive.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/peer_link.h"

#define PEER 7

static const struct network network = {.name = "regtest", .magic = 0xdab5bffa};

/* What the handler saw, and what it is told to do. */
struct seen {
    struct peer_links *links;
    int connected;
    int messages; /* but of unknown kinds */
    int unknown;
    int lost;
    enum message_kind kinds[64];
    struct writer payloads;
    char reason[ERROR_TEXT_MAX];
    bool malformed;
    bool drop_on_message;
    const char *redial; /* once, when lost */
};

/* Our side, and a listening peer in this process. */
struct fixture {
    struct loop *loop;
    struct peer_links *links;
    struct seen seen;
    int listener;
    int peer; /* the accepted connection */
    char address[64];
};

static inline void on_connected(uint32_t peer, void *context)
{
    struct seen *seen = context;
    assert_int_equal(peer, PEER);
    seen->connected++;
}

static inline void on_message(uint32_t peer, const struct frame *frame,
                              struct bytes payload, void *context)
{
    struct seen *seen = context;
    assert_int_equal(peer, PEER);
    if (frame->kind == MESSAGE_OTHER) {
        assert_int_equal(payload.len, 0);
        seen->unknown++;
        return;
    }
    assert_int_equal(payload.len, frame->payload_len);
    assert_true(frame_checksum_ok(frame, payload));
    assert_int_equal(seen->lost, 0);
    assert_in_range(seen->messages, 0, 63);
    seen->kinds[seen->messages++] = frame->kind;
    write_bytes(&seen->payloads, payload.data, payload.len);
    if (seen->drop_on_message)
        peer_links_drop(seen->links, peer);
}

static inline void on_lost(uint32_t peer, const char *reason, bool malformed,
                           void *context)
{
    struct seen *seen = context;
    assert_int_equal(peer, PEER);
    snprintf(seen->reason, sizeof(seen->reason), "%s", reason);
    seen->malformed = malformed;
    seen->lost++;
    if (seen->redial != NULL)
        peer_links_dial(seen->links, peer, seen->redial);
    seen->redial = NULL;
}

static inline int listen_on(struct fixture *fixture, int backlog)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    snprintf(fixture->address, sizeof(fixture->address), "127.0.0.1:%u",
             ntohs(address.sin_port));
    return fd;
}

static inline void start(struct fixture *fixture, const struct peer_links_settings *more)
{
    struct peer_links_settings settings = {.network = &network};
    if (more != NULL)
        settings = *more;
    settings.network = &network;
    *fixture = (struct fixture){.loop = loop_new(), .peer = -1};
    struct peer_links_handler handler = {on_connected, on_message, on_lost,
                                         &fixture->seen};
    fixture->links = peer_links_new(fixture->loop, &settings, &handler);
    fixture->seen.links = fixture->links;
    fixture->listener = listen_on(fixture, 8);
}

static inline void hang_up(struct fixture *fixture)
{
    if (fixture->peer >= 0)
        close(fixture->peer);
    fixture->peer = -1;
}

static inline void stop(struct fixture *fixture)
{
    peer_links_free(fixture->links);
    loop_free(fixture->loop);
    writer_release(&fixture->seen.payloads);
    hang_up(fixture);
    close(fixture->listener);
}

static inline bool accept_peer(struct fixture *fixture)
{
    if (fixture->peer < 0)
        fixture->peer = accept4(fixture->listener, NULL, NULL, SOCK_NONBLOCK);
    return fixture->peer >= 0;
}

static inline void dial(struct fixture *fixture, const char *address)
{
    struct seen *seen = &fixture->seen;
    int before = seen->connected;
    peer_links_dial(fixture->links, PEER, address);
    DRIVE_UNTIL(fixture->loop, accept_peer(fixture) && seen->connected > before);
}

/* As the peer: the whole of it, while our side reads. */
static inline void peer_sends(struct fixture *fixture, const void *data, size_t len)
{
    const uint8_t *at = data;
    while (len > 0) {
        ssize_t sent = send(fixture->peer, at, len, MSG_NOSIGNAL);
        if (sent < 0) {
            assert_int_equal(errno, EAGAIN);
            event_base_loop(loop_base(fixture->loop), EVLOOP_NONBLOCK);
            continue;
        }
        at += sent;
        len -= (size_t)sent;
    }
}

static inline uint64_t bytes_read(const struct fixture *fixture)
{
    struct peer_link_counters counters = {0};
    if (!peer_links_counters(fixture->links, &counters, PEER))
        return UINT64_MAX;
    return counters.read;
}

static inline bool peer_drains(struct fixture *fixture, struct writer *got)
{
    uint8_t piece[65536];
    ssize_t len = recv(fixture->peer, piece, sizeof(piece), 0);
    if (len > 0)
        write_bytes(got, piece, (size_t)len);
    return len == 0;
}

#endif
