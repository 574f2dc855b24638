#include "coin_ledger.h"

#include <string.h>

#include "base/mem.h"
#include "base/random.h"

#define BLOCK_COINS 5000
#define COMMIT_BLOCKS 100 /* at once: random places, so each dirties a page */

static const uint64_t seed[2] = {1, 2};

static void done(enum store_result result, const struct error *error)
{
    require(result == STORE_OK, error->text);
}

void coin_script(uint8_t out[static COIN_SCRIPT_LEN], uint32_t number)
{
    memset(out, 0, COIN_SCRIPT_LEN);
    out[1] = 20;
    put_u32be(out + 2, number);
}

struct outpoint coin_outpoint(uint64_t number)
{
    struct random random;
    struct outpoint outpoint = {.vout = 0};
    random_init(&random, number);
    for (size_t i = 0; i < sizeof(outpoint.txid.b); i += 8)
        put_u64be(outpoint.txid.b + i, random_u64(&random));
    return outpoint;
}

/* ---- opening ---- */

void coin_ledger_define(struct coin_ledger *coins, uint32_t feeds)
{
    uint32_t count = coins->scripts;
    uint8_t(*scripts)[COIN_SCRIPT_LEN] = mem_zalloc(count, sizeof(*scripts));
    struct watched_script *watched = mem_zalloc(count, sizeof(*watched));
    struct feed_member *members = mem_zalloc(count, sizeof(*members));
    struct feed_definition *definitions = mem_zalloc(feeds, sizeof(*definitions));
    char(*names)[16] = mem_zalloc(feeds, sizeof(*names));
    struct error error = {""};
    for (uint32_t i = 0; i < count; i++) {
        coin_script(scripts[i], i);
        watched[i] = (struct watched_script){{scripts[i], COIN_SCRIPT_LEN}, 1};
        members[i] = (struct feed_member){i, 1, "", ""};
    }
    for (uint32_t f = 0; f < feeds; f++) {
        uint32_t from = (uint32_t)((uint64_t)count * f / feeds);
        uint32_t to = (uint32_t)((uint64_t)count * (f + 1) / feeds);
        snprintf(names[f], sizeof(names[f]), "feed%u", f);
        definitions[f] = (struct feed_definition){.name = names[f],
                                                  .confirmations = 1,
                                                  .members = members + from,
                                                  .member_count = to - from};
    }
    done(ledger_define(coins->ledger,
                       &(struct ledger_definition){watched, count, definitions, feeds},
                       &error),
         &error);
    free(scripts);
    free(watched);
    free(members);
    free(definitions);
    free(names);
}

static void open_store(struct coin_ledger *coins)
{
    struct error error = {""};
    done(store_open(&coins->store, coins->path, STORE_WRITE, coins->network, &error),
         &error);
    done(ledger_open(&coins->ledger, coins->store, seed, &error), &error);
}

void coin_ledger_open(struct coin_ledger *coins, const char *folder, uint32_t scripts,
                      uint32_t feeds)
{
    *coins = (struct coin_ledger){.network = network_find("regtest"), .scripts = scripts};
    place_make(coins->folder, folder);
    snprintf(coins->path, sizeof(coins->path), "%s/ledger", coins->folder);
    open_store(coins);
    coins->rows = mem_grow(NULL, &coins->row_capacity, 1, sizeof(*coins->rows));
    coins->rows[0] = (struct chain_row){.hash = coins->network->genesis_hash};
    coins->row_count = 1;
    coin_ledger_define(coins, feeds);
}

static void close_store(struct coin_ledger *coins)
{
    ledger_close(coins->ledger);
    store_close(coins->store);
}

struct store_txn *coin_ledger_read(struct coin_ledger *coins)
{
    struct store_txn *txn;
    struct error error = {""};
    done(store_begin(coins->store, &txn, STORE_READ, &error), &error);
    return txn;
}

void coin_ledger_sum(struct coin_ledger *coins, uint64_t count)
{
    struct error error = {""};
    struct feed_row feed;
    struct store_txn *txn = coin_ledger_read(coins);
    require(ledger_feed(txn, &feed, "feed0", &error) == STORE_OK, error.text);
    struct readd request = {.feed = &feed, .height = coins->height};
    require(ledger_readd(txn, &request, 1, &error) == STORE_OK, error.text);
    store_abort(txn);
    require(request.by_coins.coins == count, "the sum has other coins");
}

void coin_ledger_reopen(struct coin_ledger *coins)
{
    close_store(coins);
    open_store(coins);
}

