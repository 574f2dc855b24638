#include "feeds/publication.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "feeds/gate.h"
#include "feeds/statement.h"

/* Blocks further below the sample than this aren't looked at any more: no reorganisation
 * that the ledger survives reaches them. */
#define EVALUATE_BLOCKS LEDGER_DEPTH

bool publication_in_flight(enum publication_state state)
{
    switch (state) {
    case PUBLICATION_DUE:
    case PUBLICATION_SIGNED:
    case PUBLICATION_QUORUM:
    case PUBLICATION_PERSISTED:
    case PUBLICATION_SENT:
    case PUBLICATION_MINED:
        return true;
    case PUBLICATION_FINAL:
    case PUBLICATION_WAITING:
    case PUBLICATION_SUPERSEDED:
    case PUBLICATION_REFUSED:
        return false;
    }
    return true;
}

/* One evaluation: what it reads, and where its result goes. */
struct walk {
    struct store_txn *txn;
    struct evaluation *out;
    const struct due_policy *policy;
    struct published published;
    struct wall_time now;
    struct feed_row feed;
    bool has_newest;
    struct publication newest; /* of the outbox */
    struct sample sample;
    bool has_evaluated;
    uint32_t evaluated;
    struct statement *preview; /* only say what would be published; NULL: do it */
};

static enum store_result stop(struct walk *walk, enum evaluation_result result,
                              const char *reason)
{
    walk->out->result = result;
    snprintf(walk->out->reason, sizeof(walk->out->reason), "%.*s",
             SAMPLE_REASON_TEXT_MAX - 1, reason);
    return STORE_OK;
}

/* Name the first gate that failed; `reserves` shows them all. */
static enum store_result stop_refused(struct walk *walk)
{
    const struct sample *sample = &walk->sample;
    struct error text;
    if (sample->reason_count == 0)
        return stop(walk, EVALUATION_NOT_GOOD, "the newest sample isn't good");
    error_set(&text, "%s: %s", gate_name(sample->reasons[0].gate),
              sample->reasons[0].text);
    return stop(walk, EVALUATION_NOT_GOOD, text.text);
}

static bool is_regtest(const struct block_hash *genesis)
{
    return block_hash_equal(genesis, &network_find("regtest")->genesis_hash);
}

/* Whether the newest sample speaks for publishing; if not, the result says why. */
static enum store_result read_sample(struct walk *walk, bool *usable, struct error *error)
{
    struct sample *sample = &walk->sample;
    *usable = false;
    enum store_result result = sample_newest(walk->txn, sample, walk->feed.id, error);
    if (result == STORE_NOT_FOUND)
        return stop(walk, EVALUATION_NOT_GOOD, "there is no sample yet");
    if (result != STORE_OK)
        return result;
    if (sample->state != SAMPLE_GOOD || !sample->has_statement)
        return stop_refused(walk);

    /* The lists may have changed since the sample, or a coin been found late. */
    if (!walk->feed.merged)
        return stop(walk, EVALUATION_NOT_GOOD, "scripts were added after the sample");
    struct statement now;
    result = statement_at(walk->txn, &now, &walk->feed, sample->statement.height, error);
    if (result != STORE_OK)
        return result;
    if (!statement_equal(&now, &sample->statement))
        return stop(walk, EVALUATION_NOT_GOOD, "the ledger changed after the sample");

    if (sample->single_peer && !sample->trusted_peer &&
        !is_regtest(&sample->statement.genesis))
        return stop(walk, EVALUATION_SINGLE_PEER,
                    "the sample rests on one peer; mark it trusted=1 if it is yours");
    *usable = true;
    return STORE_OK;
}

static enum store_result find_published_block(struct walk *walk, struct error *error)
{
    struct published *published = &walk->published;
    struct chain_extent extent;
    enum store_result result = chain_extent(walk->txn, &extent, error);
    published->on_chain = false;
    if (result != STORE_OK || published->height > extent.header_height)
        return result;
    struct chain_row row;
    result = chain_rows_read(walk->txn, &row, published->height, 1, error);
    published->on_chain =
        result == STORE_OK && block_hash_equal(&row.hash, &published->block);
    return result;
}

/* Whether what stands published is a report of ours whose sum was taken back. */
static enum store_result find_retraction(struct walk *walk, struct error *error)
{
    const struct published *published = &walk->published;
    struct publication publication;
    enum store_result result =
        outbox_get(walk->txn, &publication, walk->feed.id, published->round, error);
    if (result != STORE_OK)
        return result == STORE_NOT_FOUND ? STORE_OK : result;
    walk->out->reported_retracted =
        publication.retracted &&
        block_hash_equal(&publication.report.block, &published->block);
    publication_release(&publication);
    return STORE_OK;
}

/* A round that didn't become final is used again. */
static uint64_t next_round(const struct walk *walk)
{
    uint64_t last = 0;
    if (walk->has_newest)
        last = walk->newest.round - (walk->newest.state != PUBLICATION_FINAL);
    if (walk->published.state == PUBLISHED && walk->published.round > last)
        last = walk->published.round;
    return last + 1;
}

