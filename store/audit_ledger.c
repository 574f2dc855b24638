/* The ledger's tables against each other: events are played through, and what they say
 * must be what the coins and the tallies are. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/auditor.h"

/* ---- what is watched ---- */

static void audit_cohorts(struct auditor *auditor)
{
    const struct cohort_table *cohorts = &auditor->state->cohorts;
    if (cohorts->count == 0 && auditor->state->script_limit > 0)
        audit_fault(auditor, "scripts are watched, but there is no cohort");
    if (cohorts->count > 0 && cohorts->at[0].id != 0)
        audit_fault(auditor, "cohort 0 isn't there");
    for (size_t i = 1; i < cohorts->count; i++) {
        if (cohorts->at[i].cursor >= cohorts->at[0].cursor)
            audit_fault(auditor, "cohort %u at %u isn't behind cohort 0 at %u",
                        cohorts->at[i].id, cohorts->at[i].cursor, cohorts->at[0].cursor);
    }
}

static void audit_members(struct auditor *auditor, uint32_t script, uint32_t *members,
                          bool *merged)
{
    const struct ledger_state *state = auditor->state;
    const struct membership_entry *end;
    const struct membership_entry *entry = membership_of(&state->members, &end, script);
    for (; entry < end; entry++) {
        const char *name = state->feeds[entry->slot].name;
        uint32_t cohort = script_cohort(state, script);
        members[entry->slot]++;
        if (cohort != 0)
            merged[entry->slot] = false;
        if (cohort == COHORT_NONE)
            audit_fault(auditor, "feed %s: script %u isn't there", name, script);
        else if (entry->birth < state->birth_of[script])
            audit_fault(auditor,
                        "feed %s: script %u counts from %u, but is scanned from %u", name,
                        script, entry->birth, state->birth_of[script]);
    }
}

enum store_result audit_watched(struct auditor *auditor)
{
    const struct ledger_state *state = auditor->state;
    uint32_t *members = mem_zalloc(state->feed_count, sizeof(*members));
    bool *merged = mem_zalloc(state->feed_count, sizeof(*merged));
    uint32_t limit = state->members.limit > state->script_limit ? state->members.limit
                                                                : state->script_limit;
    memset(merged, 1, state->feed_count * sizeof(*merged));
    audit_cohorts(auditor);
    for (uint32_t script = 0; script < limit; script++) {
        auditor->out->scripts += script_cohort(state, script) != COHORT_NONE;
        audit_members(auditor, script, members, merged);
    }
    for (size_t i = 0; i < state->feed_count; i++) {
        const struct feed_row *feed = &state->feeds[i];
        if (feed->members != members[i])
            audit_fault(auditor, "feed %s: has %u scripts, says %u", feed->name,
                        members[i], feed->members);
        if (feed->merged != merged[i])
            audit_fault(auditor, "feed %s: says wrongly that it %s", feed->name,
                        feed->merged ? "is scanned to the end"
                                     : "is still being scanned");
    }
    free(members);
    free(merged);
    return audit_progress(auditor, "scripts", auditor->out->scripts);
}

/* ---- events and coins ---- */

/* What the events say about a coin, of which there may be millions. */
struct expected_coin {
    struct amount amount;
    uint32_t script, created, spent;
    bool coinbase, seen;
};

static struct expected_coin expect(const struct coin *coin)
{
    return (struct expected_coin){.amount = coin->amount,
                                  .script = coin->script,
                                  .created = coin->created,
                                  .spent = coin->spent,
                                  .coinbase = coin->coinbase};
}

static bool is_expected(const struct coin *a, const struct expected_coin *b)
{
    return a->script == b->script && a->amount.sat == b->amount.sat &&
           a->created == b->created && a->spent == b->spent && a->coinbase == b->coinbase;
}

/* Whether a coin's row has gone once a cohort's blocks up to `cursor` are applied. */
static bool is_pruned(const struct expected_coin *coin, uint32_t cursor)
{
    return coin->spent != HEIGHT_NONE && cursor > LEDGER_DEPTH &&
           coin->spent <= cursor - LEDGER_DEPTH;
}

