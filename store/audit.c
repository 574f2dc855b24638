#include "store/audit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "spv/pow.h"
#include "store/auditor.h"
#include "store/statement_record.h"

void audit_fault(struct auditor *auditor, const char *format, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    if (auditor->out->fault_count < AUDIT_FAULTS_MAX)
        auditor->out->faults[auditor->out->fault_count] = mem_strdup(text);
    auditor->out->fault_count++;
}

enum store_result audit_progress(struct auditor *auditor, const char *what, uint64_t done)
{
    if (auditor->progress == NULL || done % 10000 != 0 ||
        auditor->progress(auditor->context, what, done))
        return STORE_OK;
    error_set(auditor->error, "audit: stopped while looking at %s", what);
    return STORE_FAILED;
}

/* ---- headers ---- */

struct header_check {
    struct block_hash hash; /* of the header before */
    struct u256 work;       /* up to the header before */
};

static enum store_result check_work(struct auditor *auditor, uint32_t height,
                                    const struct u256 *work)
{
    struct u256 stored;
    enum store_result result =
        chain_work_at(auditor->txn, &stored, height, auditor->error);
    if (result == STORE_OK && u256_compare(&stored, work) != 0)
        audit_fault(auditor, "the chain's work at height %u is wrong", height);
    if (result == STORE_NOT_FOUND || result == STORE_FAILED)
        audit_fault(auditor, "the chain's work at height %u is missing", height);
    return STORE_OK;
}

static enum store_result check_header(struct auditor *auditor, struct header_check *check,
                                      uint32_t height, const struct walk *walk)
{
    struct block_header header;
    struct u256 work;
    uint32_t key;
    if (!key_u32_decode(&key, walk->key) || key != height ||
        walk->value.len != BLOCK_HEADER_SIZE) {
        audit_fault(auditor, "the row of header %u is missing or malformed", height);
        return STORE_NOT_FOUND;
    }
    block_header_decode(&header, walk->value.data);
    if (height > 0 && !block_hash_equal(&header.previous, &check->hash))
        audit_fault(auditor, "header %u doesn't build on header %u", height, height - 1);
    block_header_hash_bytes(&check->hash, walk->value.data);
    if (height == 0 &&
        !block_hash_equal(&check->hash, &auditor->txn->store->network->genesis_hash))
        audit_fault(auditor, "header 0 isn't the network's genesis");
    work = pow_work(header.bits);
    check->work = u256_add(&check->work, &work);
    if (height % RETARGET_INTERVAL == 0)
        return check_work(auditor, height, &check->work);
    return STORE_OK;
}

