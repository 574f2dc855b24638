#include <stdlib.h>
#include <string.h>

#include "app/start.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/peer_rows.h"
#include "store/whole_heights.h"

/* The newest retarget boundary that lies HEADER_WINDOW or more below the newest header.
 */
static uint32_t root_height(uint32_t newest)
{
    if (newest < HEADER_WINDOW)
        return 0;
    return (newest - HEADER_WINDOW) / RETARGET_INTERVAL * RETARGET_INTERVAL;
}

static enum store_result read_window(struct start *out, struct store_txn *txn,
                                     uint32_t newest, struct error *error)
{
    uint32_t root = root_height(newest);
    out->spv.root_height = root;
    out->spv.row_count = newest - root + 1;
    out->rows = mem_zalloc(out->spv.row_count, sizeof *out->rows);
    out->spv.rows = out->rows;
    enum store_result result = chain_work_at(txn, &out->spv.root_work, root, error);
    if (result != STORE_OK)
        return result;
    return chain_rows_read(txn, out->rows, root, out->spv.row_count, error);
}

static enum store_result read_sparse(struct start *out, struct store_txn *txn,
                                     struct error *error)
{
    size_t count = out->spv.root_height / RETARGET_INTERVAL;
    out->sparse = mem_zalloc(count, sizeof *out->sparse);
    out->spv.sparse = out->sparse;
    out->spv.sparse_count = count;
    for (size_t i = 0; i < count; i++) {
        struct chain_row row;
        enum store_result result =
            chain_rows_read(txn, &row, (uint32_t)i * RETARGET_INTERVAL, 1, error);
        if (result != STORE_OK)
            return result;
        out->sparse[i] = row.hash;
    }
    return STORE_OK;
}

static enum store_result read_checkpoints(struct start *out, struct store_txn *txn,
                                          uint32_t newest, struct error *error)
{
    size_t count = newest / CFCHECKPT_INTERVAL + 1;
    out->checkpoint_hashes = mem_zalloc(count, sizeof *out->checkpoint_hashes);
    out->checkpoint_filter_headers =
        mem_zalloc(count, sizeof *out->checkpoint_filter_headers);
    out->spv.checkpoint_hashes = out->checkpoint_hashes;
    out->spv.checkpoint_filter_headers = out->checkpoint_filter_headers;
    for (size_t i = 0; i < count; i++) {
        uint32_t height = (uint32_t)i * CFCHECKPT_INTERVAL;
        struct chain_row row;
        enum store_result result = chain_rows_read(txn, &row, height, 1, error);
        if (result != STORE_OK)
            return result;
        if (height <= out->spv.root_height)
            out->checkpoint_hashes[out->spv.checkpoint_hash_count++] = row.hash;
        if (row.has_filter_header)
            out->checkpoint_filter_headers[out->spv.checkpoint_filter_header_count++] =
                row.filter_header;
    }
    return STORE_OK;
}

static enum store_result read_peers(struct start *out, struct store_txn *txn,
                                    struct error *error)
{
    enum store_result result =
        peer_rows_book(txn, &out->book, &out->spv.book_count, error);
    if (result == STORE_OK)
        result = peer_rows_bans(txn, &out->bans, &out->spv.ban_count, error);
    out->spv.book = out->book;
    out->spv.bans = out->bans;
    return result;
}

static enum store_result read_all(struct start *out, struct store_txn *txn,
                                  struct error *error)
{
    struct chain_extent extent;
    enum store_result result = chain_extent(txn, &extent, error);
    if (result == STORE_OK)
        result = read_window(out, txn, extent.header_height, error);
    if (result == STORE_OK)
        result = read_sparse(out, txn, error);
    if (result == STORE_OK)
        result = read_checkpoints(out, txn, extent.header_height, error);
    if (result == STORE_OK)
        result = read_peers(out, txn, error);
    if (result == STORE_OK)
        result = whole_heights_read(txn, &out->whole, &out->spv.whole_count, error);
    out->spv.whole = out->whole;
    out->spv.filter_header_count = extent.filter_header_count;
    if (result != STORE_OK || !extent.filter_header_count)
        return result;
    struct chain_row row;
    result = chain_rows_read(txn, &row, extent.filter_header_count - 1, 1, error);
    out->spv.last_filter_header = row.filter_header;
    return result;
}

struct peers_job {
    struct peer_rows_lost lost;
    uint64_t key[2];
    const uint64_t *fresh;
};

static enum store_result prepare_peers(void *context, struct store_txn *txn,
                                       struct error *error)
{
    struct peers_job *job = context;
    enum store_result result = peer_rows_mend(txn, &job->lost, error);
    if (result != STORE_OK)
        return result;
    return peer_rows_key(txn, job->key, job->fresh, error);
}

static void warn_of(const struct peer_rows_lost *lost)
{
    if (lost->addresses)
        log_line(LOG_STORE, LOG_WARNING,
                 "damaged rows of the address book forgotten: %zu; other addresses are "
                 "found",
                 lost->addresses);
    if (lost->bans)
        log_line(LOG_STORE, LOG_WARNING,
                 "damaged rows of the bans forgotten: %zu; who was banned by them is "
                 "dialed again",
                 lost->bans);
}

enum store_result start_read(struct start *out, struct store *store,
                             struct ledger *ledger, const uint64_t book_key[static 2],
                             struct error *error)
{
    struct peers_job job = {.fresh = book_key};
    memset(out, 0, sizeof *out);
    struct store_txn *txn;
    enum store_result result = store_update(store, prepare_peers, &job, error);
    if (result == STORE_OK)
        warn_of(&job.lost);
    if (result == STORE_OK)
        result = store_begin(store, &txn, STORE_READ, error);
    if (result != STORE_OK)
        return result;
    memcpy(out->spv.book_key, job.key, sizeof job.key);
    result = read_all(out, txn, error);
    store_abort(txn);
    ledger_cohorts(ledger, &out->spv.cohorts);
    out->spv.birth = ledger_birth(ledger);
    return result;
}

void start_release(struct start *start)
{
    free(start->rows);
    free(start->sparse);
    free(start->checkpoint_hashes);
    free(start->checkpoint_filter_headers);
    free(start->book);
    free(start->bans);
    free(start->whole);
    height_set_release(&start->kept);
    cohort_table_release(&start->spv.cohorts);
    memset(start, 0, sizeof *start);
}
