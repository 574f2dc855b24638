#include "app/reading.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/datadir.h"
#include "app/nearest.h"
#include "app/output.h"
#include "base/mem.h"

enum exit_status exit_status_of(enum store_result result)
{
    switch (result) {
    case STORE_OK:
        return EXIT_DONE;
    case STORE_NEWER:
        return EXIT_NEWER_SCHEMA;
    case STORE_OTHER_NETWORK:
        return EXIT_USAGE;
    case STORE_NOT_FOUND:
    case STORE_FULL:
    case STORE_MISSING:
    case STORE_READERS_FULL:
    case STORE_DENIED:
    case STORE_INVALID_BLOCK:
    case STORE_AGAIN:
    case STORE_STALE:
    case STORE_FAILED:
        break;
    }
    return EXIT_FAILED;
}

enum exit_status reading_result(enum store_result result, const struct error *error)
{
    if (result != STORE_OK)
        complain("%s", error->text);
    return exit_status_of(result);
}

enum exit_status reading_begin(struct reading *reading, const struct config *config)
{
    struct error error = {.text = "ledger: can't be read"};
    char *path = datadir_path(config, DATADIR_LEDGER);
    *reading = (struct reading){0};
    enum store_result result =
        store_open(&reading->store, path, STORE_READ, config->network, &error);
    if (result == STORE_OK)
        result = store_begin(reading->store, &reading->txn, STORE_READ, &error);
    free(path);
    return reading_result(result, &error);
}

void reading_end(struct reading *reading)
{
    store_abort(reading->txn);
    store_close(reading->store);
    *reading = (struct reading){0};
}

/* What to say of a feed that isn't in the ledger. */
static void complain_feed(const struct feed_row *feeds, size_t count, const char *name)
{
    const char **names = mem_zalloc(count, sizeof(*names));
    for (size_t i = 0; i < count; i++)
        names[i] = feeds[i].name;
    const char *nearest = nearest_word(name, names, count);
    if (nearest != NULL)
        complain("feed '%.64s': there is none of this name; the nearest is '%s'", name,
                 nearest);
    else
        complain("feed '%.64s': the ledger has no feeds yet; start the watcher with "
                 "'reservewatch run'",
                 name);
    free(names);
}

enum exit_status reading_feed(struct reading *reading, struct feed_row *out,
                              const char *name)
{
    struct error error;
    enum store_result result = ledger_feed(reading->txn, out, name, &error);
    if (result != STORE_NOT_FOUND)
        return reading_result(result, &error);
    struct feed_row *feeds;
    size_t count;
    result = ledger_feeds(reading->txn, &feeds, &count, &error);
    if (result != STORE_OK)
        return reading_result(result, &error);
    complain_feed(feeds, count, name);
    free(feeds);
    return EXIT_USAGE;
}
