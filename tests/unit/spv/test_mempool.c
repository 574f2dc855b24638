/* Announced transactions: who is asked for what, and that nothing of it grows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "spv/mempool.h"
#include "tests/unit/spv/build_block.h"

#define SEED ((uint64_t[]){1, 2})

struct rig {
    struct spv *spv;
    struct spv_effects effects;
    struct spv_now now;
};

/* A core with ready peers, at the tip of a chain that is only genesis. */
static void rig_open(struct rig *rig, size_t peers, bool mempool)
{
    const struct network *network = network_find("regtest");
    const struct chain_row row = {.header = network->genesis,
                                  .hash = network->genesis_hash};
    struct spv_start start = {.root_work = u256_from_u64(2),
                              .rows = &row,
                              .row_count = 1,
                              .checkpoint_hashes = &network->genesis_hash,
                              .checkpoint_hash_count = 1};
    struct bytes script = {(const uint8_t *)"\x51", 1};
    start.cohorts.at[0] =
        (struct cohort){.scripts = script_set_new(&script, (uint32_t[]){0}, 1, SEED)};
    start.cohorts.count = 1;
    const struct spv_settings settings = {
        .network = network, .map_seed = {1, 2}, .agent = "/test/", .mempool = mempool};
    *rig = (struct rig){.now = {{1}, {2000000000}}};
    rig->spv = spv_new(&settings, &start, rig->now);
    rig->spv->out = &rig->effects;
    rig->spv->ledger = rig->spv->best;
    cohort_table_release(&start.cohorts);
    for (size_t i = 0; i < peers; i++) {
        struct peer *peer = &rig->spv->peers[rig->spv->peer_count++];
        peer->id = 10 + (uint32_t)i;
        peer->state = PEER_READY;
    }
}

static void rig_close(struct rig *rig)
{
    spv_effects_clear(&rig->effects);
    spv_free(rig->spv);
}

static struct inv_item item_of(uint32_t type, uint32_t number)
{
    struct inv_item item = {.type = type};
    put_u32be(item.hash, number);
    return item;
}

/* How many transactions the peer was asked for since the last look; they have to be asked
 * for with their witnesses. */
static size_t asked_of(struct rig *rig, size_t peer)
{
    size_t total = 0;
    for (size_t i = 0; i < rig->effects.count; i++) {
        const struct spv_effect *effect = &rig->effects.items[i];
        if (effect->kind != SPV_SEND || effect->peer != rig->spv->peers[peer].id)
            continue;
        struct bytes payload = {effect->send.data + FRAME_HEADER_SIZE,
                                effect->send.len - FRAME_HEADER_SIZE};
        struct inv_item *items;
        size_t count;
        assert_true(inv_decode(&items, &count, payload));
        for (size_t j = 0; j < count; j++)
            assert_int_equal(items[j].type, INV_WITNESS_TX);
        total += count;
        free(items);
    }
    return total;
}

static size_t announce(struct rig *rig, size_t peer, uint32_t from, uint32_t count)
{
    struct inv_item *items = mem_zalloc(count, sizeof *items);
    for (uint32_t i = 0; i < count; i++)
        items[i] = item_of(INV_TX, from + i);
    spv_effects_clear(&rig->effects);
    mempool_inv(rig->spv, &rig->spv->peers[peer], items, count);
    free(items);
    return asked_of(rig, peer);
}

static size_t announcers(struct rig *rig, uint32_t number)
{
    struct txid txid;
    struct inv_item item = item_of(INV_TX, number);
    memcpy(txid.b, item.hash, sizeof txid.b);
    return spv_announcers(rig->spv, &txid);
}

static void build(struct writer *out, struct inv_item *item, uint32_t number)
{
    struct build_tx tx = {.in_count = 1, .out_count = 1};
    struct block *parsed;
    struct error error;
    put_u32be(tx.ins[0].previous.txid.b, number);
    tx.ins[0].witness = BYTES(1, 2, 3);
    tx.outs[0] = (struct build_out){1000, BYTES(0x51)};
    writer_init(out);
    build_write_tx(out, &tx, true);
    assert_true(transaction_parse(&parsed, (struct bytes){out->data, out->len}, &error));
    *item = (struct inv_item){.type = INV_TX};
    memcpy(item->hash, parsed->txs[0].txid.b, 32);
    block_free(parsed);
}

static void test_unwanted(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, 1, false);
    assert_int_equal(announce(&rig, 0, 0, 100), 0);
    assert_int_equal(announcers(&rig, 0), 0);
    assert_int_equal(mempool_deadline(rig.spv).ms, MONO_NEVER.ms);
    rig_close(&rig);
}

static void test_bounds(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, 2, true);
    assert_int_equal(announce(&rig, 0, 0, 50000), MEMPOOL_ASKED_MAX);
    assert_int_equal(announce(&rig, 0, 0, 50000), 0);
    /* What the one withholds doesn't take the other's place. */
    assert_int_equal(announce(&rig, 1, 1000000, 50), 50);
    struct inv_item block = item_of(INV_BLOCK, 7);
    mempool_inv(rig.spv, &rig.spv->peers[1], &block, 1);
    assert_int_equal(announcers(&rig, 7), 1); /* the transaction of this number */
    rig_close(&rig);
}

