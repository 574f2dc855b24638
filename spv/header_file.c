#include "spv/header_file.h"

#include <inttypes.h>

#define FILTER_HEADER_SIZE 32
#define VERSION 0

static size_t record_size(enum header_file_kind kind)
{
    return kind == HEADER_FILE_BLOCKS ? BLOCK_HEADER_SIZE : FILTER_HEADER_SIZE;
}

static const char *kind_name(enum header_file_kind kind)
{
    return kind == HEADER_FILE_BLOCKS ? "block headers" : "filter headers";
}

uint64_t header_file_size_max(enum header_file_kind kind, uint32_t count)
{
    return HEADER_FILE_PREFIX + (uint64_t)count * record_size(kind);
}

static const struct network *network_of_magic(uint32_t magic)
{
    for (const struct network *const *at = network_all(); *at != NULL; at++) {
        if ((*at)->magic == magic)
            return *at;
    }
    return NULL;
}

static bool prefix_holds(struct reader *reader, enum header_file_kind kind,
                         struct error *error)
{
    uint8_t version = read_u8(reader), type = read_u8(reader);
    uint32_t first = read_u32le(reader);
    if (version != VERSION)
        return error_set(error, "its prefix says version %u; only %u is known",
                         (unsigned)version, VERSION);
    if (type != (uint8_t)kind)
        return error_set(error,
                         "its prefix says kind %u, %s are %u; name a file of those",
                         (unsigned)type, kind_name(kind), (unsigned)kind);
    if (first != 0)
        return error_set(
            error, "it begins at height %" PRIu32 "; name one that begins at genesis",
            first);
    return true;
}

/* A file without prefix can't begin with a magic: genesis' version is 1, and filter
 * headers of genesis are known. */
static bool read_prefix(uint32_t *offset, enum header_file_kind kind, struct bytes head,
                        const struct network *network, struct error *error)
{
    struct reader reader;
    reader_init(&reader, head.data, head.len);
    uint32_t magic = read_u32le(&reader);
    const struct network *other = network_of_magic(magic);
    *offset = 0;
    if (head.len < HEADER_FILE_PREFIX)
        return true;
    if (magic != network->magic && other != NULL)
        return error_set(error, "it is of %s; this watcher is of %s", other->name,
                         network->name);
    if (magic != network->magic)
        return true;
    *offset = HEADER_FILE_PREFIX;
    return prefix_holds(&reader, kind, error);
}

bool header_file_layout_of(struct header_file_layout *out, enum header_file_kind kind,
                           struct bytes head, uint64_t size, uint32_t most,
                           const struct network *network, struct error *error)
{
    *out = (struct header_file_layout){.record_size = record_size(kind)};
    if (!read_prefix(&out->offset, kind, head, network, error))
        return false;
    uint64_t rest = size - out->offset, count = rest / out->record_size;
    if (rest % out->record_size != 0)
        return error_set(error,
                         "%" PRIu64 " bytes follow %" PRIu64
                         " records of %zu; it isn't whole, or no file of %s",
                         rest % out->record_size, count, out->record_size,
                         kind_name(kind));
    if (count == 0)
        return error_set(error, "it has no %s", kind_name(kind));
    if (count > most)
        return error_set(
            error, "it has %" PRIu64 " %s; there can't be more than %" PRIu32 " yet",
            count, kind_name(kind), most);
    out->count = (uint32_t)count;
    return true;
}
