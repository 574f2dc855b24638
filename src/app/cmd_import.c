#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/command.h"
#include "app/datadir.h"
#include "app/import.h"
#include "app/interrupt.h"
#include "app/output.h"
#include "app/reading.h"
#include "io/clock.h"
#include "io/progress.h"

struct progress {
    const char *what;
    struct mono_time began;
    uint32_t first;
};

static bool go_on(void *context, const char *what, uint32_t done, uint32_t total)
{
    struct progress *progress = context;
    if (progress->what != what)
        *progress = (struct progress){what, now_mono(), done};
    int64_t passed = mono_since(now_mono(), progress->began);
    char line[128];
    snprintf(line, sizeof(line), "%s: %" PRIu32 " of %" PRIu32 ", %" PRIu64 " a second",
             what, done, total,
             passed > 0 ? (uint64_t)(done - progress->first) * 1000 / (uint64_t)passed
                        : 0);
    progress_show(line);
    return !interrupt_asked();
}

static void print_outcome(const struct import_outcome *outcome)
{
    char hash[ID_TEXT_MAX], time[TIME_TEXT_MAX];
    block_hash_text(hash, &outcome->tip);
    time_format_utc(time, outcome->time.s);
    if (outcome->from > 0)
        printf("imported headers %" PRIu32 " to %" PRIu32 "\n", outcome->from,
               outcome->height);
    else
        printf("the ledger has every header of the file already\n");
    printf("height %" PRIu32 " is %s of %s\n", outcome->height, hash, time);
    if (outcome->filter_count > outcome->filter_from)
        printf("imported filter headers %" PRIu32 " to %" PRIu32
               ", which peers have to agree with\n",
               outcome->filter_from, outcome->filter_count - 1);
}

static void output_outcome(const struct import_outcome *outcome)
{
    char hash[ID_TEXT_MAX];
    block_hash_text(hash, &outcome->tip);
    output_json(json_pack(
        "{s:I,s:I,s:s,s:I,s:I,s:I}", "headers_new",
        (json_int_t)(outcome->from > 0 ? outcome->height - outcome->from + 1 : 0),
        "height", (json_int_t)outcome->height, "hash", hash, "time",
        (json_int_t)outcome->time.s, "filter_headers_new",
        (json_int_t)(outcome->filter_count - outcome->filter_from), "filter_headers",
        (json_int_t)outcome->filter_count));
}

static enum exit_status import_into(const struct import *import,
                                    const struct invocation *invocation,
                                    struct store *store)
{
    struct import_outcome outcome;
    enum store_result result;
    struct error error;
    enum import_result done = import_headers(import, store, &outcome, &result, &error);
    progress_stop();
    switch (done) {
    case IMPORT_DONE:
        if (invocation->json)
            output_outcome(&outcome);
        else
            print_outcome(&outcome);
        return EXIT_DONE;
    case IMPORT_REFUSED:
        complain("%s", error.text);
        return EXIT_FAILED;
    case IMPORT_STOPPED:
        complain("interrupted at height %" PRIu32 "; run it again to go on from there",
                 outcome.height);
        return EXIT_FAILED;
    case IMPORT_FAILED:
        break;
    }
    return reading_result(result, &error);
}

static enum exit_status import_sources(struct import *import,
                                       const struct invocation *invocation)
{
    struct error error;
    struct store *store;
    char *path = datadir_path(invocation->config, DATADIR_LEDGER);
    enum store_result result =
        store_open(&store, path, STORE_WRITE, invocation->config->network, &error);
    free(path);
    if (result != STORE_OK) {
        progress_stop();
        return reading_result(result, &error);
    }
    store_check_readers(store);
    enum exit_status status = import_into(import, invocation, store);
    store_close(store);
    return status;
}

static enum exit_status open_sources(const struct invocation *invocation)
{
    const struct config *config = invocation->config;
    struct header_source headers, filter_headers = {.fd = -1};
    struct progress progress = {0};
    struct import import = {.config = config,
                            .headers = &headers,
                            .now = now_wall(),
                            .go_on = go_on,
                            .context = &progress};
    struct error error;
    enum exit_status status = EXIT_FAILED;
    bool good = header_source_open(&headers, HEADER_FILE_BLOCKS, invocation->arguments[0],
                                   config->datadir, config->network, import.now, &error);
    if (good && invocation->filter_headers != NULL) {
        import.filter_headers = &filter_headers;
        good = header_source_open(&filter_headers, HEADER_FILE_FILTERS,
                                  invocation->filter_headers, config->datadir,
                                  config->network, import.now, &error);
    }
    if (good) {
        status = import_sources(&import, invocation);
    } else {
        progress_stop();
        complain("%s", error.text);
    }
    header_source_close(&headers);
    header_source_close(&filter_headers);
    return status;
}

enum exit_status cmd_import(const struct invocation *invocation)
{
    struct lock lock = {-1};
    struct error error;
    enum exit_status status = datadir_take(invocation->config, &lock, &error);
    if (status != EXIT_DONE) {
        complain("%s", error.text);
        return status;
    }
    interrupt_catch();
    (void)progress_start();
    status = open_sources(invocation);
    lock_release(&lock);
    return status;
}
