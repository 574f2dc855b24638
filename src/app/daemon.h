/* The watcher, running in the foreground. */
#ifndef APP_DAEMON_H
#define APP_DAEMON_H

#include "app/command.h"

/* Run until SIGINT or SIGTERM. Returns the exit status; the reason of any but EXIT_DONE
 * was logged. */
NODISCARD enum exit_status daemon_run(const struct invocation *invocation);

#endif
