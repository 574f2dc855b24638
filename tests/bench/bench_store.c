/* What the store's budgets cost, against doing only the least of it in the same run:
 * headers (baseline: hashing each once), a definition (baseline: hashing each script into
 * a set), re-adding (baseline: a bare walk over both tables). Arguments: headers, coins.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/ledger.h"
#include "store/tables.h"

#define BATCH 2000
#define SCRIPT_LEN 22

static struct error error;
static const uint64_t seed[2] = {1, 2};

static void must(enum store_result result)
{
    if (result == STORE_OK)
        return;
    fprintf(stderr, "bench_store: %s\n", error.text);
    exit(1);
}

static int64_t cpu_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static void report(const char *what, int64_t us, const char *baseline,
                   int64_t baseline_us)
{
    printf("%-24s %8lld ms CPU, %lld.%02lld times %s (%lld ms)\n", what,
           (long long)us / 1000, (long long)(us / (baseline_us + 1)),
           (long long)(us * 100 / (baseline_us + 1) % 100), baseline,
           (long long)baseline_us / 1000);
}

/* ---- headers ---- */

struct batch {
    uint32_t from;
    size_t count;
    struct block_header headers[BATCH];
    struct filter_header filters[BATCH];
};

static enum store_result put_batch(void *context, struct store_txn *txn,
                                   struct error *reason)
{
    const struct batch *batch = context;
    enum store_result result =
        chain_rows_replace(txn, batch->from, batch->headers, batch->count, reason);
    return result == STORE_OK
               ? chain_rows_add_filter_headers(txn, batch->from - 1, batch->filters,
                                               batch->count, reason)
               : result;
}

static void bench_headers(struct store *store, const struct network *network,
                          uint32_t total)
{
    struct batch *batch = mem_zalloc(1, sizeof(*batch));
    struct block_hash previous = network->genesis_hash;
    int64_t storing = 0, hashing = 0;
    for (uint32_t height = 1; height <= total; height += (uint32_t)batch->count) {
        batch->from = height;
        batch->count = total - height + 1 < BATCH ? total - height + 1 : BATCH;
        int64_t start = cpu_us();
        for (size_t i = 0; i < batch->count; i++) {
            batch->headers[i] = (struct block_header){.previous = previous,
                                                      .bits = network->genesis.bits,
                                                      .time = {height + (uint32_t)i}};
            block_header_hash(&previous, &batch->headers[i]);
            memcpy(batch->filters[i].b, previous.b, 32);
        }
        int64_t hashed = cpu_us();
        must(store_update(store, put_batch, batch, &error));
        storing += cpu_us() - hashed;
        hashing += hashed - start;
    }
    report("headers", storing, "hashing", hashing);
    free(batch);
}

/* ---- a definition, coins ---- */

static struct ledger *bench_define(struct store *store, uint32_t count)
{
    struct ledger *ledger;
    struct watched_script *scripts = mem_zalloc(count, sizeof(*scripts));
    struct feed_member *members = mem_zalloc(count, sizeof(*members));
    struct bytes *views = mem_zalloc(count, sizeof(*views));
    uint32_t *ids = mem_zalloc(count, sizeof(*ids));
    uint8_t *data = mem_zalloc(count, SCRIPT_LEN);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *script = data + (size_t)i * SCRIPT_LEN;
        script[1] = 20;
        put_u32be(script + 2, i);
        views[i] = (struct bytes){script, SCRIPT_LEN};
        ids[i] = i;
        scripts[i].script = views[i];
        members[i] = (struct feed_member){i, 0, "cold wallet", "BitGo"};
    }
    struct feed_definition feed = {
        .name = "bench", .confirmations = 6, .members = members, .member_count = count};
    struct ledger_definition definition = {scripts, count, &feed, 1};
    must(ledger_open(&ledger, store, seed, &error));
    int64_t start = cpu_us();
    struct script_set *set = script_set_new(views, ids, count, seed);
    int64_t hashed = cpu_us();
    must(ledger_define(ledger, &definition, &error));
    report("define scripts", cpu_us() - hashed, "hashing", hashed - start);
    script_set_unref(set);
    free(scripts);
    free(members);
    free(views);
    free(ids);
    free(data);
    return ledger;
}

#define COINS_A_BLOCK 2000

