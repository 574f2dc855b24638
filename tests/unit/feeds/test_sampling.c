#include "feeds/sampling.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "feeds/feed_set.h"
#include "feeds/file_publisher.h"
#include "feeds/statement.h"
#include "memory_file.h"
#include "store/records.h"
#include "store/tables.h"

static uint8_t script_a[22] = {0x00, 0x14, 0xaa}, script_b[22] = {0x00, 0x14, 0xbb};
static struct memory_file file;

/* A ledger on the disk, with two feeds of list x: "deep" with 6 confirmations and "tip"
 * with 1. */
struct world {
    char path[64];
    struct store *store;
    struct ledger *ledger;
    struct chain_row tip;
    uint32_t height;
    struct watch_entry entries[2];
    size_t entry_count;
    bool count_immature; /* by "tip" */
};

static const struct network *regtest(void)
{
    return network_find("regtest");
}

static void define(struct world *world)
{
    const struct watch_list watch = {world->entries, world->entry_count};
    const struct feed_list lists[] = {{"x", "X Ltd", &watch}};
    struct feed feeds[2];
    for (size_t i = 0; i < 2; i++) {
        feed_init(&feeds[i]);
        strcpy(feeds[i].lists[0], "x");
        feeds[i].list_count = 1;
        strcpy(feeds[i].name, i == 0 ? "deep" : "tip");
    }
    feeds[1].confirmations = 1;
    feeds[1].count_immature = world->count_immature;
    struct feed_sets sets;
    struct error error;
    assert_true(feed_sets_build(&sets, feeds, 2, lists, 1, regtest(), &error));
    assert_int_equal(ledger_define(world->ledger, &sets.definition, &error), STORE_OK);
    feed_sets_release(&sets);
}

static int setup(void **state)
{
    static const uint64_t seed[2] = {1, 2};
    struct world *world = mem_zalloc(1, sizeof(*world));
    struct error error;
    strcpy(world->path, "/tmp/test_sampling.XXXXXX");
    if (!mkdtemp(world->path) ||
        store_open(&world->store, world->path, STORE_WRITE, regtest(), &error) !=
            STORE_OK ||
        ledger_open(&world->ledger, world->store, seed, &error) != STORE_OK)
        return -1;
    world->tip.header = regtest()->genesis;
    world->tip.hash = regtest()->genesis_hash;
    world->entries[0] = (struct watch_entry){.script = script_a, .script_len = 22};
    world->entries[1] = (struct watch_entry){.script = script_b, .script_len = 22};
    world->entry_count = 1;
    define(world);
    file.exists = file.broken = false;
    file.size = 0;
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    char path[128];
    ledger_close(world->ledger);
    store_close(world->store);
    const char *const names[] = {"/data.mdb", "/lock.mdb", ""};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s%s", world->path, names[i]);
        remove(path);
    }
    free(world);
    return 0;
}

/* A transaction that spends `spends` and pays `sat` to script a. */
static struct block *block_of(const struct chain_row *row, const struct outpoint *spends,
                              uint64_t sat, struct outpoint *coin)
{
    struct block *block = mem_zalloc(1, sizeof(*block));
    block->header = row->header;
    block->hash = row->hash;
    block->tx_count = 2;
    block->in_count = 2;
    block->out_count = 2;
    block->txs = mem_zalloc(2, sizeof(*block->txs));
    block->ins = mem_zalloc(2, sizeof(*block->ins));
    block->outs = mem_zalloc(2, sizeof(*block->outs));
    for (uint32_t i = 0; i < 2; i++) {
        block->txs[i] =
            (struct tx){.first_in = i, .in_count = 1, .first_out = i, .out_count = 1};
        memcpy(block->txs[i].txid.b, row->hash.b, 32);
        block->txs[i].txid.b[31] = (uint8_t)(0xf0 + i);
    }
    block->ins[0].previous.vout = UINT32_MAX;
    memset(block->ins[1].previous.txid.b, 0x77, 32);
    if (spends)
        block->ins[1].previous = *spends;
    block->outs[0].script = (struct bytes){script_b, 22};
    block->outs[0].amount.sat = 1;
    block->outs[1].script = (struct bytes){sat > 0 ? script_a : script_b, 22};
    block->outs[1].amount.sat = sat > 0 ? sat : 1;
    if (coin)
        *coin = (struct outpoint){block->txs[1].txid, 0};
    return block;
}

