#include "spv/message.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

/* Services, address, port, as version has them: we never say whose. */
static void write_no_address(struct writer *out, uint64_t services)
{
    static const uint8_t nowhere[16 + 2];

    write_u64le(out, services);
    write_bytes(out, nowhere, sizeof(nowhere));
}

bool version_decode(struct message_version *out, struct bytes payload)
{
    struct reader reader;

    *out = (struct message_version){.relay = true};
    reader_init(&reader, payload.data, payload.len);
    out->version = (int32_t)read_u32le(&reader);
    out->services = read_u64le(&reader);
    out->time = (int64_t)read_u64le(&reader);
    (void)read_view(&reader, 8 + 16 + 2); /* our address, as the peer sees it */
    (void)read_view(&reader, 8 + 16 + 2); /* the peer's own */
    out->nonce = read_u64le(&reader);
    struct bytes agent = read_var_bytes(&reader, AGENT_MAX);
    for (size_t i = 0; i < agent.len; i++) {
        bool printable = agent.data[i] >= 0x20 && agent.data[i] <= 0x7e;
        out->agent[i] = printable ? (char)agent.data[i] : '?';
    }
    out->start_height = (int32_t)read_u32le(&reader);
    /* BIP 37: the relay flag may be missing, and means yes then. */
    if (reader.left > 0) {
        out->relay = read_u8(&reader) != 0;
    }
    return !reader.failed;
}

void version_encode(struct writer *out, const struct message_version *version)
{
    write_u32le(out, (uint32_t)version->version);
    write_u64le(out, version->services);
    write_u64le(out, (uint64_t)version->time);
    write_no_address(out, 0);
    write_no_address(out, version->services);
    write_u64le(out, version->nonce);
    write_var_bytes(out, (struct bytes){(const uint8_t *)version->agent,
                                        strnlen(version->agent, AGENT_MAX)});
    write_u32le(out, (uint32_t)version->start_height);
    write_u8(out, version->relay);
}

bool nonce_decode(uint64_t *out, struct bytes payload)
{
    struct reader reader;

    reader_init(&reader, payload.data, payload.len);
    *out = read_u64le(&reader);
    return reader_done(&reader);
}

bool inv_decode(struct inv_item **items, size_t *count, struct bytes payload)
{
    struct reader reader;

    *items = NULL;
    *count = 0;
    reader_init(&reader, payload.data, payload.len);
    size_t announced = read_compact_size(&reader, INV_MAX);
    if (reader.failed || reader.left != announced * 36) {
        return false;
    }
    if (announced == 0) {
        return true;
    }
    *items = mem_zalloc(announced, sizeof(**items));
    *count = announced;
    for (size_t i = 0; i < announced; i++) {
        (*items)[i].type = read_u32le(&reader);
        read_bytes(&reader, (*items)[i].hash, 32);
    }
    return true;
}

void inv_encode(struct writer *out, const struct inv_item *items, size_t count)
{
    assert(count <= INV_MAX);
    write_compact_size(out, count);
    for (size_t i = 0; i < count; i++) {
        write_u32le(out, items[i].type);
        write_bytes(out, items[i].hash, 32);
    }
}

void getheaders_encode(struct writer *out, const struct block_hash *locator, size_t count)
{
    static const struct block_hash no_stop;

    assert(count <= LOCATOR_MAX);
    write_u32le(out, PROTOCOL_VERSION);
    write_compact_size(out, count);
    for (size_t i = 0; i < count; i++) {
        write_bytes(out, locator[i].b, 32);
    }
    write_bytes(out, no_stop.b, 32);
}

/* Whether the rest is `count` headers, the last `longer` of them `extra` bytes above the
 * plain size, each with its count of no transactions. */
static bool headers_fit(struct reader reader, size_t count, size_t longer, size_t extra)
{
    for (size_t i = 0; i < count; i++) {
        (void)read_view(&reader, BLOCK_HEADER_SIZE + (i < count - longer ? 0 : extra));
        if (read_u8(&reader) != 0) {
            return false;
        }
    }
    return reader_done(&reader);
}

/* A chain that changed its headers' size has plain ones below that height, which may lie
 * in the middle of the message. */
static bool headers_of_other_chain(struct reader reader, size_t count)
{
    size_t plain = count * (BLOCK_HEADER_SIZE + 1);

    if (reader.left <= plain) {
        return false;
    }
    size_t surplus = reader.left - plain;
    for (size_t longer = 1; longer <= count; longer++) {
        if (surplus % longer == 0 &&
            headers_fit(reader, count, longer, surplus / longer)) {
            return true;
        }
    }
    return false;
}

enum headers_form headers_decode(struct block_header **headers, size_t *count,
                                 struct bytes payload)
{
    struct reader reader;

    *headers = NULL;
    *count = 0;
    reader_init(&reader, payload.data, payload.len);
    size_t announced = read_compact_size(&reader, HEADERS_MAX);
    if (reader.failed) {
        return HEADERS_MALFORMED;
    }
    if (!headers_fit(reader, announced, 0, 0)) {
        return headers_of_other_chain(reader, announced) ? HEADERS_OTHER_CHAIN
                                                         : HEADERS_MALFORMED;
    }
    if (announced == 0) {
        return HEADERS_PLAIN;
    }
    *headers = mem_zalloc(announced, sizeof(**headers));
    *count = announced;
    for (size_t i = 0; i < announced; i++) {
        uint8_t header[BLOCK_HEADER_SIZE];
        read_bytes(&reader, header, sizeof(header));
        (void)read_u8(&reader);
        block_header_decode(&(*headers)[i], header);
    }
    return HEADERS_PLAIN;
}
