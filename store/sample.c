#include "store/sample.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/ledger_state.h"
#include "store/statement_record.h"

#define VERSION 1
#define SECONDS_PER_DAY 86400

/* ---- records ---- */

void statement_encode(struct writer *out, const struct statement *statement)
{
    write_bytes(out, statement->genesis.b, 32);
    write_u32be(out, statement->height);
    write_bytes(out, statement->block.b, 32);
    write_u32be(out, statement->time.s);
    write_bytes(out, statement->set_hash, 32);
    write_u64be(out, statement->amount.sat);
    write_u64be(out, statement->coins);
}

void statement_decode(struct statement *out, struct reader *reader)
{
    out->genesis = read_block_hash(reader);
    out->height = read_u32be(reader);
    out->block = read_block_hash(reader);
    out->time.s = read_u32be(reader);
    read_bytes(reader, out->set_hash, 32);
    out->amount.sat = read_u64be(reader);
    out->coins = read_u64be(reader);
}

enum {
    SAMPLE_HAS_STATEMENT = 1,
    SAMPLE_SINGLE_PEER = 2,
    SAMPLE_TRUSTED_PEER = 4,
    SAMPLE_PUBLISHED = 8,
    SAMPLE_FILTERS = 16,
    SAMPLE_FLAGS = 31
};

static void sample_encode(struct writer *out, const struct sample *sample)
{
    write_u8(out, VERSION);
    write_u8(out, (uint8_t)sample->state);
    write_u8(out, (uint8_t)((sample->has_statement ? SAMPLE_HAS_STATEMENT : 0) |
                            (sample->single_peer ? SAMPLE_SINGLE_PEER : 0) |
                            (sample->trusted_peer ? SAMPLE_TRUSTED_PEER : 0) |
                            (sample->published ? SAMPLE_PUBLISHED : 0) |
                            (sample->filters_to ? SAMPLE_FILTERS : 0)));
    if (sample->filters_to) {
        write_u32be(out, sample->filters_from);
        write_u32be(out, sample->filters_to);
    }
    if (sample->has_statement)
        statement_encode(out, &sample->statement);
    write_u64be(out, (uint64_t)sample->taken.s);
    write_u32be(out, sample->confirmations);
    write_u32be(out, sample->tip_height);
    write_u64be(out, sample->scripts);
    write_u32be(out, sample->peers_agreeing);
    write_u64be(out, sample->immature.sat);
    write_u64be(out, sample->immature_coins);
    write_u64be(out, sample->spent_above.sat);
    write_u64be(out, sample->coins_spent_above);
    write_u8(out, (uint8_t)sample->reason_count);
    for (size_t i = 0; i < sample->reason_count; i++) {
        const struct sample_reason *reason = &sample->reasons[i];
        write_u8(out, reason->gate);
        write_var_bytes(out,
                        (struct bytes){(const uint8_t *)reason->text,
                                       strnlen(reason->text, sizeof(reason->text) - 1)});
    }
}

static void reasons_decode(struct sample *out, struct reader *reader)
{
    size_t count = read_u8(reader);
    if (count > SAMPLE_REASONS_MAX) {
        reader->failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct sample_reason *reason = &out->reasons[i];
        reason->gate = read_u8(reader);
        struct bytes text = read_var_bytes(reader, SAMPLE_REASON_TEXT_MAX - 1);
        if (text.len > 0)
            memcpy(reason->text, text.data, text.len);
    }
    out->reason_count = count;
}

bool sample_decode(struct sample *out, struct bytes key, struct bytes value)
{
    struct reader reader;
    uint32_t feed;
    memset(out, 0, sizeof(*out));
    reader_init(&reader, value.data, value.len);
    if (!key_u32_u64_decode(&feed, &out->sequence, key) || read_u8(&reader) != VERSION)
        return false;
    uint8_t state = read_u8(&reader), flags = read_u8(&reader);
    if (state > SAMPLE_RETRACTED || flags > SAMPLE_FLAGS)
        return false;
    out->state = (enum sample_state)state;
    out->has_statement = (flags & SAMPLE_HAS_STATEMENT) != 0;
    out->single_peer = (flags & SAMPLE_SINGLE_PEER) != 0;
    out->trusted_peer = (flags & SAMPLE_TRUSTED_PEER) != 0;
    out->published = (flags & SAMPLE_PUBLISHED) != 0;
    if (flags & SAMPLE_FILTERS) {
        out->filters_from = read_u32be(&reader);
        out->filters_to = read_u32be(&reader);
    }
    if (out->has_statement)
        statement_decode(&out->statement, &reader);
    out->taken.s = (int64_t)read_u64be(&reader);
    out->confirmations = read_u32be(&reader);
    out->tip_height = read_u32be(&reader);
    out->scripts = read_u64be(&reader);
    out->peers_agreeing = read_u32be(&reader);
    out->immature.sat = read_u64be(&reader);
    out->immature_coins = read_u64be(&reader);
    out->spent_above.sat = read_u64be(&reader);
    out->coins_spent_above = read_u64be(&reader);
    reasons_decode(out, &reader);
    return reader_done(&reader);
}

