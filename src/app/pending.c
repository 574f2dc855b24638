#include "app/pending.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"

struct entry {
    struct txid txid;
    struct foreseen_feed *feeds;
    size_t feed_count;
    struct outpoint *inputs;
    size_t input_count;
    struct wall_time first_seen;
    size_t peers;
};

struct pending {
    struct entry entries[PENDING_MAX]; /* the oldest first */
    size_t count;
    bool rivals;   /* two may spend the same */
    unsigned news; /* lines that the log still bears */
    uint64_t seed[2];
};

struct pending *pending_new(const uint64_t seed[static 2])
{
    struct pending *pending = mem_zalloc(1, sizeof *pending);
    memcpy(pending->seed, seed, sizeof pending->seed);
    pending->news = PENDING_NEWS_MAX;
    return pending;
}

static void remove_at(struct pending *pending, size_t at)
{
    struct entry *entry = &pending->entries[at];
    free(entry->feeds);
    free(entry->inputs);
    memmove(entry, entry + 1, (--pending->count - at) * sizeof *entry);
}

void pending_free(struct pending *pending)
{
    if (!pending)
        return;
    while (pending->count)
        remove_at(pending, pending->count - 1);
    free(pending);
}

/* An event of this transaction, a line for each feed. */
static void tell(struct pending *pending, const struct entry *entry, const char *what)
{
    enum log_level level = pending->news ? LOG_INFO : LOG_DEBUG;
    char txid[ID_TEXT_MAX], credited[AMOUNT_TEXT_MAX], debited[AMOUNT_TEXT_MAX];
    txid_text(txid, &entry->txid);
    for (size_t i = 0; i < entry->feed_count; i++) {
        amount_format_btc(credited, entry->feeds[i].credited);
        amount_format_btc(debited, entry->feeds[i].debited);
        log_line(LOG_FEED, level,
                 "feed %s: pending %s (credits %s BTC, debits %s BTC): %s",
                 entry->feeds[i].name, txid, credited, debited, what);
    }
    pending->news -= pending->news > 0;
}

static void drop_at(struct pending *pending, size_t at, const char *why)
{
    tell(pending, &pending->entries[at], why);
    remove_at(pending, at);
}

/* ---- coming ---- */

static bool is_there(const struct pending *pending, const struct txid *txid)
{
    for (size_t i = 0; i < pending->count; i++)
        if (memcmp(&pending->entries[i].txid, txid, sizeof *txid) == 0)
            return true;
    return false;
}

bool pending_add(struct pending *pending, const struct block *transaction,
                 const struct foreseen *foreseen, struct wall_time now)
{
    const struct txid *txid = &transaction->txs[0].txid;
    if (!foreseen->count || is_there(pending, txid))
        return false;
    if (pending->count == PENDING_MAX)
        drop_at(pending, 0, "let go of, there are too many");
    struct entry *entry = &pending->entries[pending->count++];
    *entry = (struct entry){.txid = *txid, .first_seen = now, .peers = 1};
    entry->feed_count = foreseen->count;
    entry->feeds = mem_dup(foreseen->feeds, foreseen->count * sizeof *entry->feeds);
    entry->input_count = transaction->in_count < PENDING_INPUTS_MAX
                             ? transaction->in_count
                             : PENDING_INPUTS_MAX;
    entry->inputs = mem_zalloc(entry->input_count, sizeof *entry->inputs);
    for (size_t i = 0; i < entry->input_count; i++)
        entry->inputs[i] = transaction->ins[i].previous;
    pending->rivals = true;
    tell(pending, entry, "announced, not confirmed");
    return true;
}

/* ---- going ---- */

/* Every outpoint that the block spends, with the index of the transaction. */
static void map_spends(struct map *spends, const struct block *block,
                       const uint64_t seed[static 2])
{
    map_init(spends, sizeof(struct outpoint), sizeof(uint32_t), seed);
    for (uint32_t t = 0; t < block->tx_count; t++)
        for (uint32_t i = 0; i < block->txs[t].in_count; i++)
            memcpy(
                map_put(spends, &block->ins[block->txs[t].first_in + i].previous, NULL),
                &t, sizeof t);
}

