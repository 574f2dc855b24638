/* What lies in the datadir, and whether a watcher holds it. */
#ifndef APP_DATADIR_H
#define APP_DATADIR_H

#include "app/config.h"
#include "app/exit_status.h"
#include "io/lock.h"

#define DATADIR_LEDGER "ledger"
#define DATADIR_FILTERS "filters" /* with keep_filters=1 */
#define DATADIR_LOCK "lock"
#define DATADIR_CONTROL "control.sock"

/* The path of one of these; the caller frees it. */
char *datadir_path(const struct config *config, const char *name);

/* Make the datadir if it isn't there, and take its lock, which the caller releases.
 * EXIT_BUSY with the holder's pid in *error, or EXIT_FAILED. */
NODISCARD enum exit_status datadir_take(const struct config *config, struct lock *lock,
                                        struct error *error);

/* LOCK_HELD: a watcher runs, *pid (0 if not known). LOCK_FREE: none does. */
NODISCARD enum lock_state datadir_watcher(const struct config *config, pid_t *pid,
                                          struct error *error);

#endif
