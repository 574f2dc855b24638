/* Filters that the client keeps on the disk, which now and then loses some. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/sim/client_impl.h"

#define DAMAGED_ONCE_IN 3

static void damage_file(struct sim *sim, int folder, const char *name)
{
    struct stat status;
    int fd = openat(folder, name, O_RDWR);
    if (fd < 0 || fstat(fd, &status) != 0)
        sim_fail(sim, "a file of kept filters isn't there");
    off_t at = (off_t)sim_below(sim, (uint64_t)status.st_size + 1);
    bool done = true;
    if (sim_once_in(sim, 3)) {
        done = ftruncate(fd, at) == 0;
    } else {
        uint8_t bytes[64];
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)sim_below(sim, 256);
        done = pwrite(fd, bytes, sizeof bytes, at) == sizeof bytes;
    }
    if (!done)
        sim_fail(sim, "a file of kept filters can't be damaged");
    close(fd);
}

static void damage(struct sim *sim, const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder && (entry = readdir(folder)))
        if (entry->d_name[0] != '.' && sim_once_in(sim, 2))
            damage_file(sim, dirfd(folder), entry->d_name);
    if (folder)
        closedir(folder);
}

void client_open_kept(struct sim *sim, struct start *start)
{
    char path[sizeof sim->folder + 16];
    struct error error;
    if (!sim->keeps_filters)
        return;
    snprintf(path, sizeof path, "%s/filters", sim->folder);
    if (sim_once_in(sim, DAMAGED_ONCE_IN))
        damage(sim, path);
    switch (kept_filters_open(&sim->client->kept, &start->kept, path,
                              sim->client->network, &error)) {
    case KEPT_OPENED:
        break;
    case KEPT_ANEW:
        sim_say(sim, "%s", error.text);
        break;
    case KEPT_FAILED:
        sim_fail(sim, "%s", error.text);
    }
    start->spv.kept = &start->kept;
}

bool client_read_kept(struct sim *sim, struct spv_effect *effect, struct spv_input *input)
{
    if (!effect->match.kept)
        return true;
    if (!sim->client->kept)
        sim_fail(sim, "a kept filter is wanted where none are kept");
    sim->kept_read++;
    switch (kept_filters_get(sim->client->kept, &effect->match.filter,
                             &effect->match.filter_len, effect->match.height,
                             &effect->match.block)) {
    case KEPT_FOUND:
        return true;
    case KEPT_NONE:
        input->matched.verdict = MATCH_ABSENT;
        break;
    case KEPT_DAMAGED:
        sim->kept_lost++;
        input->matched.verdict = MATCH_FALSE;
        break;
    }
    return false;
}

void client_keep(struct sim *sim, const struct spv_effect *effect)
{
    const struct bytes filter = {effect->match.filter, effect->match.filter_len};
    struct error error;
    if (effect->match.keep_on_disk != (sim->keeps_filters && !effect->match.kept))
        sim_fail(sim, "a filter of height %u is to be kept, or not",
                 effect->match.height);
    if (effect->match.keep_on_disk &&
        !kept_filters_put(sim->client->kept, effect->match.height, &effect->match.block,
                          filter, &error))
        sim_fail(sim, "%s", error.text);
}
