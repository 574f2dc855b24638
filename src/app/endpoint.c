#include "app/endpoint.h"

#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>

#include "base/decimal.h"

#define HOST_MAX 253
#define LABEL_MAX 63

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* RFC 1123, and the underscore that names inside of networks have. */
bool host_name_valid(const char *text, size_t len)
{
    if (len == 0 || len > HOST_MAX)
        return false;
    for (size_t at = 0, start = 0; at <= len; at++) {
        if (at == len || text[at] == '.') {
            if (at - start > LABEL_MAX || (at == start && at < len))
                return false;
            start = at + 1;
        } else if (!is_alphanumeric(text[at]) && text[at] != '_' &&
                   (text[at] != '-' || at == start)) {
            return false;
        }
    }
    return true;
}

static bool ipv6_valid(const char *text, size_t len)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (len >= sizeof(copy))
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return inet_pton(AF_INET6, copy, &address) == 1;
}

static bool port_parse(uint16_t *port, const char *text)
{
    uint64_t value;
    size_t len = strlen(text);
    if (len > 5 || !decimal_parse(&value, text, len, UINT16_MAX) || value == 0)
        return false;
    *port = (uint16_t)value;
    return true;
}

bool endpoint_parse(char out[static ENDPOINT_TEXT_MAX], const char *text,
                    uint16_t default_port, struct error *error)
{
    uint16_t port = default_port;
    const char *rest = text + strcspn(text, ":");
    bool good;
    if (text[0] == '[') {
        const char *end = strchr(text, ']');
        good = end != NULL && ipv6_valid(text + 1, (size_t)(end - text - 1));
        rest = end != NULL ? end + 1 : text;
    } else if (ipv6_valid(text, strlen(text))) {
        return error_set(error, "'%.80s': write an IPv6 address in brackets: [%.80s]:%u",
                         text, text, (unsigned)default_port);
    } else {
        good =
            host_name_valid(text, (size_t)(rest - text)) && strncmp(rest, "://", 3) != 0;
    }
    if (!good || (*rest != '\0' && *rest != ':'))
        return error_set(error,
                         "'%.80s': isn't a host; write host:port, address:port or "
                         "[IPv6]:port",
                         text);
    if (*rest == ':' && !port_parse(&port, rest + 1))
        return error_set(error, "'%.80s': the port is a number from 1 to 65535", text);
    snprintf(out, ENDPOINT_TEXT_MAX, "%.*s:%u", (int)(rest - text), text, (unsigned)port);
    return true;
}
