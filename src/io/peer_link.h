/* Transports to Bitcoin peers: one outbound TCP connection for each peer id, cut into
 * messages. The protocol is the core's business (spv/core.h). */
#ifndef IO_PEER_LINK_H
#define IO_PEER_LINK_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "io/loop.h"
#include "spv/message.h"

/* A peer that leaves more than this unread is let go: our longest runs of requests are
 * thousands of times smaller. */
#define PEER_LINK_OUTPUT_MAX ((size_t)8 << 20)
/* What one peer can make us hold, some 12 MB: the longest message, not yet whole; the
 * usual buffer of 64 KiB beside it, while that takes its place; what it leaves unread of
 * what we send, should the core ever send so much. The core adds some 2 KiB of state, and
 * answers that it asked for, which RECEIVE_BUDGET bounds over all peers. */
#define PEER_LINK_MEMORY_MAX                                                             \
    (FRAME_HEADER_SIZE + (size_t)FRAME_PAYLOAD_MAX + ((size_t)64 << 10) +                \
     PEER_LINK_OUTPUT_MAX)

/* Called from the loop, never from within a peer_links_ call; each may call any of them
 * except peer_links_free. For each dial: connected() at most once, then message()s, and
 * lost() exactly once, last, after which the id is free to be dialled again. */
struct peer_links_handler {
    void (*connected)(uint32_t peer, void *context);
    /* A whole message, its checksum not yet checked. The payload is valid during the
     * call. Of kind MESSAGE_OTHER only the frame is told, as soon as it is here: the
     * payload is skipped unread. */
    void (*message)(uint32_t peer, const struct frame *frame, struct bytes payload,
                    void *context);
    /* The reason is one clause for a log: "connection refused". Valid during the call.
     * malformed: the peer sent what isn't a message. */
    void (*lost)(uint32_t peer, const char *reason, bool malformed, void *context);
    void *context;
};

struct peer_links_settings {
    const struct network *network; /* whose magic frames carry */
    /* For resolving, and again for each address tried; 0: 10 s. */
    int64_t connect_timeout_ms;
    /* What a peer gets to take what is still to be sent after peer_links_drop; 0: 5 s. */
    int64_t flush_timeout_ms;
    /* A SOCKS5 proxy, "host:port" or the like, that resolves names and connects; only
     * addresses that aren't routed publicly are dialed without it. NULL: none. Copied. */
    const char *proxy;
    const char *nameserver; /* "address:port"; NULL: /etc/resolv.conf's */
};

struct peer_link_counters {
    uint64_t read; /* bytes */
    uint64_t written;
    uint64_t messages; /* whole ones that came */
    size_t held;       /* bytes of buffers now; at most PEER_LINK_MEMORY_MAX */
};

struct peer_links;

struct peer_links *peer_links_new(struct loop *loop,
                                  const struct peer_links_settings *settings,
                                  const struct peer_links_handler *handler);
/* Close everything at once; no handler is called any more. */
void peer_links_free(struct peer_links *links);

/* Open a transport to "host:port", "address:port" or "[IPv6]:port". Of a host's addresses
 * the first four are tried in turn. Whatever is wrong comes back through lost(). The id
 * must not be in use. */
void peer_links_dial(struct peer_links *links, uint32_t peer, const char *address);
/* Send `len` bytes; `data` is malloc'd and owned by the call from here on. Bytes for an
 * id that is not in use, not connected yet, or already dropped are discarded. */
void peer_links_send(struct peer_links *links, uint32_t peer, uint8_t *data, size_t len);
/* Read no more, send what is still to be sent within the time allowed, close; then
 * lost(). An id not in use is ignored: it may just have been lost. */
void peer_links_drop(struct peer_links *links, uint32_t peer);

/* Read nothing from any peer, or read again. What is read already is handed on. */
void peer_links_pause(struct peer_links *links, bool pause);

/* False if the id is not in use. */
NODISCARD bool peer_links_counters(const struct peer_links *links,
                                   struct peer_link_counters *out, uint32_t peer);

#endif
