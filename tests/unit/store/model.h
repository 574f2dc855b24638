/* A naive model of the chain: it plays all of it anew for every question. */
#ifndef TESTS_STORE_MODEL_H
#define TESTS_STORE_MODEL_H

#include "base/random.h"
#include "fixture.h"

#define SCRIPTS 10
#define TXS 5
#define OUTS 3
#define INS 3
#define CHAIN_MAX 2600
#define COINS_MAX 20000
#define FEEDS 3

struct model_tx {
    struct txid txid;
    uint32_t in_count, out_count;
    struct outpoint ins[INS];
    uint32_t scripts[OUTS];
    uint64_t amounts[OUTS];
};

struct model_block {
    struct chain_row row;
    uint32_t tx_count;
    struct model_tx txs[TXS];
};

struct model_coin {
    struct outpoint outpoint;
    uint32_t script;
    uint64_t amount;
    uint32_t created;
    bool coinbase, alive;
};

struct model_feed {
    bool member[SCRIPTS];
    uint32_t birth[SCRIPTS];
    bool count_immature;
};

struct model {
    struct fixture fixture;
    struct ledger *ledger;
    struct random random;
    struct model_block *chain; /* by height; [0] is genesis */
    uint32_t tip;
    struct model_coin *coins; /* scratch of a replay */
    size_t coin_count;
    uint8_t scripts[SCRIPTS + 1][SCRIPT_LEN]; /* the last is never watched */
    struct model_feed feeds[FEEDS];
    size_t feed_count;
    uint32_t salt;
    bool quiet; /* make blocks without anything of ours */
    size_t compared, merges, rewinds, replaced;
};

/* ---- playing the chain ---- */

static struct model_coin *find_coin(struct model *model, const struct outpoint *outpoint)
{
    for (size_t i = model->coin_count; i-- > 0;) {
        if (model->coins[i].alive &&
            memcmp(&model->coins[i].outpoint, outpoint, sizeof(*outpoint)) == 0)
            return &model->coins[i];
    }
    return NULL;
}

static void play_block(struct model *model, uint32_t height)
{
    const struct model_block *block = &model->chain[height];
    for (uint32_t t = 0; t < block->tx_count; t++) {
        const struct model_tx *tx = &block->txs[t];
        for (uint32_t i = 0; i < tx->in_count; i++)
            find_coin(model, &tx->ins[i])->alive = false;
        for (uint32_t i = 0; i < tx->out_count; i++) {
            struct outpoint outpoint = {tx->txid, i};
            struct model_coin *old = find_coin(model, &outpoint);
            if (old != NULL) {
                old->alive = false;
                model->replaced++;
            }
            assert_true(model->coin_count < COINS_MAX);
            model->coins[model->coin_count++] = (struct model_coin){
                outpoint, tx->scripts[i], tx->amounts[i], height, t == 0, true};
        }
    }
}

static void play_to(struct model *model, uint32_t height)
{
    model->coin_count = 0;
    for (uint32_t h = 1; h <= height; h++)
        play_block(model, h);
}

static struct reserve model_reserve(const struct model *model, size_t feed,
                                    uint32_t height)
{
    const struct model_feed *f = &model->feeds[feed];
    struct reserve reserve = {0};
    for (size_t i = 0; i < model->coin_count; i++) {
        const struct model_coin *coin = &model->coins[i];
        if (!coin->alive || coin->script >= SCRIPTS || !f->member[coin->script] ||
            coin->created < f->birth[coin->script])
            continue;
        bool mature = !coin->coinbase || height >= coin->created + 100;
        if (!mature) {
            reserve.immature.sat += coin->amount;
            reserve.immature_coins++;
        }
        if (mature || f->count_immature) {
            reserve.counted.sat += coin->amount;
            reserve.coins++;
        }
    }
    return reserve;
}

/* ---- comparing ---- */

static void assert_reserve(const struct reserve *a, const struct reserve *b)
{
    assert_int_equal(a->counted.sat, b->counted.sat);
    assert_int_equal(a->coins, b->coins);
    assert_int_equal(a->immature.sat, b->immature.sat);
    assert_int_equal(a->immature_coins, b->immature_coins);
}

struct listed {
    uint64_t satoshi, coins;
};

static bool add_listed(void *context, const struct coin_view *view)
{
    struct listed *listed = context;
    listed->satoshi += view->coin.amount.sat;
    listed->coins++;
    assert_int_equal(view->script.len, SCRIPT_LEN);
    assert_string_equal(view->label, "label");
    return true;
}

static void compare_height(struct model *model, struct store_txn *txn,
                           const struct feed_row *feed, size_t f, uint32_t height,
                           bool coins)
{
    struct error error = {""};
    struct reserve got, want = model_reserve(model, f, height);
    expect(ledger_tally(txn, &got, feed, height, &error), STORE_OK);
    assert_reserve(&got, &want);
    model->compared++;
    if (!coins)
        return;
    struct readd readd = {.feed = feed, .height = height};
    expect(ledger_readd(txn, &readd, 1, &error), STORE_OK);
    assert_reserve(&readd.by_coins, &want);
    uint64_t immature = feed->count_immature ? 0 : want.immature.sat;
    assert_int_equal(readd.events_total.sat, want.counted.sat + immature);
    assert_false(readd.events_negative);
    struct listed listed = {0};
    expect(ledger_each_coin(txn, feed, height, add_listed, &listed, &error), STORE_OK);
    assert_int_equal(listed.satoshi, want.counted.sat + immature);
}

