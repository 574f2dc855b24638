#include "store/outbox.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "store/records.h"
#include "store/statement_record.h"
#include "store/tables.h"

#define VERSION 1
#define PUBLICATION_VERSION 2 /* 1 had no mined_in */
/* In the byte of the state. */
#define RETRACTED 0x80

const char *publication_state_name(enum publication_state state)
{
    static const char *const names[] = {
        [PUBLICATION_DUE] = "due",
        [PUBLICATION_SIGNED] = "signed",
        [PUBLICATION_QUORUM] = "quorum",
        [PUBLICATION_PERSISTED] = "persisted",
        [PUBLICATION_SENT] = "sent",
        [PUBLICATION_MINED] = "mined",
        [PUBLICATION_FINAL] = "final",
        [PUBLICATION_WAITING] = "waiting",
        [PUBLICATION_SUPERSEDED] = "superseded",
        [PUBLICATION_REFUSED] = "refused",
    };
    return names[state];
}

void publication_release(struct publication *publication)
{
    free(publication->payload);
    publication->payload = NULL;
    publication->payload_len = 0;
}

static void publication_encode(struct writer *out, const struct publication *publication)
{
    const char *detail = publication->detail;
    write_u8(out, PUBLICATION_VERSION);
    write_u8(out,
             (uint8_t)(publication->state | (publication->retracted ? RETRACTED : 0)));
    write_u8(out, publication->due);
    statement_encode(out, &publication->report);
    write_u64be(out, (uint64_t)publication->created.s);
    write_u64be(out, (uint64_t)publication->changed.s);
    write_u64be(out, publication->position);
    write_var_bytes(out, (struct bytes){(const uint8_t *)detail,
                                        strnlen(detail, PUBLICATION_TEXT_MAX - 1)});
    write_var_bytes(out, (struct bytes){publication->payload, publication->payload_len});
    write_bytes(out, publication->mined_in, sizeof(publication->mined_in));
}

bool publication_decode(struct publication *out, struct bytes key, struct bytes value)
{
    struct reader reader;
    uint32_t feed;
    memset(out, 0, sizeof(*out));
    reader_init(&reader, value.data, value.len);
    uint8_t version = read_u8(&reader), state = read_u8(&reader);
    out->retracted = (state & RETRACTED) != 0;
    state &= (uint8_t)~RETRACTED;
    out->due = read_u8(&reader);
    statement_decode(&out->report, &reader);
    out->created.s = (int64_t)read_u64be(&reader);
    out->changed.s = (int64_t)read_u64be(&reader);
    out->position = read_u64be(&reader);
    struct bytes detail = read_var_bytes(&reader, PUBLICATION_TEXT_MAX - 1);
    struct bytes payload = read_var_bytes(&reader, PUBLICATION_PAYLOAD_MAX);
    if (version != 1)
        read_bytes(&reader, out->mined_in, sizeof(out->mined_in));
    if (!reader_done(&reader) || version < 1 || version > PUBLICATION_VERSION ||
        state > PUBLICATION_REFUSED || !key_u32_u64_decode(&feed, &out->round, key))
        return false;
    out->state = (enum publication_state)state;
    if (detail.len > 0)
        memcpy(out->detail, detail.data, detail.len);
    out->payload = mem_dup(payload.data, payload.len);
    out->payload_len = payload.len;
    return true;
}

enum store_result outbox_put(struct store_txn *txn, uint32_t feed,
                             const struct publication *publication, struct error *error)
{
    struct key key = key_u32_u64(feed, publication->round);
    struct writer value;
    assert(publication->round > 0);
    if (publication->payload_len > PUBLICATION_PAYLOAD_MAX) {
        error_set(error,
                  "publication %llu: its %zu bytes are more than the %d there may be",
                  (unsigned long long)publication->round, publication->payload_len,
                  PUBLICATION_PAYLOAD_MAX);
        return STORE_FAILED;
    }
    writer_init(&value);
    publication_encode(&value, publication);
    enum store_result result = table_append(txn, TABLE_OUTBOX, key_bytes(&key),
                                            (struct bytes){value.data, value.len}, error);
    writer_release(&value);
    return result;
}

enum store_result outbox_get(struct store_txn *txn, struct publication *out,
                             uint32_t feed, uint64_t round, struct error *error)
{
    struct key key = key_u32_u64(feed, round);
    struct bytes value;
    memset(out, 0, sizeof(*out));
    enum store_result result =
        table_get(txn, &value, TABLE_OUTBOX, key_bytes(&key), error);
    if (result == STORE_NOT_FOUND)
        error_set(error, "outbox: no publication %llu", (unsigned long long)round);
    if (result == STORE_OK && !publication_decode(out, key_bytes(&key), value))
        return table_damaged(TABLE_OUTBOX, "a row is malformed", error);
    return result;
}

enum store_result outbox_newest(struct store_txn *txn, struct publication *out,
                                uint32_t feed, struct error *error)
{
    struct key prefix = key_u32(feed), after = key_u32(feed + 1);
    struct walk walk;
    memset(out, 0, sizeof(*out));
    enum store_result result = walk_open(&walk, txn, TABLE_OUTBOX, error);
    if (result == STORE_OK)
        result = walk_seek_before(&walk, key_bytes(&after), error);
    if (result == STORE_OK && !bytes_start_with(walk.key, key_bytes(&prefix)))
        result = STORE_NOT_FOUND;
    if (result == STORE_NOT_FOUND)
        error_set(error, "outbox: no publication yet");
    if (result == STORE_OK && !publication_decode(out, walk.key, walk.value))
        result = table_damaged(TABLE_OUTBOX, "a row is malformed", error);
    walk_close(&walk);
    return result;
}