/* Whether this very report waits already. */
static bool waits(const struct walk *walk, const struct publication *publication)
{
    return walk->has_newest && walk->newest.state == PUBLICATION_WAITING &&
           publication->state == PUBLICATION_WAITING &&
           walk->newest.round == publication->round &&
           walk->newest.due == publication->due &&
           statement_equal(&walk->newest.report, &publication->report);
}

static void explain_waiting(char out[static PUBLICATION_TEXT_MAX],
                            const struct statement *report,
                            const struct published *published)
{
    snprintf(out, PUBLICATION_TEXT_MAX,
             "height %" PRIu32 " at %" PRIu32 " isn't above the published %" PRIu32
             " at %" PRIu32,
             report->height, report->time.s, published->height, published->time.s);
}

static enum store_result put(struct walk *walk, enum publication_state state,
                             const struct statement *report, enum due due,
                             struct error *error)
{
    struct evaluation *out = walk->out;
    struct publication publication = {
        .round = next_round(walk),
        .state = state,
        .due = (uint8_t)due,
        .report = *report,
        .created = walk->now,
        .changed = walk->now,
    };
    if (walk->has_newest && walk->newest.state == PUBLICATION_WAITING &&
        walk->newest.round == publication.round)
        publication.created = walk->newest.created;
    if (state == PUBLICATION_WAITING) {
        explain_waiting(publication.detail, report, &walk->published);
        snprintf(out->reason, sizeof(out->reason), "%s", publication.detail);
    }
    out->due = due;
    out->round = publication.round;
    out->height = report->height;
    if (waits(walk, &publication))
        return STORE_OK;
    return outbox_put(walk->txn, walk->feed.id, &publication, error);
}

/* No block is due: what had been waiting isn't any more. */
static enum store_result drop_waiting(struct walk *walk, struct error *error)
{
    struct publication *newest = &walk->newest;
    if (!walk->has_newest || newest->state != PUBLICATION_WAITING)
        return STORE_OK;
    newest->state = PUBLICATION_SUPERSEDED;
    newest->changed = walk->now;
    snprintf(newest->detail, sizeof(newest->detail), "no longer due");
    return outbox_put(walk->txn, walk->feed.id, newest, error);
}

/* The first height to look at. The sample's own is looked at again even if it has been:
 * what is published may have changed. It lies below the last one evaluated when the feed
 * now has more confirmations. */
static enum store_result first_height(struct walk *walk, uint32_t *from,
                                      struct error *error)
{
    uint32_t last = walk->sample.statement.height;
    *from = last;
    enum store_result result =
        outbox_evaluated(walk->txn, &walk->evaluated, walk->feed.id, error);
    walk->has_evaluated = result == STORE_OK;
    if (result != STORE_OK)
        return result == STORE_NOT_FOUND ? STORE_OK : result;
    if (walk->evaluated < last)
        *from = walk->evaluated + 1;
    if (last - *from >= EVALUATE_BLOCKS)
        *from = last - EVALUATE_BLOCKS + 1;
    return STORE_OK;
}

/* Find the first height with a report to publish, or else what the last one gives. */
static enum store_result walk_heights(struct walk *walk, struct statement *candidate,
                                      struct due_verdict *verdict, struct error *error)
{
    uint32_t height, last = walk->sample.statement.height;
    enum store_result result = first_height(walk, &height, error);
    for (; result == STORE_OK; height++) {
        result = statement_at(walk->txn, candidate, &walk->feed, height, error);
        if (result != STORE_OK)
            break;
        *verdict = due_decide(walk->policy, &walk->published, candidate);
        if (height == last || (verdict->due != DUE_NOT && !verdict->waiting))
            break;
    }
    return result;
}

static enum store_result tell(struct walk *walk, const struct statement *candidate,
                              const struct due_verdict *verdict)
{
    *walk->preview = *candidate;
    walk->out->due = verdict->due;
    walk->out->height = candidate->height;
    walk->out->round = next_round(walk);
    if (verdict->due != DUE_NOT)
        walk->out->result = verdict->waiting ? EVALUATION_WAITING : EVALUATION_DUE;
    if (walk->out->result == EVALUATION_WAITING)
        explain_waiting(walk->out->reason, candidate, &walk->published);
    return STORE_OK;
}

static enum store_result settle(struct walk *walk, const struct statement *candidate,
                                const struct due_verdict *verdict, struct error *error)
{
    enum store_result result;
    if (walk->preview)
        return tell(walk, candidate, verdict);
    if (verdict->due == DUE_NOT) {
        result = drop_waiting(walk, error);
    } else if (verdict->waiting) {
        walk->out->result = EVALUATION_WAITING;
        result = put(walk, PUBLICATION_WAITING, candidate, verdict->due, error);
    } else {
        walk->out->result = EVALUATION_DUE;
        result = put(walk, PUBLICATION_DUE, candidate, verdict->due, error);
    }
    if (result != STORE_OK ||
        (walk->has_evaluated && walk->evaluated == candidate->height))
        return result;
    return outbox_set_evaluated(walk->txn, walk->feed.id, candidate->height, error);
}

