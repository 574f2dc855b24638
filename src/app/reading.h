/* What the commands that only read the ledger have in common. */
#ifndef APP_READING_H
#define APP_READING_H

#include "app/config.h"
#include "app/exit_status.h"
#include "store/ledger.h"

/* An open ledger with one read transaction: what it says is of one moment. Kept as short
 * as copying takes: while it is open the ledger can't reuse pages. */
struct reading {
    struct store *store;
    struct store_txn *txn;
};

/* EXIT_DONE, or the status to exit with; the reason is printed then. reading_end() in
 * either case. */
NODISCARD enum exit_status reading_begin(struct reading *reading,
                                         const struct config *config);
void reading_end(struct reading *reading);

/* The exit status that a result means, EXIT_DONE for STORE_OK. */
enum exit_status exit_status_of(enum store_result result);
/* The same, printing the error unless STORE_OK. */
NODISCARD enum exit_status reading_result(enum store_result result,
                                          const struct error *error);

/* The feed of this name. An unknown name is EXIT_USAGE, and the nearest one is printed.
 */
NODISCARD enum exit_status reading_feed(struct reading *reading, struct feed_row *out,
                                        const char *name);

#endif
