/* Watching exactly what a definition says. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "spv/script.h"
#include "store/ledger_feeds.h"
#include "store/ledger_state.h"

/* One attempt at the transaction: what becomes of each script. */
struct define {
    struct ledger *ledger;
    const struct ledger_definition *definition;
    struct ledger_state *state; /* the new one, once written */
    uint32_t *births;           /* by index in the definition: the lowest that counts */
    uint32_t *ids;              /* by index in the definition */
    bool *fresh;                /* by index in the definition: to be scanned from birth */
    bool *lowered;              /* by index in the definition: only the birth moves */
    uint32_t id_limit;          /* above every id, old and new */
    uint32_t *cohort_of;        /* by id */
    bool *erase;                /* by id: coins and events go */
    bool any_erased;
    bool present[COHORTS_MAX]; /* cohorts */
    uint32_t cursors[COHORTS_MAX];
};

static void define_reset(struct define *define)
{
    free(define->ids);
    free(define->fresh);
    free(define->lowered);
    free(define->cohort_of);
    free(define->erase);
    ledger_state_free(define->state);
    *define = (struct define){.ledger = define->ledger,
                              .definition = define->definition,
                              .births = define->births};
}

/* ---- the definition itself ---- */

struct hashed {
    uint64_t hash;
    uint32_t index;
};

static int compare_hashed(const void *a, const void *b)
{
    const struct hashed *x = a, *y = b;
    return (x->hash > y->hash) - (x->hash < y->hash);
}

/* Each script is watchable, and there once. */
static enum store_result check_scripts(const struct ledger *ledger,
                                       const struct ledger_definition *definition,
                                       struct error *error)
{
    size_t count = definition->script_count;
    struct hashed *hashed = mem_zalloc(count, sizeof(*hashed));
    enum store_result result = STORE_OK;
    for (size_t i = 0; i < count && result == STORE_OK; i++) {
        struct bytes script = definition->scripts[i].script;
        uint64_t hash =
            siphash(ledger->seed[0], ledger->seed[1], script.data, script.len);
        hashed[i] = (struct hashed){hash, (uint32_t)i};
        if (!script_watchable(script, error))
            result = STORE_FAILED;
    }
    if (count > 0)
        qsort(hashed, count, sizeof(*hashed), compare_hashed);
    for (size_t i = 1; i < count && result == STORE_OK; i++) {
        if (hashed[i].hash != hashed[i - 1].hash ||
            !bytes_equal(definition->scripts[hashed[i].index].script,
                         definition->scripts[hashed[i - 1].index].script))
            continue;
        error_set(error, "definition: script %u is there twice", hashed[i].index);
        result = STORE_FAILED;
    }
    free(hashed);
    return result;
}

/* A script is scanned from the lowest birth that any feed gives it. */
static enum store_result find_births(struct define *define, struct error *error)
{
    const struct ledger_definition *definition = define->definition;
    define->births = mem_zalloc(definition->script_count, sizeof(*define->births));
    for (size_t i = 0; i < definition->script_count; i++)
        define->births[i] = definition->scripts[i].birth;
    for (size_t f = 0; f < definition->feed_count; f++) {
        const struct feed_definition *feed = &definition->feeds[f];
        for (size_t m = 0; m < feed->member_count; m++) {
            const struct feed_member *member = &feed->members[m];
            if (member->script >= definition->script_count) {
                error_set(error, "feed %s: member %zu has no script", feed->name, m);
                return STORE_FAILED;
            }
            if (member->birth < define->births[member->script])
                define->births[member->script] = member->birth;
        }
    }
    for (size_t i = 0; i < definition->script_count; i++) {
        if (define->births[i] < HEIGHT_NONE / 2)
            continue;
        error_set(error, "definition: script %zu has birth height %u", i,
                  define->births[i]);
        return STORE_FAILED;
    }
    return STORE_OK;
}

/* ---- old and new scripts ---- */

static uint32_t find_script(const struct ledger_state *state, struct bytes script)
{
    for (size_t i = 0; i < state->cohorts.count; i++) {
        uint32_t id = script_set_find(state->cohorts.at[i].scripts, script);
        if (id != SCRIPT_ID_NONE)
            return id;
    }
    return SCRIPT_ID_NONE;
}

static void identify_scripts(struct define *define)
{
    const struct ledger_state *state = define->ledger->state;
    size_t count = define->definition->script_count;
    define->ids = mem_zalloc(count, sizeof(*define->ids));
    define->fresh = mem_zalloc(count, sizeof(*define->fresh));
    define->lowered = mem_zalloc(count, sizeof(*define->lowered));
    define->id_limit = state->script_limit;
    for (size_t i = 0; i < count; i++) {
        uint32_t id = find_script(state, define->definition->scripts[i].script);
        define->fresh[i] = id == SCRIPT_ID_NONE;
        define->ids[i] = id == SCRIPT_ID_NONE ? define->id_limit++ : id;
    }
    define->cohort_of = mem_alloc(define->id_limit * sizeof(*define->cohort_of));
    define->erase = mem_zalloc(define->id_limit, sizeof(*define->erase));
    for (uint32_t id = 0; id < define->id_limit; id++) {
        define->cohort_of[id] = COHORT_NONE;
        define->erase[id] = script_cohort(state, id) != COHORT_NONE;
    }
}