static void audit_event_place(struct auditor *auditor, const struct event *event)
{
    struct ledger_state *state = auditor->state;
    uint32_t id = script_cohort(state, event->coin.script);
    if (id == COHORT_NONE) {
        audit_fault(auditor, "an event at height %u is of script %u, which isn't watched",
                    event->height, event->coin.script);
        return;
    }
    const struct cohort *cohort = ledger_cohort(state, id);
    auditor->has_events[id] = true;
    if (event->height > cohort->cursor || event->height > auditor->header_height)
        audit_fault(auditor, "an event at height %u lies above cohort %u's cursor %u",
                    event->height, id, cohort->cursor);
    if (event->coin.created < state->birth_of[event->coin.script])
        audit_fault(auditor, "an event at height %u is older than its script's birth %u",
                    event->height, state->birth_of[event->coin.script]);
}

static void play_event(struct auditor *auditor, struct map *coins,
                       const struct event *event)
{
    const struct outpoint *outpoint = &event->coin.outpoint;
    struct expected_coin expected;
    char text[OUTPOINT_TEXT_MAX];
    void *found = map_find(coins, outpoint);
    outpoint_text(text, outpoint);
    if (found != NULL)
        memcpy(&expected, found, sizeof(expected));
    switch (event->kind) {
    case EVENT_CREDIT:
        if (found != NULL && !is_pruned(&expected, event->height - 1))
            audit_fault(auditor, "coin %s is credited again at height %u", text,
                        event->height);
        expected = expect(&event->coin);
        memcpy(map_put(coins, outpoint, NULL), &expected, sizeof(expected));
        return;
    case EVENT_REPLACED:
    case EVENT_DEBIT:
        if (found == NULL || !is_expected(&event->coin, &expected)) {
            audit_fault(auditor,
                        "coin %s leaves at height %u, but wasn't like that before", text,
                        event->height);
            return;
        }
        if (event->kind == EVENT_REPLACED) {
            map_remove(coins, outpoint);
            return;
        }
        expected.spent = event->height;
        memcpy(found, &expected, sizeof(expected));
        return;
    }
}

