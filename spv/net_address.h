/* Where a Bitcoin node can be reached: IPv4, IPv6, or a Tor v3 onion service (BIP 155's
 * network ids). */
#ifndef SPV_NET_ADDRESS_H
#define SPV_NET_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"

enum net_kind {
    NET_NONE = 0, /* no address */
    NET_IPV4 = 1, /* 4 bytes, network order */
    NET_IPV6 = 2, /* 16 */
    NET_ONION = 4 /* 32: the service's key */
};

/* Bytes that the kind doesn't use are zero, and there is no padding: two are the same if
 * their memory is. */
struct net_address {
    uint16_t kind;
    uint16_t port; /* host order */
    uint8_t b[32];
};

/* From 16 bytes as the messages of before BIP 155 have them; IPv4 is the range
 * ::ffff:0:0/96. False for Tor v2's range, which means nothing any more. */
NODISCARD bool net_address_from_16(struct net_address *out, const uint8_t ip[static 16],
                                   uint16_t port);

/* "1.2.3.4:8333", "[2001:db8::1]:8333", "....onion:8333", with its NUL. */
#define NET_ADDRESS_TEXT_MAX 72
void net_address_text(char out[static NET_ADDRESS_TEXT_MAX],
                      const struct net_address *address);
/* The same without brackets and port: what a ban is about. */
void net_host_text(char out[static NET_ADDRESS_TEXT_MAX],
                   const struct net_address *address);
/* Read what net_address_text writes. False for anything else, names included. */
NODISCARD bool net_address_parse(struct net_address *out, const char *text);

/* Whether it could be a node on the public internet or Tor. */
bool net_address_routable(const struct net_address *address);

/* What one operator gets many addresses of: the /16 of an IPv4 address, also of one
 * inside an IPv6 address; the /32 of an IPv6 address (Hurricane Electric's tunnels: /36);
 * four bits of an onion's key. Never 0. As Bitcoin Core has them without a map of
 * networks. */
uint64_t net_group(const struct net_address *address);
/* "1.2.0.0/16", "2a00:1::/32", "onion 7", with its NUL. */
#define NET_GROUP_TEXT_MAX 56
void net_group_text(char out[static NET_GROUP_TEXT_MAX], uint64_t group);

#endif
