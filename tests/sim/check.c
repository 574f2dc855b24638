/* What must hold at every moment: the ledger stands on a chain that was mined, and each
 * sum that it gives is the oracle's. */
#include <stdlib.h>
#include <string.h>

#include "store/audit.h"
#include "tests/sim/client_impl.h"

#define DEPTHS 4

static void require(const struct sim *sim, enum store_result result, const char *what,
                    const struct error *error)
{
    if (result != STORE_OK)
        sim_fail(sim, "%s: result %d: %s", what, (int)result, error->text);
}

static const struct sim_feed *feed_named(const struct sim *sim, const char *name)
{
    for (size_t i = 0; i < sim->watch.feed_count; i++)
        if (strcmp(sim->watch.feeds[i].name, name) == 0)
            return &sim->watch.feeds[i];
    sim_fail(sim, "the ledger has a feed %s that wasn't defined", name);
}

/* ---- sums ---- */

static void compare(const struct sim *sim, const struct sim_feed *feed,
                    const struct oracle_block *at, const struct reserve *got,
                    const char *by)
{
    struct oracle_sum want = oracle_sum(at, feed->births, feed->count_immature);
    if (got->counted.sat != want.counted || got->coins != want.coins ||
        got->immature.sat != want.immature || got->immature_coins != want.immature_coins)
        sim_fail(sim,
                 "feed %s at height %u by %s: %llu sat in %llu coins, immature %llu in "
                 "%llu; true are %llu in %llu, immature %llu in %llu",
                 feed->name, at->height, by, (unsigned long long)got->counted.sat,
                 (unsigned long long)got->coins, (unsigned long long)got->immature.sat,
                 (unsigned long long)got->immature_coins,
                 (unsigned long long)want.counted, (unsigned long long)want.coins,
                 (unsigned long long)want.immature,
                 (unsigned long long)want.immature_coins);
}

/* The tip, the feed's own depth, the depth to which the ledger must know, and one
 * between.
 */
static void choose_heights(struct sim *sim, uint32_t heights[DEPTHS], uint32_t cursor,
                           uint32_t confirmations)
{
    uint32_t deep = cursor < LEDGER_DEPTH - 1 ? cursor : LEDGER_DEPTH - 1;
    heights[0] = cursor;
    heights[1] = cursor >= confirmations - 1 ? cursor - (confirmations - 1) : cursor;
    heights[2] = cursor - deep;
    heights[3] = cursor - (uint32_t)random_below(&sim->client->random, deep + 1);
}

static void check_feed(struct sim *sim, struct store_txn *txn, const struct feed_row *row,
                       struct oracle_block *cursor)
{
    const struct sim_feed *feed = feed_named(sim, row->name);
    uint32_t heights[DEPTHS];
    choose_heights(sim, heights, cursor->height, feed->confirmations);
    for (int i = 0; i < DEPTHS; i++) {
        struct reserve reserve;
        struct error error;
        require(sim, ledger_tally(txn, &reserve, row, heights[i], &error), "ledger_tally",
                &error);
        compare(sim, feed, oracle_ancestor(cursor, heights[i]), &reserve, "running sum");
        sim->checks++;
    }
}

/* ---- the chain below ---- */

static struct oracle_block *block_at(const struct sim *sim, struct store_txn *txn,
                                     uint32_t height)
{
    struct chain_row row;
    struct error error;
    struct oracle_hash hash;
    require(sim, chain_rows_read(txn, &row, height, 1, &error), "chain_rows_read",
            &error);
    memcpy(hash.b, row.hash.b, sizeof hash.b);
    struct oracle_block *block = oracle_find(&sim->oracle, &hash);
    if (!block || block->height != height)
        sim_fail(sim, "the ledger has a block at height %u that was never mined", height);
    if (row.has_filter_header && !sim->filter_lies &&
        memcmp(row.filter_header.b, block->filter_header.b, sizeof hash.b) != 0)
        sim_fail(sim, "the stored filter header at height %u is wrong", height);
    return block;
}

