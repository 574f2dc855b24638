#include "spv/net_address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/hash.h"

#define ONION_SUFFIX ".onion"
#define ONION_LEN 56 /* base32 digits of 35 bytes */

static const uint8_t ipv4_mapped[12] = {[10] = 0xff, [11] = 0xff};
static const uint8_t onioncat[6] = {0xfd, 0x87, 0xd8, 0x7e, 0xeb, 0x43};

bool net_address_from_16(struct net_address *out, const uint8_t ip[static 16],
                         uint16_t port)
{
    *out = (struct net_address){.kind = NET_IPV6, .port = port};
    /* BIP 155: clients ignore OnionCat addresses (fd87:d87e:eb43::/48). */
    if (memcmp(ip, onioncat, sizeof(onioncat)) == 0)
        return false;
    if (memcmp(ip, ipv4_mapped, sizeof(ipv4_mapped)) == 0) {
        out->kind = NET_IPV4;
        memcpy(out->b, ip + sizeof(ipv4_mapped), 4);
    } else {
        memcpy(out->b, ip, 16);
    }
    return true;
}

/* ---- text ---- */

/* Tor's rend-spec-v3: the key, two bytes of SHA3-256(".onion checksum", key, version),
 * version 3. */
static void onion_bytes(uint8_t out[static 35], const uint8_t key[static 32])
{
    static const uint8_t prefix[15] = {'.', 'o', 'n', 'i', 'o', 'n', ' ', 'c',
                                       'h', 'e', 'c', 'k', 's', 'u', 'm'};
    uint8_t input[15 + 32 + 1], hash[32];
    memcpy(input, prefix, sizeof(prefix));
    memcpy(input + 15, key, 32);
    input[47] = 3;
    sha3_256(hash, input, sizeof(input));
    memcpy(out, key, 32);
    memcpy(out + 32, hash, 2);
    out[34] = 3;
}

static const char base32[] = "abcdefghijklmnopqrstuvwxyz234567";

static void onion_text(char out[static ONION_LEN + 1], const uint8_t key[static 32])
{
    uint8_t bytes[35];
    onion_bytes(bytes, key);
    for (size_t i = 0; i < ONION_LEN; i++) {
        size_t bit = i * 5;
        unsigned pair = (unsigned)bytes[bit / 8] << 8;
        if (bit / 8 + 1 < sizeof(bytes))
            pair |= bytes[bit / 8 + 1];
        out[i] = base32[pair >> (11 - bit % 8) & 31];
    }
    out[ONION_LEN] = '\0';
}

static bool onion_parse(uint8_t key[static 32], const char *text, size_t len)
{
    uint8_t bytes[35] = {0}, expected[35];
    if (len != ONION_LEN + strlen(ONION_SUFFIX) ||
        memcmp(text + ONION_LEN, ONION_SUFFIX, strlen(ONION_SUFFIX)) != 0)
        return false;
    for (size_t i = 0; i < ONION_LEN; i++) {
        const char *digit = text[i] ? strchr(base32, text[i]) : NULL;
        if (digit == NULL)
            return false;
        size_t bit = i * 5;
        unsigned pair = (unsigned)(digit - base32) << (11 - bit % 8);
        bytes[bit / 8] |= (uint8_t)(pair >> 8);
        if (bit / 8 + 1 < sizeof(bytes))
            bytes[bit / 8 + 1] |= (uint8_t)pair;
    }
    onion_bytes(expected, bytes);
    if (memcmp(bytes, expected, sizeof(bytes)) != 0)
        return false;
    memcpy(key, bytes, 32);
    return true;
}

void net_host_text(char out[static NET_ADDRESS_TEXT_MAX],
                   const struct net_address *address)
{
    out[0] = '\0';
    switch ((enum net_kind)address->kind) {
    case NET_NONE:
        break;
    case NET_IPV4:
        inet_ntop(AF_INET, address->b, out, NET_ADDRESS_TEXT_MAX);
        break;
    case NET_IPV6:
        inet_ntop(AF_INET6, address->b, out, NET_ADDRESS_TEXT_MAX);
        break;
    case NET_ONION:
        onion_text(out, address->b);
        strcat(out, ONION_SUFFIX);
        break;
    }
}