void coin_ledger_close(struct coin_ledger *coins)
{
    close_store(coins);
    place_delete_ledger(coins->path);
    (void)rmdir(coins->folder);
    free(coins->rows);
}

/* ---- blocks ---- */

void coin_ledger_grow_chain(struct coin_ledger *coins, uint32_t height)
{
    coins->rows = mem_grow(coins->rows, &coins->row_capacity, (size_t)height + 1,
                           sizeof(*coins->rows));
    for (; coins->row_count <= height; coins->row_count++) {
        struct chain_row *row = &coins->rows[coins->row_count];
        *row = (struct chain_row){
            .header = {.version = 4,
                       .previous = coins->rows[coins->row_count - 1].hash,
                       .time = {1600000000 + coins->row_count * 600},
                       .bits = coins->network->pow_limit_bits,
                       .nonce = coins->salt}};
        block_header_hash(&row->hash, &row->header);
    }
}

struct block *coin_block(struct coin_ledger *coins, uint32_t height, uint64_t first,
                         uint32_t count, bool spend)
{
    struct block *block = mem_zalloc(1, sizeof(*block));
    block->header = coins->rows[height].header;
    block->hash = coins->rows[height].hash;
    block->tx_count = block->in_count = block->out_count = count + 1;
    block->txs = mem_zalloc(block->tx_count, sizeof(*block->txs));
    block->ins = mem_zalloc(block->in_count, sizeof(*block->ins));
    block->outs = mem_zalloc(block->out_count, sizeof(*block->outs));
    block->raw =
        mem_zalloc(count + 1, COIN_SCRIPT_LEN); /* the scripts; the first empty */
    for (uint32_t i = 0; i <= count; i++) {
        uint8_t *script = block->raw + (size_t)i * COIN_SCRIPT_LEN;
        uint64_t number = first + i - 1;
        block->txs[i] =
            (struct tx){.first_in = i, .in_count = 1, .first_out = i, .out_count = 1};
        block->outs[i] = (struct tx_out){{1000}, {script, COIN_SCRIPT_LEN}};
        if (i == 0)
            put_u32be(block->txs[i].txid.b, height);
        else if (spend)
            block->ins[i].previous = coin_outpoint(number);
        if (i > 0 && !spend)
            coin_script(script, (uint32_t)(number % coins->scripts));
        if (i > 0)
            block->txs[i].txid = coin_outpoint(spend ? ~number : number).txid;
    }
    return block;
}

static void apply(struct coin_ledger *coins, struct ledger_batch *batch)
{
    struct ledger_outcome outcome;
    struct cohort_table cohorts;
    struct error error = {""};
    ledger_cohorts(coins->ledger, &cohorts);
    batch->epoch = cohorts.epoch;
    batch->rows = coins->rows + batch->base + 1;
    batch->commit = true;
    cohort_table_release(&cohorts);
    done(ledger_apply(coins->ledger, batch, &outcome, &error), &error);
    coins->height = batch->base + (uint32_t)batch->count;
}

void coin_ledger_apply(struct coin_ledger *coins, struct block **blocks, uint32_t count)
{
    struct block **none = mem_zalloc(count, sizeof(struct block *));
    apply(coins, &(struct ledger_batch){.base = coins->height,
                                        .blocks = blocks != NULL ? blocks : none,
                                        .count = count});
    free(none);
}

void coin_ledger_undo(struct coin_ledger *coins, uint32_t height)
{
    struct block *none = NULL;
    coins->row_count = height + 1;
    coins->salt++;
    coin_ledger_grow_chain(coins, height + 1);
    apply(coins, &(struct ledger_batch){
                     .base = height, .blocks = &none, .count = 1, .reorganise = true});
}

void coin_ledger_fill(struct coin_ledger *coins, uint64_t first, uint64_t count)
{
    for (uint64_t left = count; left > 0;) {
        struct block *blocks[COMMIT_BLOCKS];
        uint32_t used = 0;
        coin_ledger_grow_chain(coins, coins->height + COMMIT_BLOCKS);
        for (; used < COMMIT_BLOCKS && left > 0; used++) {
            uint32_t take = left < BLOCK_COINS ? (uint32_t)left : BLOCK_COINS;
            blocks[used] = coin_block(coins, coins->height + 1 + used,
                                      first + (count - left), take, false);
            left -= take;
        }
        coin_ledger_apply(coins, blocks, used);
        for (uint32_t i = 0; i < used; i++)
            block_free(blocks[i]);
    }
}
