/* Asking the running watcher through the control socket in its datadir. */
#ifndef APP_ASK_H
#define APP_ASK_H

#include "app/command.h"

/* Send the request (one line of JSON), wait up to `limit_ms`, and print what comes back.
 * `stopped` says what it means that no watcher runs; `remedy` is put after a refusal. */
enum exit_status ask_watcher(const struct invocation *invocation, const char *request,
                             int limit_ms, const char *stopped, const char *remedy);

#endif
