/* An effect of the core on its way through another thread: what a worker or the store's
 * thread does for it, without the client's state. */
#ifndef APP_ERRAND_H
#define APP_ERRAND_H

#include "spv/core.h"
#include "store/foresee.h"
#include "store/kept_filters.h"
#include "store/ledger.h"

struct client;

struct errand {
    struct client *client; /* for the loop thread, when the work is done */
    const struct network *network;
    struct kept_filters *kept;   /* of a match; NULL: no filters are kept */
    struct spv_effect effect;    /* owned */
    struct spv_input input;      /* the answer; what it points to is the errand's, but for
                                  * the filter of a match and the block of a check */
    struct error error;          /* of a check */
    struct chain_row *rows;      /* of a load */
    struct cohort_table cohorts; /* of an apply, as `outcome` */
    struct ledger_outcome outcome;
    struct foreseen foreseen; /* of a look-up */
};

/* Takes the effect over; `answer` is the kind of input that it is answered with. */
struct errand *errand_new(struct client *client, const struct network *network,
                          const struct spv_effect *effect, enum spv_input_kind answer);
void errand_free(struct errand *errand);

/* Of a worker. The context is the errand, here and below. */
void errand_match(void *context);
void errand_check(void *context);

/* Of the store's thread, each a store_work. */
enum store_result errand_load(void *context, struct store *store, struct ledger *ledger,
                              struct error *error);
enum store_result errand_store_chain(void *context, struct store *store,
                                     struct ledger *ledger, struct error *error);
enum store_result errand_store_peers(void *context, struct store *store,
                                     struct ledger *ledger, struct error *error);
enum store_result errand_apply(void *context, struct store *store, struct ledger *ledger,
                               struct error *error);
enum store_result errand_unstage(void *context, struct store *store,
                                 struct ledger *ledger, struct error *error);
enum store_result errand_review(void *context, struct store *store, struct ledger *ledger,
                                struct error *error);
enum store_result errand_look_up(void *context, struct store *store,
                                 struct ledger *ledger, struct error *error);

#endif
