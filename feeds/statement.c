#include "feeds/statement.h"

#include <string.h>

#include "base/hex.h"

void statement_to_bytes(uint8_t out[static STATEMENT_SIZE],
                        const struct statement *statement)
{
    memcpy(out, statement->genesis.b, 32);
    put_u32be(out + 32, statement->height);
    memcpy(out + 36, statement->block.b, 32);
    put_u32be(out + 68, statement->time.s);
    memcpy(out + 72, statement->set_hash, 32);
    put_u64be(out + 104, statement->amount.sat);
    put_u64be(out + 112, statement->coins);
}

bool statement_from_bytes(struct statement *out, struct bytes data)
{
    struct reader reader;
    reader_init(&reader, data.data, data.len);
    struct statement read;
    read.genesis = read_block_hash(&reader);
    read.height = read_u32be(&reader);
    read.block = read_block_hash(&reader);
    read.time.s = read_u32be(&reader);
    read_bytes(&reader, read.set_hash, sizeof(read.set_hash));
    read.amount.sat = read_u64be(&reader);
    read.coins = read_u64be(&reader);
    if (!reader_done(&reader) || read.amount.sat > MAX_MONEY_SAT)
        return false;
    *out = read;
    return true;
}

bool statement_equal(const struct statement *a, const struct statement *b)
{
    uint8_t bytes_of_a[STATEMENT_SIZE], bytes_of_b[STATEMENT_SIZE];
    statement_to_bytes(bytes_of_a, a);
    statement_to_bytes(bytes_of_b, b);
    return memcmp(bytes_of_a, bytes_of_b, STATEMENT_SIZE) == 0;
}

json_t *statement_json(const struct statement *statement)
{
    char genesis[ID_TEXT_MAX], block[ID_TEXT_MAX], set_hash[ID_TEXT_MAX];
    block_hash_text(genesis, &statement->genesis);
    block_hash_text(block, &statement->block);
    hex_encode(set_hash, statement->set_hash, sizeof(statement->set_hash));
    return json_pack("{ss sI ss sI ss sI sI}", "genesis", genesis, "height",
                     (json_int_t)statement->height, "block_hash", block, "time",
                     (json_int_t)statement->time.s, "set_hash", set_hash, "satoshi",
                     (json_int_t)statement->amount.sat, "coins",
                     (json_int_t)statement->coins);
}
