#include "store/records.h"

#include <assert.h>
#include <string.h>

/* Version of every value in this file. */
#define VERSION 1

struct key key_u32(uint32_t a)
{
    struct key key = {.len = 4};
    put_u32be(key.b, a);
    return key;
}

struct key key_u32_u32(uint32_t a, uint32_t b)
{
    struct key key = {.len = 8};
    put_u32be(key.b, a);
    put_u32be(key.b + 4, b);
    return key;
}

struct key key_u32_u64(uint32_t a, uint64_t b)
{
    struct key key = {.len = 12};
    put_u32be(key.b, a);
    put_u64be(key.b + 4, b);
    return key;
}

bool key_u32_decode(uint32_t *a, struct bytes key)
{
    if (key.len != 4)
        return false;
    *a = get_u32be(key.data);
    return true;
}

bool key_u32_u32_decode(uint32_t *a, uint32_t *b, struct bytes key)
{
    if (key.len != 8)
        return false;
    *a = get_u32be(key.data);
    *b = get_u32be(key.data + 4);
    return true;
}

bool key_u32_u64_decode(uint32_t *a, uint64_t *b, struct bytes key)
{
    if (key.len != 12)
        return false;
    *a = get_u32be(key.data);
    *b = get_u64be(key.data + 4);
    return true;
}

/* ---- coins ---- */

enum { COIN_COINBASE = 1 };

struct key coin_key(const struct outpoint *outpoint)
{
    struct key key = {.len = COIN_KEY_SIZE};
    memcpy(key.b, outpoint->txid.b, 32);
    put_u32be(key.b + 32, outpoint->vout);
    return key;
}

void coin_encode(uint8_t value[static COIN_VALUE_SIZE], const struct coin *coin)
{
    value[0] = VERSION;
    value[1] = coin->coinbase ? COIN_COINBASE : 0;
    put_u32be(value + 2, coin->script);
    put_u64be(value + 6, coin->amount.sat);
    put_u32be(value + 14, coin->created);
    put_u32be(value + 18, coin->spent);
}

bool coin_decode(struct coin *out, struct bytes key, struct bytes value)
{
    if (key.len != COIN_KEY_SIZE || value.len != COIN_VALUE_SIZE ||
        value.data[0] != VERSION || value.data[1] > COIN_COINBASE)
        return false;
    memcpy(out->outpoint.txid.b, key.data, 32);
    out->outpoint.vout = get_u32be(key.data + 32);
    out->coinbase = value.data[1] != 0;
    out->script = get_u32be(value.data + 2);
    out->amount.sat = get_u64be(value.data + 6);
    out->created = get_u32be(value.data + 14);
    out->spent = get_u32be(value.data + 18);
    return out->created <= out->spent;
}

/* ---- events ---- */

/* The two highest bits of a key's last number; a block has far fewer inputs than 2^30. */
static const enum event_kind kind_by_rank[] = {EVENT_DEBIT, EVENT_REPLACED, EVENT_CREDIT};

static uint32_t kind_rank(enum event_kind kind)
{
    uint32_t rank = 0;
    while (kind_by_rank[rank] != kind)
        rank++;
    return rank;
}

struct key event_key(const struct event *event)
{
    struct key key = {.len = EVENT_KEY_SIZE};
    assert(event->index < UINT32_C(1) << 30);
    put_u32be(key.b, event->height);
    put_u32be(key.b + 4, event->tx_index);
    put_u32be(key.b + 8, kind_rank(event->kind) << 30 | event->index);
    return key;
}

/* A credit's outpoint and height are those of its key and transaction; the others hold
 * the whole coin as it was, so that they can be undone when its row is gone. */
size_t event_encode(uint8_t value[static EVENT_VALUE_MAX], const struct event *event)
{
    const struct coin *coin = &event->coin;
    value[0] = VERSION;
    value[1] = coin->coinbase ? COIN_COINBASE : 0;
    put_u32be(value + 2, coin->script);
    put_u64be(value + 6, coin->amount.sat);
    memcpy(value + 14, event->txid.b, 32);
    if (event->kind == EVENT_CREDIT)
        return 46;
    put_u32be(value + 46, coin->created);
    if (event->kind == EVENT_DEBIT) {
        memcpy(value + 50, coin->outpoint.txid.b, 32);
        put_u32be(value + 82, coin->outpoint.vout);
        return 86;
    }
    put_u32be(value + 50, coin->spent);
    return 54;
}

static bool event_coin_decode(struct event *out, struct bytes value)
{
    struct coin *coin = &out->coin;
    coin->outpoint = (struct outpoint){out->txid, out->index};
    coin->created = out->height;
    coin->spent = HEIGHT_NONE;
    if (out->kind == EVENT_CREDIT)
        return value.len == 46;
    if (value.len < 54)
        return false;
    coin->created = get_u32be(value.data + 46);
    if (out->kind == EVENT_REPLACED) {
        coin->spent = get_u32be(value.data + 50);
        return value.len == 54 && coin->created <= coin->spent;
    }
    if (value.len != 86)
        return false;
    memcpy(coin->outpoint.txid.b, value.data + 50, 32);
    coin->outpoint.vout = get_u32be(value.data + 82);
    return true;
}

