#include "io/resolver.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>

#include "base/mem.h"

struct resolver {
    struct event_base *base;
    struct evdns_base *dns;
    struct event *destroy;
    size_t requests; /* of libevent's, under way or cancelled and not yet reported */
    bool closing;
};

struct lookup {
    struct resolver *resolver;
    struct lookup_result result;
    struct event *report;                      /* armed once there is a result */
    struct evdns_getaddrinfo_request *request; /* NULL when none is under way */
    void (*done)(const struct lookup_result *result, void *context); /* NULL: cancelled */
    void *context;
};

static void on_destroy(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct resolver *resolver = context;
    evdns_base_free(resolver->dns, 0);
    event_free(resolver->destroy);
    free(resolver);
}

struct resolver *resolver_new(struct loop *loop, const char *nameserver)
{
    struct resolver *resolver = mem_zalloc(1, sizeof(*resolver));
    resolver->base = loop_base(loop);
    resolver->dns = evdns_base_new(resolver->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    assert(resolver->dns != NULL);
    resolver->destroy = evtimer_new(resolver->base, on_destroy, resolver);
    /* Without nameservers, /etc/hosts still counts and every other lookup fails. */
    if (nameserver != NULL)
        evdns_base_nameserver_ip_add(resolver->dns, nameserver);
    else
        evdns_base_resolv_conf_parse(resolver->dns, DNS_OPTIONS_ALL, "/etc/resolv.conf");
    return resolver;
}

void resolver_free(struct resolver *resolver)
{
    if (resolver == NULL)
        return;
    /* libevent reports cancelled requests in later turns of the loop, and looks at the
     * evdns_base after that. */
    resolver->closing = true;
    if (resolver->requests == 0)
        on_destroy(-1, 0, resolver);
}

static void lookup_free(struct lookup *lookup)
{
    event_free(lookup->report);
    free(lookup);
}

static void on_report(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct lookup *lookup = context;
    lookup->done(&lookup->result, lookup->context);
    lookup_free(lookup);
}

static void report_soon(struct lookup *lookup)
{
    event_add(lookup->report, &(struct timeval){0});
}

static void fail(struct lookup *lookup, const char *address, const char *reason)
{
    error_set(&lookup->result.error, "%s: %s", address, reason);
    report_soon(lookup);
}

static void take_addresses(struct lookup_result *result,
                           const struct evutil_addrinfo *addresses)
{
    for (const struct evutil_addrinfo *at = addresses; at != NULL; at = at->ai_next) {
        if (result->count == LOOKUP_ADDRESSES_MAX)
            break;
        if (at->ai_family != AF_INET && at->ai_family != AF_INET6)
            continue;
        memcpy(&result->addresses[result->count++], at->ai_addr, at->ai_addrlen);
    }
}

/* May run within evdns_getaddrinfo(), and also after a cancelled lookup. */
static void on_resolved(int failed, struct evutil_addrinfo *addresses, void *context)
{
    struct lookup *lookup = context;
    struct resolver *resolver = lookup->resolver;
    lookup->request = NULL;
    resolver->requests--;
    if (resolver->closing && resolver->requests == 0)
        event_add(resolver->destroy, &(struct timeval){0});
    if (lookup->done == NULL) {
        if (addresses != NULL)
            evutil_freeaddrinfo(addresses);
        lookup_free(lookup);
        return;
    }
    if (failed != 0) {
        error_set(&lookup->result.error, "can't be resolved: %s",
                  evutil_gai_strerror(failed));
    } else {
        take_addresses(&lookup->result, addresses);
        if (lookup->result.count == 0)
            error_set(&lookup->result.error, "can't be resolved: no address");
    }
    if (addresses != NULL)
        evutil_freeaddrinfo(addresses);
    report_soon(lookup);
}

static bool take_numeric(struct lookup_result *result, const char *address)
{
    int len = sizeof(result->addresses[0]);
    struct sockaddr *out = (struct sockaddr *)&result->addresses[0];
    if (evutil_parse_sockaddr_port(address, out, &len) != 0)
        return false;
    in_port_t port = out->sa_family == AF_INET
                         ? ((const struct sockaddr_in *)out)->sin_port
                         : ((const struct sockaddr_in6 *)out)->sin6_port;
    if (port == 0)
        return false;
    result->count = 1;
    return true;
}

/* One to five digits behind the last colon, from 1 to 65535. */
static const char *find_port(const char *address)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon == address)
        return NULL;
    const char *digits = colon + 1;
    size_t len = strspn(digits, "0123456789");
    if (len == 0 || len > 5 || digits[len] != '\0')
        return NULL;
    long port = strtol(digits, NULL, 10);
    return port >= 1 && port <= UINT16_MAX ? digits : NULL;
}

static void resolve_name(struct lookup *lookup, struct resolver *resolver,
                         const char *address, const char *port)
{
    struct evutil_addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_protocol = IPPROTO_TCP,
        .ai_flags = EVUTIL_AI_ADDRCONFIG | EVUTIL_AI_NUMERICSERV,
    };
    size_t host_len = (size_t)(port - 1 - address);
    char *host = mem_dup(address, host_len + 1);
    host[host_len] = '\0';
    resolver->requests++;
    /* NULL when on_resolved() has run already. */
    struct evdns_getaddrinfo_request *request =
        evdns_getaddrinfo(resolver->dns, host, port, &hints, on_resolved, lookup);
    if (request != NULL)
        lookup->request = request;
    free(host);
}

struct lookup *lookup_start(struct resolver *resolver, const char *address,
                            void (*done)(const struct lookup_result *result,
                                         void *context),
                            void *context)
{
    struct lookup *lookup = mem_zalloc(1, sizeof(*lookup));
    lookup->resolver = resolver;
    lookup->report = evtimer_new(resolver->base, on_report, lookup);
    lookup->done = done;
    lookup->context = context;
    const char *port = find_port(address);
    if (port == NULL)
        fail(lookup, address, "isn't host:port or [IPv6]:port");
    else if (take_numeric(&lookup->result, address))
        report_soon(lookup);
    else if (strchr(address, ':') != port - 1)
        fail(lookup, address, "isn't an IPv6 address in brackets with a port");
    else
        resolve_name(lookup, resolver, address, port);
    return lookup;
}

void lookup_cancel(struct lookup *lookup)
{
    if (lookup == NULL)
        return;
    if (lookup->request == NULL) {
        lookup_free(lookup);
        return;
    }
    lookup->done = NULL;
    evdns_getaddrinfo_cancel(lookup->request);
}
