#include "io/socks5.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "spv/net_address.h"

#define VERSION 5
#define LOGIN_VERSION 1
#define METHOD_NONE 0
#define METHOD_LOGIN 2
#define METHOD_REFUSED 0xff
#define COMMAND_CONNECT 1
#define TYPE_IPV4 1
#define TYPE_NAME 3
#define TYPE_IPV6 4

static bool split(struct socks5 *socks, const char *address)
{
    const char *colon = strrchr(address, ':');
    unsigned long port = colon != NULL ? strtoul(colon + 1, NULL, 10) : 0;
    if (port == 0 || port > UINT16_MAX)
        return false;
    size_t len = (size_t)(colon - address);
    if (len == 0 || len > SOCKS5_HOST_MAX)
        return false;
    memcpy(socks->host, address, len);
    socks->host[len] = '\0';
    socks->port = (uint16_t)port;
    return true;
}

bool socks5_start(struct socks5 *socks, struct writer *out, const char *address,
                  const uint8_t secret[static SOCKS5_SECRET_SIZE], struct error *error)
{
    *socks = (struct socks5){.state = SOCKS5_METHOD};
    memcpy(socks->secret, secret, SOCKS5_SECRET_SIZE);
    if (!split(socks, address))
        return error_set(error, "isn't an address that a proxy can be asked for");
    static const uint8_t hello[] = {VERSION, 2, METHOD_NONE, METHOD_LOGIN};
    write_bytes(out, hello, sizeof(hello));
    return true;
}

/* RFC 1929; both fields may have 255 bytes. */
static void write_login(struct writer *out,
                        const uint8_t secret[static SOCKS5_SECRET_SIZE])
{
    char text[SOCKS5_SECRET_SIZE + 1];
    write_u8(out, LOGIN_VERSION);
    for (size_t half = 0; half < 2; half++) {
        hex_encode(text, secret + half * (SOCKS5_SECRET_SIZE / 2),
                   SOCKS5_SECRET_SIZE / 2);
        write_u8(out, (uint8_t)strlen(text));
        write_bytes(out, text, strlen(text));
    }
}

static void write_connect(struct writer *out, const struct socks5 *socks)
{
    char text[SOCKS5_HOST_MAX + 8];
    struct net_address literal;
    snprintf(text, sizeof(text), "%s:%u", socks->host, (unsigned)socks->port);
    bool numeric = net_address_parse(&literal, text);
    write_u8(out, VERSION);
    write_u8(out, COMMAND_CONNECT);
    write_u8(out, 0);
    if (numeric && literal.kind == NET_IPV4) {
        write_u8(out, TYPE_IPV4);
        write_bytes(out, literal.b, 4);
    } else if (numeric && literal.kind == NET_IPV6) {
        write_u8(out, TYPE_IPV6);
        write_bytes(out, literal.b, 16);
    } else {
        write_u8(out, TYPE_NAME);
        write_u8(out, (uint8_t)strlen(socks->host));
        write_bytes(out, socks->host, strlen(socks->host));
    }
    write_u16be(out, socks->port);
}

/* RFC 1928's replies, and those that Tor adds for onion services. */
static const char *refusal(uint8_t reply)
{
    static const char *const rfc[] = {
        [1] = "general failure",     [2] = "its rules don't allow it",
        [3] = "network unreachable", [4] = "host unreachable",
        [5] = "connection refused",  [6] = "timed out on the way",
        [7] = "it can't connect",    [8] = "it doesn't know this kind of address",
    };
    static const char *const onion[] = {
        "the onion service isn't known",
        "the onion service's descriptor is invalid",
        "the onion service wasn't introduced",
        "no rendezvous with the onion service",
        "the onion service wants a key",
        "the onion service refuses the key",
        "the onion service's name is invalid",
        "the onion service's introduction timed out",
    };
    if (reply < sizeof(rfc) / sizeof(rfc[0]))
        return rfc[reply];
    if (reply >= 0xf0 && reply < 0xf0 + sizeof(onion) / sizeof(onion[0]))
        return onion[reply - 0xf0];
    return "for a reason of its own";
}

static enum socks5_result fail(struct error *error, const char *reason)
{
    error_set(error, "the proxy %s", reason);
    return SOCKS5_FAILED;
}

static enum socks5_result take_method(struct socks5 *socks, struct writer *out,
                                      uint8_t method, struct error *error)
{
    if (method == METHOD_LOGIN) {
        write_login(out, socks->secret);
        socks->state = SOCKS5_LOGIN;
        return SOCKS5_NEXT;
    }
    if (method != METHOD_NONE)
        return fail(error, method == METHOD_REFUSED
                               ? "wants to know who we are in a way that we don't know"
                               : "chose what wasn't offered");
    write_connect(out, socks);
    socks->state = SOCKS5_CONNECT;
    return SOCKS5_NEXT;
}

static enum socks5_result take_reply(size_t *used, struct bytes input,
                                     struct error *error)
{
    if (input.data[1] != 0) {
        error_set(error, "the proxy refuses: %s", refusal(input.data[1]));
        return SOCKS5_FAILED;
    }
    if (input.len < 5)
        return SOCKS5_MORE;
    size_t address;
    switch (input.data[3]) {
    case TYPE_IPV4:
        address = 4;
        break;
    case TYPE_IPV6:
        address = 16;
        break;
    case TYPE_NAME:
        address = 1u + input.data[4];
        break;
    default:
        return fail(error, "answers with a kind of address that there isn't");
    }
    size_t whole = 4 + address + 2;
    if (input.len < whole)
        return SOCKS5_MORE;
    *used = whole;
    return SOCKS5_DONE;
}

enum socks5_result socks5_take(struct socks5 *socks, size_t *used, struct writer *out,
                               struct bytes input, struct error *error)
{
    *used = 0;
    if (input.len < 2)
        return SOCKS5_MORE;
    uint8_t version = socks->state == SOCKS5_LOGIN ? LOGIN_VERSION : VERSION;
    if (input.data[0] != version)
        return fail(error, "doesn't speak SOCKS5");
    switch (socks->state) {
    case SOCKS5_METHOD:
        *used = 2;
        return take_method(socks, out, input.data[1], error);
    case SOCKS5_LOGIN:
        *used = 2;
        if (input.data[1] != 0)
            return fail(error, "refuses the user name and password");
        write_connect(out, socks);
        socks->state = SOCKS5_CONNECT;
        return SOCKS5_NEXT;
    case SOCKS5_CONNECT:
        return take_reply(used, input, error);
    }
    return SOCKS5_FAILED;
}
