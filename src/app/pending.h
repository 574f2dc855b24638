/* Unconfirmed transactions that concern a feed, as peers have announced them: shown, and
 * never counted. They are neither verified nor kept over a restart. */
#ifndef APP_PENDING_H
#define APP_PENDING_H

#include <jansson.h>

#include "spv/core.h"
#include "store/foresee.h"

/* The oldest goes when there are more. */
#define PENDING_MAX 256
/* Inputs remembered of each, to see what excludes it; 4.7 MB in all at the worst. */
#define PENDING_INPUTS_MAX 512
/* Nodes forget a transaction after this. */
#define PENDING_AGE_S (14 * 86400)
/* Lines in the log, one more with each pending_refresh(): anybody can make up
 * transactions, and the log is no place for a flood of them. */
#define PENDING_NEWS_MAX 60

struct pending;

struct pending *pending_new(const uint64_t seed[static 2]);
void pending_free(struct pending *pending);

/* A transaction that a peer sent, and what it means; those that concern no feed are
 * passed over. Returns whether there is something new to show. */
bool pending_add(struct pending *pending, const struct block *transaction,
                 const struct foreseen *foreseen, struct wall_time now);
/* A block was applied: what is in it, and what spends the same as something in it, goes.
 */
bool pending_block(struct pending *pending, const struct block *block);
/* Count the peers anew. What a newer one excludes goes once as many have announced that
 * one; so does what is too old. */
bool pending_refresh(struct pending *pending, const struct spv *spv,
                     struct wall_time now);

/* [{txid, feed, credited, debited, first_seen, peers}], the oldest first; amounts in
 * satoshi. `peers` is the most that are known to have announced it. */
json_t *pending_json(const struct pending *pending);

#endif