void net_address_text(char out[static NET_ADDRESS_TEXT_MAX],
                      const struct net_address *address)
{
    char host[NET_ADDRESS_TEXT_MAX];
    net_host_text(host, address);
    snprintf(out, NET_ADDRESS_TEXT_MAX,
             address->kind == NET_IPV6 ? "[%.63s]:%u" : "%.63s:%u", host,
             (unsigned)address->port);
}

static bool port_parse(uint16_t *out, const char *text)
{
    uint64_t port;
    if (text[0] == '0' || !decimal_parse(&port, text, strlen(text), UINT16_MAX))
        return false;
    *out = (uint16_t)port;
    return true;
}

bool net_address_parse(struct net_address *out, const char *text)
{
    char host[NET_ADDRESS_TEXT_MAX];
    uint8_t ip[16];
    const char *colon = strrchr(text, ':');
    *out = (struct net_address){0};
    if (colon == NULL || !port_parse(&out->port, colon + 1) ||
        (size_t)(colon - text) >= sizeof(host))
        return false;
    size_t len = (size_t)(colon - text);
    bool bracketed = len > 2 && text[0] == '[' && text[len - 1] == ']';
    if (bracketed) {
        len -= 2;
        text++;
    }
    memcpy(host, text, len);
    host[len] = '\0';
    if (bracketed)
        return inet_pton(AF_INET6, host, ip) == 1 &&
               net_address_from_16(out, ip, out->port);
    if (inet_pton(AF_INET, host, out->b) == 1)
        out->kind = NET_IPV4;
    else if (onion_parse(out->b, host, len))
        out->kind = NET_ONION;
    return out->kind != NET_NONE;
}

/* ---- ranges ---- */

struct range {
    uint8_t prefix[12];
    uint8_t bits;
};

static bool in_range(const uint8_t *ip, const struct range *range)
{
    size_t whole = range->bits / 8u;
    unsigned rest = range->bits % 8u;
    return memcmp(ip, range->prefix, whole) == 0 &&
           (rest == 0 || (ip[whole] ^ range->prefix[whole]) >> (8 - rest) == 0);
}

static bool in_ranges(const uint8_t *ip, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (in_range(ip, &ranges[i]))
            return true;
    return false;
}

/* RFC 1122, 1918, 6598, 3927, 5737, 2544, 5771 (multicast), 1112 (reserved, broadcast).
 */
static const struct range unroutable_ipv4[] = {
    {{0}, 8},
    {{10}, 8},
    {{100, 64}, 10},
    {{127}, 8},
    {{169, 254}, 16},
    {{172, 16}, 12},
    {{192, 0, 2}, 24},
    {{192, 168}, 16},
    {{198, 18}, 15},
    {{198, 51, 100}, 24},
    {{203, 0, 113}, 24},
    {{224}, 3},
};

/* Documentation, unique local, link local, multicast, ORCHID and ORCHIDv2 (RFC 3849,
 * 4193, 4291, 4843, 7343). */
static const struct range unroutable_ipv6[] = {
    {{0x20, 0x01, 0x0d, 0xb8}, 32},
    {{0xfc}, 7},
    {{0xfe, 0x80}, 10},
    {{0xff}, 8},
    {{0x20, 0x01, 0x00, 0x10}, 28},
    {{0x20, 0x01, 0x00, 0x20}, 28},
};

static const struct range hurricane = {{0x20, 0x01, 0x04, 0x70}, 32};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The IPv4 address that an IPv6 address stands for; NULL if for none. The one of Teredo
 * is inverted into `room`. */
