/* What the store's tests share: a ledger in a folder of its own, and blocks made by hand.
 */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/mem.h"
#include "store/audit.h"
#include "store/ledger.h"
#include "store/tables.h"

#define FIXTURE_SEED ((const uint64_t[2]){1, 2})

struct fixture {
    char folder[64];
    char ledger[80];
    struct store *store;
};

static inline void expect_store(enum store_result got, enum store_result want,
                                const struct error *error, int line)
{
    if (got != want)
        fail_msg("line %d: result %d instead of %d: %s", line, (int)got, (int)want,
                 error->text);
}
#define expect(call, want) expect_store((call), (want), &error, __LINE__)

static inline const struct network *regtest(void)
{
    const struct network *network = network_find("regtest");
    assert_non_null(network);
    return network;
}

static inline void fixture_open(struct fixture *fixture)
{
    struct error error = {""};
    snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/rw-store-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->ledger, sizeof(fixture->ledger), "%s/ledger", fixture->folder);
    expect(store_open(&fixture->store, fixture->ledger, STORE_WRITE, regtest(), &error),
           STORE_OK);
}

static inline void fixture_reopen(struct fixture *fixture)
{
    struct error error = {""};
    store_close(fixture->store);
    expect(store_open(&fixture->store, fixture->ledger, STORE_WRITE, regtest(), &error),
           STORE_OK);
}

static inline void fixture_close(struct fixture *fixture)
{
    char path[128];
    store_close(fixture->store);
    snprintf(path, sizeof(path), "%s/data.mdb", fixture->ledger);
    (void)unlink(path);
    snprintf(path, sizeof(path), "%s/lock.mdb", fixture->ledger);
    (void)unlink(path);
    (void)rmdir(fixture->ledger);
    (void)rmdir(fixture->folder);
}

/* A header on top of `previous`; `salt` makes it one of its own. */
static inline void make_row(struct chain_row *row, const struct block_hash *previous,
                            uint32_t height, uint32_t salt)
{
    memset(row, 0, sizeof(*row));
    row->header = (struct block_header){.version = 4,
                                        .previous = *previous,
                                        .time = {1600000000 + height * 600},
                                        .bits = regtest()->pow_limit_bits,
                                        .nonce = salt};
    block_header_hash(&row->hash, &row->header);
    row->has_filter_header = true;
    sha256(row->filter_header.b, row->hash.b, 32);
}

/* The number's own script: a witness program of 20 bytes. */
#define SCRIPT_LEN 22
static inline void make_script(uint8_t out[static SCRIPT_LEN], uint32_t number)
{
    memset(out, 0, SCRIPT_LEN);
    out[1] = 20;
    put_u32be(out + 2, number);
}

/* Append a sum over every row of the tables that blocks change. */
static inline void dump_tables(struct store *store, uint8_t out[static 32])
{
    static const enum table tables[] = {
        TABLE_HEADERS, TABLE_WORK,   TABLE_FILTER_HEADERS, TABLE_SCRIPTS, TABLE_COHORTS,
        TABLE_COINS,   TABLE_EVENTS, TABLE_FEEDS,          TABLE_MEMBERS, TABLE_TALLIES,
    };
    struct error error = {""};
    struct store_txn *txn;
    struct sha256 hash;
    sha256_init(&hash);
    expect(store_begin(store, &txn, STORE_READ, &error), STORE_OK);
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        struct walk walk;
        expect(walk_open(&walk, txn, tables[i], &error), STORE_OK);
        enum store_result result = walk_first(&walk, &error);
        for (; result == STORE_OK; result = walk_next(&walk, &error)) {
            sha256_update(&hash, walk.key.data, walk.key.len);
            sha256_update(&hash, walk.value.data, walk.value.len);
        }
        expect(result, STORE_NOT_FOUND);
        sha256_update(&hash, "|", 1);
        walk_close(&walk);
    }
    store_abort(txn);
    sha256_final(&hash, out);
}

/* Faults that the audit finds; the first is printed when none was expected. */
static inline size_t count_faults(struct store *store, bool expected)
{
    struct error error = {""};
    struct store_txn *txn;
    struct audit audit;
    expect(store_begin(store, &txn, STORE_READ, &error), STORE_OK);
    expect(audit_run(txn, &audit, NULL, NULL, &error), STORE_OK);
    store_abort(txn);
    size_t count = audit.fault_count;
    if (count > 0 && !expected)
        print_error("audit: %s\n", audit.faults[0]);
    audit_release(&audit);
    return count;
}

#endif
