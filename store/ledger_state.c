#include "store/ledger_state.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* ---- rows ---- */

enum store_result coin_get(struct store_txn *txn, struct coin *out,
                           const struct outpoint *outpoint, struct error *error)
{
    struct key key = coin_key(outpoint);
    struct bytes value;
    enum store_result result =
        table_get(txn, &value, TABLE_COINS, key_bytes(&key), error);
    if (result == STORE_OK && !coin_decode(out, key_bytes(&key), value))
        return table_damaged(TABLE_COINS, "a row is malformed", error);
    return result;
}

enum store_result coin_put(struct store_txn *txn, const struct coin *coin,
                           struct error *error)
{
    struct key key = coin_key(&coin->outpoint);
    uint8_t value[COIN_VALUE_SIZE];
    coin_encode(value, coin);
    return table_put(txn, TABLE_COINS, key_bytes(&key),
                     (struct bytes){value, sizeof(value)}, error);
}

enum store_result coins_oldest(struct store_txn *txn, uint32_t *oldest,
                               struct error *error)
{
    struct chain_extent extent;
    uint32_t newest;
    enum store_result result = ledger_cursor(txn, &newest, error);
    if (result == STORE_OK)
        result = chain_extent(txn, &extent, error);
    if (result != STORE_OK)
        return result;
    if (newest > extent.header_height)
        newest = extent.header_height;
    *oldest = newest > LEDGER_DEPTH ? newest - LEDGER_DEPTH : 0;
    return STORE_OK;
}

