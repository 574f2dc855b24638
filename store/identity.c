#include "store/identity.h"

#include <string.h>

#include "spv/pow.h"
#include "store/tables.h"

/* Names in TABLE_META. */
#define META_SCHEMA "schema"
#define META_NETWORK "network"

static struct bytes text_bytes(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static enum store_result put_schema(struct store_txn *txn, struct error *error)
{
    uint8_t schema[4];
    put_u32be(schema, STORE_SCHEMA);
    return table_put(txn, TABLE_META, text_bytes(META_SCHEMA), (struct bytes){schema, 4},
                     error);
}

static enum store_result write_identity(struct store_txn *txn, struct error *error)
{
    const struct network *network = txn->store->network;
    struct u256 genesis_work = pow_work(network->genesis.bits);
    uint8_t height[4] = {0}, header[BLOCK_HEADER_SIZE], work[32];
    block_header_encode(header, &network->genesis);
    u256_to_be(work, &genesis_work);
    enum store_result result = put_schema(txn, error);
    if (result == STORE_OK)
        result = table_put(txn, TABLE_META, text_bytes(META_NETWORK),
                           text_bytes(network->name), error);
    if (result == STORE_OK)
        result = table_put(txn, TABLE_HEADERS, (struct bytes){height, 4},
                           (struct bytes){header, sizeof(header)}, error);
    if (result == STORE_OK)
        result = table_put(txn, TABLE_WORK, (struct bytes){height, 4},
                           (struct bytes){work, sizeof(work)}, error);
    return result;
}

/* 1 -> 2: opening has made the tables that are new; the rows that are there read as they
 * did, but a program for schema 1 wouldn't understand those written from now on. */
static enum store_result migrate(struct store_txn *txn, uint32_t version,
                                 struct error *error)
{
    if (version == 0)
        return table_damaged(TABLE_META, "no version ever wrote this schema", error);
    if (txn->mode == STORE_WRITE)
        return put_schema(txn, error);
    error_set(error,
              "ledger in %s: written by an older version (schema %u, this program's is "
              "%u); start the watcher, which brings it up to date",
              txn->store->path, version, (unsigned)STORE_SCHEMA);
    return STORE_FAILED;
}

enum store_result identity_check(struct store_txn *txn, struct error *error)
{
    struct store *store = txn->store;
    struct bytes schema, network;
    enum store_result result =
        table_get(txn, &schema, TABLE_META, text_bytes(META_SCHEMA), error);
    if (result == STORE_NOT_FOUND && txn->mode == STORE_WRITE)
        return write_identity(txn, error);
    if (result == STORE_OK)
        result = table_get(txn, &network, TABLE_META, text_bytes(META_NETWORK), error);
    if (result == STORE_NOT_FOUND) {
        error_set(error, "ledger in %s: empty; start the watcher first", store->path);
        return STORE_MISSING;
    }
    if (result != STORE_OK)
        return result;
    if (schema.len != 4)
        return table_damaged(TABLE_META, "the schema's version is malformed", error);
    uint32_t version = get_u32be(schema.data);
    if (version > STORE_SCHEMA) {
        error_set(
            error,
            "ledger in %s: written by a newer version (schema %u, this program knows "
            "%u); upgrade reservewatch",
            store->path, version, (unsigned)STORE_SCHEMA);
        return STORE_NEWER;
    }
    if (!bytes_equal(network, text_bytes(store->network->name))) {
        error_set(error,
                  "ledger in %s: belongs to network %.*s, not %s; use another datadir",
                  store->path, (int)(network.len < 32 ? network.len : 32),
                  (const char *)network.data, store->network->name);
        return STORE_OTHER_NETWORK;
    }
    return version < STORE_SCHEMA ? migrate(txn, version, error) : STORE_OK;
}