static enum store_result evaluate(struct walk *walk, struct error *error)
{
    bool usable;
    enum store_result result = read_sample(walk, &usable, error);
    if (result != STORE_OK || !usable)
        return result;
    if (walk->published.state == PUBLISHED_UNKNOWN)
        return stop(walk, EVALUATION_UNREADABLE, walk->published.reason);
    if (walk->published.state == PUBLISHED) {
        result = find_published_block(walk, error);
        if (result == STORE_OK)
            result = find_retraction(walk, error);
        if (result != STORE_OK)
            return result;
        walk->out->reported_block_orphaned = !walk->published.on_chain;
    }
    struct statement candidate;
    struct due_verdict verdict;
    result = walk_heights(walk, &candidate, &verdict, error);
    return result == STORE_OK ? settle(walk, &candidate, &verdict, error) : result;
}

static enum store_result look(struct walk *walk, const char *feed, struct error *error)
{
    struct evaluation *out = walk->out;
    *out = (struct evaluation){.result = EVALUATION_NOT_DUE};
    enum store_result result = ledger_feed(walk->txn, &walk->feed, feed, error);
    if (result != STORE_OK)
        return result;
    result = outbox_newest(walk->txn, &walk->newest, walk->feed.id, error);
    if (result != STORE_OK && result != STORE_NOT_FOUND)
        return result;
    walk->has_newest = result == STORE_OK;
    if (walk->has_newest && publication_in_flight(walk->newest.state)) {
        out->round = walk->newest.round;
        out->due = (enum due)walk->newest.due;
        out->height = walk->newest.report.height;
        result = stop(walk, EVALUATION_IN_FLIGHT, walk->newest.detail);
    } else {
        result = evaluate(walk, error);
    }
    if (walk->has_newest)
        publication_release(&walk->newest);
    return result;
}

enum store_result publication_evaluate(struct store_txn *txn, struct evaluation *out,
                                       const char *feed, const struct due_policy *policy,
                                       const struct published *published,
                                       struct wall_time now, struct error *error)
{
    struct walk walk = {
        .txn = txn,
        .out = out,
        .policy = policy,
        .published = *published,
        .now = now,
    };
    return look(&walk, feed, error);
}

/* As the ledger has it now; what lies above the sample isn't looked at. */
static enum store_result compare(struct walk *walk, bool *same,
                                 const struct statement *report, struct error *error)
{
    struct statement now;
    *same = false;
    if (report->height > walk->sample.statement.height)
        return STORE_OK;
    enum store_result result =
        statement_at(walk->txn, &now, &walk->feed, report->height, error);
    *same = result == STORE_OK && statement_equal(&now, report);
    return result;
}

enum store_result publication_holds(struct store_txn *txn, bool *holds,
                                    struct error *reason, const struct feed_row *feed,
                                    const struct statement *report, struct error *error)
{
    struct evaluation evaluation = {.result = EVALUATION_NOT_DUE};
    struct walk walk = {.txn = txn, .out = &evaluation, .feed = *feed};
    bool usable;
    *holds = false;
    enum store_result result = read_sample(&walk, &usable, error);
    if (result == STORE_OK && usable)
        result = compare(&walk, holds, report, error);
    error_set(reason, "%s",
              usable ? "its block left our chain, or its sum was corrected"
                     : evaluation.reason);
    return result;
}

enum store_result publication_drop(struct store_txn *txn, struct publication *publication,
                                   const struct feed_row *feed, const char *reason,
                                   struct wall_time now, struct error *error)
{
    uint32_t evaluated, height = publication->report.height;
    enum store_result result = outbox_evaluated(txn, &evaluated, feed->id, error);
    if (result == STORE_OK && height > 0 && evaluated >= height)
        result = outbox_set_evaluated(txn, feed->id, height - 1, error);
    if (result != STORE_OK && result != STORE_NOT_FOUND)
        return result;
    publication->state = PUBLICATION_SUPERSEDED;
    publication->retracted = false;
    publication->changed = now;
    snprintf(publication->detail, sizeof(publication->detail), "not sent: %.*s",
             PUBLICATION_TEXT_MAX - (int)sizeof("not sent: "), reason);
    return outbox_put(txn, feed->id, publication, error);
}

enum store_result publication_preview(struct store_txn *txn, struct evaluation *out,
                                      struct statement *candidate, const char *feed,
                                      const struct due_policy *policy,
                                      const struct published *published,
                                      struct error *error)
{
    memset(candidate, 0, sizeof(*candidate));
    struct walk walk = {
        .txn = txn,
        .out = out,
        .policy = policy,
        .published = *published,
        .preview = candidate,
    };
    return look(&walk, feed, error);
}