enum store_result coins_each(struct store_txn *txn, coin_visit *visit, void *context,
                             struct error *error)
{
    struct walk walk;
    enum store_result result = walk_open(&walk, txn, TABLE_COINS, error);
    if (result == STORE_OK)
        result = walk_first(&walk, error);
    for (; result == STORE_OK; result = walk_next(&walk, error)) {
        struct coin coin;
        if (!coin_decode(&coin, walk.key, walk.value)) {
            result = table_damaged(TABLE_COINS, "a row is malformed", error);
            break;
        }
        if ((result = visit(context, &coin, error)) != STORE_OK)
            break;
    }
    walk_close(&walk);
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

enum store_result events_each(struct store_txn *txn, uint32_t from, uint32_t to,
                              event_visit *visit, void *context, struct error *error)
{
    struct key first = key_u32(from);
    struct walk walk;
    enum store_result result = walk_open(&walk, txn, TABLE_EVENTS, error);
    if (result == STORE_OK)
        result = walk_seek(&walk, key_bytes(&first), error);
    for (; result == STORE_OK; result = walk_next(&walk, error)) {
        struct event event;
        if (!event_decode(&event, walk.key, walk.value)) {
            result = table_damaged(TABLE_EVENTS, "a row is malformed", error);
            break;
        }
        if (event.height > to || (result = visit(context, &event, error)) != STORE_OK)
            break;
    }
    walk_close(&walk);
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

enum store_result cohort_put(struct store_txn *txn, uint32_t id, uint32_t cursor,
                             struct error *error)
{
    struct key key = key_u32(id);
    uint8_t value[COHORT_VALUE_SIZE];
    cohort_encode(value, &(struct cohort_record){id, cursor});
    return table_put(txn, TABLE_COHORTS, key_bytes(&key),
                     (struct bytes){value, sizeof(value)}, error);
}

enum store_result script_put(struct store_txn *txn, const struct script_record *script,
                             struct error *error)
{
    struct key key = key_u32(script->id);
    struct writer value;
    writer_init(&value);
    script_encode(&value, script);
    enum store_result result = table_append(txn, TABLE_SCRIPTS, key_bytes(&key),
                                            (struct bytes){value.data, value.len}, error);
    writer_release(&value);
    return result;
}

enum store_result feed_put(struct store_txn *txn, const struct feed_record *feed,
                           struct error *error)
{
    uint8_t value[FEED_VALUE_SIZE];
    struct bytes name = {(const uint8_t *)feed->row.name, strlen(feed->row.name)};
    feed_encode(value, feed);
    return table_put(txn, TABLE_FEEDS, name, (struct bytes){value, sizeof(value)}, error);
}

enum store_result feed_records(struct store_txn *txn, struct feed_record **out,
                               size_t *count, struct error *error)
{
    struct walk walk;
    size_t capacity = 0;
    *out = NULL;
    *count = 0;
    enum store_result result = walk_open(&walk, txn, TABLE_FEEDS, error);
    if (result == STORE_OK)
        result = walk_first(&walk, error);
    for (; result == STORE_OK; result = walk_next(&walk, error)) {
        *out = mem_grow(*out, &capacity, *count + 1, sizeof(**out));
        if (!feed_decode(&(*out)[*count], walk.key, walk.value)) {
            result = table_damaged(TABLE_FEEDS, "a row is malformed", error);
            break;
        }
        ++*count;
    }
    walk_close(&walk);
    if (result == STORE_NOT_FOUND)
        return STORE_OK;
    free(*out);
    *out = NULL;
    *count = 0;
    return result;
}

/* ---- loading ---- */

struct cohort *ledger_cohort(struct ledger_state *state, uint32_t id)
{
    for (size_t i = 0; i < state->cohorts.count; i++) {
        if (state->cohorts.at[i].id == id)
            return &state->cohorts.at[i];
    }
    return NULL;
}

static enum store_result load_cohorts(struct store_txn *txn, struct ledger_state *state,
                                      struct error *error)
{
    struct walk walk;
    enum store_result result = walk_open(&walk, txn, TABLE_COHORTS, error);
    if (result == STORE_OK)
        result = walk_first(&walk, error);
    for (; result == STORE_OK; result = walk_next(&walk, error)) {
        struct cohort_record record;
        if (!cohort_decode(&record, walk.key, walk.value)) {
            result = table_damaged(TABLE_COHORTS, "a row is malformed", error);
            break;
        }
        state->cohorts.at[state->cohorts.count++] =
            (struct cohort){.id = record.id, .cursor = record.cursor};
    }
    walk_close(&walk);
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

/* Scripts of all cohorts while they are read: views, so they end with the transaction. */
struct script_list {
    struct script_record *at;
    size_t count, capacity;
};

static enum store_result load_scripts(struct store_txn *txn, struct script_list *list,
                                      struct ledger_state *state, struct error *error)
{
    struct walk walk;
    enum store_result result = walk_open(&walk, txn, TABLE_SCRIPTS, error);
    if (result == STORE_OK)
        result = walk_first(&walk, error);
    for (; result == STORE_OK; result = walk_next(&walk, error)) {
        struct script_record record;
        if (!script_decode(&record, walk.key, walk.value) ||
            ledger_cohort(state, record.cohort) == NULL) {
            result = table_damaged(TABLE_SCRIPTS, "a row is malformed or without cohort",
                                   error);
            break;
        }
        list->at =
            mem_grow(list->at, &list->capacity, list->count + 1, sizeof(*list->at));
        list->at[list->count++] = record;
    }
    walk_close(&walk);
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

static void index_scripts(struct ledger_state *state, const struct script_list *list,
                          const uint64_t seed[static 2])
{
    if (list->count > 0)
        state->script_limit = list->at[list->count - 1].id + 1;
    state->cohort_of = mem_alloc(state->script_limit * sizeof(*state->cohort_of));
    state->birth_of = mem_zalloc(state->script_limit, sizeof(*state->birth_of));
    for (uint32_t i = 0; i < state->script_limit; i++)
        state->cohort_of[i] = COHORT_NONE;
    for (size_t i = 0; i < list->count; i++) {
        state->cohort_of[list->at[i].id] = list->at[i].cohort;
        state->birth_of[list->at[i].id] = list->at[i].birth;
    }

    struct bytes *scripts = mem_zalloc(list->count, sizeof(*scripts));
    uint32_t *ids = mem_zalloc(list->count, sizeof(*ids));
    for (size_t c = 0; c < state->cohorts.count; c++) {
        struct cohort *cohort = &state->cohorts.at[c];
        size_t count = 0;
        for (size_t i = 0; i < list->count; i++) {
            if (list->at[i].cohort != cohort->id)
                continue;
            scripts[count] = list->at[i].script;
            ids[count++] = list->at[i].id;
        }
        cohort->scripts = script_set_new(scripts, ids, count, seed);
    }
    free(scripts);
    free(ids);
}

static enum store_result load_feeds(struct store_txn *txn, struct ledger_state *state,
                                    struct error *error)
{
    enum store_result result =
        ledger_feeds(txn, &state->feeds, &state->feed_count, error);
    if (result != STORE_OK)
        return result;
    const struct feed_row **feeds = mem_zalloc(state->feed_count, sizeof(*feeds));
    for (size_t i = 0; i < state->feed_count; i++)
        feeds[i] = &state->feeds[i];
    result =
        membership_load(txn, &state->members, feeds, state->feed_count, false, error);
    free(feeds);
    tally_board_init(&state->board, &state->members, state->feed_count);
    struct cohort *first = ledger_cohort(state, 0);
    for (size_t i = 0; i < state->feed_count && result == STORE_OK; i++) {
        state->board.live[i] = state->feeds[i].merged;
        if (first != NULL)
            result = tally_at(txn, &state->board.now[i], state->feeds[i].id,
                              first->cursor, error);
    }
    return result;
}

enum store_result ledger_state_load(struct store_txn *txn, struct ledger_state **out,
                                    const uint64_t seed[static 2], struct error *error)
{
    struct ledger_state *state = mem_zalloc(1, sizeof(*state));
    struct script_list list = {0};
    *out = NULL;
    enum store_result result = load_cohorts(txn, state, error);
    if (result == STORE_OK)
        result = load_scripts(txn, &list, state, error);
    if (result == STORE_OK)
        index_scripts(state, &list, seed);
    if (result == STORE_OK)
        result = load_feeds(txn, state, error);
    free(list.at);
    if (result == STORE_OK)
        *out = state;
    else
        ledger_state_free(state);
    return result;
}

void ledger_state_free(struct ledger_state *state)
{
    if (state == NULL)
        return;
    free(state->cohort_of);
    free(state->birth_of);
    cohort_table_release(&state->cohorts);
    free(state->feeds);
    membership_release(&state->members);
    tally_board_release(&state->board);
    free(state);
}

/* ---- tallies ---- */

struct rebuild {
    struct store_txn *txn;
    const struct ledger_state *state;
};

static enum store_result rebuild_row(void *context, size_t slot, uint32_t height,
                                     const struct tally *tally, struct error *error)
{
    struct rebuild *rebuild = context;
    return tally_put(rebuild->txn, rebuild->state->feeds[slot].id, height, tally, error);
}

enum store_result tallies_rebuild(struct store_txn *txn, const struct ledger_state *state,
                                  const bool *marked, struct error *error)
{
    struct tally_board board;
    struct rebuild rebuild = {txn, state};
    enum store_result result = STORE_OK;
    bool any = false;
    tally_board_init(&board, &state->members, state->feed_count);
    for (size_t i = 0; i < state->feed_count && result == STORE_OK; i++) {
        if (!marked[i])
            continue;
        board.live[i] = state->feeds[i].merged;
        any = any || board.live[i];
        result = tally_delete_from(txn, state->feeds[i].id, 0, error);
    }
    if (result == STORE_OK && any)
        result = tally_replay(txn, &board, state->cohorts.at[0].cursor, rebuild_row,
                              &rebuild, error);
    for (size_t i = 0; i < state->feed_count && result == STORE_OK; i++) {
        if (marked[i])
            state->board.now[i] = board.now[i];
    }
    tally_board_release(&board);
    return result;
}

/* ---- the handle ---- */

void ledger_adopt(struct ledger *ledger, struct ledger_state *state)
{
    for (size_t i = 0; i < COHORTS_MAX; i++)
        stage_clear(&ledger->stages[i]);
    ledger_state_free(ledger->state);
    ledger->state = state;
    state->cohorts.epoch = ++ledger->epoch;
}

enum store_result ledger_open(struct ledger **out, struct store *store,
                              const uint64_t seed[static 2], struct error *error)
{
    struct ledger_state *state = NULL;
    struct store_txn *txn;
    *out = NULL;
    enum store_result result = store_begin(store, &txn, STORE_READ, error);
    if (result != STORE_OK)
        return result;
    result = ledger_state_load(txn, &state, seed, error);
    store_abort(txn);
    if (result != STORE_OK)
        return result;
    struct ledger *ledger = mem_zalloc(1, sizeof(*ledger));
    ledger->store = store;
    memcpy(ledger->seed, seed, sizeof(ledger->seed));
    ledger_adopt(ledger, state);
    *out = ledger;
    return STORE_OK;
}

void ledger_close(struct ledger *ledger)
{
    if (ledger == NULL)
        return;
    for (size_t i = 0; i < COHORTS_MAX; i++)
        stage_clear(&ledger->stages[i]);
    ledger_state_free(ledger->state);
    free(ledger);
}

uint32_t ledger_birth(const struct ledger *ledger)
{
    return ledger_lowest_birth(ledger->state);
}

void ledger_cohorts(struct ledger *ledger, struct cohort_table *out)
{
    cohort_table_copy(out, &ledger->state->cohorts);
}
