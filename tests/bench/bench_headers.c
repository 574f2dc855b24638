/* A million headers: judged, imported, and a start with them. Argument: another number of
 * headers; then a folder for the ledger instead of $TMPDIR. */
#include "base/sha256_many.h"
#include "bench.h"
#include "header_chain.h"
#include "spv/header_import.h"

#define RUNS 9
#define HEADERS 1000000
/* Hashed at once, as they come in groups. */
#define GROUP 1000

static void hash_all(void *context)
{
    const struct header_chain *chain = context;
    struct block_hash hash;
    for (size_t i = 0; i < chain->count; i++) {
        block_header_hash_bytes(&hash, chain->records + i * BLOCK_HEADER_SIZE);
        __asm__ volatile("" : : "m"(hash));
    }
}

struct lanes {
    const struct header_chain *chain;
    const struct sha256_kernel *kernel;
};

static void hash_in_lanes(void *context)
{
    const struct lanes *lanes = context;
    const struct header_chain *chain = lanes->chain;
    static uint8_t hashes[GROUP][32];
    for (size_t i = 0; i + GROUP <= chain->count; i += GROUP)
        sha256d_each_with(hashes, chain->records + i * BLOCK_HEADER_SIZE,
                          BLOCK_HEADER_SIZE, GROUP, lanes->kernel);
}

static void judge_all(void *context)
{
    const struct header_chain *chain = context;
    struct header_import import;
    struct error error;
    header_import_init(&import, chain->network, NULL, 0);
    require(header_import_judge(&import, chain->records, chain->count, HEADER_CHAIN_NOW,
                                &error),
            "the chain isn't valid");
    header_import_release(&import);
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
        {"import: judge, read again, store", header_chain_import},
        {"start with them", header_chain_start},
    };
    struct header_chain chain;
    uint32_t count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : HEADERS;
    header_chain_open(&chain, argc > 2 ? argv[2] : NULL, count + 1);
    printf("%u headers, CPU time\n", (unsigned)count);
    printf("%-36s %9s %9s %8s %9s\n", "", "median ms", "least ms", "spread", "x SHA-256");
    struct bench_time baseline = few(hash_all, &chain);
    print_row("SHA-256 twice of each header", baseline, baseline.median);
    for (const struct sha256_kernel *const *at = sha256_kernels(); *at != NULL; at++) {
        struct lanes lanes = {&chain, *at};
        char name[40];
        snprintf(name, sizeof(name), "the same in lanes, %s", (*at)->name);
        print_row(name, few(hash_in_lanes, &lanes), baseline.median);
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        print_row(rows[i].name, few(rows[i].call, &chain), baseline.median);
    header_chain_close(&chain);
    return 0;
}
