/* The outbox: every report on its way to or on a chain (or a file), and what became of
 * it. Each state is committed before the step that it stands for. */
#ifndef STORE_OUTBOX_H
#define STORE_OUTBOX_H

#include "store/sample.h"

enum publication_state {
    PUBLICATION_DUE,
    PUBLICATION_SIGNED,
    PUBLICATION_QUORUM,
    PUBLICATION_PERSISTED, /* the very bytes that go out are in `payload` */
    PUBLICATION_SENT,
    PUBLICATION_MINED,
    PUBLICATION_FINAL,
    PUBLICATION_WAITING,
    PUBLICATION_SUPERSEDED,
    PUBLICATION_REFUSED,
};
const char *publication_state_name(enum publication_state state);

#define PUBLICATION_TEXT_MAX 160
#define PUBLICATION_PAYLOAD_MAX (128 * 1024)
struct publication {
    uint64_t round; /* 1, 2, 3 ... of this feed */
    enum publication_state state;
    uint8_t due;    /* enum due (feeds/due.h): why */
    bool retracted; /* it went out, then its sum was taken back (a coin found late) */
    struct statement report;
    struct wall_time created, changed;
    uint64_t position;    /* where it goes: the line's offset in a file, or the contract's
                             round */
    uint8_t mined_in[32]; /* MINED: the hash of the block that holds it, on the chain that
                             it goes to */
    char detail[PUBLICATION_TEXT_MAX]; /* what a person should know: error, transaction */
    uint8_t *payload;                  /* malloc'd */
    size_t payload_len;
};
void publication_release(struct publication *publication);

NODISCARD enum store_result outbox_put(struct store_txn *txn, uint32_t feed,
                                       const struct publication *publication,
                                       struct error *error);
NODISCARD enum store_result outbox_get(struct store_txn *txn, struct publication *out,
                                       uint32_t feed, uint64_t round,
                                       struct error *error);
NODISCARD enum store_result outbox_newest(struct store_txn *txn, struct publication *out,
                                          uint32_t feed, struct error *error);
/* Oldest first. */
NODISCARD enum store_result
outbox_each(struct store_txn *txn, uint32_t feed,
            bool (*each)(void *context, const struct publication *publication),
            void *context, struct error *error);

/* The height up to which a feed's statements have been looked at for publication; a
 * reorganisation lowers it to the fork. STORE_NOT_FOUND before the first. */
NODISCARD enum store_result outbox_evaluated(struct store_txn *txn, uint32_t *height,
                                             uint32_t feed, struct error *error);
NODISCARD enum store_result outbox_set_evaluated(struct store_txn *txn, uint32_t feed,
                                                 uint32_t height, struct error *error);
/* Within a retraction: a feed's reports above the fork don't stand any more. Those that
 * haven't gone out are superseded. Those that have, or may have (from
 * PUBLICATION_PERSISTED on), are marked, counted in *reports, and their blocks' hashes
 * put into `blocks`. */
struct retracted_reports;
struct map;
NODISCARD enum store_result outbox_retract(struct store_txn *txn,
                                           struct retracted_reports *reports,
                                           struct map *blocks, uint32_t feed,
                                           uint32_t fork, struct error *error);
/* Within a reorganisation: no feed has been evaluated above the fork. */
NODISCARD enum store_result outbox_rewind(struct store_txn *txn, uint32_t fork,
                                          struct error *error);

#endif
