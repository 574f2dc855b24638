#include "app/import.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "spv/header_import.h"
#include "store/chain_rows.h"

#define PIECE HEADER_IMPORT_PIECE

struct work {
    const struct import *import;
    struct store *store;
    struct header_import chain;
    struct checkpoint *pins; /* the network's and the configuration's */
    size_t pin_count;
    struct chain_extent extent; /* of the ledger, before */
    uint32_t filter_total;      /* filter headers that have a header */
    /* A piece: as in the file, and decoded. */
    uint8_t *raw;
    struct block_header *headers;
    struct filter_header *filter_headers;
    uint32_t from;
    size_t count;
    enum store_result result;
    struct error *error;
};

/* ---- the files by themselves ---- */

static enum import_result judge(struct work *work)
{
    const struct import *import = work->import;
    const struct header_source *source = import->headers;
    uint32_t total = source->layout.count;
    for (uint32_t from = 0; from < total; from += PIECE) {
        size_t count = total - from < PIECE ? total - from : PIECE;
        if (!import->go_on(import->context, "checking headers", from, total))
            return IMPORT_STOPPED;
        if (!header_source_read(source, work->raw, from, count, work->error))
            return IMPORT_REFUSED;
        if (!header_import_judge(&work->chain, work->raw, count, import->now,
                                 work->error)) {
            error_prefix(work->error, "%s", source->name);
            return IMPORT_REFUSED;
        }
    }
    if (header_import_enough(&work->chain, work->error))
        return IMPORT_DONE;
    error_prefix(work->error, "%s", source->name);
    return IMPORT_REFUSED;
}

static enum import_result check_pinned(struct work *work,
                                       const struct filter_checkpoint *pins, size_t count)
{
    const struct header_source *source = work->import->filter_headers;
    for (size_t i = 0; i < count; i++) {
        struct filter_header header;
        uint32_t height = pins[i].height;
        if (height >= source->layout.count)
            continue;
        if (!header_source_read(source, header.b, height, 1, work->error))
            return IMPORT_REFUSED;
        if (filter_header_equal(&header, &pins[i].header))
            continue;
        error_set(work->error,
                  "%s: record %" PRIu32 ", height %" PRIu32
                  ": it isn't the pinned filter header; the file is of another chain, or "
                  "lies",
                  source->name, height + 1, height);
        return IMPORT_REFUSED;
    }
    return IMPORT_DONE;
}

static enum import_result judge_filter_headers(struct work *work)
{
    const struct config *config = work->import->config;
    if (work->import->filter_headers == NULL)
        return IMPORT_DONE;
    uint32_t most = work->import->headers->layout.count;
    work->filter_total = work->import->filter_headers->layout.count;
    if (work->filter_total > most)
        work->filter_total = most;
    enum import_result result = check_pinned(work, config->network->filter_checkpoints,
                                             config->network->filter_checkpoint_count);
    if (result != IMPORT_DONE)
        return result;
    return check_pinned(work, config->filter_checkpoints,
                        config->filter_checkpoint_count);
}

/* ---- against the ledger ---- */

static enum import_result store_failed(struct work *work, enum store_result result)
{
    work->result = result;
    return IMPORT_FAILED;
}

/* Whether the ledger and the file have the same block there. */
static enum import_result compare_at(struct work *work, bool *same, struct store_txn *txn,
                                     uint32_t height)
{
    struct chain_row row;
    uint8_t record[BLOCK_HEADER_SIZE];
    struct block_hash hash;
    enum store_result result = chain_rows_read(txn, &row, height, 1, work->error);
    if (result != STORE_OK)
        return store_failed(work, result);
    if (!header_source_read(work->import->headers, record, height, 1, work->error))
        return IMPORT_REFUSED;
    block_header_hash_bytes(&hash, record);
    *same = block_hash_equal(&hash, &row.hash);
    return IMPORT_DONE;
}

/* The lowest height at which they differ; at `high` they do, at 0 they don't. */
static enum import_result refuse_fork(struct work *work, struct store_txn *txn,
                                      uint32_t high)
{
    uint32_t low = 0;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        bool same;
        enum import_result result = compare_at(work, &same, txn, middle);
        if (result != IMPORT_DONE)
            return result;
        if (same)
            low = middle;
        else
            high = middle;
    }
    error_set(
        work->error,
        "%s: the ledger follows another chain from height %" PRIu32 " on, to %" PRIu32
        "; nothing was changed. Start the watcher, whose peers show which chain has "
        "more work, or import into another datadir",
        work->import->headers->name, high, work->extent.header_height);
    return IMPORT_REFUSED;
}

static enum import_result compare_headers(struct work *work, struct store_txn *txn)
{
    uint32_t stored = work->extent.header_height;
    uint32_t tip = header_import_height(&work->chain);
    uint32_t common = stored < tip ? stored : tip;
    bool same;
    enum import_result result = compare_at(work, &same, txn, common);
    if (result != IMPORT_DONE)
        return result;
    if (!same)
        return refuse_fork(work, txn, common);
    if (stored <= tip)
        return IMPORT_DONE;
    error_set(work->error,
              "%s: it ends at height %" PRIu32
              "; the ledger has the same chain to %" PRIu32
              " already. Nothing was changed, and nothing is to be done",
              work->import->headers->name, tip, stored);
    return IMPORT_REFUSED;
}

