/* The messages in which nodes tell each other's addresses. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "spv/message.h"

/* time, services, 16 bytes, port */
#define ADDR_SIZE (4 + 8 + 16 + 2)

bool addr_decode(struct told_address **out, size_t *count, struct bytes payload)
{
    struct reader reader;

    *out = NULL;
    *count = 0;
    reader_init(&reader, payload.data, payload.len);
    size_t announced = read_compact_size(&reader, ADDRESSES_MAX);
    if (reader.failed || reader.left != announced * ADDR_SIZE) {
        return false;
    }
    struct told_address *told = announced ? mem_zalloc(announced, sizeof(*told)) : NULL;
    for (size_t i = 0; i < announced; i++) {
        uint8_t ip[16];
        struct told_address *next = &told[*count];
        next->time = read_u32le(&reader);
        next->services = read_u64le(&reader);
        read_bytes(&reader, ip, sizeof(ip));
        uint16_t port = read_u16be(&reader);
        *count += net_address_from_16(&next->address, ip, port);
    }
    *out = told;
    return true;
}

/* BIP 155: "Clients SHOULD reject messages that contain addresses that have a different
 * length than specified in this table for a specific network ID". 0: not in the table. */
static size_t length_of(uint8_t network_id)
{
    static const uint8_t lengths[] = {
        [1] = 4,  /* IPv4 */
        [2] = 16, /* IPv6 */
        [3] = 10, /* Tor v2 */
        [4] = 32, /* Tor v3 */
        [5] = 32, /* I2P */
        [6] = 16, /* CJDNS */
        [7] = 16, /* Yggdrasil */
    };

    return network_id < sizeof(lengths) ? lengths[network_id] : 0;
}

/* False for an address of no use to us. */
static bool take_address(struct net_address *out, uint8_t network_id, struct bytes bytes,
                         uint16_t port)
{
    if (network_id == NET_IPV6) {
        /* An IPv4 address has a network id of its own. */
        return net_address_from_16(out, bytes.data, port) && out->kind == NET_IPV6;
    }
    if (network_id != NET_IPV4 && network_id != NET_ONION) {
        return false;
    }
    *out = (struct net_address){.kind = network_id, .port = port};
    memcpy(out->b, bytes.data, bytes.len);
    return true;
}

static bool read_addrv2(struct told_address *told, struct reader *reader)
{
    told->time = read_u32le(reader);
    told->services = read_compact_size(reader, UINT64_MAX);
    uint8_t network_id = read_u8(reader);
    struct bytes bytes = read_var_bytes(reader, ADDRV2_LENGTH_MAX);
    uint16_t port = read_u16be(reader);
    size_t length = length_of(network_id);
    if (length == 0) {
        return false; /* of a network that we know nothing of */
    }
    if (bytes.len != length) {
        reader_fail(reader);
    }
    return !reader->failed && take_address(&told->address, network_id, bytes, port);
}

bool addrv2_decode(struct told_address **out, size_t *count, struct bytes payload)
{
    /* time, services, network id, an empty address, port */
    static const size_t least = 4 + 1 + 1 + 1 + 2;
    struct reader reader;

    *out = NULL;
    *count = 0;
    reader_init(&reader, payload.data, payload.len);
    size_t announced = read_compact_size(&reader, ADDRESSES_MAX);
    if (reader.failed || announced * least > reader.left) {
        return false;
    }
    struct told_address *told = announced ? mem_zalloc(announced, sizeof(*told)) : NULL;
    for (size_t i = 0; i < announced; i++) {
        *count += read_addrv2(&told[*count], &reader);
    }
    if (!reader_done(&reader)) {
        free(told);
        *count = 0;
        return false;
    }
    *out = told;
    return true;
}
