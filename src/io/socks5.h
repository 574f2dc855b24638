/* The client's side of a SOCKS5 handshake (RFC 1928, user name and password by RFC 1929),
 * as bytes in and bytes out. Each handshake has a user name and password of its own, at
 * which Tor keeps connections on circuits apart (stream isolation). */
#ifndef IO_SOCKS5_H
#define IO_SOCKS5_H

#include "base/bytes.h"
#include "base/error.h"

/* Random bytes that make the user name and the password. */
#define SOCKS5_SECRET_SIZE 16
#define SOCKS5_HOST_MAX 255

enum socks5_state { SOCKS5_METHOD, SOCKS5_LOGIN, SOCKS5_CONNECT };

struct socks5 {
    enum socks5_state state; /* whose answer comes next */
    char host[SOCKS5_HOST_MAX + 1];
    uint16_t port;
    uint8_t secret[SOCKS5_SECRET_SIZE];
};

/* Begin: append the first bytes to be sent. `address` is "host:port", "address:port" or
 * "[IPv6]:port"; a name is the proxy's to resolve. */
NODISCARD bool socks5_start(struct socks5 *socks, struct writer *out, const char *address,
                            const uint8_t secret[static SOCKS5_SECRET_SIZE],
                            struct error *error);

enum socks5_result {
    SOCKS5_MORE,   /* the next answer isn't here whole */
    SOCKS5_NEXT,   /* an answer was taken: send what was appended, and go on */
    SOCKS5_DONE,   /* what follows is the other end's */
    SOCKS5_FAILED, /* *error is one clause: "the proxy refuses: host unreachable" */
};

/* Take one answer from the front of the input; *used bytes of it are done with. No answer
 * is longer than 262 bytes. */
NODISCARD enum socks5_result socks5_take(struct socks5 *socks, size_t *used,
                                         struct writer *out, struct bytes input,
                                         struct error *error);

#endif
