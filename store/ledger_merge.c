/* Cohorts whose cursors have met become one. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/ledger_state.h"

/* Give every script of one cohort to another. */
static enum store_result move_scripts(struct store_txn *txn,
                                      const struct ledger_state *state, uint32_t from,
                                      uint32_t to, struct error *error)
{
    enum store_result result = STORE_OK;
    for (uint32_t id = 0; id < state->script_limit && result == STORE_OK; id++) {
        if (state->cohort_of[id] != from)
            continue;
        struct key key = key_u32(id);
        struct bytes value;
        struct script_record record;
        result = table_get(txn, &value, TABLE_SCRIPTS, key_bytes(&key), error);
        if (result != STORE_OK || !script_decode(&record, key_bytes(&key), value))
            return table_damaged(TABLE_SCRIPTS, "a row is gone or malformed", error);
        uint8_t *script = mem_dup(record.script.data, record.script.len);
        record.script.data = script;
        record.cohort = to;
        state->cohort_of[id] = to;
        result = script_put(txn, &record, error);
        free(script);
    }
    return result;
}

/* Feeds all of whose scripts are in cohort 0 by now. */
static void find_complete(const struct ledger_state *state, bool *complete)
{
    for (size_t i = 0; i < state->feed_count; i++)
        complete[i] = true;
    for (uint32_t id = 0; id < state->script_limit; id++) {
        const struct membership_entry *end;
        const struct membership_entry *entry = membership_of(&state->members, &end, id);
        for (; entry < end; entry++) {
            if (state->cohort_of[id] != 0)
                complete[entry->slot] = false;
        }
    }
}

static enum store_result complete_feeds(struct store_txn *txn, struct ledger_state *state,
                                        struct error *error)
{
    bool *complete = mem_zalloc(state->feed_count, sizeof(*complete));
    enum store_result result = STORE_OK;
    find_complete(state, complete);
    for (size_t i = 0; i < state->feed_count && result == STORE_OK; i++) {
        struct feed_record record = {.row = state->feeds[i]};
        complete[i] = complete[i] && !record.row.merged;
        if (!complete[i])
            continue;
        state->feeds[i].merged = record.row.merged = true;
        state->board.live[i] = true;
        result = feed_put(txn, &record, error);
    }
    if (result == STORE_OK)
        result = tallies_rebuild(txn, state, complete, error);
    free(complete);
    return result;
}

/* Find two cohorts at one height, the lower number first. */
static bool find_pair(const struct ledger_change *change, const bool *gone, uint32_t *to,
                      uint32_t *from)
{
    const struct cohort_table *cohorts = &change->state->cohorts;
    for (size_t i = 0; i < cohorts->count; i++) {
        for (size_t k = i + 1; k < cohorts->count; k++) {
            *to = cohorts->at[i].id;
            *from = cohorts->at[k].id;
            if (!gone[*to] && !gone[*from] &&
                change->cursors[*to] == change->cursors[*from])
                return true;
        }
    }
    return false;
}

enum store_result ledger_merge(struct ledger_change *change, struct error *error)
{
    struct store_txn *txn = change->txn;
    struct ledger_state *state = NULL;
    bool gone[COHORTS_MAX] = {false};
    uint32_t to, from;
    enum store_result result = STORE_OK;
    while (result == STORE_OK && find_pair(change, gone, &to, &from)) {
        /* Loaded with the cursors that this transaction has written. */
        if (state == NULL)
            result = ledger_state_load(txn, &state, change->ledger->seed, error);
        if (result == STORE_OK)
            result = move_scripts(txn, state, from, to, error);
        struct key key = key_u32(from);
        if (result == STORE_OK)
            result = table_delete(txn, TABLE_COHORTS, key_bytes(&key), error);
        gone[from] = true;
    }
    if (result == STORE_OK && state != NULL)
        result = complete_feeds(txn, state, error);
    if (result == STORE_OK && state != NULL)
        result = ledger_state_load(txn, &change->merged, change->ledger->seed, error);
    if (result == STORE_OK)
        change->outcome.merged = state != NULL;
    ledger_state_free(state);
    return result == STORE_NOT_FOUND
               ? table_damaged(TABLE_COHORTS, "a cohort's row is gone", error)
               : result;
}