enum store_result outbox_each(struct store_txn *txn, uint32_t feed,
                              bool (*each)(void *context,
                                           const struct publication *publication),
                              void *context, struct error *error)
{
    struct key prefix = key_u32(feed);
    struct walk walk;
    bool more = true;
    enum store_result result = walk_open(&walk, txn, TABLE_OUTBOX, error);
    if (result == STORE_OK)
        result = walk_seek(&walk, key_bytes(&prefix), error);
    while (result == STORE_OK && more && bytes_start_with(walk.key, key_bytes(&prefix))) {
        struct publication publication;
        if (!publication_decode(&publication, walk.key, walk.value)) {
            result = table_damaged(TABLE_OUTBOX, "a row is malformed", error);
            break;
        }
        more = each(context, &publication);
        publication_release(&publication);
        result = walk_next(&walk, error);
    }
    walk_close(&walk);
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

/* Rounds of reports above a height, so that none is written while they are walked. */
struct above {
    uint64_t *rounds;
    size_t count, capacity;
    uint32_t height;
};

static bool find_above(void *context, const struct publication *publication)
{
    struct above *above = context;
    if (publication->report.height <= above->height ||
        publication->state == PUBLICATION_SUPERSEDED ||
        publication->state == PUBLICATION_REFUSED)
        return true;
    above->rounds = mem_grow(above->rounds, &above->capacity, above->count + 1,
                             sizeof(*above->rounds));
    above->rounds[above->count++] = publication->round;
    return true;
}

static bool went_out(enum publication_state state)
{
    return state == PUBLICATION_PERSISTED || state == PUBLICATION_SENT ||
           state == PUBLICATION_MINED || state == PUBLICATION_FINAL;
}

static enum store_result retract(struct store_txn *txn, struct retracted_reports *reports,
                                 struct map *blocks, uint32_t feed, uint64_t round,
                                 struct error *error)
{
    struct publication publication;
    enum store_result result = outbox_get(txn, &publication, feed, round, error);
    if (result != STORE_OK)
        return result;
    if (went_out(publication.state)) {
        publication.retracted = true;
        map_put(blocks, &publication.report.block, NULL);
        reports->first_round = reports->count == 0 ? round : reports->first_round;
        reports->last_round = round;
        reports->count++;
    } else {
        publication.state = PUBLICATION_SUPERSEDED;
        snprintf(publication.detail, sizeof(publication.detail),
                 "its sum was taken back before it was sent");
    }
    result = outbox_put(txn, feed, &publication, error);
    publication_release(&publication);
    return result;
}

enum store_result outbox_retract(struct store_txn *txn, struct retracted_reports *reports,
                                 struct map *blocks, uint32_t feed, uint32_t fork,
                                 struct error *error)
{
    struct above above = {.height = fork};
    enum store_result result = outbox_each(txn, feed, find_above, &above, error);
    for (size_t i = 0; i < above.count && result == STORE_OK; i++)
        result = retract(txn, reports, blocks, feed, above.rounds[i], error);
    free(above.rounds);
    return result;
}

enum store_result outbox_evaluated(struct store_txn *txn, uint32_t *height, uint32_t feed,
                                   struct error *error)
{
    struct key key = key_u32(feed);
    struct bytes value;
    enum store_result result =
        table_get(txn, &value, TABLE_EVALUATED, key_bytes(&key), error);
    if (result == STORE_NOT_FOUND)
        error_set(error, "outbox: no statement of this feed has been looked at yet");
    if (result != STORE_OK)
        return result;
    if (value.len != 5 || value.data[0] != VERSION)
        return table_damaged(TABLE_EVALUATED, "a row is malformed", error);
    *height = get_u32be(value.data + 1);
    return STORE_OK;
}

enum store_result outbox_set_evaluated(struct store_txn *txn, uint32_t feed,
                                       uint32_t height, struct error *error)
{
    struct key key = key_u32(feed);
    uint8_t value[5] = {VERSION};
    put_u32be(value + 1, height);
    return table_put(txn, TABLE_EVALUATED, key_bytes(&key),
                     (struct bytes){value, sizeof(value)}, error);
}

enum store_result outbox_rewind(struct store_txn *txn, uint32_t fork, struct error *error)
{
    struct walk walk;
    enum store_result result = walk_open(&walk, txn, TABLE_EVALUATED, error);
    if (result == STORE_OK)
        result = walk_first(&walk, error);
    for (; result == STORE_OK; result = walk_next(&walk, error)) {
        uint32_t feed, height;
        if (!key_u32_decode(&feed, walk.key)) {
            result = table_damaged(TABLE_EVALUATED, "a row is malformed", error);
            break;
        }
        result = outbox_evaluated(txn, &height, feed, error);
        if (result == STORE_OK && height > fork)
            result = outbox_set_evaluated(txn, feed, fork, error);
        if (result != STORE_OK)
            break;
    }
    walk_close(&walk);
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}
