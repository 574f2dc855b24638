#include "spv/block_body.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sha256_many.h"

/* The shortest serialisations; they bound each count by the bytes that are there. */
#define TX_SIZE_MIN 10
#define TX_IN_SIZE_MIN 41
#define TX_OUT_SIZE_MIN 9
/* Bytes of a block to an input and to an output, by which room for most is made at once.
 */
#define BYTES_AN_INPUT 200
#define BYTES_AN_OUTPUT 150

struct parser {
    struct reader reader;
    struct block *block;
    struct block_body *body;
    size_t in_capacity, out_capacity;
};

/* A transaction's stripped serialisation is its version, this, and its lock time. */
struct tx_core {
    const uint8_t *start, *end;
};

static void parse_ins(struct parser *parser, struct tx *tx)
{
    struct reader *reader = &parser->reader;
    struct block *block = parser->block;
    uint64_t count = read_compact_size(reader, reader->left / TX_IN_SIZE_MIN);

    block->ins = mem_grow(block->ins, &parser->in_capacity, block->in_count + count,
                          sizeof(*block->ins));
    for (uint64_t i = 0; i < count && !reader->failed; i++) {
        struct tx_in *in = &block->ins[block->in_count++];
        in->previous = read_outpoint(reader);
        in->script_sig = read_var_bytes(reader, reader->left);
        (void)read_u32le(reader); /* sequence */
    }
    tx->in_count = block->in_count - tx->first_in;
}

static void parse_outs(struct parser *parser, struct tx *tx)
{
    struct reader *reader = &parser->reader;
    struct block *block = parser->block;
    uint64_t count = read_compact_size(reader, reader->left / TX_OUT_SIZE_MIN);

    block->outs = mem_grow(block->outs, &parser->out_capacity, block->out_count + count,
                           sizeof(*block->outs));
    for (uint64_t i = 0; i < count && !reader->failed; i++) {
        struct tx_out *out = &block->outs[block->out_count++];
        out->amount = (struct amount){read_u64le(reader)};
        out->script = read_var_bytes(reader, reader->left);
    }
    tx->out_count = block->out_count - tx->first_out;
}

static void parse_witness_stack(struct reader *reader, struct bytes *only_item,
                                bool *empty)
{
    uint64_t count = read_compact_size(reader, reader->left);
    struct bytes item = {0};

    for (uint64_t i = 0; i < count && !reader->failed; i++) {
        item = read_var_bytes(reader, reader->left);
    }
    *only_item = count == 1 ? item : (struct bytes){0};
    *empty = count == 0;
}

static void parse_witnesses(struct parser *parser, struct tx *tx)
{
    struct reader *reader = &parser->reader;

    for (uint32_t i = 0; i < tx->in_count && !reader->failed; i++) {
        struct bytes only_item;
        bool empty;
        parse_witness_stack(reader, &only_item, &empty);
        tx->has_witness |= !empty;
        if (tx->first_in + i == 0 && only_item.len == 32) {
            parser->body->reserved_value = only_item;
        }
    }
    /* BIP 144: the extended form is for transactions that have a witness. */
    reader->failed |= !tx->has_witness;
}

/* Inputs, outputs and witnesses in either serialisation. */
static struct tx_core parse_tx_core(struct parser *parser, struct tx *tx)
{
    struct reader *reader = &parser->reader;
    struct reader ahead = *reader;
    bool extended = false;

    /* BIP 144: marker 0 and flag 1 where the count of inputs would be. Two zeros are what
     * no inputs and no outputs look like. */
    if (read_u8(&ahead) == 0 && read_u8(&ahead) != 0) {
        (void)read_u8(reader);
        extended = read_u8(reader) == 1;
        reader->failed |= !extended;
    }
    struct tx_core core = {.start = reader->at};
    parse_ins(parser, tx);
    parse_outs(parser, tx);
    core.end = reader->at;
    if (extended) {
        parse_witnesses(parser, tx);
    }
    return core;
}

static void hash_tx(struct parser *parser, struct tx *tx, size_t index,
                    struct tx_core core, struct bytes whole)
{
    struct block_body *body = parser->body;
    size_t core_len = (size_t)(core.end - core.start);
    const struct bytes all[SHA256D_PIECES] = {whole};
    const struct bytes stripped[SHA256D_PIECES] = {
        {whole.data, 4}, {core.start, core_len}, {whole.data + whole.len - 4, 4}};

