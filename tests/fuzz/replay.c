/* Runs a fuzz target as an ordinary test: replay FOLDER gives LLVMFuzzerTestOneInput each
 * seed in FOLDER, and mutations of it that are the same in every run. When the target
 * aborts, the input is named; replay FOLDER SEED NUMBER runs that one alone. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A message is at most 4 MiB; a seed is meant to be far smaller. */
#define SEED_MAX ((size_t)4 << 20)
#define SEEDS_MAX 4096
/* Mutated bytes for each seed, within bounds for the number of mutations: a small seed is
 * mutated often, and no seed takes more than a moment even under the sanitizers. */
#define MUTATED_BYTES ((size_t)1 << 20)
#define MUTATIONS_MIN 16
#define MUTATIONS_MAX 2048
/* What one mutation may add to a seed. */
#define GROWTH_MAX 64

struct seed {
    char name[256];
    uint8_t *data;
    size_t size;
};

/* What runs now, for the signal handler: "seed 17", written whole before the target runs.
 */
static char running[320];

static void die(const char *thing)
{
    fprintf(stderr, "replay: %s: %s\n", thing, strerror(errno));
    exit(1);
}

static void *must(void *memory)
{
    if (!memory)
        die("memory");
    return memory;
}

static void name_input(int number)
{
    static const char before[] = "replay: the target ended on input: ";
    ssize_t written = write(STDERR_FILENO, before, sizeof before - 1);
    written += write(STDERR_FILENO, running, strlen(running));
    written += write(STDERR_FILENO, "\n", 1);
    (void)written;
    signal(number, SIG_DFL);
    raise(number);
}

/* xorshift64: the same sequence everywhere. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Below bound, which isn't 0. */
static size_t below(uint64_t *state, size_t bound)
{
    return (size_t)(next_random(state) >> 16) % bound;
}

static void overwrite(uint8_t *data, size_t size, uint64_t *state)
{
    /* Where counts and lengths change their encoding or their sign. */
    static const uint8_t edges[] = {0x00, 0x01, 0x7f, 0x80, 0xfc, 0xfd, 0xfe, 0xff};
    size_t at = below(state, size);
    size_t run = 1 + below(state, 4);
    for (size_t i = at; i < size && i < at + run; i++)
        data[i] = edges[below(state, sizeof edges)];
}

static size_t erase(uint8_t *data, size_t size, uint64_t *state)
{
    size_t at = below(state, size);
    size_t run = 1 + below(state, size - at);
    memmove(data + at, data + at + run, size - at - run);
    return size - run;
}

/* Repeat some bytes; data has room for GROWTH_MAX more. */
static size_t repeat(uint8_t *data, size_t size, uint64_t *state)
{
    size_t at = below(state, size);
    size_t rest = size - at;
    size_t run = 1 + below(state, rest < GROWTH_MAX ? rest : GROWTH_MAX);
    memmove(data + at + run, data + at, rest);
    return size + run;
}

/* Change data, of size bytes with room for GROWTH_MAX more, in one way; returns its new
 * size. */
static size_t mutate_once(uint8_t *data, size_t size, uint64_t *state)
{
    if (size == 0) {
        data[0] = (uint8_t)next_random(state);
        return 1;
    }
    switch (below(state, 6)) {
    case 0:
        data[below(state, size)] ^= (uint8_t)(1u << below(state, 8));
        return size;
    case 1:
        data[below(state, size)] = (uint8_t)next_random(state);
        return size;
    case 2:
        overwrite(data, size, state);
        return size;
    case 3:
        return below(state, size);
    case 4:
        return erase(data, size, state);
    default:
        return repeat(data, size, state);
    }
}

/* Run the target on a copy of exactly that size, so that a sanitizer sees one byte too
 * far. */
static void run_on(const uint8_t *data, size_t size)
{
    uint8_t *copy = must(malloc(size ? size : 1));
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

/* Number 0 is the seed itself; a mutation depends on the seed's bytes and its number
 * only. */
static void run_mutation(const struct seed *seed, size_t number)
{
    snprintf(running, sizeof running, "%s %zu", seed->name, number);
    if (number == 0) {
        run_on(seed->data, seed->size);
        return;
    }
    uint64_t state = UINT64_C(0x9e3779b97f4a7c15) * (number + 1);
    size_t steps = 1 + below(&state, 4);
    uint8_t *data = must(malloc(seed->size + steps * GROWTH_MAX));
    size_t size = seed->size;
    memcpy(data, seed->data, size);
    for (size_t i = 0; i < steps; i++)
        size = mutate_once(data, size, &state);
    run_on(data, size);
    free(data);
}

static size_t mutations(const struct seed *seed)
{
    size_t count = MUTATED_BYTES / (seed->size + 1);
    if (count < MUTATIONS_MIN)
        return MUTATIONS_MIN;
    return count < MUTATIONS_MAX ? count : MUTATIONS_MAX;
}

/* False if the entry isn't a file. */
static bool seed_read(struct seed *seed, const char *folder, const char *name)
{
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (length < 0 || (size_t)length >= sizeof path ||
        strlen(name) >= sizeof seed->name) {
        errno = ENAMETOOLONG;
        die(name);
    }
    struct stat status;
    if (stat(path, &status) != 0)
        die(path);
    if (!S_ISREG(status.st_mode))
        return false;
    if ((uintmax_t)status.st_size > SEED_MAX) {
        errno = EFBIG;
        die(path);
    }
    FILE *file = fopen(path, "rb");
    if (!file)
        die(path);
    strcpy(seed->name, name);
    seed->size = (size_t)status.st_size;
    seed->data = must(malloc(seed->size + 1));
    if (fread(seed->data, 1, seed->size, file) != seed->size)
        die(path);
    fclose(file);
    return true;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Run the seeds of a folder, or only the one called name and that only in one mutation.
 */
static size_t run_folder(const char *folder, const char *name, size_t number)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, by_name);
    if (count < 0 || count > SEEDS_MAX)
        die(folder);
    size_t inputs = 0;
    for (int i = 0; i < count; i++) {
        struct seed seed;
        bool wanted = !name || strcmp(name, entries[i]->d_name) == 0;
        if (wanted && seed_read(&seed, folder, entries[i]->d_name)) {
            size_t last = name ? number : mutations(&seed);
            for (size_t n = name ? number : 0; n <= last; n++, inputs++)
                run_mutation(&seed, n);
            free(seed.data);
        }
        free(entries[i]);
    }
    free(entries);
    return inputs;
}

int main(int argc, char **argv)
{
    if (argc != 2 && argc != 4) {
        fprintf(stderr, "usage: replay FOLDER [SEED NUMBER]\n");
        return 2;
    }
    signal(SIGABRT, name_input);
    signal(SIGSEGV, name_input);
    size_t number = argc == 4 ? (size_t)strtoumax(argv[3], NULL, 10) : 0;
    size_t inputs = run_folder(argv[1], argc == 4 ? argv[2] : NULL, number);
    if (inputs == 0) {
        fprintf(stderr, "replay: %s: no seed; add files to it\n", argv[1]);
        return 1;
    }
    snprintf(running, sizeof running, "(empty)");
    run_on((const uint8_t *)"", 0);
    printf("%zu inputs\n", inputs + 1);
    return 0;
}