/* ---- writing ---- */

static enum store_result put(struct store_txn *txn, uint32_t feed,
                             const struct sample *sample, struct error *error)
{
    struct key key = key_u32_u64(feed, sample->sequence);
    struct writer value;
    writer_init(&value);
    sample_encode(&value, sample);
    enum store_result result = table_append(txn, TABLE_SAMPLES, key_bytes(&key),
                                            (struct bytes){value.data, value.len}, error);
    writer_release(&value);
    return result;
}

enum store_result sample_append(struct store_txn *txn, uint32_t feed,
                                struct sample *sample, struct error *error)
{
    struct sample last;
    assert(sample->reason_count <= SAMPLE_REASONS_MAX);
    enum store_result result = sample_newest(txn, &last, feed, error);
    if (result != STORE_OK && result != STORE_NOT_FOUND)
        return result;
    sample->sequence = result == STORE_OK ? last.sequence + 1 : 1;
    return put(txn, feed, sample, error);
}

/* ---- reading ---- */

enum store_result sample_each(struct store_txn *txn, uint32_t feed,
                              bool (*each)(void *context, const struct sample *sample),
                              void *context, struct error *error)
{
    struct key prefix = key_u32(feed), after = key_u32(feed + 1);
    struct walk walk;
    enum store_result result = walk_open(&walk, txn, TABLE_SAMPLES, error);
    if (result == STORE_OK)
        result = walk_seek_before(&walk, key_bytes(&after), error);
    for (; result == STORE_OK && bytes_start_with(walk.key, key_bytes(&prefix));
         result = walk_previous(&walk, error)) {
        struct sample sample;
        if (!sample_decode(&sample, walk.key, walk.value)) {
            result = table_damaged(TABLE_SAMPLES, "a row is malformed", error);
            break;
        }
        if (!each(context, &sample))
            break;
    }
    walk_close(&walk);
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

struct pick {
    struct sample *out;
    bool good_only;
    bool found;
};

static bool pick_one(void *context, const struct sample *sample)
{
    struct pick *pick = context;
    if (pick->good_only && sample->state != SAMPLE_GOOD)
        return true;
    *pick->out = *sample;
    pick->found = true;
    return false;
}

static enum store_result newest(struct store_txn *txn, struct sample *out, uint32_t feed,
                                bool good_only, struct error *error)
{
    struct pick pick = {out, good_only, false};
    enum store_result result = sample_each(txn, feed, pick_one, &pick, error);
    if (result != STORE_OK || pick.found)
        return result;
    error_set(error, "ledger: no %ssample yet", good_only ? "good " : "");
    return STORE_NOT_FOUND;
}

enum store_result sample_newest(struct store_txn *txn, struct sample *out, uint32_t feed,
                                struct error *error)
{
    return newest(txn, out, feed, false, error);
}

enum store_result sample_newest_good(struct store_txn *txn, struct sample *out,
                                     uint32_t feed, struct error *error)
{
    return newest(txn, out, feed, true, error);
}

/* ---- sums that don't stand any more ---- */

/* Samples above a height, so that none is written while they are walked. */
struct above {
    uint64_t *sequences;
    size_t count, capacity;
    uint32_t height;
};

static bool find_above(void *context, const struct sample *sample)
{
    struct above *above = context;
    if (!sample->has_statement)
        return true;
    /* Heights of samples waver by reorganisations and changed confirmations, not by more
     * than the depth that is kept. */
    if (sample->statement.height + LEDGER_DEPTH < above->height)
        return false;
    if (sample->state != SAMPLE_GOOD || sample->statement.height <= above->height)
        return true;
    above->sequences = mem_grow(above->sequences, &above->capacity, above->count + 1,
                                sizeof(*above->sequences));
    above->sequences[above->count++] = sample->sequence;
    return true;
}

static enum store_result mark(struct store_txn *txn, uint32_t feed, uint64_t sequence,
                              enum sample_state state, const struct map *published,
                              struct error *error)
{
    struct key key = key_u32_u64(feed, sequence);
    struct bytes value;
    struct sample sample;
    enum store_result result =
        table_get(txn, &value, TABLE_SAMPLES, key_bytes(&key), error);
    if (result != STORE_OK || !sample_decode(&sample, key_bytes(&key), value))
        return table_damaged(TABLE_SAMPLES, "a row is gone or malformed", error);
    sample.state = state;
    sample.published =
        published != NULL && map_find(published, &sample.statement.block) != NULL;
    return put(txn, feed, &sample, error);
}

static enum store_result mark_above(struct store_txn *txn, uint64_t *marked,
                                    uint32_t feed, uint32_t height,
                                    enum sample_state state, const struct map *published,
                                    struct error *error)
{
    struct above above = {.height = height};
    enum store_result result = sample_each(txn, feed, find_above, &above, error);
    for (size_t i = 0; i < above.count && result == STORE_OK; i++)
        result = mark(txn, feed, above.sequences[i], state, published, error);
    *marked += above.count;
    free(above.sequences);
    return result;
}

enum store_result sample_orphan_above(struct store_txn *txn, uint64_t *orphaned,
                                      uint32_t feed, uint32_t height, struct error *error)
{
    return mark_above(txn, orphaned, feed, height, SAMPLE_ORPHANED, NULL, error);
}

enum store_result sample_retract_above(struct store_txn *txn, uint64_t *retracted,
                                       uint32_t feed, uint32_t height,
                                       const struct map *published, struct error *error)
{
    return mark_above(txn, retracted, feed, height, SAMPLE_RETRACTED, published, error);
}

/* ---- thinning ---- */

static int64_t day_of(const struct sample *sample)
{
    int64_t s = sample->taken.s;
    return s >= 0 ? s / SECONDS_PER_DAY : (s - SECONDS_PER_DAY + 1) / SECONDS_PER_DAY;
}

static enum store_result read_at(const struct walk *walk, uint32_t feed,
                                 struct sample *out, struct error *error)
{
    struct key prefix = key_u32(feed);
    if (!bytes_start_with(walk->key, key_bytes(&prefix)))
        return STORE_NOT_FOUND;
    if (!sample_decode(out, walk->key, walk->value))
        return table_damaged(TABLE_SAMPLES, "a row is malformed", error);
    return STORE_OK;
}

static enum store_result thin_from(struct store_txn *txn, uint32_t feed, uint64_t *mark,
                                   struct wall_time before, size_t limit,
                                   struct error *error)
{
    struct key start = key_u32_u64(feed, *mark);
    struct walk walk;
    struct sample previous, sample, next;
    bool has_previous = false;
    enum store_result result = walk_open(&walk, txn, TABLE_SAMPLES, error);
    /* What is deleted had its predecessor's state, so the row before speaks for it. */
    if (result == STORE_OK &&
        walk_seek_before(&walk, key_bytes(&start), error) == STORE_OK)
        has_previous = read_at(&walk, feed, &previous, error) == STORE_OK;
    if (result == STORE_OK)
        result = walk_seek(&walk, key_bytes(&start), error);
    if (result == STORE_OK)
        result = read_at(&walk, feed, &sample, error);
    for (; result == STORE_OK && limit > 0 && sample.taken.s < before.s; limit--) {
        result = walk_next(&walk, error);
        if (result == STORE_OK)
            result = read_at(&walk, feed, &next, error);
        if (result != STORE_OK)
            break; /* the newest stays */
        if (has_previous && previous.state == sample.state && !sample.published &&
            day_of(&next) == day_of(&sample)) {
            struct key key = key_u32_u64(feed, sample.sequence);
            result = table_delete(txn, TABLE_SAMPLES, key_bytes(&key), error);
            key = key_u32_u64(feed, next.sequence);
            if (result == STORE_OK)
                result = walk_seek(&walk, key_bytes(&key), error);
        }
        previous = sample;
        has_previous = true;
        sample = next;
        *mark = next.sequence;
    }
    walk_close(&walk);
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

enum store_result sample_thin(struct store_txn *txn, uint32_t feed,
                              struct wall_time before, size_t limit, struct error *error)
{
    char name[32];
    uint8_t *value, place[8];
    size_t len;
    uint64_t mark = 0;
    snprintf(name, sizeof(name), "thinned/%u", feed);
    enum store_result result = store_get_value(txn, name, &value, &len, error);
    if (result != STORE_OK && result != STORE_NOT_FOUND)
        return result;
    if (len == sizeof(place))
        mark = get_u64be(value);
    free(value);
    result = thin_from(txn, feed, &mark, before, limit, error);
    put_u64be(place, mark);
    if (result == STORE_OK)
        result = store_put_value(txn, name, (struct bytes){place, sizeof(place)}, error);
    return result;
}

/* ---- statements ---- */

enum store_result statement_at(struct store_txn *txn, struct statement *out,
                               const struct feed_row *feed, uint32_t height,
                               struct error *error)
{
    struct reserve reserve;
    struct chain_row row;
    memset(out, 0, sizeof(*out));
    enum store_result result = ledger_tally(txn, &reserve, feed, height, error);
    if (result == STORE_OK)
        result = chain_rows_read(txn, &row, height, 1, error);
    if (result == STORE_OK)
        result = chain_median_time(txn, &out->time, height, error);
    if (result != STORE_OK)
        return result;
    out->genesis = txn->store->network->genesis_hash;
    out->height = height;
    out->block = row.hash;
    memcpy(out->set_hash, feed->set_hash, sizeof(out->set_hash));
    out->amount = reserve.counted;
    out->coins = reserve.coins;
    return STORE_OK;
}