static void compare(struct model *model, uint32_t depth)
{
    struct error error = {""};
    struct store_txn *txn;
    struct feed_row feeds[FEEDS];
    uint32_t cursor;
    expect(store_begin(model->fixture.store, &txn, STORE_READ, &error), STORE_OK);
    for (size_t f = 0; f < model->feed_count; f++) {
        char name[32];
        snprintf(name, sizeof(name), "feed%zu", f);
        expect(ledger_feed(txn, &feeds[f], name, &error), STORE_OK);
    }
    if (ledger_cursor(txn, &cursor, &error) != STORE_OK || cursor > model->tip)
        cursor = 0;
    uint32_t from = cursor > depth ? cursor - depth : 0;
    play_to(model, from);
    for (uint32_t height = from; height <= cursor; height++) {
        if (height > from)
            play_block(model, height);
        for (size_t f = 0; f < model->feed_count && cursor > 0; f++) {
            if (feeds[f].merged)
                compare_height(model, txn, &feeds[f], f, height,
                               random_below(&model->random, 8) == 0);
        }
    }
    store_abort(txn);
}

/* ---- making blocks ---- */

static uint64_t draw(struct model *model, uint64_t limit)
{
    return random_below(&model->random, limit);
}

static void make_outputs(struct model *model, struct model_tx *tx)
{
    tx->out_count = 1 + (uint32_t)draw(model, OUTS);
    for (uint32_t i = 0; i < tx->out_count; i++) {
        tx->scripts[i] = (uint32_t)draw(model, SCRIPTS + 1);
        tx->amounts[i] = draw(model, 4) == 0 ? 1000 : 1 + draw(model, 1000000);
    }
    put_u32be(tx->txid.b, ++model->salt);
    put_u32be(tx->txid.b + 4, 0xabcdef);
}

/* Spend random coins, those of this very block included. */
static void make_inputs(struct model *model, struct model_tx *tx)
{
    uint64_t want = draw(model, INS + 1);
    for (uint64_t k = 0; k < want && model->coin_count > 0; k++) {
        size_t recent = model->coin_count < 60 ? model->coin_count : 60;
        bool old = draw(model, 4) == 0;
        size_t at = old ? draw(model, model->coin_count)
                        : model->coin_count - 1 - draw(model, recent);
        struct model_coin *coin = &model->coins[at];
        if (!coin->alive)
            continue;
        coin->alive = false;
        tx->ins[tx->in_count++] = coin->outpoint;
    }
}

/* BIP 30: now and then a coinbase is that of an earlier block again. */
static void make_coinbase(struct model *model, uint32_t height, struct model_tx *tx)
{
    make_outputs(model, tx);
    if (height < 3 || draw(model, 12) != 0)
        return;
    const struct model_block *block = &model->chain[1 + draw(model, height - 1)];
    if (block->tx_count > 0)
        *tx = block->txs[0];
}

/* Make block `height`; the scratch coins are those of the block below, and are moved on.
 */
static void make_block(struct model *model, uint32_t height)
{
    struct model_block *block = &model->chain[height];
    memset(block, 0, sizeof(*block));
    make_row(&block->row, &model->chain[height - 1].row.hash, height, ++model->salt);
    if (model->quiet || draw(model, 3) == 0)
        return;
    struct model_coin *saved = mem_dup(model->coins, model->coin_count * sizeof(*saved));
    size_t saved_count = model->coin_count;
    block->tx_count = 1 + (uint32_t)draw(model, TXS);
    for (uint32_t t = 0; t < block->tx_count; t++) {
        struct model_tx *tx = &block->txs[t];
        if (t == 0) {
            make_coinbase(model, height, tx);
        } else {
            make_inputs(model, tx);
            make_outputs(model, tx);
        }
        for (uint32_t i = 0; i < tx->out_count; i++) {
            struct model_coin *old = find_coin(model, &(struct outpoint){tx->txid, i});
            if (old != NULL)
                old->alive = false;
            model->coins[model->coin_count++] = (struct model_coin){
                {tx->txid, i}, tx->scripts[i], tx->amounts[i], height, t == 0, true};
        }
    }
    if (saved_count > 0)
        memcpy(model->coins, saved, saved_count * sizeof(*saved));
    model->coin_count = saved_count;
    free(saved);
    play_block(model, height);
}

/* The block as the ledger takes it; NULL when it has no transactions. */
static struct block *as_block(const struct model *model, uint32_t height)
{
    const struct model_block *from = &model->chain[height];
    if (from->tx_count == 0)
        return NULL;
    struct block *block = mem_zalloc(1, sizeof(*block));
    block->header = from->row.header;
    block->hash = from->row.hash;
    block->txs = mem_zalloc(from->tx_count, sizeof(*block->txs));
    block->ins = mem_zalloc(TXS * INS + 1, sizeof(*block->ins));
    block->outs = mem_zalloc(TXS * OUTS, sizeof(*block->outs));
    block->tx_count = from->tx_count;
    for (uint32_t t = 0; t < from->tx_count; t++) {
        const struct model_tx *tx = &from->txs[t];
        block->txs[t] = (struct tx){.txid = tx->txid,
                                    .first_in = block->in_count,
                                    .in_count = t == 0 ? 1 : tx->in_count,
                                    .first_out = block->out_count,
                                    .out_count = tx->out_count};
        for (uint32_t i = 0; i < block->txs[t].in_count; i++) {
            struct outpoint previous = {.vout = UINT32_MAX};
            if (t > 0)
                previous = tx->ins[i];
            block->ins[block->in_count++].previous = previous;
        }
        for (uint32_t i = 0; i < tx->out_count; i++)
            block->outs[block->out_count++] = (struct tx_out){
                {tx->amounts[i]}, {model->scripts[tx->scripts[i]], SCRIPT_LEN}};
    }
    return block;
}

#endif
