/* What lies in the datadir, and whether a watcher holds it. */
#ifndef APP_DATADIR_H
#define APP_DATADIR_H

#include "app/config.h"
#include "io/lock.h"

#define DATADIR_LEDGER "ledger"
#define DATADIR_LOCK "lock"
#define DATADIR_CONTROL "control.sock"

/* The path of one of these; the caller frees it. */
char *datadir_path(const struct config *config, const char *name);

/* LOCK_HELD: a watcher runs, *pid (0 if not known). LOCK_FREE: none does. */
NODISCARD enum lock_state datadir_watcher(const struct config *config, pid_t *pid,
                                          struct error *error);

#endif
