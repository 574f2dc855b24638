/* A frame's 24 bytes and its payload, given to the decoder of its kind. What a decoder
 * accepts and an encoder writes again must be the same. */
#include <stdlib.h>
#include <string.h>

#include "spv/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void try_version(struct bytes payload)
{
    struct message_version first, second;
    struct writer out = {0};

    if (version_decode(&first, payload)) {
        version_encode(&out, &first);
        must(version_decode(&second, (struct bytes){out.data, out.len}));
        must(first.nonce == second.nonce && first.services == second.services);
        /* The agent ends at a NUL only if the peer put none inside: those are '?'. */
        must(strcmp(first.agent, second.agent) == 0);
        writer_release(&out);
    }
}

static void try_inv(struct bytes payload)
{
    struct inv_item *items;
    struct writer out = {0};
    size_t count;

    if (inv_decode(&items, &count, payload)) {
        inv_encode(&out, items, count);
        must(bytes_equal(payload, (struct bytes){out.data, out.len}));
        writer_release(&out);
        free(items);
    }
}

static void try_headers(struct bytes payload)
{
    struct block_header *headers;
    struct writer out = {0};
    size_t count;

    if (headers_decode(&headers, &count, payload) != HEADERS_PLAIN) {
        must(headers == NULL && count == 0);
        return;
    }
    write_compact_size(&out, count);
    for (size_t i = 0; i < count; i++) {
        uint8_t header[BLOCK_HEADER_SIZE];
        block_header_encode(header, &headers[i]);
        write_bytes(&out, header, sizeof(header));
        write_u8(&out, 0);
    }
    must(bytes_equal(payload, (struct bytes){out.data, out.len}));
    writer_release(&out);
    free(headers);
}

/* What is accepted counts its addresses, whose text says the same. */
static void try_addresses(bool v2, struct bytes payload)
{
    struct told_address *told;
    struct net_address again;
    char text[NET_ADDRESS_TEXT_MAX];
    size_t count;
    bool good =
        v2 ? addrv2_decode(&told, &count, payload) : addr_decode(&told, &count, payload);

    must(count <= ADDRESSES_MAX && (good || (told == NULL && count == 0)));
    for (size_t i = 0; i < count; i++) {
        net_address_text(text, &told[i].address);
        must(told[i].address.port == 0 || net_address_parse(&again, text));
        must(told[i].address.port == 0 ||
             memcmp(&again, &told[i].address, sizeof(again)) == 0);
        must(net_group(&told[i].address) != 0);
        (void)net_address_routable(&told[i].address);
    }
    free(told);
}

/* Views must lie inside the payload. */
static void must_lie_in(struct bytes payload, const void *data, size_t len)
{
    const uint8_t *start = data;

    must(len == 0 ||
         (start >= payload.data && start + len <= payload.data + payload.len));
}

static void try_filters(enum message_kind kind, struct bytes payload)
{
    struct message_cfilter filter;
    struct message_cfheaders headers;
    struct message_cfcheckpt checkpoints;

    if (kind == MESSAGE_CFILTER && cfilter_decode(&filter, payload)) {
        must_lie_in(payload, filter.filter.data, filter.filter.len);
    }
    if (kind == MESSAGE_CFHEADERS && cfheaders_decode(&headers, payload)) {
        must_lie_in(payload, headers.hashes, headers.count * 32);
    }
    if (kind == MESSAGE_CFCHECKPT && cfcheckpt_decode(&checkpoints, payload)) {
        must_lie_in(payload, checkpoints.headers, checkpoints.count * 32);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct network network = {.name = "fuzz", .magic = 0xd9b4bef9};
    struct frame frame;
    struct error error;
    uint64_t nonce;

    if (size < FRAME_HEADER_SIZE || !frame_decode(&frame, &network, data, &error)) {
        return 0;
    }
    struct bytes payload = {data + FRAME_HEADER_SIZE, size - FRAME_HEADER_SIZE};
    (void)!frame_checksum_ok(&frame, payload);
    if (frame.kind == MESSAGE_VERSION) {
        try_version(payload);
    } else if (frame.kind == MESSAGE_PING || frame.kind == MESSAGE_PONG) {
        must(nonce_decode(&nonce, payload) == (payload.len == 8));
    } else if (frame.kind == MESSAGE_INV || frame.kind == MESSAGE_NOTFOUND) {
        try_inv(payload);
    } else if (frame.kind == MESSAGE_HEADERS) {
        try_headers(payload);
    } else if (frame.kind == MESSAGE_ADDR || frame.kind == MESSAGE_ADDRV2) {
        try_addresses(frame.kind == MESSAGE_ADDRV2, payload);
    } else {
        try_filters(frame.kind, payload);
    }
    return 0;
}
