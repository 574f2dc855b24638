/* Evaluating a feed's statements for publication, the same for every kind of publisher.
 *
 * Each connected block's statement is looked at once, in height order, against what
 * stands where the feed publishes to. The first that is due becomes a publication in
 * state PUBLICATION_DUE; the blocks above it wait until it is final, so that blocks that
 * arrive together give what they give one by one. Nothing is looked at unless the feed's
 * newest sample is good; what was missed is looked at when it is good again. */
#ifndef FEEDS_PUBLICATION_H
#define FEEDS_PUBLICATION_H

#include "feeds/due.h"
#include "store/ledger.h"
#include "store/outbox.h"

enum evaluation_result {
    EVALUATION_NOT_DUE,
    EVALUATION_DUE,         /* a publication is in the outbox, in state PUBLICATION_DUE */
    EVALUATION_WAITING,     /* due, but not above what is published; in state
                               PUBLICATION_WAITING */
    EVALUATION_IN_FLIGHT,   /* `round` isn't final yet */
    EVALUATION_NOT_GOOD,    /* the newest sample isn't good, or there is none */
    EVALUATION_SINGLE_PEER, /* it rests on one peer that isn't trusted */
    EVALUATION_UNREADABLE,  /* what is published isn't known: `reason` */
};

struct evaluation {
    enum evaluation_result result;
    enum due due;                 /* of DUE and WAITING */
    uint64_t round;               /* of DUE, WAITING and IN_FLIGHT */
    uint32_t height;              /* of DUE and WAITING */
    bool reported_block_orphaned; /* the published block isn't on our chain: to be alarmed
                                   */
    bool reported_retracted; /* the published sum was taken back: a coin was found late */
    char reason[SAMPLE_REASON_TEXT_MAX]; /* for people, of all but NOT_DUE and DUE; may be
                                            empty */
};

/* True from PUBLICATION_DUE until FINAL, SUPERSEDED, REFUSED or WAITING. */
bool publication_in_flight(enum publication_state state);

/* Look at the blocks from the last one evaluated (the first time: from the sample's own)
 * to the newest sample's, at most the last 2,016, and put into the outbox what comes of
 * it. STORE_NOT_FOUND if the ledger has no such feed. */
NODISCARD enum store_result
publication_evaluate(struct store_txn *txn, struct evaluation *out, const char *feed,
                     const struct due_policy *policy, const struct published *published,
                     struct wall_time now, struct error *error);

/* Whether a report that was due a while ago, and that nobody has seen yet, may still go
 * out: the newest sample is good, and the ledger says of the report's height what the
 * report says. If not, *reason says why. */
NODISCARD enum store_result publication_holds(struct store_txn *txn, bool *holds,
                                              struct error *reason,
                                              const struct feed_row *feed,
                                              const struct statement *report,
                                              struct error *error);
/* Give up a publication that nobody has seen: it becomes SUPERSEDED in *publication and
 * the outbox, and its height is evaluated again. */
NODISCARD enum store_result publication_drop(struct store_txn *txn,
                                             struct publication *publication,
                                             const struct feed_row *feed,
                                             const char *reason, struct wall_time now,
                                             struct error *error);

/* What publication_evaluate would come to now, writing nothing: NOT_DUE, DUE and WAITING
 * with the statement that it is about in *candidate (zeroed for the others). */
NODISCARD enum store_result
publication_preview(struct store_txn *txn, struct evaluation *out,
                    struct statement *candidate, const char *feed,
                    const struct due_policy *policy, const struct published *published,
                    struct error *error);

#endif
