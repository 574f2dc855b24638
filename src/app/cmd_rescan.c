#include <stdio.h>

#include "app/ask.h"

/* Taking millions of coins back takes some seconds. */
#define RESCAN_LIMIT_MS (5 * 60 * 1000)

enum exit_status cmd_rescan(const struct invocation *invocation)
{
    char request[64];
    snprintf(request, sizeof(request), "{\"method\":\"rescan\",\"from\":%u}",
             invocation->has_from ? invocation->from : 0);
    return ask_watcher(invocation, request, RESCAN_LIMIT_MS, "start it first",
                       "its log says more");
}