bool event_decode(struct event *out, struct bytes key, struct bytes value)
{
    if (key.len != EVENT_KEY_SIZE || value.len < 46 || value.data[0] != VERSION ||
        value.data[1] > COIN_COINBASE)
        return false;
    uint32_t last = get_u32be(key.data + 8);
    if (last >> 30 > 2)
        return false;
    memset(out, 0, sizeof(*out));
    out->height = get_u32be(key.data);
    out->tx_index = get_u32be(key.data + 4);
    out->kind = kind_by_rank[last >> 30];
    out->index = last & ((UINT32_C(1) << 30) - 1);
    out->coin.coinbase = value.data[1] != 0;
    out->coin.script = get_u32be(value.data + 2);
    out->coin.amount.sat = get_u64be(value.data + 6);
    memcpy(out->txid.b, value.data + 14, 32);
    return event_coin_decode(out, value) && out->coin.created <= out->height;
}

/* ---- scripts, cohorts, feeds, members ---- */

void script_encode(struct writer *out, const struct script_record *script)
{
    write_u8(out, VERSION);
    write_u32be(out, script->cohort);
    write_u32be(out, script->birth);
    write_bytes(out, script->script.data, script->script.len);
}

bool script_decode(struct script_record *out, struct bytes key, struct bytes value)
{
    struct reader reader;
    reader_init(&reader, value.data, value.len);
    bool known = read_u8(&reader) == VERSION;
    out->cohort = read_u32be(&reader);
    out->birth = read_u32be(&reader);
    out->script = read_view(&reader, reader.left);
    return known && reader_done(&reader) && key_u32_decode(&out->id, key) &&
           out->id != SCRIPT_ID_NONE && out->script.len > 0;
}

void cohort_encode(uint8_t value[static COHORT_VALUE_SIZE],
                   const struct cohort_record *cohort)
{
    value[0] = VERSION;
    put_u32be(value + 1, cohort->cursor);
}

bool cohort_decode(struct cohort_record *out, struct bytes key, struct bytes value)
{
    if (!key_u32_decode(&out->id, key) || value.len != COHORT_VALUE_SIZE ||
        value.data[0] != VERSION)
        return false;
    out->cursor = get_u32be(value.data + 1);
    return out->id < COHORTS_MAX && out->cursor != HEIGHT_NONE;
}

enum { FEED_COUNT_IMMATURE = 1, FEED_MERGED = 2, FEED_RETIRED = 4, FEED_FLAGS = 7 };

void feed_encode(uint8_t value[static FEED_VALUE_SIZE], const struct feed_record *feed)
{
    const struct feed_row *row = &feed->row;
    value[0] = VERSION;
    value[1] =
        (uint8_t)((row->count_immature ? FEED_COUNT_IMMATURE : 0) |
                  (row->merged ? FEED_MERGED : 0) | (feed->retired ? FEED_RETIRED : 0));
    put_u32be(value + 2, row->id);
    memcpy(value + 6, row->set_hash, 32);
    put_u32be(value + 38, row->confirmations);
    put_u32be(value + 42, row->members);
}

bool feed_decode(struct feed_record *out, struct bytes key, struct bytes value)
{
    struct feed_row *row = &out->row;
    memset(out, 0, sizeof(*out));
    if (key.len == 0 || key.len >= sizeof(row->name) || value.len != FEED_VALUE_SIZE ||
        value.data[0] != VERSION || value.data[1] > FEED_FLAGS ||
        memchr(key.data, 0, key.len) != NULL)
        return false;
    memcpy(row->name, key.data, key.len);
    row->count_immature = (value.data[1] & FEED_COUNT_IMMATURE) != 0;
    row->merged = (value.data[1] & FEED_MERGED) != 0;
    out->retired = (value.data[1] & FEED_RETIRED) != 0;
    row->id = get_u32be(value.data + 2);
    memcpy(row->set_hash, value.data + 6, 32);
    row->confirmations = get_u32be(value.data + 38);
    row->members = get_u32be(value.data + 42);
    return true;
}

void member_encode(struct writer *out, const struct member_record *member)
{
    write_u8(out, VERSION);
    write_u32be(out, member->birth);
    write_var_bytes(out, member->label);
    write_var_bytes(out, member->custodian);
}

bool member_decode(struct member_record *out, struct bytes key, struct bytes value)
{
    struct reader reader;
    reader_init(&reader, value.data, value.len);
    bool known = read_u8(&reader) == VERSION;
    out->birth = read_u32be(&reader);
    out->label = read_var_bytes(&reader, MEMBER_TEXT_MAX);
    out->custodian = read_var_bytes(&reader, MEMBER_TEXT_MAX);
    return known && reader_done(&reader) &&
           key_u32_u32_decode(&out->feed, &out->script, key);
}

/* ---- heights fetched whole ---- */

void whole_height_encode(uint8_t value[static WHOLE_HEIGHT_VALUE_SIZE])
{
    value[0] = VERSION;
}

bool whole_height_decode(uint32_t *height, struct bytes key, struct bytes value)
{
    return key_u32_decode(height, key) && value.len == WHOLE_HEIGHT_VALUE_SIZE &&
           value.data[0] == VERSION;
}

/* ---- tallies ---- */

void tally_encode(uint8_t value[static TALLY_VALUE_SIZE], const struct tally *tally)
{
    value[0] = VERSION;
    put_u64be(value + 1, tally->mature.sat);
    put_u64be(value + 9, tally->mature_coins);
    put_u64be(value + 17, tally->immature.sat);
    put_u64be(value + 25, tally->immature_coins);
}

bool tally_decode(struct tally *out, struct bytes value)
{
    if (value.len != TALLY_VALUE_SIZE || value.data[0] != VERSION)
        return false;
    out->mature.sat = get_u64be(value.data + 1);
    out->mature_coins = get_u64be(value.data + 9);
    out->immature.sat = get_u64be(value.data + 17);
    out->immature_coins = get_u64be(value.data + 25);
    return true;
}
