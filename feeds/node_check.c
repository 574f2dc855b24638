#include "feeds/node_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/chain_rows.h"

/* ---- what is asked about ---- */

struct gathering {
    struct node_batch *batch;
    struct bytes *scripts; /* copies */
    size_t id_capacity, script_capacity, bytes;
};

static bool gather(void *context, const struct script_view *view)
{
    struct gathering *all = context;
    struct node_batch *batch = all->batch;
    if (batch->count == NODE_SCAN_SCRIPTS_MAX ||
        all->bytes + view->script.len > NODE_SCAN_BYTES_MAX)
        return false;
    batch->ids =
        mem_grow(batch->ids, &all->id_capacity, batch->count + 1, sizeof *batch->ids);
    all->scripts = mem_grow(all->scripts, &all->script_capacity, batch->count + 1,
                            sizeof *all->scripts);
    batch->ids[batch->count] = view->id;
    all->scripts[batch->count++] =
        (struct bytes){mem_dup(view->script.data, view->script.len), view->script.len};
    all->bytes += view->script.len;
    return true;
}

static struct script_set *set_of(const struct gathering *all,
                                 const uint64_t seed[static 2])
{
    size_t count = all->batch->count;
    uint32_t *places = mem_zalloc(count, sizeof *places);
    for (uint32_t i = 0; i < count; i++)
        places[i] = i;
    struct script_set *set = script_set_new(all->scripts, places, count, seed);
    free(places);
    return set;
}

enum store_result node_batch_read(struct store_txn *txn, struct node_batch *out,
                                  uint32_t from, const uint64_t seed[static 2],
                                  struct error *error)
{
    struct gathering all = {.batch = out};
    *out = (struct node_batch){0};
    enum store_result result = ledger_each_script(txn, from, gather, &all, error);
    if (result == STORE_OK && out->count)
        out->scripts = set_of(&all, seed);
    for (size_t i = 0; i < out->count; i++)
        free((uint8_t *)(uintptr_t)all.scripts[i].data);
    free(all.scripts);
    if (result != STORE_OK)
        node_batch_release(out);
    return result;
}

void node_batch_release(struct node_batch *batch)
{
    script_set_unref(batch->scripts);
    free(batch->ids);
    *batch = (struct node_batch){0};
}

/* ---- the same block ---- */

static enum store_result find_block(struct store_txn *txn, struct node_check *out,
                                    const struct node_scan *scan, struct error *error)
{
    struct chain_row row;
    struct chain_extent extent;
    uint32_t cursor;
    enum store_result result = ledger_cursor(txn, &cursor, error);
    if (result == STORE_OK)
        result = chain_extent(txn, &extent, error);
    if (result != STORE_OK)
        return result;
    out->verdict = NODE_NOT_THERE;
    /* The cursor is ahead of the chain while every birth lies in the future. */
    if (scan->height > cursor || scan->height > extent.header_height) {
        error_set(&out->reason, "the ledger is at height %u, the node at %u", cursor,
                  scan->height);
        return STORE_OK;
    }
    if (cursor - scan->height > LEDGER_DEPTH) {
        error_set(&out->reason, "the node is far behind, at height %u of %u",
                  scan->height, cursor);
        return STORE_OK;
    }
    result = chain_rows_read(txn, &row, scan->height, 1, error);
    if (result != STORE_OK)
        return result;
    if (block_hash_equal(&row.hash, &scan->block))
        out->verdict = NODE_AGREES;
    else
        error_set(&out->reason, "at height %u the node has another block than our chain",
                  scan->height);
    return STORE_OK;
}

/* ---- comparing ---- */

#define PLACE_NONE UINT32_MAX
#define BIRTH_NONE UINT32_MAX

struct comparison {
    struct store_txn *txn;
    struct node_check *out;
    const struct node_batch *batch;
    const struct node_scan *scan;
    uint32_t *births; /* by place; BIRTH_NONE: not looked at */
    size_t next;      /* coin of the node */
    struct feed_row *feeds;
    size_t feed_count;
    enum store_result result;
    struct error *error;
};

