/* From "host:port" to socket addresses, through libevent's DNS client and /etc/hosts. */
#ifndef IO_RESOLVER_H
#define IO_RESOLVER_H

#include <stddef.h>
#include <sys/socket.h>

#include "base/error.h"
#include "io/loop.h"

/* Of more addresses the first ones are taken: as many as a DNS seed's answer holds. */
#define LOOKUP_ADDRESSES_MAX 64

struct resolver;
struct lookup;

struct lookup_result {
    struct sockaddr_storage addresses[LOOKUP_ADDRESSES_MAX];
    size_t count;       /* 0: failed */
    struct error error; /* set if it failed */
};

/* `nameserver` is "address:port"; NULL: those of /etc/resolv.conf. */
struct resolver *resolver_new(struct loop *loop, const char *nameserver);
/* Every lookup has been reported or cancelled before. What libevent still has to do about
 * cancelled ones happens in the loop's next turns, or in loop_free(). */
void resolver_free(struct resolver *resolver);

/* Look up "host:port", "address:port" or "[IPv6]:port". done() is called once, from the
 * loop, never from within this call; the lookup is gone then. There is no time limit
 * shorter than DNS' own: cancel it. */
struct lookup *lookup_start(struct resolver *resolver, const char *address,
                            void (*done)(const struct lookup_result *result,
                                         void *context),
                            void *context);
/* done() is not called any more. NULL is ignored. */
void lookup_cancel(struct lookup *lookup);

#endif
