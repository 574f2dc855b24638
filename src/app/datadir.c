#include "app/datadir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/file.h"

char *datadir_path(const struct config *config, const char *name)
{
    size_t size = strlen(config->datadir) + strlen(name) + 2;
    char *path = mem_alloc(size);
    snprintf(path, size, "%s/%s", config->datadir, name);
    return path;
}

enum exit_status datadir_take(const struct config *config, struct lock *lock,
                              struct error *error)
{
    if (!directory_make(config->datadir, 0750, error))
        return EXIT_FAILED;
    char *path = datadir_path(config, DATADIR_LOCK);
    pid_t holder = 0;
    enum lock_state state = lock_take(lock, &holder, path, error);
    free(path);
    switch (state) {
    case LOCK_FREE:
        return EXIT_DONE;
    case LOCK_HELD:
        error_set(
            error,
            "%s: another watcher, process %ld, holds it; stop that one or give this "
            "one a datadir of its own",
            config->datadir, (long)holder);
        return EXIT_BUSY;
    case LOCK_FAILED:
        break;
    }
    return EXIT_FAILED;
}

enum lock_state datadir_watcher(const struct config *config, pid_t *pid,
                                struct error *error)
{
    char *path = datadir_path(config, DATADIR_LOCK);
    enum lock_state state = lock_test(pid, path, error);
    free(path);
    return state;
}
