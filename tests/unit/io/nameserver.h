#ifndef TESTS_UNIT_IO_NAMESERVER_H
#define TESTS_UNIT_IO_NAMESERVER_H

#include "drive.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>

#include <event2/dns.h>
#include <event2/dns_struct.h>

/* A nameserver on the same loop: two.test has 127.0.0.2 (where nobody listens) before
 * 127.0.0.1; silent.test gets no answer; every other name doesn't exist. */
struct nameserver {
    struct evdns_server_port *port;
    struct evdns_server_request *unanswered[8];
    size_t unanswered_count;
    char address[64];
};

static void on_query(struct evdns_server_request *request, void *context)
{
    struct nameserver *nameserver = context;
    const struct evdns_server_question *question = request->questions[0];
    if (strcasecmp(question->name, "silent.test") == 0) {
        assert_in_range(nameserver->unanswered_count, 0, 7);
        nameserver->unanswered[nameserver->unanswered_count++] = request;
        return;
    }
    bool known = strcasecmp(question->name, "two.test") == 0;
    if (known && question->type == EVDNS_TYPE_A) {
        static const uint8_t addresses[] = {127, 0, 0, 2, 127, 0, 0, 1};
        evdns_server_request_add_a_reply(request, question->name, 2, addresses, 60);
    }
    evdns_server_request_respond(request, known ? 0 : 3);
}

static inline void nameserver_start(struct nameserver *nameserver, struct loop *loop)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    getsockname(fd, (struct sockaddr *)&address, &len);
    *nameserver = (struct nameserver){0};
    nameserver->port =
        evdns_add_server_port_with_base(loop_base(loop), fd, 0, on_query, nameserver);
    snprintf(nameserver->address, sizeof(nameserver->address), "127.0.0.1:%u",
             ntohs(address.sin_port));
}

static inline void nameserver_stop(struct nameserver *nameserver)
{
    for (size_t i = 0; i < nameserver->unanswered_count; i++)
        evdns_server_request_drop(nameserver->unanswered[i]);
    evdns_close_server_port(nameserver->port);
}

#endif
