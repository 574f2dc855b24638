/* bench_kept [FOLDER]: filters of 11,000 elements from the disk (as far as the system has
 * them in its cache) against those that are in memory: what a rescan of kept filters
 * costs beyond verifying and matching them. The folder is made below FOLDER, $TMPDIR or
 * /tmp. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/random.h"
#include "bench.h"
#include "place.h"
#include "spv/gcs.h"
#include "store/kept_filters.h"
#include "tests/plain_gcs.h"

#define FILTERS 32
#define HEIGHTS 2000
#define ELEMENTS 11000
#define SCRIPTS 1000
#define SCRIPT_LEN 22

struct world {
    struct block_hash hashes[FILTERS];
    struct bit_writer filters[FILTERS];
    struct script_set *set;
    struct kept_filters *kept;
    uint32_t turn;
};

static struct bytes *make_scripts(struct random *random, uint8_t *room, size_t count)
{
    struct bytes *scripts = mem_zalloc(count, sizeof(*scripts));
    for (size_t i = 0; i < count * SCRIPT_LEN; i++)
        room[i] = (uint8_t)random_u64(random);
    for (size_t i = 0; i < count; i++)
        scripts[i] = (struct bytes){room + i * SCRIPT_LEN, SCRIPT_LEN};
    return scripts;
}

static void make(struct world *world)
{
    static const uint64_t seed[2] = {1, 2};
    struct random random;
    uint8_t *room = mem_alloc(ELEMENTS * SCRIPT_LEN);
    uint32_t ids[SCRIPTS] = {0};
    random_init(&random, 1);
    for (size_t i = 0; i < FILTERS; i++) {
        struct bytes *scripts = make_scripts(&random, room, ELEMENTS);
        put_u32be(world->hashes[i].b, (uint32_t)i);
        write_filter(&world->filters[i], &world->hashes[i], scripts, ELEMENTS);
        free(scripts);
    }
    struct bytes *scripts = make_scripts(&random, room, SCRIPTS);
    world->set = script_set_new(scripts, ids, SCRIPTS, seed);
    free(scripts);
    free(room);
}

/* As a worker does it. */
static void verify_and_match(const struct world *world, struct bytes filter, size_t i)
{
    struct filter_hash hash;
    struct filter_header header, previous = {{0}};
    filter_hash_of(&hash, filter);
    filter_header_next(&header, &hash, &previous);
    require(gcs_match_any(filter, &world->hashes[i], world->set) != GCS_MALFORMED,
            "a filter is malformed");
}

static void from_memory(void *context)
{
    struct world *world = context;
    size_t i = world->turn++ % FILTERS;
    const struct writer *out = &world->filters[i].out;
    verify_and_match(world, (struct bytes){out->data, out->len}, i);
}

static void put(void *context)
{
    struct world *world = context;
    uint32_t height = world->turn++ % HEIGHTS;
    const struct writer *out = &world->filters[height % FILTERS].out;
    struct error error;
    require(kept_filters_put(world->kept, height, &world->hashes[height % FILTERS],
                             (struct bytes){out->data, out->len}, &error),
            error.text);
}

static uint8_t *read_next(struct world *world, uint32_t height, size_t *len)
{
    uint8_t *filter;
    require(kept_filters_get(world->kept, &filter, len, height,
                             &world->hashes[height % FILTERS]) == KEPT_FOUND,
            "a filter isn't there");
    return filter;
}

static void get(void *context)
{
    struct world *world = context;
    size_t len;
    free(read_next(world, world->turn++ % HEIGHTS, &len));
}

static void from_disk(void *context)
{
    struct world *world = context;
    uint32_t height = world->turn++ % HEIGHTS;
    size_t len;
    uint8_t *filter = read_next(world, height, &len);
    verify_and_match(world, (struct bytes){filter, len}, height % FILTERS);
    free(filter);
}

static void print_row(const char *name, struct bench_time time, double baseline)
{
    printf("%-28s %10.1f %10.1f %8.1f%% %10.2f\n", name, time.median / 1e3,
           time.least / 1e3, (time.high - time.low) / time.median * 100,
           time.median / baseline);
}

static void remove_folder(const char *path)
{
    char command[PLACE_MAX + 16];
    snprintf(command, sizeof(command), "rm -r '%s'", path);
    require(system(command) == 0, "the folder can't be removed");
}

int main(int argc, char **argv)
{
    struct world world = {0};
    struct height_set heights = {0};
    struct error error;
    char path[PLACE_MAX];
    place_make(path, argc > 1 ? argv[1] : NULL);
    make(&world);
    require(kept_filters_open(&world.kept, &heights, path, network_find("regtest"),
                              &error) == KEPT_OPENED,
            error.text);
    for (uint32_t height = 0; height < HEIGHTS; height++)
        put(&world);

    printf("filters of %d elements, %zu bytes; %d scripts; times in us\n", ELEMENTS,
           world.filters[0].out.len, SCRIPTS);
    printf("%-28s %10s %10s %9s %10s\n", "work", "median", "least", "spread", "x memory");
    struct bench_time memory = bench(from_memory, &world);
    print_row("from memory: verify, match", memory, memory.median);
    print_row("read from the disk", bench(get, &world), memory.median);
    print_row("read, verify, match", bench(from_disk, &world), memory.median);
    print_row("keep", bench(put, &world), memory.median);

    kept_filters_close(world.kept);
    height_set_release(&heights);
    script_set_unref(world.set);
    for (size_t i = 0; i < FILTERS; i++)
        writer_release(&world.filters[i].out);
    remove_folder(path);
    return 0;
}
