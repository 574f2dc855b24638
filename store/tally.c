#include "store/tally.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/ledger_state.h"

void tally_board_init(struct tally_board *board, const struct membership *members,
                      size_t slots)
{
    *board = (struct tally_board){
        .members = members,
        .slots = slots,
        .now = mem_zalloc(slots, sizeof(*board->now)),
        .before = mem_zalloc(slots, sizeof(*board->before)),
        .live = mem_zalloc(slots, sizeof(*board->live)),
        .touched = mem_zalloc(slots, sizeof(*board->touched)),
        .list = mem_zalloc(slots, sizeof(*board->list)),
    };
}

void tally_board_release(struct tally_board *board)
{
    free(board->now);
    free(board->before);
    free(board->live);
    free(board->touched);
    free(board->list);
    *board = (struct tally_board){0};
}

bool coin_is_mature(const struct coin *coin, uint32_t height)
{
    return !coin->coinbase ||
           (height >= COINBASE_MATURITY && coin->created <= height - COINBASE_MATURITY);
}

static bool add(struct amount *sum, uint64_t *coins, struct amount amount)
{
    ++*coins;
    return amount_add(sum, *sum, amount);
}

static bool take(struct amount *sum, uint64_t *coins, struct amount amount)
{
    return (*coins)-- > 0 && amount_sub(sum, *sum, amount);
}

static bool step_one(struct tally *tally, const struct coin *coin, uint32_t height,
                     enum tally_step step)
{
    bool mature = coin_is_mature(coin, height);
    switch (step) {
    case TALLY_ADD:
        return mature ? add(&tally->mature, &tally->mature_coins, coin->amount)
                      : add(&tally->immature, &tally->immature_coins, coin->amount);
    case TALLY_REMOVE:
        return mature ? take(&tally->mature, &tally->mature_coins, coin->amount)
                      : take(&tally->immature, &tally->immature_coins, coin->amount);
    case TALLY_MATURE:
        return take(&tally->immature, &tally->immature_coins, coin->amount) &&
               add(&tally->mature, &tally->mature_coins, coin->amount);
    }
    return false;
}

bool tally_board_step(struct tally_board *board, const struct coin *coin, uint32_t height,
                      enum tally_step step)
{
    const struct membership_entry *end;
    const struct membership_entry *entry =
        membership_of(board->members, &end, coin->script);
    for (; entry < end; entry++) {
        uint32_t slot = entry->slot;
        if (!board->live[slot] || coin->created < entry->birth)
            continue;
        if (!board->touched[slot]) {
            board->touched[slot] = true;
            board->list[board->touched_count++] = slot;
            board->before[slot] = board->now[slot];
        }
        if (!step_one(&board->now[slot], coin, height, step))
            return false;
    }
    return true;
}

static bool tally_equal(const struct tally *a, const struct tally *b)
{
    return a->mature.sat == b->mature.sat && a->immature.sat == b->immature.sat &&
           a->mature_coins == b->mature_coins && a->immature_coins == b->immature_coins;
}

enum store_result tally_board_flush(struct tally_board *board, uint32_t height,
                                    tally_sink *sink, void *context, struct error *error)
{
    enum store_result result = STORE_OK;
    for (size_t i = 0; i < board->touched_count; i++) {
        uint32_t slot = board->list[i];
        board->touched[slot] = false;
        if (result == STORE_OK && !tally_equal(&board->now[slot], &board->before[slot]))
            result = sink(context, slot, height, &board->now[slot], error);
    }
    board->touched_count = 0;
    return result;
}