/* Keep what stays; what moved below its cohort's cursor starts over. */
static void judge_scripts(struct define *define)
{
    const struct ledger_state *state = define->ledger->state;
    for (size_t i = 0; i < state->cohorts.count; i++) {
        const struct cohort *cohort = &state->cohorts.at[i];
        define->cursors[cohort->id] = cohort->cursor;
    }
    for (size_t i = 0; i < define->definition->script_count; i++) {
        uint32_t id = define->ids[i], birth = define->births[i];
        if (define->fresh[i])
            continue;
        bool below = birth < state->birth_of[id];
        uint32_t cohort = state->cohort_of[id];
        if (below && birth <= define->cursors[cohort]) {
            define->fresh[i] = true;
            continue;
        }
        define->lowered[i] = below;
        define->erase[id] = false;
        define->cohort_of[id] = cohort;
        define->present[cohort] = true;
    }
    for (uint32_t id = 0; id < define->id_limit; id++)
        define->any_erased = define->any_erased || define->erase[id];
}

/* ---- where they are scanned ---- */

static uint32_t cursor_below(uint32_t birth)
{
    return birth > 0 ? birth - 1 : 0; /* the genesis output is never a coin */
}

/* The lowest cursor for the fresh scripts without cohort; HEIGHT_NONE if there are none.
 */
static uint32_t lowest_cursor(const struct define *define)
{
    uint32_t lowest = HEIGHT_NONE;
    for (size_t i = 0; i < define->definition->script_count; i++) {
        uint32_t cursor = cursor_below(define->births[i]);
        if (define->cohort_of[define->ids[i]] == COHORT_NONE && cursor < lowest)
            lowest = cursor;
    }
    return lowest;
}

/* Put fresh scripts that need no block at or below `cursor` into a cohort. */
static void join(struct define *define, uint32_t cohort, uint32_t cursor)
{
    define->present[cohort] = true;
    define->cursors[cohort] = cursor;
    for (size_t i = 0; i < define->definition->script_count; i++) {
        uint32_t *of = &define->cohort_of[define->ids[i]];
        if (*of == COHORT_NONE && cursor_below(define->births[i]) >= cursor)
            *of = cohort;
    }
}

static bool any_other(const struct define *define)
{
    for (uint32_t id = 1; id < COHORTS_MAX; id++) {
        if (define->present[id])
            return true;
    }
    return false;
}

/* A cohort that is there at this very cursor, or a free number; else COHORT_NONE. */
static uint32_t cohort_at(const struct define *define, uint32_t cursor)
{
    uint32_t found = COHORT_NONE;
    for (uint32_t id = COHORTS_MAX - 1; id > 0; id--) {
        if (!define->present[id])
            found = id;
    }
    for (uint32_t id = 1; id < COHORTS_MAX; id++) {
        if (define->present[id] && define->cursors[id] == cursor)
            found = id;
    }
    return found;
}

static uint32_t hindmost(const struct define *define)
{
    uint32_t found = 1;
    for (uint32_t id = 2; id < COHORTS_MAX; id++) {
        if (define->cursors[id] < define->cursors[found])
            found = id;
    }
    return found;
}

/* All numbers are taken: the cohort furthest behind takes the scripts on, and forgets
 * what it has if they are older than where it stands. */
static void join_hindmost(struct define *define, uint32_t cursor)
{
    uint32_t id = hindmost(define);
    if (cursor < define->cursors[id]) {
        for (uint32_t script = 0; script < define->id_limit; script++) {
            if (define->cohort_of[script] == id)
                define->erase[script] = define->any_erased = true;
        }
    } else {
        cursor = define->cursors[id];
    }
    join(define, id, cursor);
}

static void place_scripts(struct define *define, uint32_t header_height)
{
    bool empty = !define->present[0] && !any_other(define);
    uint32_t lowest = lowest_cursor(define);
    if (empty && lowest == HEIGHT_NONE)
        return;
    if (empty) {
        join(define, 0, lowest);
        return;
    }
    define->present[0] = true; /* even without scripts: the merged cohort is for ever */
    join(define, 0, define->cursors[0]);
    if ((lowest = lowest_cursor(define)) == HEIGHT_NONE)
        return;
    /* Above the stored headers nothing has been applied yet. */
    if (define->cursors[0] > header_height && !any_other(define)) {
        join(define, 0, lowest);
        return;
    }
    uint32_t id = cohort_at(define, lowest);
    if (id != COHORT_NONE)
        join(define, id, lowest);
    else
        join_hindmost(define, lowest);
}

