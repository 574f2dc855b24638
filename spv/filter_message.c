/* BIP 157's messages. */
#include "spv/gcs.h"
#include "spv/message.h"

#define FILTER_TYPE_BASIC 0

void getcfilters_encode(struct writer *out, uint32_t start_height,
                        const struct block_hash *stop_hash)
{
    write_u8(out, FILTER_TYPE_BASIC);
    write_u32le(out, start_height);
    write_bytes(out, stop_hash->b, 32);
}

void getcfheaders_encode(struct writer *out, uint32_t start_height,
                         const struct block_hash *stop_hash)
{
    getcfilters_encode(out, start_height, stop_hash);
}

void getcfcheckpt_encode(struct writer *out, const struct block_hash *stop_hash)
{
    write_u8(out, FILTER_TYPE_BASIC);
    write_bytes(out, stop_hash->b, 32);
}

static void read_filter_type(struct reader *reader)
{
    reader->failed |= read_u8(reader) != FILTER_TYPE_BASIC;
}

bool cfilter_decode(struct message_cfilter *out, struct bytes payload)
{
    struct reader reader;

    reader_init(&reader, payload.data, payload.len);
    read_filter_type(&reader);
    out->block = read_block_hash(&reader);
    out->filter = read_var_bytes(&reader, GCS_FILTER_MAX);
    return reader_done(&reader);
}

bool cfheaders_decode(struct message_cfheaders *out, struct bytes payload)
{
    struct reader reader;

    reader_init(&reader, payload.data, payload.len);
    read_filter_type(&reader);
    out->stop_hash = read_block_hash(&reader);
    out->previous = read_filter_header(&reader);
    out->count = read_compact_size(&reader, CFHEADERS_MAX);
    out->hashes = (const struct filter_hash *)read_view(&reader, out->count * 32).data;
    return reader_done(&reader);
}

bool cfcheckpt_decode(struct message_cfcheckpt *out, struct bytes payload)
{
    struct reader reader;

    reader_init(&reader, payload.data, payload.len);
    read_filter_type(&reader);
    out->stop_hash = read_block_hash(&reader);
    out->count = read_compact_size(&reader, CFCHECKPT_MAX);
    out->headers = (const struct filter_header *)read_view(&reader, out->count * 32).data;
    return reader_done(&reader);
}