/* Cohort 0's newest block; NULL while nothing is watched or its birth is to come. */
static struct oracle_block *cursor_block(const struct sim *sim, struct store_txn *txn)
{
    struct error error;
    struct chain_extent extent;
    uint32_t cursor;
    require(sim, chain_extent(txn, &extent, &error), "chain_extent", &error);
    block_at(sim, txn, extent.header_height);
    if (extent.filter_header_count)
        block_at(sim, txn, extent.filter_header_count - 1);
    enum store_result result = ledger_cursor(txn, &cursor, &error);
    if (result == STORE_NOT_FOUND ||
        (result == STORE_OK && cursor > extent.header_height))
        return NULL;
    require(sim, result, "ledger_cursor", &error);
    struct oracle_block *block = block_at(sim, txn, cursor);
    if (block->invalid)
        sim_fail(sim, "the ledger has applied an invalid block at height %u", cursor);
    return block;
}

static void check_sums(struct sim *sim, bool sums)
{
    struct error error;
    struct store_txn *txn;
    struct feed_row *feeds;
    size_t count;
    require(sim, store_begin(sim->client->store, &txn, STORE_READ, &error), "store_begin",
            &error);
    struct oracle_block *cursor = cursor_block(sim, txn);
    require(sim, ledger_feeds(txn, &feeds, &count, &error), "ledger_feeds", &error);
    if (count != sim->watch.feed_count)
        sim_fail(sim, "the ledger has %zu feeds, not %zu", count, sim->watch.feed_count);
    for (size_t i = 0; i < count && cursor && sums; i++)
        if (feeds[i].merged)
            check_feed(sim, txn, &feeds[i], cursor);
    free(feeds);
    store_abort(txn);
}

void check_ledger(struct sim *sim)
{
    sim->unchecked = true;
    check_sums(sim, !sim->filter_lies);
}

/* ---- what the gates let through ---- */

static bool honest_compared(const struct sim *sim, uint32_t height)
{
    struct spv_peer_info peers[SPV_OUTBOUND_MAX];
    size_t count = spv_peers(sim->client->spv, peers, SPV_OUTBOUND_MAX);
    for (size_t i = 0; i < count && i < SPV_OUTBOUND_MAX; i++) {
        size_t index = client_peer_index(sim, peers[i].address);
        if (index == SIZE_MAX)
            continue; /* of those where nobody answers */
        const struct sim_peer *peer = &sim->peers[index];
        if (peers[i].compared && peers[i].height >= height && peer->link && !peer->lie &&
            !peer->behaviour->filters)
            return true;
    }
    return false;
}

bool client_good(const struct sim *sim)
{
    const struct spv *spv = sim->client->spv;
    struct spv_summary summary;
    struct error reason;
    if (!spv || spv_disputed(spv, &reason) || !spv_synced(spv, client_now(sim), &reason))
        return false;
    spv_summary(spv, &summary, client_now(sim));
    return honest_compared(sim, summary.scan_height);
}

void check_gates(struct sim *sim)
{
    if (!sim->filter_lies)
        return;
    struct error reason;
    bool good = client_good(sim);
    sim->disputed += spv_disputed(sim->client->spv, &reason);
    if (good && (!sim->was_good || sim->unchecked)) {
        sim->unchecked = false;
        check_sums(sim, true);
    }
    sim->was_good = good;
}

void check_audit(struct sim *sim)
{
    struct audit audit = {0};
    struct error error;
    struct store_txn *txn;
    require(sim, store_begin(sim->client->store, &txn, STORE_READ, &error), "store_begin",
            &error);
    require(sim, audit_run(txn, &audit, NULL, NULL, &error), "audit_run", &error);
    if (audit.fault_count)
        sim_fail(sim, "audit: %zu faults, the first: %s", audit.fault_count,
                 audit.faults[0]);
    audit_release(&audit);
    store_abort(txn);
}

/* ---- the end ---- */

struct coin_count {
    const struct sim *sim;
    const struct sim_feed *feed;
    const struct oracle_block *at;
    uint64_t coins;
};

static bool same_coin(const struct oracle_coin *a, const struct coin_view *b,
                      const struct sim *sim)
{
    const struct oracle_script *script = &sim->oracle.scripts[a->script];
    return a->vout == b->coin.outpoint.vout && a->sat == b->coin.amount.sat &&
           a->height == b->coin.created && a->coinbase == b->coin.coinbase &&
           memcmp(a->txid.b, b->coin.outpoint.txid.b, 32) == 0 &&
           script->len == b->script.len &&
           memcmp(script->data, b->script.data, script->len) == 0;
}

