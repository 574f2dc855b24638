#include "app/ask.h"

/* Millions of addresses take some seconds to read and to store. */
#define RELOAD_LIMIT_MS (5 * 60 * 1000)

enum exit_status cmd_reload(const struct invocation *invocation)
{
    return ask_watcher(invocation, "{\"method\":\"reload\"}", RELOAD_LIMIT_MS,
                       "the lists are read when it starts",
                       "`reservewatch check` names every fault");
}