static struct chain_row row_after(const struct chain_row *parent, uint32_t tag)
{
    struct chain_row row = {.header = parent->header};
    row.header.previous = parent->hash;
    row.header.time.s += 600;
    put_u32le(row.header.merkle_root, tag);
    block_header_hash(&row.hash, &row.header);
    return row;
}

static struct outpoint connect(struct world *world, const struct outpoint *spends,
                               uint64_t sat)
{
    struct outpoint coin;
    struct chain_row row = row_after(&world->tip, 0);
    struct block *block = block_of(&row, spends, sat, &coin);
    struct cohort_table cohorts;
    ledger_cohorts(world->ledger, &cohorts);
    struct ledger_batch batch = {
        .epoch = cohorts.epoch,
        .base = world->height,
        .rows = &row,
        .blocks = &block,
        .count = 1,
        .commit = true,
    };
    struct ledger_outcome outcome;
    struct error error = {""};
    if (ledger_apply(world->ledger, &batch, &outcome, &error) != STORE_OK)
        fail_msg("%s", error.text);
    cohort_table_release(&cohorts);
    block_free(block);
    world->tip = row;
    world->height++;
    return coin;
}

static struct store_txn *begin(struct world *world)
{
    struct store_txn *txn;
    struct error error;
    assert_int_equal(store_begin(world->store, &txn, STORE_WRITE, &error), STORE_OK);
    return txn;
}

static void commit(struct store_txn *txn)
{
    struct error error;
    assert_int_equal(store_commit(txn, &error), STORE_OK);
}

/* What the shell fills in when all is well. */
static void fill(struct sampling *sampling)
{
    sampling->taken.s = 1700000000;
    sampling->scripts_behind = 1;
    for (size_t i = 0; i < sampling->count; i++) {
        struct sampling_target *target = &sampling->targets[i];
        target->peers_agreeing = 3;
        for (size_t gate = 0; gate < GATES; gate++) {
            if (gate != GATE_AUDIT && gate != GATE_BACKFILL)
                gate_pass(&target->gates, (enum gate)gate);
        }
    }
}

static void prepare(struct world *world, struct sampling *sampling)
{
    struct error error;
    struct store_txn *txn = begin(world);
    assert_int_equal(sampling_prepare(txn, sampling, &error), STORE_OK);
    store_abort(txn);
    assert_int_equal(sampling->count, 2);
    assert_string_equal(sampling->targets[0].feed.name, "deep");
    fill(sampling);
}

static enum store_result take(struct world *world, struct sampling *sampling)
{
    struct error error = {""};
    struct store_txn *txn = begin(world);
    enum store_result result = sampling_take(txn, sampling, &error);
    if (result == STORE_OK)
        commit(txn);
    else
        store_abort(txn);
    return result;
}

static void sample_all(struct world *world, struct sampling *sampling)
{
    prepare(world, sampling);
    assert_int_equal(take(world, sampling), STORE_OK);
}

static void assert_refused(const struct sampling_target *target, enum gate gate,
                           const char *text)
{
    assert_int_equal(target->sample.state, SAMPLE_REFUSED);
    assert_int_equal(target->sample.reason_count, 1);
    assert_int_equal(target->sample.reasons[0].gate, gate);
    assert_string_equal(target->sample.reasons[0].text, text);
}

