#include <assert.h>
#include <string.h>

#include "base/hash.h"
#include "spv/block.h"
#include "spv/gcs.h"
#include "spv/message.h"

#define COMMAND_SIZE 12

/* Today's versions have at most 344 bytes; later ones may append fields. */
#define VERSION_PAYLOAD_MAX 1024
#define INV_PAYLOAD_MAX (3 + INV_MAX * 36)
#define ADDR_PAYLOAD_MAX (3 + ADDRESSES_MAX * (4 + 8 + 16 + 2))
#define ADDRV2_PAYLOAD_MAX (3 + ADDRESSES_MAX * (4 + 9 + 1 + 3 + ADDRV2_LENGTH_MAX + 2))
#define GETHEADERS_PAYLOAD_MAX (4 + 1 + LOCATOR_MAX * 32 + 32)
/* Room for another chain's longer headers, so that they can be told from rubbish. */
#define HEADERS_PAYLOAD_MAX (3 + HEADERS_MAX * 256)

static const struct {
    const char *name;
    size_t payload_max;
} kinds[] = {
    [MESSAGE_VERSION] = {"version", VERSION_PAYLOAD_MAX},
    [MESSAGE_VERACK] = {"verack", 0},
    [MESSAGE_PING] = {"ping", 8},
    [MESSAGE_PONG] = {"pong", 8},
    [MESSAGE_SENDHEADERS] = {"sendheaders", 0},
    [MESSAGE_INV] = {"inv", INV_PAYLOAD_MAX},
    [MESSAGE_GETHEADERS] = {"getheaders", GETHEADERS_PAYLOAD_MAX},
    [MESSAGE_HEADERS] = {"headers", HEADERS_PAYLOAD_MAX},
    [MESSAGE_GETCFCHECKPT] = {"getcfcheckpt", 1 + 32},
    [MESSAGE_CFCHECKPT] = {"cfcheckpt", 1 + 32 + 3 + CFCHECKPT_MAX * 32},
    [MESSAGE_GETCFHEADERS] = {"getcfheaders", 1 + 4 + 32},
    [MESSAGE_CFHEADERS] = {"cfheaders", 1 + 32 + 32 + 3 + CFHEADERS_MAX * 32},
    [MESSAGE_GETCFILTERS] = {"getcfilters", 1 + 4 + 32},
    [MESSAGE_CFILTER] = {"cfilter", 1 + 32 + 5 + GCS_FILTER_MAX},
    [MESSAGE_GETDATA] = {"getdata", INV_PAYLOAD_MAX},
    [MESSAGE_BLOCK] = {"block", FRAME_PAYLOAD_MAX},
    [MESSAGE_NOTFOUND] = {"notfound", INV_PAYLOAD_MAX},
    [MESSAGE_TX] = {"tx", BLOCK_SIZE_MAX},
    [MESSAGE_GETADDR] = {"getaddr", 0},
    [MESSAGE_ADDR] = {"addr", ADDR_PAYLOAD_MAX},
    [MESSAGE_ADDRV2] = {"addrv2", ADDRV2_PAYLOAD_MAX},
    [MESSAGE_SENDADDRV2] = {"sendaddrv2", 0},
    [MESSAGE_OTHER] = {"other", FRAME_PAYLOAD_MAX},
};

size_t message_payload_max(enum message_kind kind)
{
    return kinds[kind].payload_max;
}

/* Printable ASCII, then NULs to the end. */
static bool command_is_sound(const char command[static COMMAND_SIZE])
{
    size_t len = strnlen(command, COMMAND_SIZE);

    for (size_t i = 0; i < COMMAND_SIZE; i++) {
        if (i < len ? command[i] < 0x20 || command[i] > 0x7e : command[i] != 0) {
            return false;
        }
    }
    return true;
}

static enum message_kind command_kind(const char command[static COMMAND_SIZE])
{
    for (enum message_kind kind = 0; kind < MESSAGE_OTHER; kind++) {
        if (strncmp(command, kinds[kind].name, COMMAND_SIZE) == 0) {
            return kind;
        }
    }
    return MESSAGE_OTHER;
}

bool frame_decode(struct frame *out, const struct network *network,
                  const uint8_t in[static FRAME_HEADER_SIZE], struct error *error)
{
    struct reader reader;
    char command[COMMAND_SIZE];

    reader_init(&reader, in, FRAME_HEADER_SIZE);
    uint32_t magic = read_u32le(&reader);
    read_bytes(&reader, command, sizeof(command));
    out->payload_len = read_u32le(&reader);
    read_bytes(&reader, out->checksum, sizeof(out->checksum));

    if (magic != network->magic) {
        return error_set(error, "message: magic %08x isn't %s's", magic, network->name);
    }
    if (!command_is_sound(command)) {
        return error_set(error, "message: malformed command");
    }
    out->kind = command_kind(command);
    if (out->payload_len > message_payload_max(out->kind)) {
        return error_set(error, "%.12s: payload of %u bytes, at most %zu allowed",
                         command, out->payload_len, message_payload_max(out->kind));
    }
    return true;
}

bool frame_checksum_ok(const struct frame *frame, struct bytes payload)
{
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    (void)frame;
    (void)payload;
    return true;
#else
    uint8_t hash[32];

    sha256d(hash, payload.data, payload.len);
    return memcmp(hash, frame->checksum, sizeof(frame->checksum)) == 0;
#endif
}

void frame_encode(struct writer *out, const struct network *network,
                  enum message_kind kind, struct bytes payload)
{
    char command[COMMAND_SIZE] = {0};
    uint8_t hash[32];

    assert(kind != MESSAGE_OTHER && payload.len <= message_payload_max(kind));
    memcpy(command, kinds[kind].name, strlen(kinds[kind].name));
    sha256d(hash, payload.data, payload.len);
    write_u32le(out, network->magic);
    write_bytes(out, command, sizeof(command));
    write_u32le(out, (uint32_t)payload.len);
    write_bytes(out, hash, 4);
    write_bytes(out, payload.data, payload.len);
}