static bool check_coin(void *context, const struct coin_view *view)
{
    struct coin_count *count = context;
    count->coins++;
    for (size_t i = 0; i < count->at->coin_count; i++)
        if (same_coin(&count->at->coins[i], view, count->sim) &&
            count->feed->births[count->at->coins[i].script] <= view->coin.created)
            return true;
    sim_fail(count->sim, "feed %s lists a coin that there isn't at height %u",
             count->feed->name, count->at->height);
}

/* What is spent above a height: the coins alive there that the tip doesn't have. */
static uint64_t spent_above(const struct sim_feed *feed, const struct oracle_block *at,
                            const struct oracle_block *tip, uint64_t *coins)
{
    uint64_t sat = 0;
    for (size_t i = 0; i < at->coin_count; i++) {
        const struct oracle_coin *coin = &at->coins[i];
        bool counts =
            feed->births[coin->script] != BIRTH_NONE &&
            coin->height >= feed->births[coin->script] &&
            (feed->count_immature || !coin->coinbase || at->height >= coin->height + 100);
        for (size_t k = 0; k < tip->coin_count && counts; k++)
            counts = tip->coins[k].vout != coin->vout ||
                     !oracle_hash_equal(&tip->coins[k].txid, &coin->txid);
        if (counts) {
            sat += coin->sat;
            ++*coins;
        }
    }
    return sat;
}

static void check_coins(struct sim *sim, struct store_txn *txn,
                        const struct feed_row *row, struct oracle_block *tip)
{
    const struct sim_feed *feed = feed_named(sim, row->name);
    uint32_t heights[DEPTHS];
    choose_heights(sim, heights, tip->height, feed->confirmations);
    for (int i = 0; i < DEPTHS; i++) {
        struct error error;
        struct oracle_block *at = oracle_ancestor(tip, heights[i]);
        struct readd readd = {.feed = row, .height = heights[i]};
        require(sim, ledger_readd(txn, &readd, 1, &error), "ledger_readd", &error);
        compare(sim, feed, at, &readd.by_coins, "coins");
        uint64_t coins = 0, sat = spent_above(feed, at, tip, &coins);
        if (readd.by_coins.spent_above.sat != sat ||
            readd.by_coins.coins_spent_above != coins)
            sim_fail(sim, "feed %s at height %u: %llu sat spent above, true are %llu",
                     feed->name, at->height,
                     (unsigned long long)readd.by_coins.spent_above.sat,
                     (unsigned long long)sat);
        struct coin_count count = {sim, feed, at, 0};
        require(sim, ledger_each_coin(txn, row, heights[i], check_coin, &count, &error),
                "ledger_each_coin", &error);
        struct oracle_sum all = oracle_sum(at, feed->births, true);
        if (readd.events_negative || readd.events_total.sat != all.counted)
            sim_fail(sim, "feed %s at height %u: events sum up to %llu sat, not %llu",
                     feed->name, at->height, (unsigned long long)readd.events_total.sat,
                     (unsigned long long)all.counted);
        if (count.coins != all.coins)
            sim_fail(sim, "feed %s at height %u: %llu coins are listed of %llu",
                     feed->name, at->height, (unsigned long long)count.coins,
                     (unsigned long long)all.coins);
    }
}

void check_final(struct sim *sim)
{
    struct error error;
    struct store_txn *txn;
    struct feed_row *feeds;
    size_t count;
    check_sums(sim, true);
    check_audit(sim);
    require(sim, store_begin(sim->client->store, &txn, STORE_READ, &error), "store_begin",
            &error);
    struct oracle_block *cursor = cursor_block(sim, txn);
    require(sim, ledger_feeds(txn, &feeds, &count, &error), "ledger_feeds", &error);
    for (size_t i = 0; i < count && cursor; i++) {
        if (!feeds[i].merged)
            sim_fail(sim, "feed %s isn't merged although all is synced", feeds[i].name);
        check_coins(sim, txn, &feeds[i], cursor);
    }
    free(feeds);
    store_abort(txn);
}