/* ---- writing ---- */

static enum store_result erase_rows(struct store_txn *txn, const struct define *define,
                                    enum table table, struct error *error)
{
    struct walk walk;
    enum store_result result = walk_open(&walk, txn, table, error);
    if (result == STORE_OK)
        result = walk_first(&walk, error);
    for (; result == STORE_OK; result = walk_next(&walk, error)) {
        struct event event;
        struct coin coin;
        bool sound = table == TABLE_EVENTS ? event_decode(&event, walk.key, walk.value)
                                           : coin_decode(&coin, walk.key, walk.value);
        if (!sound) {
            result = table_damaged(table, "a row is malformed", error);
            break;
        }
        uint32_t script = table == TABLE_EVENTS ? event.coin.script : coin.script;
        if (script >= define->id_limit || !define->erase[script])
            continue;
        if ((result = walk_delete(&walk, error)) != STORE_OK)
            break;
    }
    walk_close(&walk);
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

static enum store_result write_scripts(struct store_txn *txn, const struct define *define,
                                       struct error *error)
{
    enum store_result result = STORE_OK;
    for (uint32_t id = 0; id < define->ledger->state->script_limit; id++) {
        struct key key = key_u32(id);
        if (define->cohort_of[id] != COHORT_NONE ||
            script_cohort(define->ledger->state, id) == COHORT_NONE)
            continue;
        result = table_delete(txn, TABLE_SCRIPTS, key_bytes(&key), error);
        if (result != STORE_OK)
            return table_damaged(TABLE_SCRIPTS, "a row is gone", error);
    }
    for (size_t i = 0; i < define->definition->script_count && result == STORE_OK; i++) {
        if (!define->fresh[i] && !define->lowered[i])
            continue;
        result = script_put(
            txn,
            &(struct script_record){.id = define->ids[i],
                                    .cohort = define->cohort_of[define->ids[i]],
                                    .birth = define->births[i],
                                    .script = define->definition->scripts[i].script},
            error);
    }
    return result;
}

static enum store_result write_cohorts(struct store_txn *txn, const struct define *define,
                                       struct error *error)
{
    struct key none = {.len = 0};
    enum store_result result = table_delete_from(
        txn, TABLE_COHORTS, key_bytes(&none), (struct bytes){(uint8_t[4]){0}, 4}, error);
    for (uint32_t id = 0; id < COHORTS_MAX && result == STORE_OK; id++) {
        if (define->present[id])
            result = cohort_put(txn, id, define->cursors[id], error);
    }
    return result;
}

static enum store_result write_state(struct define *define, struct store_txn *txn,
                                     struct error *error)
{
    enum store_result result = STORE_OK;
    if (define->any_erased)
        result = erase_rows(txn, define, TABLE_EVENTS, error);
    if (result == STORE_OK && define->any_erased)
        result = erase_rows(txn, define, TABLE_COINS, error);
    if (result == STORE_OK)
        result = write_scripts(txn, define, error);
    if (result == STORE_OK)
        result = write_cohorts(txn, define, error);
    return result;
}

static enum store_result define_once(void *context, struct store_txn *txn,
                                     struct error *error)
{
    struct define *define = context;
    struct chain_extent extent;
    define_reset(define); /* of an attempt for which the map was too small */
    enum store_result result = chain_extent(txn, &extent, error);
    if (result != STORE_OK)
        return result;
    identify_scripts(define);
    judge_scripts(define);
    place_scripts(define, extent.header_height);
    result = write_state(define, txn, error);
    if (result != STORE_OK)
        return result;

    struct feeds_written written;
    result = ledger_write_feeds(txn, &written, define->definition, define->ids,
                                define->cohort_of, error);
    if (result == STORE_OK)
        result = ledger_state_load(txn, &define->state, define->ledger->seed, error);
    if (result == STORE_OK) {
        bool *marked = mem_zalloc(define->state->feed_count, sizeof(*marked));
        for (size_t i = 0; i < define->state->feed_count; i++)
            marked[i] = define->any_erased ||
                        feeds_written_changed(&written, define->state->feeds[i].id);
        result = tallies_rebuild(txn, define->state, marked, error);
        free(marked);
    }
    feeds_written_release(&written);
    return result;
}

enum store_result ledger_define(struct ledger *ledger,
                                const struct ledger_definition *definition,
                                struct error *error)
{
    struct define define = {.ledger = ledger, .definition = definition};
    enum store_result result = check_scripts(ledger, definition, error);
    if (result == STORE_OK)
        result = find_births(&define, error);
    if (result == STORE_OK)
        result = store_update(ledger->store, define_once, &define, error);
    if (result == STORE_OK) {
        ledger_adopt(ledger, define.state);
        define.state = NULL;
    }
    define_reset(&define);
    free(define.births);
    return result;
}