static void test_chain_short(void **state)
{
    struct world *world = *state;
    struct sampling sampling;
    for (int i = 0; i < 4; i++)
        connect(world, NULL, 0);
    sample_all(world, &sampling);
    assert_true(sampling.targets[0].chain_short);
    assert_refused(&sampling.targets[0], GATE_CHAIN_SHORT,
                   "the chain ends at height 4; 6 confirmations need height 5");
    assert_false(sampling.targets[0].sample.has_statement);
    assert_int_equal(sampling.targets[1].sample.state, SAMPLE_GOOD);
    sampling_release(&sampling);
    connect(world, NULL, 0);
    sample_all(world, &sampling);
    assert_int_equal(sampling.targets[0].sample.state, SAMPLE_GOOD);
    assert_int_equal(sampling.targets[0].height, 0);
    sampling_release(&sampling);
}

static void test_good(void **state)
{
    struct world *world = *state;
    struct sampling sampling;
    struct outpoint first = connect(world, NULL, 1000);
    for (int i = 0; i < 6; i++)
        connect(world, NULL, 0);
    connect(world, NULL, 500);
    connect(world, NULL, 0);
    connect(world, &first, 0); /* height 10 */
    sample_all(world, &sampling);

    const struct sample *deep = &sampling.targets[0].sample;
    assert_int_equal(deep->state, SAMPLE_GOOD);
    assert_int_equal(deep->reason_count, 0);
    assert_int_equal(deep->statement.height, 5);
    assert_int_equal(deep->statement.amount.sat, 1000);
    assert_int_equal(deep->statement.coins, 1);
    assert_int_equal(deep->spent_above.sat, 1000);
    assert_int_equal(deep->coins_spent_above, 1);
    assert_int_equal(deep->tip_height, 10);
    assert_int_equal(deep->scripts, 1);
    assert_int_equal(deep->confirmations, 6);
    assert_int_equal(deep->peers_agreeing, 3);
    assert_true(block_hash_equal(&deep->statement.genesis, &regtest()->genesis_hash));
    assert_true(block_hash_equal(&deep->statement.block, &sampling.targets[0].block));
    assert_memory_equal(deep->statement.set_hash, sampling.targets[0].feed.set_hash, 32);
    /* Six headers: the upper of the middle two. */
    assert_int_equal(deep->statement.time.s, regtest()->genesis.time.s + 3 * 600);
    assert_int_equal(sampling.targets[1].sample.statement.amount.sat, 500);
    assert_int_equal(sampling.targets[1].sample.spent_above.sat, 0);

    struct store_txn *txn = begin(world);
    struct sample stored;
    struct error error;
    assert_int_equal(
        sample_newest_good(txn, &stored, sampling.targets[0].feed.id, &error), STORE_OK);
    assert_true(statement_equal(&stored.statement, &deep->statement));
    assert_int_equal(stored.sequence, deep->sequence);
    store_abort(txn);
    sampling_release(&sampling);
}

static void test_each_gate_refuses(void **state)
{
    struct world *world = *state;
    const enum gate given[] = {GATE_SYNCED,   GATE_PEERS, GATE_FORK,
                               GATE_IDENTITY, GATE_LIST,  GATE_CLOCK};
    for (int i = 0; i < 6; i++)
        connect(world, NULL, 1000);
    for (size_t i = 0; i < sizeof(given) / sizeof(*given); i++) {
        struct sampling sampling;
        prepare(world, &sampling);
        gate_fail(&sampling.targets[0].gates, given[i], "because");
        assert_int_equal(take(world, &sampling), STORE_OK);
        assert_refused(&sampling.targets[0], given[i], "because");
        assert_true(sampling.targets[0].sample.has_statement);
        assert_int_equal(sampling.targets[1].sample.state, SAMPLE_GOOD);
        sampling_release(&sampling);
    }
}

/* Each block's coinbase pays 1 satoshi to script b, and so does its other transaction. */
static void test_immature(void **state)
{
    struct world *world = *state;
    struct sampling sampling;
    world->entry_count = 2;
    world->count_immature = true;
    define(world);
    for (int i = 0; i < 105; i++)
        connect(world, NULL, 0);
    sample_all(world, &sampling);
    const struct sample *deep = &sampling.targets[0].sample;
    assert_int_equal(deep->state, SAMPLE_GOOD);
    assert_int_equal(deep->statement.height, 100);
    assert_int_equal(deep->statement.amount.sat, 100);
    assert_int_equal(deep->immature.sat, 100);
    assert_int_equal(deep->immature_coins, 100);
    const struct sample *tip = &sampling.targets[1].sample;
    assert_int_equal(tip->state, SAMPLE_GOOD);
    assert_int_equal(tip->statement.amount.sat, 210);
    assert_int_equal(tip->immature.sat, 100);
    sampling_release(&sampling);
}