enum store_result tally_at(struct store_txn *txn, struct tally *out, uint32_t feed,
                           uint32_t height, struct error *error)
{
    struct key prefix = key_u32(feed), after = key_u32_u32(feed, height + 1);
    struct walk walk;
    memset(out, 0, sizeof(*out));
    enum store_result result = walk_open(&walk, txn, TABLE_TALLIES, error);
    if (result == STORE_OK)
        result = walk_seek_before(&walk, key_bytes(&after), error);
    if (result == STORE_OK && bytes_start_with(walk.key, key_bytes(&prefix)) &&
        !tally_decode(out, walk.value))
        result = table_damaged(TABLE_TALLIES, "a row is malformed", error);
    walk_close(&walk);
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

enum store_result tally_put(struct store_txn *txn, uint32_t feed, uint32_t height,
                            const struct tally *tally, struct error *error)
{
    struct key key = key_u32_u32(feed, height);
    uint8_t value[TALLY_VALUE_SIZE];
    tally_encode(value, tally);
    return table_append(txn, TABLE_TALLIES, key_bytes(&key),
                        (struct bytes){value, sizeof(value)}, error);
}

enum store_result tally_delete_from(struct store_txn *txn, uint32_t feed, uint32_t height,
                                    struct error *error)
{
    struct key prefix = key_u32(feed), from = key_u32_u32(feed, height);
    return table_delete_from(txn, TABLE_TALLIES, key_bytes(&prefix), key_bytes(&from),
                             error);
}

/* ---- replay ---- */

/* Coinbases that aren't mature yet, oldest first: at most those of 100 blocks. */
struct replay {
    struct tally_board *board;
    uint32_t height; /* whose events are being added up */
    struct coin *young;
    size_t first, count, capacity;
    tally_sink *sink;
    void *context;
};

static enum store_result contradiction(uint32_t height, struct error *error)
{
    error_set(
        error,
        "ledger: the events up to height %u take more from a feed than was in it, or "
        "add up to more than there can be; rescan",
        height);
    return STORE_FAILED;
}

/* Move on to a height: flush those before, let coins mature on the way and there. */
static enum store_result replay_to(struct replay *replay, uint32_t height,
                                   struct error *error)
{
    while (replay->height < height) {
        enum store_result result = tally_board_flush(
            replay->board, replay->height, replay->sink, replay->context, error);
        if (result != STORE_OK)
            return result;
        bool waiting = replay->first < replay->count;
        uint32_t ripe = waiting ? replay->young[replay->first].created + COINBASE_MATURITY
                                : HEIGHT_NONE;
        replay->height = ripe < height ? ripe : height;
        while (replay->first < replay->count &&
               replay->young[replay->first].created + COINBASE_MATURITY ==
                   replay->height) {
            struct coin *coin = &replay->young[replay->first++];
            if (coin->spent == HEIGHT_NONE &&
                !tally_board_step(replay->board, coin, replay->height, TALLY_MATURE))
                return contradiction(replay->height, error);
        }
    }
    return STORE_OK;
}

static void remember_young(struct replay *replay, const struct coin *coin)
{
    if (replay->first == replay->count)
        replay->first = replay->count = 0;
    if (replay->first > 1024 && replay->first > replay->count / 2) {
        memmove(replay->young, replay->young + replay->first,
                (replay->count - replay->first) * sizeof(*coin));
        replay->count -= replay->first;
        replay->first = 0;
    }
    replay->young = mem_grow(replay->young, &replay->capacity, replay->count + 1,
                             sizeof(*replay->young));
    replay->young[replay->count++] = *coin;
}

/* Only an invalid or a duplicated coinbase goes before it is mature. */
static void forget_young(struct replay *replay, const struct coin *coin, uint32_t height)
{
    for (size_t i = replay->first; i < replay->count; i++) {
        if (replay->young[i].created == coin->created &&
            outpoint_equal(&replay->young[i].outpoint, &coin->outpoint))
            replay->young[i].spent = height;
    }
}

static enum store_result replay_event(struct replay *replay, const struct event *event,
                                      struct error *error)
{
    const struct coin *coin = &event->coin;
    bool sound = true;
    switch (event->kind) {
    case EVENT_CREDIT:
        sound = tally_board_step(replay->board, coin, event->height, TALLY_ADD);
        if (coin->coinbase)
            remember_young(replay, coin);
        break;
    case EVENT_REPLACED:
    case EVENT_DEBIT:
        if (coin->spent != HEIGHT_NONE)
            break;
        sound = tally_board_step(replay->board, coin, event->height, TALLY_REMOVE);
        if (!coin_is_mature(coin, event->height))
            forget_young(replay, coin, event->height);
        break;
    }
    return sound ? STORE_OK : contradiction(event->height, error);
}

static enum store_result replay_visit(void *context, const struct event *event,
                                      struct error *error)
{
    enum store_result result = replay_to(context, event->height, error);
    return result == STORE_OK ? replay_event(context, event, error) : result;
}

enum store_result tally_replay(struct store_txn *txn, struct tally_board *board,
                               uint32_t upto, tally_sink *sink, void *context,
                               struct error *error)
{
    struct replay replay = {.board = board, .sink = sink, .context = context};
    enum store_result result = events_each(txn, 0, upto, replay_visit, &replay, error);
    if (result == STORE_OK)
        result = replay_to(&replay, upto, error);
    if (result == STORE_OK)
        result = tally_board_flush(board, replay.height, sink, context, error);
    free(replay.young);
    return result;
}