    sha256d_batch_add(&body->batch, tx->txid.b, tx->has_witness ? stripped : all);
    /* BIP 141: the coinbase's wtxid counts as zeros. */
    if (tx->has_witness && index > 0) {
        sha256d_batch_add(&body->batch, body->wtxids[index], all);
    }
    body->has_witness |= tx->has_witness;
    body->has_node_sized_tx |= core_len + 8 == 64;
    body->stripped_size += core_len + 8;
}

static bool parse_tx(struct parser *parser, size_t index)
{
    struct reader *reader = &parser->reader;
    struct block *block = parser->block;
    struct tx *tx = &block->txs[index];
    const uint8_t *start = reader->at;

    *tx = (struct tx){.first_in = block->in_count, .first_out = block->out_count};
    (void)read_u32le(reader); /* version */
    struct tx_core core = parse_tx_core(parser, tx);
    (void)read_u32le(reader); /* lock time */
    if (reader->failed) {
        return false;
    }
    hash_tx(parser, tx, index, core, (struct bytes){start, (size_t)(reader->at - start)});
    return true;
}

static void finish(struct block_body *body)
{
    struct block *block = body->block;

    sha256d_batch_finish(&body->batch);
    /* Without a witness a transaction has one id. */
    for (size_t i = 1; i < block->tx_count; i++) {
        if (!block->txs[i].has_witness) {
            memcpy(body->wtxids[i], block->txs[i].txid.b, 32);
        }
    }
    block->ins = mem_realloc(block->ins, block->in_count, sizeof(*block->ins));
    block->outs = mem_realloc(block->outs, block->out_count, sizeof(*block->outs));
}

static void parser_init(struct parser *parser, struct block_body *body,
                        struct block *block)
{
    *parser = (struct parser){.block = block, .body = body};
    reader_init(&parser->reader, block->raw, block->raw_len);
    block->ins = mem_grow(NULL, &parser->in_capacity, block->raw_len / BYTES_AN_INPUT,
                          sizeof(*block->ins));
    block->outs = mem_grow(NULL, &parser->out_capacity, block->raw_len / BYTES_AN_OUTPUT,
                           sizeof(*block->outs));
    body->block = block;
}

static void make_room(struct block_body *body, uint32_t tx_count)
{
    body->block->tx_count = tx_count;
    body->block->txs = mem_zalloc(tx_count, sizeof(*body->block->txs));
    body->wtxids = mem_zalloc(tx_count, sizeof(*body->wtxids));
    sha256d_batch_init(&body->batch, 2 * (size_t)tx_count);
}

bool block_body_parse(struct block_body *body, struct block *block, struct error *error)
{
    struct parser parser;
    struct reader *reader = &parser.reader;

    parser_init(&parser, body, block);
    uint8_t header[BLOCK_HEADER_SIZE];
    read_bytes(reader, header, sizeof(header));
    block_header_decode(&block->header, header);
    block_header_hash_bytes(&block->hash, header);

    make_room(body, (uint32_t)read_compact_size(reader, reader->left / TX_SIZE_MIN));
    body->stripped_size = block->raw_len - reader->left;
    for (size_t i = 0; i < block->tx_count; i++) {
        size_t offset = block->raw_len - reader->left;
        if (!parse_tx(&parser, i)) {
            return error_set(error, "transaction %zu, at byte %zu, can't be parsed", i,
                             offset);
        }
    }
    if (!reader_done(reader)) {
        return error_set(error, "it doesn't end with its %" PRIu32 " transactions",
                         block->tx_count);
    }
    finish(body);
    return true;
}

bool block_body_parse_transaction(struct block_body *body, struct block *block,
                                  struct error *error)
{
    struct parser parser;

    parser_init(&parser, body, block);
    make_room(body, 1);
    if (!parse_tx(&parser, 0) || !reader_done(&parser.reader)) {
        return error_set(error, "%zu bytes aren't exactly one transaction",
                         block->raw_len);
    }
    finish(body);
    return true;
}

void block_body_release(struct block_body *body)
{
    free(body->wtxids);
    sha256d_batch_release(&body->batch);
    *body = (struct block_body){0};
}
