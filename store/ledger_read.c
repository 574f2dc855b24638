#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/ledger_state.h"

/* ---- feeds and cursors ---- */

enum store_result ledger_feeds(struct store_txn *txn, struct feed_row **feeds,
                               size_t *count, struct error *error)
{
    struct feed_record *records;
    size_t record_count;
    *feeds = NULL;
    *count = 0;
    enum store_result result = feed_records(txn, &records, &record_count, error);
    if (result != STORE_OK)
        return result;
    *feeds = mem_zalloc(record_count, sizeof(**feeds));
    for (size_t i = 0; i < record_count; i++) {
        if (!records[i].retired)
            (*feeds)[(*count)++] = records[i].row;
    }
    free(records);
    return STORE_OK;
}

enum store_result ledger_feed(struct store_txn *txn, struct feed_row *feed,
                              const char *name, struct error *error)
{
    struct bytes key = {(const uint8_t *)name, strlen(name)}, value;
    struct feed_record record = {.retired = true};
    enum store_result result = STORE_NOT_FOUND;
    if (key.len > 0 && key.len < sizeof(feed->name))
        result = table_get(txn, &value, TABLE_FEEDS, key, error);
    if (result == STORE_OK && !feed_decode(&record, key, value))
        return table_damaged(TABLE_FEEDS, "a row is malformed", error);
    if (result == STORE_NOT_FOUND || (result == STORE_OK && record.retired)) {
        error_set(error, "feed %s: there is none of this name", name);
        return STORE_NOT_FOUND;
    }
    *feed = record.row;
    return result;
}

enum store_result ledger_cursor(struct store_txn *txn, uint32_t *cursor,
                                struct error *error)
{
    struct key key = key_u32(0);
    struct bytes value;
    struct cohort_record record;
    enum store_result result =
        table_get(txn, &value, TABLE_COHORTS, key_bytes(&key), error);
    if (result == STORE_NOT_FOUND)
        error_set(error, "ledger: nothing is watched yet");
    if (result != STORE_OK)
        return result;
    if (!cohort_decode(&record, key_bytes(&key), value))
        return table_damaged(TABLE_COHORTS, "a row is malformed", error);
    *cursor = record.cursor;
    return STORE_OK;
}

