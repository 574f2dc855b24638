/* bench_gcs [ELEMENTS]: matching 10 to 100,000 scripts against filters of 11,000 elements
 * by each kernel, the plain sort-and-merge way, and what the kernel's decoding and
 * hashing take alone, of which the longer is the limit. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/random.h"
#include "bench.h"
#include "spv/gcs_kernel.h"
#include "tests/plain_gcs.h"

#define FILTERS 32
#define SCRIPTS_MAX 100000

static const size_t script_lens[4] = {22, 25, 23, 34}; /* P2WPKH, P2PKH, P2SH, P2TR */

struct world {
    struct block_hash hashes[FILTERS];
    struct bit_writer filters[FILTERS];
    size_t elements, count, turn;
    const struct bytes *scripts;
    const struct script_set *set;
    const struct gcs_kernel *kernel;
    uint64_t *numbers;
};

static struct bytes filter_of(const struct world *world, size_t index)
{
    const struct writer *out = &world->filters[index].out;
    return (struct bytes){out->data, out->len};
}

/* The next filter: as in a scan, none is met twice in a row. */
static size_t next(struct world *world)
{
    return world->turn++ % FILTERS;
}

static struct bytes *make_scripts(struct random *random, size_t count)
{
    struct bytes *scripts = mem_zalloc(count, sizeof(*scripts));
    for (size_t i = 0; i < count; i++) {
        size_t len = script_lens[random_u64(random) % 4];
        uint8_t *data = mem_alloc(len);
        for (size_t k = 0; k < len; k++)
            data[k] = (uint8_t)random_u64(random);
        scripts[i] = (struct bytes){data, len};
    }
    return scripts;
}

static void free_scripts(struct bytes *scripts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free((void *)(uintptr_t)scripts[i].data);
    free(scripts);
}

static void make_filters(struct world *world, struct random *random)
{
    for (size_t i = 0; i < FILTERS; i++) {
        struct bytes *scripts = make_scripts(random, world->elements);
        for (size_t k = 0; k < 32; k++)
            world->hashes[i].b[k] = (uint8_t)random_u64(random);
        write_filter(&world->filters[i], &world->hashes[i], scripts, world->elements);
        free_scripts(scripts, world->elements);
    }
}

static void match(void *context)
{
    struct world *world = context;
    size_t i = next(world);
    if (gcs_match_any_with(filter_of(world, i), &world->hashes[i], world->set,
                           world->kernel) == GCS_MALFORMED)
        abort();
}

static void match_plain(void *context)
{
    struct world *world = context;
    size_t i = next(world);
    if (plain_match_any(filter_of(world, i), &world->hashes[i], world->scripts,
                        world->count) == GCS_MALFORMED)
        abort();
}

static void decode(void *context)
{
    struct world *world = context;
    struct bytes filter = filter_of(world, next(world));
    struct reader reader;
    struct gcs_values values;
    reader_init(&reader, filter.data, filter.len);
    read_compact_size(&reader, UINT64_MAX);
    if (!gcs_values_init(&values, (struct bytes){reader.at, reader.left}, world->elements,
                         world->kernel))
        abort();
    gcs_values_release(&values);
}

static void hash(void *context)
{
    struct world *world = context;
    const struct script_words *words = script_set_words(world->set);
    const struct gcs_hash key = {next(world), 2, world->elements * GCS_M};
    for (size_t w = 1; w <= SCRIPT_WORDS_MAX; w++)
        world->kernel->hash(world->numbers, &key, words->groups[w].words,
                            words->groups[w].count, w);
}

static void print_row(const char *name, size_t count, struct bench_time time,
                      double plain, double limit)
{
    printf("%-9s %8zu %10.1f %10.1f %8.1f%% %9.1f", name, count, time.median / 1e3,
           time.least / 1e3, (time.high - time.low) / time.median * 100,
           plain / time.median);
    if (limit > 0)
        printf(" %10.1f %6.0f%%", limit / 1e3, limit / time.median * 100);
    printf("\n");
}

static void bench_count(struct world *world, const struct bytes *scripts, uint32_t *ids,
                        size_t count)
{
    static const uint64_t seed[2] = {1, 2};
    struct script_set *set = script_set_new(scripts, ids, count, seed);
    world->set = set;
    world->scripts = scripts;
    world->count = count;
    struct bench_time plain = bench(match_plain, world);
    print_row("plain", count, plain, plain.median, 0);
    for (size_t i = 0; gcs_kernels()[i] != NULL; i++) {
        world->kernel = gcs_kernels()[i];
        double decoding = bench(decode, world).median;
        double hashing = bench(hash, world).median;
        print_row(world->kernel->name, count, bench(match, world), plain.median,
                  decoding > hashing ? decoding : hashing);
    }
    script_set_unref(set);
}

int main(int argc, char **argv)
{
    struct world world = {.elements = argc > 1 ? strtoul(argv[1], NULL, 10) : 11000};
    struct random random;
    random_init(&random, 1);
    make_filters(&world, &random);
    struct bytes *scripts = make_scripts(&random, SCRIPTS_MAX);
    uint32_t *ids = mem_zalloc(SCRIPTS_MAX, sizeof(*ids));
    world.numbers = mem_zalloc(SCRIPTS_MAX + SCRIPT_LANES, sizeof(*world.numbers));

    printf("filters of %zu elements; times in us of one match\n", world.elements);
    printf("%-9s %8s %10s %10s %9s %9s %10s %7s\n", "kernel", "scripts", "median",
           "least", "spread", "x plain", "limit", "of it");
    for (size_t count = 10; count <= SCRIPTS_MAX; count *= 10)
        bench_count(&world, scripts, ids, count);

    for (size_t i = 0; i < FILTERS; i++)
        writer_release(&world.filters[i].out);
    free_scripts(scripts, SCRIPTS_MAX);
    free(world.numbers);
    free(ids);
    return 0;
}
