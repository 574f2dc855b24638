/* Bringing a feed's publications into its publisher's file, on the store's thread. */
#ifndef APP_PUBLISH_H
#define APP_PUBLISH_H

#include "feeds/feed.h"
#include "feeds/file_publisher.h"
#include "feeds/publication_file.h"

/* Publications written by one call at most; more wait for the next. */
#define PUBLISH_ROUNDS_MAX 64

struct publish {
    char feed[FEED_NAME_MAX + 1];
    struct due_policy policy;
    char *path; /* of the file */
    struct wall_time now;

    /* What came of it. */
    struct evaluation evaluation;
    bool reported_block_orphaned; /* so it was in any of its evaluations */
    uint32_t written;
    struct written {
        uint64_t round;
        enum due due;
        struct amount amount;
        uint32_t height;
    } lines[PUBLISH_ROUNDS_MAX];
    bool unwritten; /* an action couldn't be performed: `fault` says why; try again */
    struct error fault;
};

/* Evaluate and write until nothing is due. STORE_FULL: the ledger has no room; call
 * again, nothing is lost or doubled. */
NODISCARD enum store_result publish_run(struct publish *publish, struct store *store,
                                        struct error *error);

/* What the file at `path` says is published. */
void publish_read(struct published *out, const char *feed, const char *path,
                  const struct block_hash *genesis);

#endif
