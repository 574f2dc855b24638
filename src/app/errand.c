#include <stdlib.h>

#include "app/errand.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"
#include "spv/gcs.h"
#include "store/peer_rows.h"
#include "store/whole_heights.h"

struct errand *errand_new(struct client *client, const struct network *network,
                          const struct spv_effect *effect, enum spv_input_kind answer)
{
    struct errand *errand = mem_zalloc(1, sizeof *errand);
    errand->client = client;
    errand->network = network;
    errand->effect = *effect;
    errand->input.kind = answer;
    errand->input.ticket = effect->ticket;
    return errand;
}

void errand_free(struct errand *errand)
{
    spv_effect_release(&errand->effect);
    cohort_table_release(&errand->cohorts);
    foreseen_release(&errand->foreseen);
    free(errand->rows);
    free(errand->outcome.reports);
    free(errand);
}

/* ---- workers ---- */

/* Take the filter from the disk; false: the answer is there already. */
static bool read_kept(struct errand *errand)
{
    struct spv_effect *effect = &errand->effect;
    enum match_verdict *verdict = &errand->input.matched.verdict;
    switch (kept_filters_get(errand->kept, &effect->match.filter,
                             &effect->match.filter_len, effect->match.height,
                             &effect->match.block)) {
    case KEPT_FOUND:
        return true;
    case KEPT_NONE:
        *verdict = MATCH_ABSENT;
        break;
    case KEPT_DAMAGED:
        *verdict = MATCH_FALSE;
        break;
    }
    return false;
}

static void keep_on_disk(const struct errand *errand)
{
    const struct spv_effect *effect = &errand->effect;
    const struct bytes filter = {effect->match.filter, effect->match.filter_len};
    struct error error;
    if (!kept_filters_put(errand->kept, effect->match.height, &effect->match.block,
                          filter, &error))
        log_line(LOG_STORE, LOG_WARNING, "%s", error.text);
}

void errand_match(void *context)
{
    struct errand *errand = context;
    struct spv_effect *effect = &errand->effect;
    if (effect->match.kept && !read_kept(errand))
        return;
    enum match_verdict verdict = spv_match(effect);
    errand->input.matched.verdict = verdict;
    if (verdict != MATCH_HIT && verdict != MATCH_NONE)
        return;
    if (effect->match.keep_on_disk)
        keep_on_disk(errand);
    if (verdict == MATCH_NONE && !effect->match.keep)
        return;
    errand->input.matched.filter = effect->match.filter;
    errand->input.matched.filter_len = effect->match.filter_len;
    effect->match.filter = NULL;
}

void errand_check(void *context)
{
    struct errand *errand = context;
    struct spv_effect *effect = &errand->effect;
    struct spv_input *input = &errand->input;
    uint8_t *raw = effect->check.raw;
    effect->check.raw = NULL;
    input->checked.verdict =
        block_parse(&input->checked.block, raw, effect->check.raw_len, errand->network,
                    &effect->check.hash, effect->check.height, &errand->error);
    if (input->checked.verdict != BLOCK_VALID) {
        input->checked.reason = errand->error.text;
        return;
    }
    for (size_t i = 0; i < CHECK_FILTERS; i++) {
        struct bytes filter = {effect->check.filters[i].data,
                               effect->check.filters[i].len};
        input->checked.filter_false[i] =
            filter.data && gcs_holds_outputs(filter, input->checked.block) != GCS_MATCH;
    }
}

/* ---- the store's thread ---- */

static enum store_result load_rows(struct errand *errand, struct store_txn *txn,
                                   struct error *error)
{
    size_t count = errand->effect.load.count;
    struct chain_extent extent;
    enum store_result result = chain_extent(txn, &extent, error);
    if (result != STORE_OK)
        return result;
    /* A reorganisation may have shortened the chain since this was asked. */
    uint32_t from = errand->effect.load.from;
    if (from > extent.header_height)
        count = 0;
    else if (count > extent.header_height - from + 1)
        count = extent.header_height - from + 1;
    errand->rows = mem_zalloc(count, sizeof *errand->rows);
    errand->input.rows.rows = errand->rows;
    errand->input.rows.count = count;
    return count ? chain_rows_read(txn, errand->rows, from, count, error) : STORE_OK;
}

