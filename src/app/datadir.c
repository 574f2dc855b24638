#include "app/datadir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

char *datadir_path(const struct config *config, const char *name)
{
    size_t size = strlen(config->datadir) + strlen(name) + 2;
    char *path = mem_alloc(size);
    snprintf(path, size, "%s/%s", config->datadir, name);
    return path;
}

enum lock_state datadir_watcher(const struct config *config, pid_t *pid,
                                struct error *error)
{
    char *path = datadir_path(config, DATADIR_LOCK);
    enum lock_state state = lock_test(pid, path, error);
    free(path);
    return state;
}