/* The transaction of the block that spends one of the entry's inputs; NULL: none does. */
static const struct tx *spender(const struct map *spends, const struct block *block,
                                const struct entry *entry)
{
    for (size_t i = 0; i < entry->input_count; i++) {
        const void *found = map_find(spends, &entry->inputs[i]);
        uint32_t index;
        if (!found)
            continue;
        memcpy(&index, found, sizeof index);
        return &block->txs[index];
    }
    return NULL;
}

bool pending_block(struct pending *pending, const struct block *block)
{
    size_t before = pending->count;
    struct map spends;
    if (!before)
        return false;
    map_spends(&spends, block, pending->seed);
    for (size_t i = pending->count; i-- > 0;) {
        struct entry *entry = &pending->entries[i];
        const struct tx *tx = spender(&spends, block, entry);
        if (tx)
            drop_at(pending, i,
                    memcmp(&tx->txid, &entry->txid, sizeof tx->txid) == 0
                        ? "confirmed by a block"
                        : "void, another spend of the same coin is confirmed");
    }
    map_release(&spends);
    return pending->count != before;
}

/* Whether one of `count` entries, all newer, spends what this one does and is announced
 * by as many peers. */
static bool is_replaced(const struct pending *pending, size_t at)
{
    const struct entry *entry = &pending->entries[at];
    struct map inputs;
    bool replaced = false;
    map_init(&inputs, sizeof(struct outpoint), 0, pending->seed);
    for (size_t i = 0; i < entry->input_count; i++)
        map_put(&inputs, &entry->inputs[i], NULL);
    for (size_t i = at + 1; i < pending->count && !replaced; i++) {
        const struct entry *newer = &pending->entries[i];
        for (size_t j = 0; j < newer->input_count && !replaced; j++)
            replaced =
                newer->peers >= entry->peers && map_find(&inputs, &newer->inputs[j]);
    }
    map_release(&inputs);
    return replaced;
}

static bool count_peers(struct pending *pending, const struct spv *spv)
{
    bool changed = false;
    for (size_t i = 0; i < pending->count; i++) {
        struct entry *entry = &pending->entries[i];
        size_t peers = spv_announcers(spv, &entry->txid);
        if (peers <= entry->peers)
            continue;
        entry->peers = peers;
        changed = true;
    }
    return changed;
}

bool pending_refresh(struct pending *pending, const struct spv *spv, struct wall_time now)
{
    size_t before = pending->count;
    bool counted = count_peers(pending, spv);
    pending->news += pending->news < PENDING_NEWS_MAX;
    for (size_t i = pending->count; i-- > 0 && (counted || pending->rivals);)
        if (is_replaced(pending, i))
            drop_at(pending, i, "replaced by a newer spend of the same coin");
    pending->rivals = false;
    while (pending->count && now.s - pending->entries[0].first_seen.s > PENDING_AGE_S)
        drop_at(pending, 0, "let go of, no block had it for 14 days");
    return counted || pending->count != before;
}

/* ---- showing ---- */

json_t *pending_json(const struct pending *pending)
{
    json_t *array = json_array();
    for (size_t i = 0; pending && i < pending->count; i++) {
        const struct entry *entry = &pending->entries[i];
        char txid[ID_TEXT_MAX];
        txid_text(txid, &entry->txid);
        for (size_t j = 0; j < entry->feed_count; j++) {
            const struct foreseen_feed *feed = &entry->feeds[j];
            json_array_append_new(
                array, json_pack("{s:s, s:s, s:I, s:I, s:I, s:I}", "txid", txid, "feed",
                                 feed->name, "credited", (json_int_t)feed->credited.sat,
                                 "debited", (json_int_t)feed->debited.sat, "first_seen",
                                 (json_int_t)entry->first_seen.s, "peers",
                                 (json_int_t)entry->peers));
        }
    }
    return array;
}
