/* A ledger of one feed in plain memory, in place of the store's functions that publishing
 * uses: chains, sums and crashes as a test wants them. */
#ifndef TESTS_UNIT_FEEDS_FAKE_STORE_H
#define TESTS_UNIT_FEEDS_FAKE_STORE_H

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "feeds/publication.h"

#define FAKE_HEIGHTS 4096
#define FAKE_ROWS 256

struct fake_block {
    struct block_hash hash;
    uint32_t time;
    uint64_t sat;
};

struct fake_row {
    struct publication publication;
    uint8_t payload[1024];
};

struct fake_state {
    struct fake_block blocks[FAKE_HEIGHTS];
    uint32_t tip;
    struct feed_row feed;
    struct sample sample;
    bool has_sample, has_evaluated;
    uint32_t evaluated;
    struct fake_row rows[FAKE_ROWS];
    size_t row_count;
};

/* What a transaction sees, and what a crash leaves. */
static struct fake_state working, committed;

static inline struct store_txn *fake_begin(void)
{
    working = committed;
    return (struct store_txn *)&working;
}

static inline void fake_commit(void)
{
    committed = working;
}

static inline void fake_init(void)
{
    memset(&committed, 0, sizeof(committed));
    committed.blocks[0].hash.b[0] = 1;
    committed.blocks[0].time = 1000;
    committed.feed = (struct feed_row){
        .id = 3, .name = "wbtc", .confirmations = 6, .members = 1, .merged = true};
}

/* A block of chain `branch` with its sum, ten minutes after the one below. */
static inline void fake_connect(uint64_t sat, uint8_t branch)
{
    struct fake_block *block = &committed.blocks[++committed.tip];
    *block = (struct fake_block){.time = 1000 + 600 * committed.tip, .sat = sat};
    put_u32be(block->hash.b, committed.tip);
    block->hash.b[4] = branch;
}

/* As the store does in a reorganisation. */
static inline void fake_rewind(uint32_t fork)
{
    committed.tip = fork;
    if (committed.has_evaluated && committed.evaluated > fork)
        committed.evaluated = fork;
    if (committed.sample.statement.height > fork && committed.sample.state == SAMPLE_GOOD)
        committed.sample.state = SAMPLE_ORPHANED;
}

static inline void fake_statement(const struct fake_state *state, struct statement *out,
                                  uint32_t height)
{
    const struct fake_block *block = &state->blocks[height];
    *out = (struct statement){
        .genesis = state->blocks[0].hash,
        .height = height,
        .block = block->hash,
        .time = {block->time},
        .amount = {block->sat},
        .coins = 1,
    };
    memcpy(out->set_hash, state->feed.set_hash, 32);
}

/* The newest sample, about the tip. */
static inline void fake_sample(enum sample_state state)
{
    committed.has_sample = true;
    committed.sample = (struct sample){.state = state, .has_statement = true};
    fake_statement(&committed, &committed.sample.statement, committed.tip);
}

enum store_result ledger_feed(struct store_txn *txn, struct feed_row *feed,
                              const char *name, struct error *error)
{
    (void)txn;
    (void)error;
    *feed = working.feed;
    return strcmp(name, feed->name) == 0 ? STORE_OK : STORE_NOT_FOUND;
}

enum store_result chain_extent(struct store_txn *txn, struct chain_extent *out,
                               struct error *error)
{
    (void)txn;
    (void)error;
    *out = (struct chain_extent){.header_height = working.tip};
    return STORE_OK;
}

enum store_result chain_rows_read(struct store_txn *txn, struct chain_row *out,
                                  uint32_t from, size_t count, struct error *error)
{
    (void)txn;
    (void)error;
    assert_true(from + count <= working.tip + 1);
    memset(out, 0, count * sizeof(*out));
    for (size_t i = 0; i < count; i++)
        out[i].hash = working.blocks[from + i].hash;
    return STORE_OK;
}

enum store_result sample_newest(struct store_txn *txn, struct sample *out, uint32_t feed,
                                struct error *error)
{
    (void)txn;
    (void)error;
    assert_int_equal(feed, working.feed.id);
    *out = working.sample;
    return working.has_sample ? STORE_OK : STORE_NOT_FOUND;
}

enum store_result statement_at(struct store_txn *txn, struct statement *out,
                               const struct feed_row *feed, uint32_t height,
                               struct error *error)
{
    (void)txn;
    (void)feed;
    (void)error;
    assert_true(height <= working.tip);
    fake_statement(&working, out, height);
    return STORE_OK;
}

void publication_release(struct publication *publication)
{
    free(publication->payload);
    publication->payload = NULL;
}

enum store_result outbox_put(struct store_txn *txn, uint32_t feed,
                             const struct publication *publication, struct error *error)
{
    (void)txn;
    (void)error;
    assert_int_equal(feed, working.feed.id);
    size_t at = 0;
    while (at < working.row_count &&
           working.rows[at].publication.round != publication->round)
        at++;
    assert_true(at < FAKE_ROWS);
    if (at == working.row_count)
        working.row_count++;
    working.rows[at].publication = *publication;
    working.rows[at].publication.payload = NULL;
    if (publication->payload_len > 0)
        memcpy(working.rows[at].payload, publication->payload, publication->payload_len);
    return STORE_OK;
}

enum store_result outbox_get(struct store_txn *txn, struct publication *out,
                             uint32_t feed, uint64_t round, struct error *error)
{
    (void)txn;
    (void)feed;
    (void)error;
    for (size_t i = 0; i < working.row_count; i++) {
        if (working.rows[i].publication.round != round)
            continue;
        *out = working.rows[i].publication;
        out->payload = mem_dup(working.rows[i].payload, out->payload_len);
        return STORE_OK;
    }
    return STORE_NOT_FOUND;
}

enum store_result outbox_newest(struct store_txn *txn, struct publication *out,
                                uint32_t feed, struct error *error)
{
    if (working.row_count == 0)
        return STORE_NOT_FOUND;
    const struct fake_row *row = &working.rows[working.row_count - 1];
    return outbox_get(txn, out, feed, row->publication.round, error);
}

enum store_result outbox_evaluated(struct store_txn *txn, uint32_t *height, uint32_t feed,
                                   struct error *error)
{
    (void)txn;
    (void)feed;
    (void)error;
    *height = working.evaluated;
    return working.has_evaluated ? STORE_OK : STORE_NOT_FOUND;
}

enum store_result outbox_set_evaluated(struct store_txn *txn, uint32_t feed,
                                       uint32_t height, struct error *error)
{
    (void)txn;
    (void)feed;
    (void)error;
    working.has_evaluated = true;
    working.evaluated = height;
    return STORE_OK;
}

#endif