static struct block *coin_block(const struct chain_row *row, uint8_t *scripts,
                                uint32_t number, uint32_t script_count)
{
    struct block *block = mem_zalloc(1, sizeof(*block));
    *block = (struct block){.header = row->header, .hash = row->hash};
    block->txs = mem_zalloc(COINS_A_BLOCK, sizeof(*block->txs));
    block->outs = mem_zalloc(COINS_A_BLOCK, sizeof(*block->outs));
    block->tx_count = block->out_count = COINS_A_BLOCK;
    for (uint32_t i = 0; i < COINS_A_BLOCK; i++) {
        uint32_t coin = number * COINS_A_BLOCK + i;
        uint8_t *script = scripts + (size_t)i * SCRIPT_LEN;
        script[1] = 20;
        put_u32be(script + 2, coin % script_count);
        block->outs[i] = (struct tx_out){{1000 + i}, {script, SCRIPT_LEN}};
        block->txs[i] = (struct tx){.first_out = i, .out_count = 1};
        /* Spread like hashes. */
        put_u64be(block->txs[i].txid.b, coin * UINT64_C(0x9e3779b97f4a7c15));
        put_u32be(block->txs[i].txid.b + 8, coin);
    }
    return block;
}

static void bench_coins(struct store *store, struct ledger *ledger, uint32_t count,
                        uint32_t script_count)
{
    uint8_t *scripts = mem_zalloc(COINS_A_BLOCK, SCRIPT_LEN);
    int64_t total = 0;
    for (uint32_t n = 0; n < count / COINS_A_BLOCK; n++) {
        struct cohort_table cohorts;
        struct ledger_outcome outcome;
        struct store_txn *txn;
        struct chain_row row;
        must(store_begin(store, &txn, STORE_READ, &error));
        must(chain_rows_read(txn, &row, n + 1, 1, &error));
        store_abort(txn);
        struct block *block = coin_block(&row, scripts, n, script_count);
        ledger_cohorts(ledger, &cohorts);
        struct ledger_batch batch = {.epoch = cohorts.epoch,
                                     .base = n,
                                     .rows = &row,
                                     .blocks = &block,
                                     .count = 1,
                                     .commit = true};
        int64_t start = cpu_us();
        must(ledger_apply(ledger, &batch, &outcome, &error));
        total += cpu_us() - start;
        cohort_table_release(&cohorts);
        block_free(block);
    }
    printf("%-24s %8lld ns a coin\n", "apply", (long long)(total * 1000 / count));
    free(scripts);
}

static void walk_table(struct store_txn *txn, enum table table)
{
    struct walk walk;
    must(walk_open(&walk, txn, table, &error));
    for (enum store_result result = walk_first(&walk, &error); result == STORE_OK;)
        result = walk_next(&walk, &error);
    walk_close(&walk);
}

static void bench_readd(struct store *store, uint32_t height)
{
    struct store_txn *txn;
    struct feed_row feed;
    must(store_begin(store, &txn, STORE_READ, &error));
    must(ledger_feed(txn, &feed, "bench", &error));
    for (int round = 0; round < 3; round++) {
        struct readd readd = {.feed = &feed, .height = height};
        int64_t start = cpu_us();
        walk_table(txn, TABLE_COINS);
        walk_table(txn, TABLE_EVENTS);
        int64_t walked = cpu_us();
        must(ledger_readd(txn, &readd, 1, &error));
        report("re-add coins and events", cpu_us() - walked, "walking", walked - start);
    }
    store_abort(txn);
}

static long long file_size(const char *folder)
{
    char path[128];
    struct stat stat_data;
    snprintf(path, sizeof(path), "%s/data.mdb", folder);
    return stat(path, &stat_data) == 0 ? (long long)stat_data.st_size : 0;
}

int main(int argc, char **argv)
{
    uint32_t headers = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
    uint32_t coins = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1000000;
    uint32_t scripts = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 10000;
    char folder[] = "/tmp/bench-store-XXXXXX", command[64];
    const struct network *network = network_find("regtest");
    struct store *store;
    if (mkdtemp(folder) == NULL)
        return 1;
    must(store_open(&store, folder, STORE_WRITE, network, &error));
    bench_headers(store, network, headers);
    long long size = file_size(folder);
    printf("%-24s %8lld bytes a header with its filter header\n", "disk", size / headers);
    struct ledger *ledger = bench_define(store, scripts);
    long long defined = file_size(folder);
    bench_coins(store, ledger, coins, scripts);
    printf("%-24s %8lld bytes a coin with its event\n", "disk",
           (file_size(folder) - defined) / coins);
    bench_readd(store, coins / COINS_A_BLOCK);
    ledger_close(ledger);
    store_close(store);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command) == 0 ? 0 : 1;
}