static const uint8_t *embedded_ipv4(const uint8_t ip[static 16], uint8_t room[static 4])
{
    static const struct range mapped = {{[10] = 0xff, [11] = 0xff}, 96};
    static const struct range translated = {{[8] = 0xff, [9] = 0xff}, 96}; /* RFC 6145 */
    static const struct range well_known = {{0, 0x64, 0xff, 0x9b}, 96};    /* RFC 6052 */
    static const struct range six_to_four = {{0x20, 0x02}, 16};            /* RFC 3964 */
    static const struct range teredo = {{0x20, 0x01, 0, 0}, 32};           /* RFC 4380 */
    if (in_range(ip, &mapped) || in_range(ip, &translated) || in_range(ip, &well_known))
        return ip + 12;
    if (in_range(ip, &six_to_four))
        return ip + 2;
    if (!in_range(ip, &teredo))
        return NULL;
    for (size_t i = 0; i < 4; i++)
        room[i] = (uint8_t)~ip[12 + i];
    return room;
}

static bool routable_ipv6(const uint8_t ip[static 16])
{
    static const uint8_t zeros[15];
    uint8_t room[4];
    const uint8_t *ipv4 = embedded_ipv4(ip, room);
    if (ipv4 != NULL)
        return !in_ranges(ipv4, unroutable_ipv4, COUNT(unroutable_ipv4));
    bool none_or_loopback = memcmp(ip, zeros, sizeof(zeros)) == 0 && ip[15] <= 1;
    return !none_or_loopback && !in_ranges(ip, unroutable_ipv6, COUNT(unroutable_ipv6));
}

bool net_address_routable(const struct net_address *address)
{
    if (address->port == 0)
        return false;
    switch ((enum net_kind)address->kind) {
    case NET_NONE:
        return false;
    case NET_IPV4:
        return !in_ranges(address->b, unroutable_ipv4, COUNT(unroutable_ipv4));
    case NET_IPV6:
        return routable_ipv6(address->b);
    case NET_ONION:
        return true;
    }
    return false;
}

static uint64_t group_of(enum net_kind kind, const uint8_t *bytes, unsigned bits)
{
    uint64_t group = get_u64be((const uint8_t[8]){0, bytes[0], bytes[1], bytes[2],
                                                  bytes[3], bits > 32 ? bytes[4] : 0});
    uint64_t mask = ~UINT64_C(0) << (56 - bits);
    return (uint64_t)kind << 56 | (group & mask);
}

uint64_t net_group(const struct net_address *address)
{
    uint8_t room[4];
    const uint8_t *ipv4 = address->b;
    switch ((enum net_kind)address->kind) {
    case NET_NONE:
        break;
    case NET_IPV6:
        ipv4 = embedded_ipv4(address->b, room);
        if (ipv4 == NULL)
            return group_of(NET_IPV6, address->b,
                            in_range(address->b, &hurricane) ? 36 : 32);
        return group_of(NET_IPV4, ipv4, 16);
    case NET_IPV4:
        return group_of(NET_IPV4, ipv4, 16);
    case NET_ONION:
        return group_of(NET_ONION, address->b, 4);
    }
    return UINT64_MAX;
}

void net_group_text(char out[static NET_GROUP_TEXT_MAX], uint64_t group)
{
    uint8_t bytes[16] = {(uint8_t)(group >> 48), (uint8_t)(group >> 40),
                         (uint8_t)(group >> 32), (uint8_t)(group >> 24),
                         (uint8_t)(group >> 16)};
    char text[INET6_ADDRSTRLEN] = "";
    switch ((enum net_kind)(group >> 56)) {
    case NET_IPV4:
        inet_ntop(AF_INET, bytes, text, sizeof(text));
        snprintf(out, NET_GROUP_TEXT_MAX, "%s/16", text);
        return;
    case NET_IPV6:
        inet_ntop(AF_INET6, bytes, text, sizeof(text));
        snprintf(out, NET_GROUP_TEXT_MAX, "%s/%d", text,
                 in_range(bytes, &hurricane) ? 36 : 32);
        return;
    case NET_ONION:
        snprintf(out, NET_GROUP_TEXT_MAX, "onion %d", bytes[0] >> 4);
        return;
    case NET_NONE:
        break;
    }
    out[0] = '\0';
}
