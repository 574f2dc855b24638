#include "app/lists.h"

#include <stdlib.h>

#include "base/mem.h"
#include "io/entropy.h"
#include "io/file.h"

/* Read one list; an empty or faulty one leaves it empty. */
static bool read_list(struct watch_list *out, struct faults *faults,
                      const struct config *config, const struct config_list *list,
                      const uint64_t seed[static 2])
{
    struct watch_list_errors errors;
    struct error error;
    char *text;
    size_t len;
    *out = (struct watch_list){0};
    if (!file_read(&text, &len, list->file, WATCH_LIST_SIZE_MAX, &error))
        return faults_add(faults, "%s: [list %s]: %s", list->place, list->name,
                          error.text);
    bool good =
        watch_list_parse(out, &errors, config->network, list->file, text, len, seed);
    free(text);
    if (good && out->count == 0)
        return faults_add(faults,
                          "%s:1:1: [list %s] has no address; add one or remove the list",
                          list->file, list->name);
    if (good)
        return true;
    for (size_t i = 0; i < errors.count; i++)
        faults_add(faults, "%s", errors.items[i].text);
    if (errors.more > 0)
        faults_add(faults, "%s: and %zu more", list->file, errors.more);
    return false;
}

static bool build_sets(struct lists *out, struct faults *faults,
                       const struct config *config, const struct feed *feeds,
                       size_t feed_count)
{
    struct error error;
    struct feed_list *lists = mem_zalloc(out->count, sizeof(*lists));
    for (size_t i = 0; i < out->count; i++) {
        const struct config_list *list = &config->lists[i];
        lists[i] = (struct feed_list){list->name, list->custodian, &out->items[i]};
    }
    bool good = feed_sets_build(&out->sets, feeds, feed_count, lists, out->count,
                                config->network, &error);
    free(lists);
    return good || faults_add(faults, "%s: %s", config->path, error.text);
}

bool lists_read(struct lists *out, struct faults *faults, const struct config *config)
{
    bool good = true;
    uint64_t seed[2];
    entropy_fill(seed, sizeof(seed));
    *out = (struct lists){.items = mem_zalloc(config->list_count, sizeof(*out->items)),
                          .count = config->list_count};
    for (size_t i = 0; i < out->count; i++) {
        const struct config_list *list = &config->lists[i];
        if (list->file == NULL || !read_list(&out->items[i], faults, config, list, seed))
            good = false;
    }
    if (!good)
        lists_release(out);
    return good;
}

bool lists_load(struct lists *out, struct faults *faults, const struct config *config,
                const struct feed *feeds, size_t feed_count)
{
    bool good = lists_read(out, faults, config);
    if (config->absent)
        good = faults_add(faults,
                          "%s: there is no such file; write it, or name another one "
                          "with --conf",
                          config->path);
    else if (feed_count == 0)
        good = faults_add(faults,
                          "%s: there is no [feed NAME]; add one, with lists= naming the "
                          "lists that it sums",
                          config->path);
    good = good && build_sets(out, faults, config, feeds, feed_count);
    if (!good)
        lists_release(out);
    return good;
}

void lists_release(struct lists *lists)
{
    feed_sets_release(&lists->sets);
    for (size_t i = 0; i < lists->count; i++)
        watch_list_release(&lists->items[i]);
    free(lists->items);
    *lists = (struct lists){0};
}