static enum store_result check_filter_headers(struct auditor *auditor)
{
    struct walk walk;
    uint32_t height = 0, key;
    enum store_result result =
        walk_open(&walk, auditor->txn, TABLE_FILTER_HEADERS, auditor->error);
    if (result == STORE_OK)
        result = walk_first(&walk, auditor->error);
    for (; result == STORE_OK; result = walk_next(&walk, auditor->error), height++) {
        if (key_u32_decode(&key, walk.key) && key == height && walk.value.len == 32)
            continue;
        audit_fault(auditor, "the row of filter header %u is missing or malformed",
                    height);
        break;
    }
    walk_close(&walk);
    if (height > auditor->out->headers)
        audit_fault(auditor, "%u filter headers outrun %llu headers", height,
                    (unsigned long long)auditor->out->headers);
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

static enum store_result check_whole_heights(struct auditor *auditor)
{
    struct walk walk;
    enum store_result result =
        walk_open(&walk, auditor->txn, TABLE_WHOLE_HEIGHTS, auditor->error);
    if (result == STORE_OK)
        result = walk_first(&walk, auditor->error);
    for (; result == STORE_OK; result = walk_next(&walk, auditor->error)) {
        uint32_t height;
        if (!whole_height_decode(&height, walk.key, walk.value))
            audit_fault(auditor, "a row of the heights fetched whole is malformed");
    }
    walk_close(&walk);
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

enum store_result audit_chain(struct auditor *auditor)
{
    struct header_check check = {0};
    struct walk walk;
    uint64_t *done = &auditor->out->headers;
    enum store_result result =
        walk_open(&walk, auditor->txn, TABLE_HEADERS, auditor->error);
    if (result == STORE_OK)
        result = walk_first(&walk, auditor->error);
    while (result == STORE_OK && *done < HEIGHT_NONE) {
        result = check_header(auditor, &check, (uint32_t)*done, &walk);
        if (result == STORE_OK)
            result = audit_progress(auditor, "headers", ++*done);
        if (result == STORE_OK)
            result = walk_next(&walk, auditor->error);
    }
    walk_close(&walk);
    if (result != STORE_NOT_FOUND)
        return result;
    if (*done == 0)
        audit_fault(auditor, "there are no headers");
    auditor->header_height = *done > 0 ? (uint32_t)(*done - 1) : 0;
    result = check_filter_headers(auditor);
    return result == STORE_OK ? check_whole_heights(auditor) : result;
}

/* ---- samples and publications ---- */

static void check_good_sample(struct auditor *auditor, const struct feed_record *feed,
                              const struct sample *sample)
{
    const struct statement *statement = &sample->statement;
    struct statement again;
    struct error reason;
    struct chain_row row;
    unsigned long long number = sample->sequence;
    if (chain_rows_read(auditor->txn, &row, statement->height, 1, &reason) != STORE_OK ||
        !block_hash_equal(&row.hash, &statement->block)) {
        audit_fault(auditor,
                    "feed %s: sample %llu is good, but its block %u isn't on the chain",
                    feed->row.name, number, statement->height);
        return;
    }
    if (memcmp(statement->set_hash, feed->row.set_hash, 32) != 0 || !feed->row.merged ||
        statement_at(auditor->txn, &again, &feed->row, statement->height, &reason) !=
            STORE_OK)
        return; /* of another list: nothing to compare with */
    if (again.amount.sat != statement->amount.sat || again.coins != statement->coins ||
        again.time.s != statement->time.s)
        audit_fault(auditor, "feed %s: sample %llu isn't the sum at height %u",
                    feed->row.name, number, statement->height);
}

static void check_sample(struct auditor *auditor, const struct feed_record *feed,
                         const struct walk *walk)
{
    struct sample sample;
    auditor->out->samples++;
    if (!sample_decode(&sample, walk->key, walk->value)) {
        audit_fault(auditor, "feed %s: a sample is malformed", feed->row.name);
        return;
    }
    if (sample.state == SAMPLE_GOOD && !sample.has_statement)
        audit_fault(auditor, "feed %s: sample %llu is good without a sum", feed->row.name,
                    (unsigned long long)sample.sequence);
    else if (sample.state == SAMPLE_GOOD)
        check_good_sample(auditor, feed, &sample);
}

static void check_publication(struct auditor *auditor, const struct feed_record *feed,
                              const struct walk *walk)
{
    struct publication publication;
    if (!publication_decode(&publication, walk->key, walk->value)) {
        audit_fault(auditor, "feed %s: a publication is malformed", feed->row.name);
        return;
    }
    if (!block_hash_equal(&publication.report.genesis,
                          &auditor->txn->store->network->genesis_hash))
        audit_fault(auditor, "feed %s: publication %llu is of another network",
                    feed->row.name, (unsigned long long)publication.round);
    publication_release(&publication);
}

static enum store_result audit_feed_rows(struct auditor *auditor, enum table table,
                                         const struct feed_record *feed)
{
    struct key prefix = key_u32(feed->row.id);
    struct walk walk;
    enum store_result result = walk_open(&walk, auditor->txn, table, auditor->error);
    if (result == STORE_OK)
        result = walk_seek(&walk, key_bytes(&prefix), auditor->error);
    while (result == STORE_OK && bytes_start_with(walk.key, key_bytes(&prefix))) {
        if (table == TABLE_SAMPLES)
            check_sample(auditor, feed, &walk);
        else
            check_publication(auditor, feed, &walk);
        result = audit_progress(auditor, "samples", auditor->out->samples);
        if (result == STORE_OK)
            result = walk_next(&walk, auditor->error);
    }
    walk_close(&walk);
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

static enum store_result audit_feeds(struct auditor *auditor)
{
    struct feed_record *feeds;
    size_t count;
    struct error reason;
    if (feed_records(auditor->txn, &feeds, &count, &reason) != STORE_OK) {
        audit_fault(auditor, "%s", reason.text);
        return STORE_OK;
    }
    enum store_result result = STORE_OK;
    for (size_t i = 0; i < count && result == STORE_OK; i++) {
        result = audit_feed_rows(auditor, TABLE_SAMPLES, &feeds[i]);
        if (result == STORE_OK)
            result = audit_feed_rows(auditor, TABLE_OUTBOX, &feeds[i]);
    }
    free(feeds);
    return result;
}

/* ---- all of it ---- */

enum store_result audit_run(struct store_txn *txn, struct audit *out,
                            bool (*progress)(void *context, const char *what,
                                             uint64_t done),
                            void *context, struct error *error)
{
    static const uint64_t seed[2] = {0};
    struct auditor auditor = {
        .txn = txn, .out = out, .progress = progress, .context = context, .error = error};
    struct error reason;
    *out = (struct audit){0};
    enum store_result result = audit_chain(&auditor);
    if (result == STORE_OK &&
        ledger_state_load(txn, &auditor.state, seed, &reason) != STORE_OK)
        audit_fault(&auditor, "%s", reason.text);
    if (result == STORE_OK && auditor.state != NULL)
        result = audit_watched(&auditor);
    if (result == STORE_OK && auditor.state != NULL)
        result = audit_coins(&auditor);
    if (result == STORE_OK && auditor.state != NULL)
        result = audit_tallies(&auditor);
    if (result == STORE_OK)
        result = audit_feeds(&auditor);
    ledger_state_free(auditor.state);
    return result;
}

void audit_release(struct audit *audit)
{
    for (size_t i = 0; i < audit->fault_count && i < AUDIT_FAULTS_MAX; i++)
        free(audit->faults[i]);
    *audit = (struct audit){0};
}