static void test_backfill(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 12; i++)
        connect(world, NULL, 1000);
    world->entry_count = 2;
    define(world);
    struct sampling sampling;
    sample_all(world, &sampling);
    assert_refused(&sampling.targets[1], GATE_BACKFILL,
                   "1 script is behind, at height 0 of 12");
    assert_false(sampling.targets[1].sample.has_statement);
    sampling_release(&sampling);
}

static void test_audit(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 6; i++)
        connect(world, NULL, 1000);
    struct sampling sampling;
    prepare(world, &sampling);
    struct store_txn *txn = begin(world);
    struct error error;
    struct key key = key_u32_u32(sampling.targets[1].feed.id, 6);
    uint8_t value[TALLY_VALUE_SIZE];
    const struct tally wrong = {.mature = {6001}, .mature_coins = 6};
    tally_encode(value, &wrong);
    assert_int_equal(table_put(txn, TABLE_TALLIES, key_bytes(&key),
                               (struct bytes){value, sizeof(value)}, &error),
                     STORE_OK);
    commit(txn);
    assert_int_equal(take(world, &sampling), STORE_OK);
    assert_int_equal(sampling.targets[0].sample.state, SAMPLE_GOOD);
    assert_refused(&sampling.targets[1], GATE_AUDIT,
                   "6000 sat in 6 coins, running sum 6001 in 6, events 6000; run rescan");
    sampling_release(&sampling);
}

/* What one's own node holds against it, when the tables agree among themselves. */
static void test_contradiction(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 6; i++)
        connect(world, NULL, 1000);
    struct sampling sampling;
    prepare(world, &sampling);
    strcpy(sampling.targets[1].contradiction, "the node says 7");
    assert_int_equal(take(world, &sampling), STORE_OK);
    assert_int_equal(sampling.targets[0].sample.state, SAMPLE_GOOD);
    assert_refused(&sampling.targets[1], GATE_AUDIT, "the node says 7");
    sampling_release(&sampling);
}

static void reorganise(struct world *world, uint32_t base, const struct chain_row *parent)
{
    struct chain_row row = row_after(parent, 1);
    struct block *block = block_of(&row, NULL, 0, NULL);
    struct cohort_table cohorts;
    ledger_cohorts(world->ledger, &cohorts);
    struct ledger_batch batch = {
        .epoch = cohorts.epoch,
        .base = base,
        .rows = &row,
        .blocks = &block,
        .count = 1,
        .reorganise = true,
        .commit = true,
    };
    struct ledger_outcome outcome;
    struct error error = {""};
    if (ledger_apply(world->ledger, &batch, &outcome, &error) != STORE_OK)
        fail_msg("%s", error.text);
    cohort_table_release(&cohorts);
    block_free(block);
    world->tip = row;
    world->height = base + 1;
}

static void test_changes_meanwhile(void **state)
{
    struct world *world = *state;
    struct sampling sampling;
    for (int i = 0; i < 6; i++)
        connect(world, NULL, 1000);
    struct chain_row fork = world->tip;
    connect(world, NULL, 1000);

    /* Blocks on top: the sample is of the moment it was prepared at. */
    prepare(world, &sampling);
    connect(world, NULL, 1000);
    assert_int_equal(take(world, &sampling), STORE_OK);
    assert_int_equal(sampling.targets[1].sample.statement.height, 7);
    assert_int_equal(sampling.targets[1].sample.statement.amount.sat, 7000);
    sampling_release(&sampling);

    prepare(world, &sampling);
    reorganise(world, 6, &fork);
    connect(world, NULL, 1000);
    assert_int_equal(take(world, &sampling), STORE_STALE);
    sampling_release(&sampling);

    prepare(world, &sampling);
    world->entry_count = 2;
    define(world);
    assert_int_equal(take(world, &sampling), STORE_STALE);
    sampling_release(&sampling);
}

