#include "store/ledger_walk.h"

#include "store/ledger_state.h"

enum store_result ledger_each_script(struct store_txn *txn, uint32_t from,
                                     bool (*each)(void *context,
                                                  const struct script_view *script),
                                     void *context, struct error *error)
{
    struct key start = key_u32(from);
    struct walk walk;
    enum store_result result = walk_open(&walk, txn, TABLE_SCRIPTS, error);
    if (result == STORE_OK)
        result = walk_seek(&walk, key_bytes(&start), error);
    for (; result == STORE_OK; result = walk_next(&walk, error)) {
        struct script_record record;
        if (!script_decode(&record, walk.key, walk.value)) {
            result = table_damaged(TABLE_SCRIPTS, "a row is malformed", error);
            break;
        }
        const struct script_view view = {record.id, record.birth, record.script};
        if (record.cohort == 0 && !each(context, &view))
            break;
    }
    walk_close(&walk);
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

static enum store_result check_height(struct store_txn *txn, uint32_t height,
                                      struct error *error)
{
    uint32_t cursor, oldest;
    enum store_result result = ledger_cursor(txn, &cursor, error);
    if (result == STORE_OK)
        result = coins_oldest(txn, &oldest, error);
    if (result != STORE_OK || (oldest <= height && height <= cursor))
        return result;
    error_set(error, "ledger: coins are known from height %u to %u, not at %u", oldest,
              cursor, height);
    return STORE_NOT_FOUND;
}

struct alive_walk {
    uint32_t height;
    bool (*each)(void *context, const struct coin *coin);
    void *context;
};

static enum store_result show_alive(void *context, const struct coin *coin,
                                    struct error *error)
{
    (void)error;
    const struct alive_walk *walk = context;
    bool alive = coin->created <= walk->height && walk->height < coin->spent;
    return !alive || walk->each(walk->context, coin) ? STORE_OK : STORE_NOT_FOUND;
}

enum store_result ledger_each_alive(struct store_txn *txn, uint32_t height,
                                    bool (*each)(void *context, const struct coin *coin),
                                    void *context, struct error *error)
{
    struct alive_walk walk = {height, each, context};
    enum store_result result = check_height(txn, height, error);
    return result == STORE_OK ? coins_each(txn, show_alive, &walk, error) : result;
}

enum store_result ledger_feed_counts(struct store_txn *txn, bool *counts,
                                     const struct feed_row *feed, uint32_t script,
                                     uint32_t created, struct error *error)
{
    struct key key = key_u32_u32(feed->id, script);
    struct bytes value;
    struct member_record member;
    *counts = false;
    enum store_result result =
        table_get(txn, &value, TABLE_MEMBERS, key_bytes(&key), error);
    if (result == STORE_NOT_FOUND)
        return STORE_OK;
    if (result == STORE_OK && !member_decode(&member, key_bytes(&key), value))
        return table_damaged(TABLE_MEMBERS, "a row is malformed", error);
    *counts = result == STORE_OK && created >= member.birth;
    return result;
}
