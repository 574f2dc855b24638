#include "io/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/http.h>

#include "base/mem.h"

/* RFC 1035: 63 octets a label, 255 with the lengths in front of each and the root's. */
#define DNS_LABEL_MAX 63
#define DNS_NAME_MAX 253
/* The longest name, scheme, brackets and port. */
#define NAME_TEXT_MAX (DNS_NAME_MAX + 32)

static bool is_address(const char *host, bool in_brackets)
{
    struct in6_addr address;
    return inet_pton(in_brackets ? AF_INET6 : AF_INET, host, &address) == 1;
}

/* Labels of letters, digits, '-' and '_'. A last label of digits only would be a
 * misspelt IPv4 address to some resolvers, and a name to others. */
static bool is_dns_name(const char *host)
{
    const char *label = host;
    if (strlen(host) > DNS_NAME_MAX)
        return false;
    for (;;) {
        size_t len = strcspn(label, ".");
        if (len == 0 || len > DNS_LABEL_MAX || label[0] == '-' || label[len - 1] == '-')
            return false;
        for (size_t i = 0; i < len; i++) {
            unsigned char c = (unsigned char)label[i];
            if (c >= 0x80 || (!isalnum(c) && c != '-' && c != '_'))
                return false;
        }
        if (label[len] == '\0')
            return strspn(label, "0123456789") != len;
        label += len + 1;
    }
}

static char *format_name(const struct url *url, int port, bool in_brackets)
{
    char text[NAME_TEXT_MAX];
    int usual = url->tls ? 443 : 80;
    int len = snprintf(text, sizeof(text), "%s://%s%s%s", url->tls ? "https" : "http",
                       in_brackets ? "[" : "", url->host, in_brackets ? "]" : "");
    if (port != usual)
        snprintf(text + len, sizeof(text) - (size_t)len, ":%d", port);
    return mem_strdup(text);
}

static char *format_address(const struct url *url, int port, bool in_brackets)
{
    char text[NAME_TEXT_MAX];
    snprintf(text, sizeof(text), in_brackets ? "[%s]:%d" : "%s:%d", url->host, port);
    return mem_strdup(text);
}

static char *format_target(const struct evhttp_uri *uri)
{
    char text[URL_MAX + 2];
    const char *path = evhttp_uri_get_path(uri);
    const char *query = evhttp_uri_get_query(uri);
    snprintf(text, sizeof(text), "%s%s%s", path == NULL || *path == '\0' ? "/" : path,
             query != NULL ? "?" : "", query != NULL ? query : "");
    return mem_strdup(text);
}

/* The library may or may not leave the brackets around an IPv6 address. */
static char *copy_host(const char *host, bool *in_brackets)
{
    size_t len = strlen(host);
    *in_brackets = strchr(host, ':') != NULL;
    if (len < 2 || host[0] != '[' || host[len - 1] != ']')
        return mem_strdup(host);
    *in_brackets = true;
    char *copy = mem_strdup(host + 1);
    copy[len - 2] = '\0';
    return copy;
}

static bool check(const struct evhttp_uri *uri, struct error *error)
{
    const char *scheme = evhttp_uri_get_scheme(uri);
    const char *host = evhttp_uri_get_host(uri);
    if (scheme == NULL ||
        (strcasecmp(scheme, "http") != 0 && strcasecmp(scheme, "https") != 0))
        return error_set(error, "the URL doesn't begin with http:// or https://; "
                                "write https://host/path");
    if (evhttp_uri_get_userinfo(uri) != NULL)
        return error_set(error,
                         "the URL has a user name or password, which isn't sent; take "
                         "what stands before the '@' out, and put a key into the path "
                         "or let a local proxy add it");
    if (host == NULL || *host == '\0')
        return error_set(error, "the URL has no host; write https://host/path");
    if (evhttp_uri_get_fragment(uri) != NULL)
        return error_set(error, "the URL has a fragment, which isn't sent; take the '#' "
                                "and what follows it out");
    if (evhttp_uri_get_port(uri) == 0 || evhttp_uri_get_port(uri) > UINT16_MAX)
        return error_set(error, "the URL's port isn't one from 1 to 65535");
    return true;
}

static bool take(struct url *url, const struct evhttp_uri *uri, struct error *error)
{
    bool in_brackets;
    int port = evhttp_uri_get_port(uri);
    *url = (struct url){.tls = strcasecmp(evhttp_uri_get_scheme(uri), "https") == 0};
    url->host = copy_host(evhttp_uri_get_host(uri), &in_brackets);
    url->host_is_address = is_address(url->host, in_brackets);
    if (!url->host_is_address && (in_brackets || !is_dns_name(url->host))) {
        error_set(error, "the URL's host %s is neither a DNS name nor an IP address",
                  url->host);
        free(url->host);
        return false;
    }
    if (port < 0)
        port = url->tls ? 443 : 80;
    url->name = format_name(url, port, in_brackets);
    url->address = format_address(url, port, in_brackets);
    url->target = format_target(uri);
    return true;
}

const char *url_authority(const struct url *url)
{
    return strstr(url->name, "://") + 3;
}

bool url_parse(struct url *url, const char *text, struct error *error)
{
    if (strlen(text) > URL_MAX)
        return error_set(error, "the URL is longer than %d characters", URL_MAX);
    struct evhttp_uri *uri = evhttp_uri_parse(text);
    if (uri == NULL)
        return error_set(error, "isn't a URL; write https://host/path");
    bool good = check(uri, error) && take(url, uri, error);
    evhttp_uri_free(uri);
    return good;
}

void url_release(struct url *url)
{
    free(url->host);
    free(url->name);
    free(url->address);
    free(url->target);
    *url = (struct url){0};
}