enum store_result errand_load(void *context, struct store *store, struct ledger *ledger,
                              struct error *error)
{
    (void)ledger;
    struct store_txn *txn;
    enum store_result result = store_begin(store, &txn, STORE_READ, error);
    if (result != STORE_OK)
        return result;
    result = load_rows(context, txn, error);
    store_abort(txn);
    return result;
}

static enum store_result put_headers(void *context, struct store_txn *txn,
                                     struct error *error)
{
    const struct spv_effect *effect = context;
    if (effect->kind == SPV_STORE_HEADERS)
        return chain_rows_replace(txn, effect->headers.from, effect->headers.headers,
                                  effect->headers.count, error);
    if (effect->kind == SPV_CUT_FILTER_HEADERS)
        return chain_rows_cut_filter_headers(txn, effect->cut.from, error);
    if (effect->kind == SPV_STORE_WHOLE)
        return whole_heights_add(txn, &effect->whole.height, 1, error);
    return chain_rows_add_filter_headers(txn, effect->filter_headers.from,
                                         effect->filter_headers.headers,
                                         effect->filter_headers.count, error);
}

enum store_result errand_store_chain(void *context, struct store *store,
                                     struct ledger *ledger, struct error *error)
{
    (void)ledger;
    struct errand *errand = context;
    return store_update(store, put_headers, &errand->effect, error);
}

enum store_result errand_apply(void *context, struct store *store, struct ledger *ledger,
                               struct error *error)
{
    (void)store;
    struct errand *errand = context;
    enum store_result result =
        ledger_apply(ledger, &errand->effect.apply, &errand->outcome, error);
    errand->input.applied.invalid_height = errand->outcome.invalid_height;
    if (result != STORE_FULL)
        ledger_cohorts(ledger, &errand->cohorts);
    return result;
}

enum store_result errand_review(void *context, struct store *store, struct ledger *ledger,
                                struct error *error)
{
    (void)store;
    struct errand *errand = context;
    const struct spv_effect *effect = &errand->effect;
    struct ledger_review review;
    enum store_result result =
        ledger_review(ledger, &review, effect->review.height, &effect->review.hash,
                      effect->review.block, error);
    errand->input.reviewed.lacks = result == STORE_OK && review.lacks;
    /* When it comes to be the ledger's, it is fetched whole. */
    errand->input.reviewed.elsewhere = result == STORE_STALE;
    for (size_t i = 0; i < CHECK_FILTERS && result == STORE_OK; i++) {
        struct bytes filter = {effect->review.filters[i].data,
                               effect->review.filters[i].len};
        errand->input.reviewed.filter_false[i] =
            filter.data &&
            gcs_holds_all(filter, &effect->review.hash, review.spent) == GCS_NO_MATCH;
    }
    ledger_review_release(&review);
    /* The block isn't on the ledger's chain: when it comes to be, it is fetched whole. */
    return result == STORE_STALE ? STORE_OK : result;
}

enum store_result errand_unstage(void *context, struct store *store,
                                 struct ledger *ledger, struct error *error)
{
    (void)store;
    (void)error;
    const struct errand *errand = context;
    ledger_unstage(ledger, errand->effect.unstage.cohort);
    return STORE_OK;
}

enum store_result errand_look_up(void *context, struct store *store,
                                 struct ledger *ledger, struct error *error)
{
    struct errand *errand = context;
    struct store_txn *txn;
    enum store_result result = store_begin(store, &txn, STORE_READ, error);
    if (result != STORE_OK)
        return result;
    result = ledger_foresee(ledger, txn, &errand->foreseen,
                            errand->effect.look_up.transaction, error);
    store_abort(txn);
    return result;
}

static enum store_result put_peers(void *context, struct store_txn *txn,
                                   struct error *error)
{
    const struct spv_effect *effect = context;
    if (effect->kind == SPV_BAN)
        return peer_rows_put_ban(txn, effect->ban, now_wall(), error);
    if (effect->kind == SPV_UNBAN)
        return peer_rows_lift_ban(txn, effect->ban->address, error);
    return peer_rows_put_book(txn, effect->book.rows, effect->book.count, error);
}

enum store_result errand_store_peers(void *context, struct store *store,
                                     struct ledger *ledger, struct error *error)
{
    (void)ledger;
    struct errand *errand = context;
    return store_update(store, put_peers, &errand->effect, error);
}