static enum import_result compare_filter_headers(struct work *work, struct store_txn *txn)
{
    uint32_t stored = work->extent.filter_header_count;
    uint32_t common = stored < work->filter_total ? stored : work->filter_total;
    struct chain_row row;
    struct filter_header header;
    if (common == 0)
        return IMPORT_DONE;
    enum store_result result = chain_rows_read(txn, &row, common - 1, 1, work->error);
    if (result != STORE_OK)
        return store_failed(work, result);
    if (!header_source_read(work->import->filter_headers, header.b, common - 1, 1,
                            work->error))
        return IMPORT_REFUSED;
    if (filter_header_equal(&header, &row.filter_header))
        return IMPORT_DONE;
    error_set(work->error,
              "%s: record %" PRIu32 ", height %" PRIu32
              ": it isn't the filter header that the ledger has; nothing was changed. "
              "Start the watcher: its peers show which is right",
              work->import->filter_headers->name, common, common - 1);
    return IMPORT_REFUSED;
}

static enum import_result compare(struct work *work)
{
    struct store_txn *txn;
    enum store_result result = store_begin(work->store, &txn, STORE_READ, work->error);
    if (result == STORE_OK)
        result = chain_extent(txn, &work->extent, work->error);
    enum import_result compared = IMPORT_DONE;
    if (result != STORE_OK)
        compared = store_failed(work, result);
    if (compared == IMPORT_DONE)
        compared = compare_headers(work, txn);
    if (compared == IMPORT_DONE)
        compared = compare_filter_headers(work, txn);
    store_abort(txn);
    return compared;
}

/* ---- storing ---- */

static enum store_result add_headers(void *context, struct store_txn *txn,
                                     struct error *error)
{
    const struct work *work = context;
    return chain_rows_replace(txn, work->from, work->headers, work->count, error);
}

static enum store_result add_filter_headers(void *context, struct store_txn *txn,
                                            struct error *error)
{
    const struct work *work = context;
    return chain_rows_add_filter_headers(txn, work->from, work->filter_headers,
                                         work->count, error);
}

static enum import_result store_headers(struct work *work, struct import_outcome *outcome)
{
    const struct import *import = work->import;
    uint32_t tip = header_import_height(&work->chain);
    outcome->height = work->extent.header_height;
    for (work->from = work->extent.header_height + 1; work->from <= tip;
         work->from += (uint32_t)work->count) {
        work->count = header_import_piece(&work->chain, work->from);
        if (!import->go_on(import->context, "storing headers", work->from, tip))
            return IMPORT_STOPPED;
        if (!header_source_read(import->headers, work->raw, work->from, work->count,
                                work->error))
            return IMPORT_REFUSED;
        if (!header_import_take(&work->chain, work->headers, work->raw, work->from,
                                work->error)) {
            error_prefix(work->error, "%s", import->headers->name);
            return IMPORT_REFUSED;
        }
        enum store_result result =
            store_update(work->store, add_headers, work, work->error);
        if (result != STORE_OK)
            return store_failed(work, result);
        outcome->height = work->from + (uint32_t)work->count - 1;
        if (outcome->from == 0)
            outcome->from = work->from;
    }
    return IMPORT_DONE;
}

static enum import_result store_filter_headers(struct work *work,
                                               struct import_outcome *outcome)
{
    const struct import *import = work->import;
    outcome->filter_from = outcome->filter_count = work->extent.filter_header_count;
    while (outcome->filter_count < work->filter_total) {
        uint32_t left = work->filter_total - outcome->filter_count;
        work->from = outcome->filter_count;
        work->count = left < PIECE ? left : PIECE;
        if (!import->go_on(import->context, "storing filter headers", work->from,
                           work->filter_total))
            return IMPORT_STOPPED;
        if (!header_source_read(import->filter_headers, work->filter_headers->b,
                                work->from, work->count, work->error))
            return IMPORT_REFUSED;
        enum store_result result =
            store_update(work->store, add_filter_headers, work, work->error);
        if (result != STORE_OK)
            return store_failed(work, result);
        outcome->filter_count += (uint32_t)work->count;
    }
    return IMPORT_DONE;
}

/* ---- all of it ---- */

static void work_init(struct work *work)
{
    const struct config *config = work->import->config;
    const struct network *network = config->network;
    work->pin_count = network->checkpoint_count + config->checkpoint_count;
    work->pins = mem_zalloc(work->pin_count, sizeof(*work->pins));
    if (network->checkpoint_count > 0)
        memcpy(work->pins, network->checkpoints,
               network->checkpoint_count * sizeof(*work->pins));
    if (config->checkpoint_count > 0)
        memcpy(work->pins + network->checkpoint_count, config->checkpoints,
               config->checkpoint_count * sizeof(*work->pins));
    header_import_init(&work->chain, network, work->pins, work->pin_count);
    work->raw = mem_zalloc(PIECE, BLOCK_HEADER_SIZE);
    work->headers = mem_zalloc(PIECE, sizeof(*work->headers));
    work->filter_headers = mem_zalloc(PIECE, sizeof(*work->filter_headers));
}

static void work_release(struct work *work)
{
    header_import_release(&work->chain);
    free(work->pins);
    free(work->raw);
    free(work->headers);
    free(work->filter_headers);
}

enum import_result import_headers(const struct import *import, struct store *store,
                                  struct import_outcome *outcome,
                                  enum store_result *result, struct error *error)
{
    struct work work = {.import = import, .store = store, .error = error};
    *outcome = (struct import_outcome){0};
    work_init(&work);
    enum import_result done = judge(&work);
    if (done == IMPORT_DONE)
        done = judge_filter_headers(&work);
    if (done == IMPORT_DONE)
        done = compare(&work);
    if (done == IMPORT_DONE)
        done = store_headers(&work, outcome);
    if (done == IMPORT_DONE)
        done = store_filter_headers(&work, outcome);
    outcome->tip = *header_import_tip(&work.chain);
    outcome->time = work.chain.stream.past.time;
    *result = work.result;
    work_release(&work);
    return done;
}
