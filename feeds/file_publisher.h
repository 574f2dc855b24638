/* The publisher of type=file: appends a line for each publication to a file that belongs
 * to one feed. Exactly once: no crash loses or doubles a line.
 *
 * DUE -> PERSISTED (the line and where it will be written, committed before the write) ->
 * FINAL (after write and fsync). A line that a crash kept from being written whole is
 * looked at again: it is SUPERSEDED, and what stands of it is cut off, if its block left
 * our chain meanwhile or a gate fails. The shell runs, on the store's thread:
 *
 *   loop:
 *     look at the file: whether it exists, its size
 *     begin;  file_publisher_step;  commit
 *     action NOTHING: leave the loop
 *     perform the action; if that fails, leave the loop: the next step begins with it
 *     unless it was CUT: begin;  file_publisher_done;  commit
 *
 * after each sample (the first step may share the sample's transaction), and when
 * performing failed, a while later. */
#ifndef FEEDS_FILE_PUBLISHER_H
#define FEEDS_FILE_PUBLISHER_H

#include "feeds/publication.h"
#include "feeds/publication_file.h"

enum file_action_kind {
    FILE_ACTION_NOTHING,
    FILE_ACTION_WRITE, /* create if need be, write `data` at `offset`, fsync (if created,
                          its folder too) */
    FILE_ACTION_SYNC,  /* the line is there whole, but may not be on the disk: fsync */
    FILE_ACTION_CUT,   /* cut the file off at `offset`, fsync */
};

struct file_action {
    enum file_action_kind kind;
    uint64_t round;
    enum due due;
    struct statement report;
    uint64_t offset;
    uint8_t *data; /* owned; NULL unless WRITE */
    size_t len;
};
void file_action_release(struct file_action *action);

/* Take up the publication in flight, or evaluate and begin the next one. A file that
 * can't be read, or whose end isn't ours, gives FILE_ACTION_NOTHING and
 * EVALUATION_UNREADABLE with the reason; nothing is lost thereby. */
NODISCARD enum store_result
file_publisher_step(struct store_txn *txn, struct file_action *action,
                    struct evaluation *evaluation, const char *feed,
                    const struct due_policy *policy, const struct publication_file *file,
                    struct wall_time now, struct error *error);
/* The action of `round` was performed and is on the disk. STORE_STALE if that round isn't
 * the one in flight. */
NODISCARD enum store_result file_publisher_done(struct store_txn *txn, const char *feed,
                                                uint64_t round, struct wall_time now,
                                                struct error *error);

#endif
