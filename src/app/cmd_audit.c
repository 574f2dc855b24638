#include <inttypes.h>
#include <stdio.h>

#include "app/command.h"
#include "app/output.h"
#include "app/reading.h"
#include "feeds/json.h"
#include "io/progress.h"
#include "store/audit.h"

static bool show_progress(void *context, const char *what, uint64_t done)
{
    char text[160];
    (void)context;
    snprintf(text, sizeof(text), "checking %s: %" PRIu64, what, done);
    progress_show(text);
    return true;
}

static void print_audit(const struct audit *audit)
{
    size_t shown =
        audit->fault_count < AUDIT_FAULTS_MAX ? audit->fault_count : AUDIT_FAULTS_MAX;
    printf("checked %" PRIu64 " headers, %" PRIu64 " scripts, %" PRIu64 " coins, %" PRIu64
           " samples\n",
           audit->headers, audit->scripts, audit->coins, audit->samples);
    for (size_t i = 0; i < shown; i++)
        printf("fault: %s\n", audit->faults[i]);
    if (audit->fault_count > shown)
        printf("and %zu more\n", audit->fault_count - shown);
    if (audit->fault_count == 0)
        printf("no fault\n");
    else
        printf("%zu fault%s: stop the watcher, move the ledger's folder away and let it "
               "sync anew\n",
               audit->fault_count, plural(audit->fault_count));
}

enum exit_status cmd_audit(const struct invocation *invocation)
{
    struct audit audit;
    struct reading reading;
    struct error error;
    enum exit_status status = reading_begin(&reading, invocation->config);
    if (status != EXIT_DONE)
        goto out;
    progress_start();
    enum store_result result =
        audit_run(reading.txn, &audit, show_progress, NULL, &error);
    progress_stop();
    reading_end(&reading);
    status = reading_result(result, &error);
    if (status != EXIT_DONE)
        goto out;
    if (audit.fault_count > 0)
        status = EXIT_FAILED;
    if (invocation->json)
        output_json(json_audit(&audit));
    else
        print_audit(&audit);
    audit_release(&audit);
out:
    reading_end(&reading);
    return status;
}