static enum store_result play_events(struct auditor *auditor, struct map *coins)
{
    struct walk walk;
    uint64_t done = 0;
    enum store_result result =
        walk_open(&walk, auditor->txn, TABLE_EVENTS, auditor->error);
    if (result == STORE_OK)
        result = walk_first(&walk, auditor->error);
    while (result == STORE_OK) {
        struct event event;
        if (!event_decode(&event, walk.key, walk.value)) {
            audit_fault(auditor, "event %llu is malformed", (unsigned long long)done);
        } else {
            audit_event_place(auditor, &event);
            play_event(auditor, coins, &event);
        }
        result = audit_progress(auditor, "events", ++done);
        if (result == STORE_OK)
            result = walk_next(&walk, auditor->error);
    }
    walk_close(&walk);
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

static void compare_coin(struct auditor *auditor, struct map *coins,
                         const struct coin *coin)
{
    struct expected_coin expected;
    char text[OUTPOINT_TEXT_MAX];
    void *found = map_find(coins, &coin->outpoint);
    outpoint_text(text, &coin->outpoint);
    if (found == NULL) {
        audit_fault(auditor, "coin %s is there without an event", text);
        return;
    }
    memcpy(&expected, found, sizeof(expected));
    if (!is_expected(coin, &expected))
        audit_fault(auditor, "coin %s isn't what its events say", text);
    expected.seen = true;
    memcpy(found, &expected, sizeof(expected));
}

static enum store_result compare_coins(struct auditor *auditor, struct map *coins)
{
    struct walk walk;
    enum store_result result =
        walk_open(&walk, auditor->txn, TABLE_COINS, auditor->error);
    if (result == STORE_OK)
        result = walk_first(&walk, auditor->error);
    while (result == STORE_OK) {
        struct coin coin;
        uint64_t done = ++auditor->out->coins;
        if (coin_decode(&coin, walk.key, walk.value))
            compare_coin(auditor, coins, &coin);
        else
            audit_fault(auditor, "coin %llu is malformed", (unsigned long long)done);
        result = audit_progress(auditor, "coins", done);
        if (result == STORE_OK)
            result = walk_next(&walk, auditor->error);
    }
    walk_close(&walk);
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

static void find_missing(struct auditor *auditor, const struct map *coins)
{
    const void *key;
    void *value;
    for (size_t at = 0; map_next(coins, &at, &key, &value);) {
        struct expected_coin expected;
        struct outpoint outpoint;
        memcpy(&expected, value, sizeof(expected));
        memcpy(&outpoint, key, sizeof(outpoint));
        uint32_t id = script_cohort(auditor->state, expected.script);
        if (expected.seen || id == COHORT_NONE)
            continue;
        if (is_pruned(&expected, ledger_cohort(auditor->state, id)->cursor))
            continue;
        char text[OUTPOINT_TEXT_MAX];
        outpoint_text(text, &outpoint);
        audit_fault(auditor, "coin %s has events, but isn't there", text);
    }
}

/* A cursor may lie above the stored headers only while nothing has been applied. */
static void audit_cursors(struct auditor *auditor)
{
    const struct cohort_table *cohorts = &auditor->state->cohorts;
    for (size_t i = 0; i < cohorts->count; i++) {
        if (auditor->has_events[cohorts->at[i].id] &&
            cohorts->at[i].cursor > auditor->header_height)
            audit_fault(auditor, "cohort %u is at %u, above the newest header %u",
                        cohorts->at[i].id, cohorts->at[i].cursor, auditor->header_height);
    }
}

enum store_result audit_coins(struct auditor *auditor)
{
    static const uint64_t seed[2] = {0};
    struct map coins;
    map_init(&coins, sizeof(struct outpoint), sizeof(struct expected_coin), seed);
    enum store_result result = play_events(auditor, &coins);
    if (result == STORE_OK)
        result = compare_coins(auditor, &coins);
    if (result == STORE_OK)
        find_missing(auditor, &coins);
    if (result == STORE_OK)
        audit_cursors(auditor);
    map_release(&coins);
    return result;
}

/* ---- tallies ---- */

struct tally_check {
    struct auditor *auditor;
    uint64_t *rows; /* by slot: how many there have to be */
};

static enum store_result check_row(void *context, size_t slot, uint32_t height,
                                   const struct tally *tally, struct error *error)
{
    struct tally_check *check = context;
    struct auditor *auditor = check->auditor;
    const struct feed_row *feed = &auditor->state->feeds[slot];
    struct key key = key_u32_u32(feed->id, height);
    uint8_t expected[TALLY_VALUE_SIZE];
    struct bytes value;
    enum store_result result =
        table_get(auditor->txn, &value, TABLE_TALLIES, key_bytes(&key), error);
    tally_encode(expected, tally);
    check->rows[slot]++;
    if (result == STORE_NOT_FOUND)
        audit_fault(auditor, "feed %s: no sum at height %u, where it changes", feed->name,
                    height);
    else if (result != STORE_OK)
        return result;
    else if (!bytes_equal(value, (struct bytes){expected, sizeof(expected)}))
        audit_fault(auditor, "feed %s: the sum at height %u isn't that of its events",
                    feed->name, height);
    return STORE_OK;
}

static enum store_result count_rows(struct auditor *auditor, const struct feed_row *feed,
                                    uint64_t expected)
{
    struct key prefix = key_u32(feed->id);
    struct walk walk;
    uint64_t rows = 0;
    enum store_result result =
        walk_open(&walk, auditor->txn, TABLE_TALLIES, auditor->error);
    if (result == STORE_OK)
        result = walk_seek(&walk, key_bytes(&prefix), auditor->error);
    for (; result == STORE_OK && bytes_start_with(walk.key, key_bytes(&prefix));
         result = walk_next(&walk, auditor->error))
        rows++;
    walk_close(&walk);
    if (rows != expected)
        audit_fault(auditor, "feed %s: %llu rows of sums where there have to be %llu",
                    feed->name, (unsigned long long)rows, (unsigned long long)expected);
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

enum store_result audit_tallies(struct auditor *auditor)
{
    const struct ledger_state *state = auditor->state;
    struct tally_check check = {auditor, mem_zalloc(state->feed_count, sizeof(uint64_t))};
    struct tally_board board;
    struct error reason;
    enum store_result result = audit_progress(auditor, "sums", 0);
    tally_board_init(&board, &state->members, state->feed_count);
    for (size_t i = 0; i < state->feed_count; i++)
        board.live[i] = state->feeds[i].merged;
    if (result == STORE_OK && state->cohorts.count > 0 &&
        tally_replay(auditor->txn, &board, state->cohorts.at[0].cursor, check_row, &check,
                     &reason) != STORE_OK)
        audit_fault(auditor, "%s", reason.text);
    for (size_t i = 0; i < state->feed_count && result == STORE_OK; i++)
        result = count_rows(auditor, &state->feeds[i], check.rows[i]);
    tally_board_release(&board);
    free(check.rows);
    return result;
}
