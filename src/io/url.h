/* An http:// or https:// URL of the configuration, taken apart. Its path may hold an API
 * key: nothing here puts more of it into an error than scheme, host and port. */
#ifndef IO_URL_H
#define IO_URL_H

#include <stdbool.h>

#include "base/error.h"

#define URL_MAX 2048

struct url {
    bool tls;
    bool host_is_address;
    char *host;    /* a name, or an IPv4 or IPv6 address without brackets */
    char *name;    /* "https://host:port", for logs; no port where it is the scheme's */
    char *address; /* "host:port" or "[IPv6]:port", as the resolver wants it */
    char *target;  /* path and query, for the request line; a secret */
};

/* The host header's value: the name without its scheme. */
const char *url_authority(const struct url *url);

/* Release it if this worked. User names, fragments, and hosts that are neither a DNS name
 * nor an address are refused. */
NODISCARD bool url_parse(struct url *url, const char *text, struct error *error);
void url_release(struct url *url);

#endif