enum store_result ledger_lowest_cursor(struct store_txn *txn, uint32_t *cursor,
                                       struct error *error)
{
    struct walk walk;
    enum store_result result = ledger_cursor(txn, cursor, error);
    if (result != STORE_OK)
        return result;
    if ((result = walk_open(&walk, txn, TABLE_COHORTS, error)) == STORE_OK)
        result = walk_first(&walk, error);
    for (; result == STORE_OK; result = walk_next(&walk, error)) {
        struct cohort_record record;
        if (!cohort_decode(&record, walk.key, walk.value)) {
            result = table_damaged(TABLE_COHORTS, "a row is malformed", error);
            break;
        }
        if (record.cursor < *cursor)
            *cursor = record.cursor;
    }
    walk_close(&walk);
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

static enum store_result check_height(struct store_txn *txn, const struct feed_row *feed,
                                      uint32_t height, bool coins, struct error *error)
{
    uint32_t cursor, oldest;
    enum store_result result = ledger_cursor(txn, &cursor, error);
    if (result == STORE_OK)
        result = coins_oldest(txn, &oldest, error);
    if (result != STORE_OK)
        return result;
    if (height > cursor) {
        error_set(error, "feed %s: height %u isn't scanned yet (scanned up to %u)",
                  feed->name, height, cursor);
        return STORE_NOT_FOUND;
    }
    if (coins && height < oldest) {
        error_set(error, "feed %s: coins at height %u aren't kept any more (back to %u)",
                  feed->name, height, oldest);
        return STORE_NOT_FOUND;
    }
    return STORE_OK;
}

/* ---- sums ---- */

enum store_result ledger_tally(struct store_txn *txn, struct reserve *out,
                               const struct feed_row *feed, uint32_t height,
                               struct error *error)
{
    struct tally tally;
    enum store_result result = check_height(txn, feed, height, false, error);
    if (result != STORE_OK)
        return result;
    if (!feed->merged) {
        error_set(error, "feed %s: some of its scripts are still being scanned",
                  feed->name);
        return STORE_NOT_FOUND;
    }
    result = tally_at(txn, &tally, feed->id, height, error);
    if (result != STORE_OK)
        return result;
    *out = (struct reserve){.counted = tally.mature,
                            .coins = tally.mature_coins,
                            .immature = tally.immature,
                            .immature_coins = tally.immature_coins};
    if (!feed->count_immature)
        return STORE_OK;
    out->coins += tally.immature_coins;
    if (!amount_add(&out->counted, out->counted, tally.immature))
        return table_damaged(TABLE_TALLIES, "a sum is out of range", error);
    return STORE_OK;
}

/* Whether a coin that left at `end` is part of a feed's reserve at a height. */
static bool alive_at(const struct coin *coin, uint32_t end, uint32_t height)
{
    return coin->created <= height && height < end;
}

static bool count_coin(struct reserve *reserve, const struct coin *coin, uint32_t end,
                       uint32_t height, bool count_immature)
{
    bool sound = true;
    bool mature = coin_is_mature(coin, height);
    if (!mature) {
        reserve->immature_coins++;
        sound = amount_add(&reserve->immature, reserve->immature, coin->amount);
        if (!count_immature)
            return sound;
    }
    reserve->coins++;
    sound = amount_add(&reserve->counted, reserve->counted, coin->amount) && sound;
    if (end == HEIGHT_NONE)
        return sound;
    reserve->coins_spent_above++;
    return amount_add(&reserve->spent_above, reserve->spent_above, coin->amount) && sound;
}

/* Several sums in one pass; a request's place is its slot. */
struct adder {
    struct readd *requests;
    struct membership members;
    struct amount *debits; /* by request */
};

static bool add_coin(struct adder *adder, const struct coin *coin, uint32_t end)
{
    const struct membership_entry *stop;
    const struct membership_entry *entry =
        membership_of(&adder->members, &stop, coin->script);
    for (; entry < stop; entry++) {
        struct readd *request = &adder->requests[entry->slot];
        if (coin->created >= entry->birth && alive_at(coin, end, request->height) &&
            !count_coin(&request->by_coins, coin, end, request->height,
                        request->feed->count_immature))
            return false;
    }
    return true;
}

static bool add_event(struct adder *adder, const struct event *event)
{
    const struct coin *coin = &event->coin;
    const struct membership_entry *stop;
    const struct membership_entry *entry =
        membership_of(&adder->members, &stop, coin->script);
    if (event->kind != EVENT_CREDIT && coin->spent != HEIGHT_NONE)
        return true;
    for (; entry < stop; entry++) {
        struct readd *request = &adder->requests[entry->slot];
        if (coin->created < entry->birth || event->height > request->height)
            continue;
        struct amount *sum = event->kind == EVENT_CREDIT ? &request->events_total
                                                         : &adder->debits[entry->slot];
        if (!amount_add(sum, *sum, coin->amount))
            return false;
    }
    return true;
}

static enum store_result visit_coin(void *context, const struct coin *coin,
                                    struct error *error)
{
    struct adder *adder = context;
    if (add_coin(adder, coin, coin->spent))
        return STORE_OK;
    return table_damaged(TABLE_COINS, "a sum is out of range", error);
}

/* A coin that a later coinbase has replaced (BIP 30) has no row of its own any more. */
static uint32_t replaced_end(const struct event *event)
{
    return event->coin.spent < event->height ? event->coin.spent : event->height;
}

static enum store_result visit_event(void *context, const struct event *event,
                                     struct error *error)
{
    struct adder *adder = context;
    if (add_event(adder, event) && (event->kind != EVENT_REPLACED ||
                                    add_coin(adder, &event->coin, replaced_end(event))))
        return STORE_OK;
    return table_damaged(TABLE_EVENTS, "a sum is out of range", error);
}

enum store_result ledger_readd(struct store_txn *txn, struct readd *requests,
                               size_t count, struct error *error)
{
    struct adder adder = {.requests = requests};
    const struct feed_row **feeds = mem_zalloc(count, sizeof(*feeds));
    adder.debits = mem_zalloc(count, sizeof(*adder.debits));
    enum store_result result = STORE_OK;
    for (size_t i = 0; i < count && result == STORE_OK; i++) {
        feeds[i] = requests[i].feed;
        requests[i].by_coins = (struct reserve){0};
        requests[i].events_total = (struct amount){0};
        requests[i].events_negative = false;
        result = check_height(txn, feeds[i], requests[i].height, true, error);
    }
    if (result == STORE_OK)
        result = membership_load(txn, &adder.members, feeds, count, true, error);
    if (result == STORE_OK)
        result = coins_each(txn, visit_coin, &adder, error);
    if (result == STORE_OK)
        result = events_each(txn, 0, HEIGHT_NONE, visit_event, &adder, error);
    for (size_t i = 0; i < count; i++) {
        struct readd *request = &requests[i];
        request->events_negative =
            !amount_sub(&request->events_total, request->events_total, adder.debits[i]);
    }
    membership_release(&adder.members);
    free(adder.debits);
    free(feeds);
    return result;
}

/* ---- walking ---- */

/* One feed's members, with the texts of the one looked at last. */
struct viewer {
    struct store_txn *txn;
    const struct feed_row *feed;
    struct membership members;
    struct bytes script;
    char label[MEMBER_TEXT_MAX + 1];
    char custodian[MEMBER_TEXT_MAX + 1];
};

static enum store_result viewer_init(struct viewer *viewer, struct store_txn *txn,
                                     const struct feed_row *feed, struct error *error)
{
    viewer->txn = txn;
    viewer->feed = feed;
    viewer->script = (struct bytes){0};
    return membership_load(txn, &viewer->members, &feed, 1, true, error);
}

static bool viewer_counts(const struct viewer *viewer, const struct coin *coin)
{
    const struct membership_entry *stop;
    const struct membership_entry *entry =
        membership_of(&viewer->members, &stop, coin->script);
    return entry < stop && coin->created >= entry->birth;
}

static void copy_text(char out[static MEMBER_TEXT_MAX + 1], struct bytes text)
{
    if (text.len > 0)
        memcpy(out, text.data, text.len);
    out[text.len] = '\0';
}

static enum store_result viewer_look_at(struct viewer *viewer, uint32_t script,
                                        struct error *error)
{
    struct key script_key = key_u32(script);
    struct key member_key = key_u32_u32(viewer->feed->id, script);
    struct bytes value;
    struct script_record record;
    struct member_record member;
    enum store_result result =
        table_get(viewer->txn, &value, TABLE_MEMBERS, key_bytes(&member_key), error);
    if (result == STORE_NOT_FOUND ||
        (result == STORE_OK && !member_decode(&member, key_bytes(&member_key), value)))
        return table_damaged(TABLE_MEMBERS, "a row is gone or malformed", error);
    if (result != STORE_OK)
        return result;
    copy_text(viewer->label, member.label);
    copy_text(viewer->custodian, member.custodian);
    result = table_get(viewer->txn, &value, TABLE_SCRIPTS, key_bytes(&script_key), error);
    if (result == STORE_NOT_FOUND ||
        (result == STORE_OK && !script_decode(&record, key_bytes(&script_key), value)))
        return table_damaged(TABLE_SCRIPTS, "a row is gone or malformed", error);
    viewer->script = record.script;
    return result;
}

struct coin_walk {
    struct viewer viewer;
    uint32_t height;
    bool (*each)(void *context, const struct coin_view *coin);
    void *context;
    bool stopped;
};

static enum store_result show_coin(struct coin_walk *walk, const struct coin *coin,
                                   uint32_t end, struct error *error)
{
    if (!alive_at(coin, end, walk->height) || !viewer_counts(&walk->viewer, coin))
        return STORE_OK;
    enum store_result result = viewer_look_at(&walk->viewer, coin->script, error);
    if (result != STORE_OK)
        return result;
    struct coin_view view = {.coin = *coin,
                             .script = walk->viewer.script,
                             .label = walk->viewer.label,
                             .custodian = walk->viewer.custodian};
    view.coin.spent = end;
    walk->stopped = !walk->each(walk->context, &view);
    return walk->stopped ? STORE_NOT_FOUND : STORE_OK;
}

static enum store_result show_stored(void *context, const struct coin *coin,
                                     struct error *error)
{
    return show_coin(context, coin, coin->spent, error);
}

static enum store_result show_replaced(void *context, const struct event *event,
                                       struct error *error)
{
    if (event->kind != EVENT_REPLACED)
        return STORE_OK;
    return show_coin(context, &event->coin, replaced_end(event), error);
}

enum store_result
ledger_each_coin(struct store_txn *txn, const struct feed_row *feed, uint32_t height,
                 bool (*each)(void *context, const struct coin_view *coin), void *context,
                 struct error *error)
{
    struct coin_walk walk = {.height = height, .each = each, .context = context};
    enum store_result result = check_height(txn, feed, height, true, error);
    if (result == STORE_OK)
        result = viewer_init(&walk.viewer, txn, feed, error);
    if (result == STORE_OK)
        result = coins_each(txn, show_stored, &walk, error);
    if (result == STORE_OK && !walk.stopped)
        result = events_each(txn, height + 1, HEIGHT_NONE, show_replaced, &walk, error);
    membership_release(&walk.viewer.members);
    return result;
}

struct event_walk {
    struct viewer viewer;
    bool (*each)(void *context, const struct event_view *event);
    void *context;
};

static enum store_result show_event(void *context, const struct event *event,
                                    struct error *error)
{
    struct event_walk *walk = context;
    if (!viewer_counts(&walk->viewer, &event->coin))
        return STORE_OK;
    enum store_result result = viewer_look_at(&walk->viewer, event->coin.script, error);
    if (result != STORE_OK)
        return result;
    const struct event_view view = {*event, walk->viewer.script, walk->viewer.label,
                                    walk->viewer.custodian};
    return walk->each(walk->context, &view) ? STORE_OK : STORE_NOT_FOUND;
}

enum store_result ledger_each_event(struct store_txn *txn, const struct feed_row *feed,
                                    uint32_t from, uint32_t to,
                                    bool (*each)(void *context,
                                                 const struct event_view *event),
                                    void *context, struct error *error)
{
    struct event_walk walk = {.each = each, .context = context};
    enum store_result result = viewer_init(&walk.viewer, txn, feed, error);
    if (result == STORE_OK)
        result = events_each(txn, from, to, show_event, &walk, error);
    membership_release(&walk.viewer.members);
    return result;
}
