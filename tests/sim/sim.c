/* Seeded simulations of the light client and its ledger among peers.
 *
 *     sim SEED [COUNT] [-v]
 *
 * Runs COUNT seeds from SEED on; -v tells what happens. Ends with status 1 at the first
 * seed whose client gives a wrong sum, breaks an invariant or doesn't get to the tip. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/sim/world.h"

static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder)
        return;
    struct dirent *entry;
    while ((entry = readdir(folder))) {
        char below[512];
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] == '.')
            continue;
        if (entry->d_type == DT_DIR)
            remove_folder(below);
        else
            unlink(below);
    }
    closedir(folder);
    rmdir(path);
}

static char folder[256];

static void remove_at_exit(void)
{
    if (folder[0])
        remove_folder(folder);
}

static void make_folder(struct sim *sim)
{
    const char *top = getenv("TMPDIR");
    if (!top)
        top = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(folder, sizeof folder, "%s/sim-XXXXXX", top);
    if (!mkdtemp(folder)) {
        perror("sim: a folder for the ledger");
        exit(2);
    }
    snprintf(sim->folder, sizeof sim->folder, "%s", folder);
}

static void run_seed(uint64_t seed, bool verbose, struct sim *totals)
{
    struct sim *sim = sim_zeroed(1, sizeof *sim);
    sim->seed = seed;
    sim->verbose = verbose;
    random_init(&sim->random, seed * UINT64_C(0x9e3779b97f4a7c15) + 1);
    oracle_init(&sim->oracle, random_u64(&sim->random), SIM_SCRIPTS);
    make_folder(sim);
    scenario_run(sim);
    client_stop(sim);
    totals->steps += sim->steps;
    totals->checks += sim->checks;
    totals->applied += sim->applied;
    totals->crashes += sim->crashes;
    totals->restarts += sim->restarts;
    totals->reorganised += sim->reorganised;
    totals->defined += sim->defined;
    sim_drop_events(sim);
    for (size_t i = 0; i < sim->peer_count; i++) {
        peer_release(&sim->peers[i]);
        free(sim->lies[i]);
    }
    totals->disputed += sim->disputed;
    totals->retracted += sim->retracted;
    totals->let_go += sim->let_go;
    totals->kept_read += sim->kept_read;
    totals->kept_lost += sim->kept_lost;
    oracle_release(&sim->oracle);
    remove_folder(folder);
    folder[0] = '\0';
    free(sim->client);
    free(sim);
}

static _Noreturn void usage(void)
{
    fprintf(stderr, "usage: sim SEED [COUNT] [-v]\n");
    exit(2);
}

static uint64_t number(const char *text)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (!*text || *end)
        usage();
    return value;
}

int main(int argc, char **argv)
{
    bool verbose = argc > 2 && strcmp(argv[argc - 1], "-v") == 0;
    argc -= verbose;
    if (argc != 2 && argc != 3)
        usage();
    uint64_t first = number(argv[1]), count = argc == 3 ? number(argv[2]) : 1;
    struct sim totals = {0};
    atexit(remove_at_exit);
    for (uint64_t seed = first; seed < first + count; seed++)
        run_seed(seed, verbose, &totals);
    printf("sim: %llu seeds from %llu: %llu steps, %llu blocks applied, %llu taken back, "
           "%llu definitions, %llu restarts, %llu crashes, %llu steps under dispute, "
           "%llu retractions, %llu peers let go, %llu kept filters read, %llu of them "
           "damaged, %llu sums compared\n",
           (unsigned long long)count, (unsigned long long)first,
           (unsigned long long)totals.steps, (unsigned long long)totals.applied,
           (unsigned long long)totals.reorganised, (unsigned long long)totals.defined,
           (unsigned long long)totals.restarts, (unsigned long long)totals.crashes,
           (unsigned long long)totals.disputed, (unsigned long long)totals.retracted,
           (unsigned long long)totals.let_go, (unsigned long long)totals.kept_read,
           (unsigned long long)totals.kept_lost, (unsigned long long)totals.checks);
    return 0;
}