static void test_time_out_asks_another(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, 3, true);
    assert_int_equal(announce(&rig, 0, 1, 1), 1);
    assert_int_equal(announce(&rig, 1, 1, 1), 0);
    assert_int_equal(announcers(&rig, 1), 2);
    assert_int_equal(mempool_deadline(rig.spv).ms, 1 + MEMPOOL_TIMEOUT_MS);
    for (unsigned i = 1; i <= 2; i++) {
        rig.spv->now.mono.ms += MEMPOOL_TIMEOUT_MS;
        spv_effects_clear(&rig.effects);
        mempool_tick(rig.spv);
        assert_int_equal(asked_of(&rig, 1), i == 1);
    }
    /* Nobody is left: forgotten, and asked for anew when somebody has it. */
    assert_int_equal(announcers(&rig, 1), 0);
    assert_int_equal(mempool_deadline(rig.spv).ms, MONO_NEVER.ms);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(rig.spv->peers[i].txs_asked, 0);
    assert_int_equal(announce(&rig, 2, 1, 1), 1);
    rig_close(&rig);
}

static void test_notfound_and_going_ask_another(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, 3, true);
    announce(&rig, 0, 1, 1);
    announce(&rig, 1, 1, 1);
    announce(&rig, 2, 1, 1);
    spv_effects_clear(&rig.effects);
    struct inv_item items[2] = {item_of(INV_WITNESS_TX, 1),
                                item_of(INV_WITNESS_BLOCK, 1)};
    assert_int_equal(mempool_notfound(rig.spv, &rig.spv->peers[0], items, 2), 1);
    assert_int_equal(asked_of(&rig, 1), 1);
    /* One that wasn't asked for it has no say. */
    mempool_notfound(rig.spv, &rig.spv->peers[2], items, 1);
    assert_int_equal(asked_of(&rig, 2), 0);
    mempool_peer_gone(rig.spv, &rig.spv->peers[1]);
    assert_int_equal(asked_of(&rig, 2), 1);
    assert_int_equal(announcers(&rig, 1), 1);
    rig_close(&rig);
}

static size_t lookups(struct rig *rig, uint64_t *ticket)
{
    size_t count = 0;
    for (size_t i = 0; i < rig->effects.count; i++) {
        if (rig->effects.items[i].kind != SPV_LOOK_UP)
            continue;
        count++;
        *ticket = rig->effects.items[i].ticket;
    }
    spv_effects_clear(&rig->effects);
    return count;
}

static void test_only_what_was_asked_is_looked_up(void **state)
{
    (void)state;
    struct rig rig;
    struct writer raw, other;
    struct inv_item item, unasked;
    uint64_t ticket = 0;
    rig_open(&rig, 2, true);
    build(&raw, &item, 1);
    build(&other, &unasked, 2);
    struct bytes bytes = {raw.data, raw.len};
    mempool_tx(rig.spv, &rig.spv->peers[0], bytes);
    mempool_inv(rig.spv, &rig.spv->peers[0], &item, 1);
    mempool_tx(rig.spv, &rig.spv->peers[1], bytes);
    mempool_tx(rig.spv, &rig.spv->peers[0], (struct bytes){other.data, other.len});
    assert_int_equal(lookups(&rig, &ticket), 0);
    mempool_tx(rig.spv, &rig.spv->peers[0], bytes);
    assert_int_equal(lookups(&rig, &ticket), 1);
    assert_true(ticket > raw.len);
    mempool_looked_up(rig.spv, ticket);
    /* Once is enough. */
    mempool_inv(rig.spv, &rig.spv->peers[1], &item, 1);
    mempool_tx(rig.spv, &rig.spv->peers[0], bytes);
    assert_int_equal(rig.effects.count, 0);
    assert_int_equal(rig.spv->peers[0].txs_asked, 0);
    writer_release(&raw);
    writer_release(&other);
    rig_close(&rig);
}

static void test_malformed_lets_go(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, 1, true);
    announce(&rig, 0, 1, 1);
    mempool_tx(rig.spv, &rig.spv->peers[0], BYTES(1, 2, 3));
    assert_int_equal(rig.spv->peers[0].state, PEER_WAITING);
    rig_close(&rig);
}

/* Rounds of full answers by one peer: the ring goes round, and the counters come out. */
static void test_ring_forgets_the_oldest(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, 1, true);
    announce(&rig, 0, 0, 1);
    for (uint32_t from = 1; from <= MEMPOOL_SEEN; from += MEMPOOL_ASKED_MAX) {
        announce(&rig, 0, from, MEMPOOL_ASKED_MAX);
        rig.spv->now.mono.ms += MEMPOOL_TIMEOUT_MS / 4;
        mempool_tick(rig.spv);
    }
    assert_int_equal(announcers(&rig, 0), 0);
    rig.spv->now.mono.ms += MEMPOOL_TIMEOUT_MS;
    mempool_tick(rig.spv);
    assert_int_equal(rig.spv->peers[0].txs_asked, 0);
    assert_int_equal(announce(&rig, 0, 1, 2 * MEMPOOL_ASKED_MAX), MEMPOOL_ASKED_MAX);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unwanted),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_time_out_asks_another),
        cmocka_unit_test(test_notfound_and_going_ask_another),
        cmocka_unit_test(test_only_what_was_asked_is_looked_up),
        cmocka_unit_test(test_malformed_lets_go),
        cmocka_unit_test(test_ring_forgets_the_oldest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
