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
    bool dropped; /* what was in flight: another may be due */
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
    *step->action = (struct file_action){.kind = kind,
                                         .round = publication->round,
                                         .due = (enum due)publication->due,
                                         .report = publication->report,
                                         .offset = publication->position};
    if (kind == FILE_ACTION_WRITE) {
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

/* Write the line, at another place if others changed the file. */
static enum store_result write_again(struct step *step, struct publication *publication,
                                     uint64_t offset, struct error *error)
{
    enum store_result result = STORE_OK;
    if (publication->position != offset) {
        publication->position = offset;
        publication->changed = step->now;
        result = outbox_put(step->txn, step->feed.id, publication, error);
    }
    if (result == STORE_OK)
        act(step, FILE_ACTION_WRITE, publication);
    return result;
}

/* The line isn't to be written any more. A part of it may stand there. */
static enum store_result drop(struct step *step, struct publication *publication,
                              bool part, const char *reason, struct error *error)
{
    if (part) {
        act(step, FILE_ACTION_CUT, publication);
        return STORE_OK;
    }
    step->dropped = true;
    return publication_drop(step->txn, publication, &step->feed, reason, step->now,
                            error);
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
    enum file_recovery found =
        file_recover(&offset, step->file, publication->position, line, &reason);
    if (found == FILE_LINE_THERE) {
        act(step, FILE_ACTION_SYNC, publication);
        return STORE_OK;
    }
    if (found == FILE_LINE_UNUSABLE) {
        report_unreadable(step, reason.text);
        return STORE_OK;
    }
    bool holds, part = found == FILE_LINE_MISSING && step->file->size > offset;
    enum store_result result = publication_holds(step->txn, &holds, &reason, &step->feed,
                                                 &publication->report, error);
    if (result != STORE_OK)
        return result;
    return holds && !publication->retracted
               ? write_again(step, publication, offset, error)
               : drop(step, publication, part, reason.text, error);
}

/* It was due while the file couldn't be read. */
static enum store_result take_up(struct step *step, struct publication *publication,
                                 const struct published *published, struct error *error)
{
    bool holds;
    struct error reason;
    enum store_result result = publication_holds(step->txn, &holds, &reason, &step->feed,
                                                 &publication->report, error);
    if (result != STORE_OK)
        return result;
    return holds ? persist(step, publication, published, error)
                 : drop(step, publication, false, reason.text, error);
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
        result = take_up(step, &publication, published, error);
    else if (publication.state == PUBLICATION_PERSISTED)
        result = recover(step, &publication, error);
    publication_release(&publication);
    return result;
}

static enum store_result advance(struct step *step, const struct due_policy *policy,
                                 const struct published *published, struct error *error)
{
    const struct evaluation *evaluation = step->evaluation;
    enum store_result result =
        publication_evaluate(step->txn, step->evaluation, step->feed.name, policy,
                             published, step->now, error);
    if (result == STORE_OK && (evaluation->result == EVALUATION_DUE ||
                               evaluation->result == EVALUATION_IN_FLIGHT))
        result = carry_on(step, published, error);
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
    result = advance(&step, policy, &published, error);
    if (result == STORE_OK && step.dropped)
        result = advance(&step, policy, &published, error);
    return result;
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