static void publish(struct world *world)
{
    static const struct due_policy policy = {.up = {DEVIATION_SATOSHI, 900}};
    struct error error = {""};
    for (;;) {
        struct publication_file view = memory_file_look(&file);
        struct evaluation evaluation;
        struct file_action action;
        const struct wall_time now = {1700000000};
        struct store_txn *txn = begin(world);
        assert_int_equal(file_publisher_step(txn, &action, &evaluation, "tip", &policy,
                                             &view, now, &error),
                         STORE_OK);
        commit(txn);
        if (action.kind == FILE_ACTION_NOTHING)
            return;
        memory_file_write(&file, action.offset, action.data, action.len);
        txn = begin(world);
        assert_int_equal(file_publisher_done(txn, "tip", action.round, now, &error),
                         STORE_OK);
        commit(txn);
        file_action_release(&action);
    }
}

static bool count_final(void *context, const struct publication *publication)
{
    size_t *count = context;
    *count += publication->state == PUBLICATION_FINAL;
    return true;
}

static void test_publishing(void **state)
{
    struct world *world = *state;
    struct sampling sampling;
    connect(world, NULL, 1000);
    sample_all(world, &sampling);
    publish(world);
    sampling_release(&sampling);
    for (int i = 0; i < 3; i++)
        connect(world, NULL, 1000);
    sample_all(world, &sampling);
    publish(world);

    struct published published;
    struct publication_file view = memory_file_look(&file);
    file_published(&published, &view, "tip", &regtest()->genesis_hash);
    assert_int_equal(published.state, PUBLISHED);
    assert_int_equal(published.round, 4);
    assert_int_equal(published.amount.sat, 4000);
    assert_int_equal(published.height, 4);
    size_t count = 0;
    struct error error;
    struct store_txn *txn = begin(world);
    assert_int_equal(
        outbox_each(txn, sampling.targets[1].feed.id, count_final, &count, &error),
        STORE_OK);
    store_abort(txn);
    assert_int_equal(count, 4);
    sampling_release(&sampling);
}

static void test_stale(void **state)
{
    (void)state;
    struct sample sample = {.taken = {1000}};
    assert_false(sample_stale(&sample, (struct wall_time){2200}, 600));
    assert_true(sample_stale(&sample, (struct wall_time){2201}, 600));
    assert_true(sample_stale(NULL, (struct wall_time){0}, 600));
}

/* More blocks ahead than coins are kept for: there are none yet, which is known. */
static void test_births_in_the_future(void **state)
{
    struct world *world = *state;
    struct ledger_definition nothing = {0};
    struct sampling sampling;
    struct error error;
    assert_int_equal(ledger_define(world->ledger, &nothing, &error), STORE_OK);
    world->entries[0].birth = 2 * LEDGER_DEPTH;
    define(world);
    sample_all(world, &sampling);
    const struct sampling_target *tip = &sampling.targets[1];
    assert_int_equal(tip->sample.state, SAMPLE_GOOD);
    assert_int_equal(tip->sample.statement.coins, 0);
    assert_int_equal(tip->sample.statement.height, 0);
    sampling_release(&sampling);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_chain_short, setup, teardown),
        cmocka_unit_test_setup_teardown(test_good, setup, teardown),
        cmocka_unit_test_setup_teardown(test_each_gate_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_immature, setup, teardown),
        cmocka_unit_test_setup_teardown(test_backfill, setup, teardown),
        cmocka_unit_test_setup_teardown(test_audit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_contradiction, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changes_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_births_in_the_future, setup, teardown),
        cmocka_unit_test_setup_teardown(test_publishing, setup, teardown),
        cmocka_unit_test(test_stale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
