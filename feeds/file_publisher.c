#include "feeds/file_publisher.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

void file_action_release(struct file_action *action)
{
    free(action->data);
    *action = (struct file_action){.kind = FILE_ACTION_NOTHING};
}

struct step {
    struct store_txn *txn;
    struct file_action *action;
    struct evaluation *evaluation;
    const struct publication_file *file;
    struct feed_row feed;
    struct wall_time now;
};

static void report_unreadable(struct step *step, const char *reason)
{
    step->evaluation->result = EVALUATION_UNREADABLE;
    snprintf(step->evaluation->reason, sizeof(step->evaluation->reason), "%.*s",
             SAMPLE_REASON_TEXT_MAX - 1, reason);
    text_make_printable(step->evaluation->reason);
}

static void act(struct step *step, enum file_action_kind kind,
                const struct publication *publication)
{
    *step->action = (struct file_action){.kind = kind, .round = publication->round};
    if (kind == FILE_ACTION_WRITE) {
        step->action->offset = publication->position;
        step->action->data = mem_dup(publication->payload, publication->payload_len);
        step->action->len = publication->payload_len;
    }
}

/* DUE -> PERSISTED, at the end of the file. */
static enum store_result persist(struct step *step, struct publication *publication,
                                 const struct published *published, struct error *error)
{
    if (published->state == PUBLISHED_UNKNOWN) {
        report_unreadable(step, published->reason);
        return STORE_OK;
    }
    struct publication_line line = {
        .round = publication->round,
        .due = (enum due)publication->due,
        .confirmations = step->feed.confirmations,
        .report = publication->report,
    };
    memcpy(line.feed, step->feed.name, sizeof(line.feed));
    char text[PUBLICATION_LINE_MAX];
    free(publication->payload);
    publication->payload_len = publication_line_format(text, &line);
    publication->payload = mem_dup(text, publication->payload_len);
    publication->position = step->file->size;
    publication->state = PUBLICATION_PERSISTED;
    publication->changed = step->now;
    enum store_result result = outbox_put(step->txn, step->feed.id, publication, error);
    if (result == STORE_OK)
        act(step, FILE_ACTION_WRITE, publication);
    return result;
}

/* Its sum was taken back, and no line of it is there. */
static enum store_result supersede(const struct step *step,
                                   struct publication *publication, struct error *error)
{
    publication->state = PUBLICATION_SUPERSEDED;
    publication->retracted = false;
    publication->changed = step->now;
    snprintf(publication->detail, sizeof(publication->detail),
             "its sum was taken back before it was written");
    return outbox_put(step->txn, step->feed.id, publication, error);
}

static enum store_result recover(struct step *step, struct publication *publication,
                                 struct error *error)
{
    struct bytes line = {publication->payload, publication->payload_len};
    if (line.len == 0 || line.len > PUBLICATION_LINE_MAX) {
        error_set(error, "outbox: round %" PRIu64 " of feed %s has no line of a file",
                  publication->round, step->feed.name);
        return STORE_FAILED;
    }
    struct error reason;
    uint64_t offset = 0;
    switch (file_recover(&offset, step->file, publication->position, line, &reason)) {
    case FILE_LINE_THERE:
        act(step, FILE_ACTION_SYNC, publication);
        return STORE_OK;
    case FILE_LINE_MISSING:
        if (publication->retracted)
            return supersede(step, publication, error);
        act(step, FILE_ACTION_WRITE, publication);
        return STORE_OK;
    case FILE_LINE_MOVED:
        break;
    case FILE_LINE_UNUSABLE:
        report_unreadable(step, reason.text);
        return STORE_OK;
    }
    if (publication->retracted)
        return supersede(step, publication, error);
    publication->position = offset;
    publication->changed = step->now;
    enum store_result result = outbox_put(step->txn, step->feed.id, publication, error);
    if (result == STORE_OK)
        act(step, FILE_ACTION_WRITE, publication);
    return result;
}

/* Carry on with the publication in flight, if this publisher can. */
static enum store_result carry_on(struct step *step, const struct published *published,
                                  struct error *error)
{
    struct publication publication;
    enum store_result result = outbox_get(step->txn, &publication, step->feed.id,
                                          step->evaluation->round, error);
    if (result != STORE_OK)
        return result;
    if (publication.state == PUBLICATION_DUE)
        result = persist(step, &publication, published, error);
    else if (publication.state == PUBLICATION_PERSISTED)
        result = recover(step, &publication, error);
    publication_release(&publication);
    return result;
}

enum store_result file_publisher_step(struct store_txn *txn, struct file_action *action,
                                      struct evaluation *evaluation, const char *feed,
                                      const struct due_policy *policy,
                                      const struct publication_file *file,
                                      struct wall_time now, struct error *error)
{
    struct step step = {
        .txn = txn,
        .action = action,
        .evaluation = evaluation,
        .file = file,
        .now = now,
    };
    *action = (struct file_action){.kind = FILE_ACTION_NOTHING};
    enum store_result result = ledger_feed(txn, &step.feed, feed, error);
    if (result != STORE_OK)
        return result;
    struct chain_row genesis;
    result = chain_rows_read(txn, &genesis, 0, 1, error);
    if (result != STORE_OK)
        return result;
    struct published published;
    file_published(&published, file, feed, &genesis.hash);
    result = publication_evaluate(txn, evaluation, feed, policy, &published, now, error);
    if (result != STORE_OK)
        return result;
    if (evaluation->result == EVALUATION_DUE ||
        evaluation->result == EVALUATION_IN_FLIGHT)
        return carry_on(&step, &published, error);
    return STORE_OK;
}

enum store_result file_publisher_done(struct store_txn *txn, const char *feed,
                                      uint64_t round, struct wall_time now,
                                      struct error *error)
{
    struct feed_row row;
    struct publication publication;
    enum store_result result = ledger_feed(txn, &row, feed, error);
    if (result != STORE_OK)
        return result;
    result = outbox_newest(txn, &publication, row.id, error);
    if (result != STORE_OK)
        return result;
    if (publication.round == round && publication.state == PUBLICATION_PERSISTED) {
        publication.state = PUBLICATION_FINAL;
        publication.changed = now;
        result = outbox_put(txn, row.id, &publication, error);
    } else {
        error_set(error, "round %" PRIu64 " of feed %s: isn't in flight", round, feed);
        result = STORE_STALE;
    }
    publication_release(&publication);
    return result;
}
