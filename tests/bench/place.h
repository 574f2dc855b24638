/* Where a bench has its files, and its end when something fails. */
#ifndef TESTS_BENCH_PLACE_H
#define TESTS_BENCH_PLACE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void require(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

#define PLACE_MAX 300

/* A new folder in `folder` (NULL: $TMPDIR, else /tmp); rmdir() it. */
static inline void place_make(char out[static PLACE_MAX], const char *folder)
{
    const char *base = folder != NULL ? folder : getenv("TMPDIR");
    snprintf(out, PLACE_MAX, "%s/bench-XXXXXX", base != NULL ? base : "/tmp");
    require(mkdtemp(out) != NULL, "no folder can be made");
}

/* Delete a ledger that is closed; nothing happens if there is none. */
static inline void place_delete_ledger(const char *path)
{
    static const char *const names[] = {"data.mdb", "lock.mdb"};
    for (size_t i = 0; i < 2; i++) {
        char file[PLACE_MAX + 32];
        snprintf(file, sizeof(file), "%s/%s", path, names[i]);
        (void)unlink(file);
    }
    (void)rmdir(path);
}

#endif