static uint32_t place_of(const struct comparison *comparison, uint32_t id)
{
    size_t low = 0, high = comparison->batch->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (comparison->batch->ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < comparison->batch->count && comparison->batch->ids[low] == id;
    return found ? (uint32_t)low : PLACE_NONE;
}

static bool take_birth(void *context, const struct script_view *view)
{
    struct comparison *comparison = context;
    const struct node_batch *batch = comparison->batch;
    uint32_t place = place_of(comparison, view->id);
    if (place != PLACE_NONE &&
        bytes_equal(script_set_at(batch->scripts, place), view->script))
        comparison->births[place] = view->birth;
    return view->id < batch->ids[batch->count - 1];
}

static struct node_finding *finding_of(struct node_check *check, const char *feed)
{
    for (size_t i = 0; i < check->count; i++)
        if (strcmp(check->findings[i].feed, feed) == 0)
            return &check->findings[i];
    struct node_finding *finding = &check->findings[check->count++];
    snprintf(finding->feed, sizeof finding->feed, "%s", feed);
    return finding;
}

/* One side of a difference: what it has at the outpoint. */
static void describe(char out[static 48], const struct amount *amount, uint32_t height)
{
    if (amount)
        snprintf(out, 48, "%" PRIu64 " sat of %u", amount->sat, height);
    else
        snprintf(out, 48, "none");
}

static void note(struct comparison *comparison, const char *feed, const struct coin *ours,
                 const struct node_coin *theirs)
{
    struct node_finding *finding = finding_of(comparison->out, feed);
    char outpoint[OUTPOINT_TEXT_MAX], here[48], there[48];
    comparison->out->verdict = NODE_DIFFERS;
    if (finding->differences++)
        return;
    outpoint_text(outpoint, ours ? &ours->outpoint : &theirs->outpoint);
    describe(here, ours ? &ours->amount : NULL, ours ? ours->created : 0);
    describe(there, theirs ? &theirs->amount : NULL, theirs ? theirs->height : 0);
    struct error text;
    error_set(&text, "feed %.20s, own node at height %u: coin %s: %s here, %s there",
              feed, comparison->scan->height, outpoint, here, there);
    snprintf(finding->text, sizeof finding->text, "%.*s", SAMPLE_REASON_TEXT_MAX - 1,
             text.text);
}

/* Name the difference to every feed that it changes. */
static bool differ(struct comparison *comparison, const struct coin *ours,
                   const struct node_coin *theirs)
{
    uint32_t script = ours ? ours->script : comparison->batch->ids[theirs->script];
    for (size_t i = 0; i < comparison->feed_count; i++) {
        bool by_ours = false, by_theirs = false;
        const struct feed_row *feed = &comparison->feeds[i];
        if (ours)
            comparison->result =
                ledger_feed_counts(comparison->txn, &by_ours, feed, script, ours->created,
                                   comparison->error);
        if (theirs && comparison->result == STORE_OK)
            comparison->result =
                ledger_feed_counts(comparison->txn, &by_theirs, feed, script,
                                   theirs->height, comparison->error);
        if (comparison->result != STORE_OK)
            return false;
        if (by_ours || by_theirs)
            note(comparison, feed->name, ours, theirs);
    }
    return true;
}

/* The node knows coins of scripts from before their birth; the ledger doesn't. */
static bool is_looked_at(const struct comparison *comparison,
                         const struct node_coin *coin)
{
    return coin->height >= comparison->births[coin->script];
}

/* Coins of the node up to this one of ours (NULL: to the end) that we lack. */
static bool take_theirs(struct comparison *comparison, const struct outpoint *until)
{
    for (; comparison->next < comparison->scan->count; comparison->next++) {
        const struct node_coin *coin = &comparison->scan->coins[comparison->next];
        if (until && outpoint_compare(&coin->outpoint, until) >= 0)
            return true;
        if (is_looked_at(comparison, coin) && !differ(comparison, NULL, coin))
            return false;
    }
    return true;
}

static bool same_coin(const struct coin *ours, const struct node_coin *theirs,
                      uint32_t place)
{
    return theirs->script == place && theirs->amount.sat == ours->amount.sat &&
           theirs->height == ours->created && theirs->coinbase == ours->coinbase;
}

static bool take_ours(void *context, const struct coin *ours)
{
    struct comparison *comparison = context;
    uint32_t place = place_of(comparison, ours->script);
    if (place == PLACE_NONE || comparison->births[place] == BIRTH_NONE)
        return true;
    if (!take_theirs(comparison, &ours->outpoint))
        return false;
    const struct node_coin *theirs = NULL;
    if (comparison->next < comparison->scan->count &&
        outpoint_equal(&comparison->scan->coins[comparison->next].outpoint,
                       &ours->outpoint))
        theirs = &comparison->scan->coins[comparison->next++];
    return (theirs && same_coin(ours, theirs, place)) || differ(comparison, ours, theirs);
}

static enum store_result compare(struct comparison *comparison)
{
    const struct node_batch *batch = comparison->batch;
    struct error *error = comparison->error;
    enum store_result result =
        ledger_feeds(comparison->txn, &comparison->feeds, &comparison->feed_count, error);
    if (result != STORE_OK)
        return result;
    comparison->out->findings =
        mem_zalloc(comparison->feed_count, sizeof *comparison->out->findings);
    comparison->births = mem_alloc(batch->count * sizeof *comparison->births);
    for (size_t i = 0; i < batch->count; i++)
        comparison->births[i] = BIRTH_NONE;
    result =
        ledger_each_script(comparison->txn, batch->ids[0], take_birth, comparison, error);
    if (result == STORE_OK)
        result = ledger_each_alive(comparison->txn, comparison->scan->height, take_ours,
                                   comparison, error);
    if (result == STORE_OK && comparison->result == STORE_OK)
        (void)take_theirs(comparison, NULL);
    return result == STORE_OK ? comparison->result : result;
}

enum store_result node_check_compare(struct store_txn *txn, struct node_check *out,
                                     const struct node_batch *batch,
                                     const struct node_scan *scan, struct error *error)
{
    struct comparison comparison = {
        .txn = txn, .out = out, .batch = batch, .scan = scan, .error = error};
    *out = (struct node_check){0};
    enum store_result result = find_block(txn, out, scan, error);
    if (result == STORE_OK && out->verdict == NODE_AGREES)
        result = compare(&comparison);
    free(comparison.births);
    free(comparison.feeds);
    if (result != STORE_OK)
        node_check_release(out);
    return result;
}

void node_check_release(struct node_check *check)
{
    free(check->findings);
    *check = (struct node_check){0};
}
