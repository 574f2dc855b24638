/* A million headers: judged, imported, and a start with them. Argument: another number of
 * headers; then a folder for the ledger instead of $TMPDIR. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/import.h"
#include "app/start.h"
#include "base/mem.h"
#include "base/sha256_many.h"
#include "bench.h"
#include "spv/header_import.h"
#include "spv/pow.h"

#define RUNS 9
#define HEADERS 1000000

static const struct wall_time clock_now = {1900000000};

struct world {
    const struct network *network;
    uint32_t count; /* genesis included */
    uint8_t *records;
    const struct sha256_kernel *kernel; /* that is measured */
    char folder[256], file[300], ledger[300];
};

static void require(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "bench_headers: %s\n", what);
    exit(1);
}

/* One on the other, ten minutes apart where the clock allows, solved. */
static void mine(struct world *world)
{
    struct block_header header = world->network->genesis;
    struct block_hash hash = world->network->genesis_hash;
    world->records = mem_zalloc(world->count, BLOCK_HEADER_SIZE);
    block_header_encode(world->records, &header);
    header.version = 4;
    for (uint32_t height = 1; height < world->count; height++) {
        header.previous = hash;
        header.time.s += 600;
        put_u32le(header.merkle_root, height);
        uint8_t *record = world->records + (size_t)height * BLOCK_HEADER_SIZE;
        header.nonce = 0;
        do {
            header.nonce++;
            block_header_encode(record, &header);
            block_header_hash_bytes(&hash, record);
        } while (!pow_check(world->network, &hash, header.bits));
    }
}

static void clear_ledger(const struct world *world)
{
    static const char *const names[] = {"data.mdb", "lock.mdb"};
    for (size_t i = 0; i < 2; i++) {
        char path[320];
        snprintf(path, sizeof(path), "%s/%s", world->ledger, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(world->ledger);
}

static void world_init(struct world *world, int argc, char **argv)
{
    const char *base = getenv("TMPDIR");
    *world = (struct world){.network = network_find("regtest"), .count = HEADERS + 1};
    if (argc > 1)
        world->count = (uint32_t)strtoul(argv[1], NULL, 10) + 1;
    snprintf(world->folder, sizeof(world->folder), "%s/bench-headers-XXXXXX",
             argc > 2       ? argv[2]
             : base != NULL ? base
                            : "/tmp");
    require(mkdtemp(world->folder) != NULL, "no folder can be made");
    snprintf(world->file, sizeof(world->file), "%s/headers.bin", world->folder);
    snprintf(world->ledger, sizeof(world->ledger), "%s/ledger", world->folder);
    mine(world);
    FILE *file = fopen(world->file, "wb");
    require(file != NULL, "no file can be made");
    require(fwrite(world->records, BLOCK_HEADER_SIZE, world->count, file) == world->count,
            "the file can't be written");
    require(fclose(file) == 0, "the file can't be written");
}

static void world_release(struct world *world)
{
    clear_ledger(world);
    (void)unlink(world->file);
    (void)rmdir(world->folder);
    free(world->records);
}

/* ---- what is measured ---- */

static void hash_all(void *context)
{
    const struct world *world = context;
    struct block_hash hash;
    for (size_t i = 0; i < world->count; i++) {
        block_header_hash_bytes(&hash, world->records + i * BLOCK_HEADER_SIZE);
        __asm__ volatile("" : : "m"(hash));
    }
}

static void hash_in_lanes(void *context)
{
    const struct world *world = context;
    static uint8_t hashes[1000][32];
    for (size_t i = 0; i + 1000 <= world->count; i += 1000)
        sha256d_each_with(hashes, world->records + i * BLOCK_HEADER_SIZE,
                          BLOCK_HEADER_SIZE, 1000, world->kernel);
}

static void judge_all(void *context)
{
    const struct world *world = context;
    struct header_import import;
    struct error error;
    header_import_init(&import, world->network, NULL, 0);
    require(header_import_judge(&import, world->records, world->count, clock_now, &error),
            "the chain isn't valid");
    header_import_release(&import);
}

static bool go_on(void *context, const char *what, uint32_t done, uint32_t total)
{
    (void)context;
    (void)what;
    (void)done;
    (void)total;
    return true;
}

static void import_all(void *context)
{
    const struct world *world = context;
    const struct config config = {.network = world->network};
    struct header_source source;
    struct import_outcome outcome;
    enum store_result result;
    struct store *store;
    struct error error;
    require(header_source_open(&source, HEADER_FILE_BLOCKS, world->file, world->folder,
                               world->network, clock_now, &error),
            error.text);
    clear_ledger(world);
    require(store_open(&store, world->ledger, STORE_WRITE, world->network, &error) ==
                STORE_OK,
            error.text);
    const struct import import = {
        .config = &config, .headers = &source, .now = clock_now, .go_on = go_on};
    require(import_headers(&import, store, &outcome, &result, &error) == IMPORT_DONE,
            "the import failed");
    require(outcome.height + 1 == world->count, "the import isn't whole");
    store_close(store);
    header_source_close(&source);
}

/* All that the daemon does with headers before it asks a peer for more. */
static void start_all(void *context)
{
    static const uint64_t seed[2] = {1, 2};
    const struct world *world = context;
    const struct spv_settings settings = {
        .network = world->network, .seed = 1, .map_seed = {1, 2}, .agent = "/bench:0/"};
    const struct spv_now now = {{0}, clock_now};
    struct store *store;
    struct ledger *ledger;
    struct start start;
    struct spv_summary summary;
    struct error error;
    require(store_open(&store, world->ledger, STORE_WRITE, world->network, &error) ==
                STORE_OK,
            error.text);
    require(ledger_open(&ledger, store, seed, &error) == STORE_OK, error.text);
    require(start_read(&start, store, ledger, seed, &error) == STORE_OK, error.text);
    struct spv *spv = spv_new(&settings, &start.spv, now);
    start_release(&start);
    spv_summary(spv, &summary, now);
    require(summary.header_height + 1 == world->count, "it starts from another height");
    spv_free(spv);
    ledger_close(ledger);
    store_close(store);
}

static struct bench_time few(void (*call)(void *context), void *context)
{
    double runs[RUNS];
    for (size_t i = 0; i < RUNS; i++)
        runs[i] = bench_run(call, context, 1);
    return bench_of(runs, RUNS);
}

static void print_row(const char *name, struct bench_time time, double baseline)
{
    printf("%-36s %9.1f %9.1f %7.0f%% %9.2f\n", name, time.median / 1e6, time.least / 1e6,
           100 * (time.high - time.low) / time.median, time.median / baseline);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*call)(void *context);
    } rows[] = {
        {"judge", judge_all},
        {"import: judge, read again, store", import_all},
        {"start with them", start_all},
    };
    struct world world;
    world_init(&world, argc, argv);
    printf("%u headers, CPU time\n", (unsigned)world.count - 1);
    printf("%-36s %9s %9s %8s %9s\n", "", "median ms", "least ms", "spread", "x SHA-256");
    struct bench_time baseline = few(hash_all, &world);
    print_row("SHA-256 twice of each header", baseline, baseline.median);
    for (const struct sha256_kernel *const *at = sha256_kernels(); *at != NULL; at++) {
        char name[40];
        snprintf(name, sizeof(name), "the same in lanes, %s", (*at)->name);
        world.kernel = *at;
        print_row(name, few(hash_in_lanes, &world), baseline.median);
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        print_row(rows[i].name, few(rows[i].call, &world), baseline.median);
    world_release(&world);
    return 0;
}
