#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/command.h"
#include "app/daemon.h"
#include "app/output.h"
#include "base/log.h"
#include "io/clock.h"

/* systemd.exec(5): JOURNAL_STREAM names the device and inode of the journal's socket;
 * what we inherited may have been redirected since. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char expected[64];
    struct stat stat;
    if (stream == NULL || fstat(STDERR_FILENO, &stat) != 0)
        return false;
    snprintf(expected, sizeof(expected), "%ju:%ju", (uintmax_t)stat.st_dev,
             (uintmax_t)stat.st_ino);
    return strcmp(stream, expected) == 0;
}

enum exit_status cmd_run(const struct invocation *invocation)
{
    const struct config *config = invocation->config;
    if (config->connect_count == 0 && !config->network->dns_seeds[0]) {
        complain(
            "%s: there is no connect=, and %s has no seeds to find peers by; name at "
            "least one Bitcoin peer that serves compact filters (BIP 157), such as "
            "your own node: connect=127.0.0.1:%u",
            config->path, config->network->name, (unsigned)config->network->port);
        return EXIT_USAGE;
    }
    if (stderr_is_journal())
        log_use_journal_prefix(true);
    else
        log_use_clock(now_wall);
    return daemon_run(invocation);
}
