#include <string.h>

#include "app/reload.h"
#include "base/mem.h"

enum store_result reload_work(void *context, struct store *store, struct ledger *ledger,
                              struct error *error)
{
    (void)store;
    struct reload *reload = context;
    struct lists lists;
    if (!lists_load(&lists, &reload->faults, reload->config, reload->feeds,
                    reload->feed_count))
        return STORE_OK;
    enum store_result result = ledger_define(ledger, &lists.sets.definition, error);
    if (result == STORE_OK) {
        reload->good = true;
        reload->scripts = lists.sets.definition.script_count;
        reload->overlaps = lists.sets.overlap_count;
        ledger_cohorts(ledger, &reload->cohorts);
    }
    lists_release(&lists);
    mem_trim(); /* what it took is a multiple of what the ledger keeps */
    return result;
}

void reload_release(struct reload *reload)
{
    faults_release(&reload->faults);
    cohort_table_release(&reload->cohorts);
    memset(reload, 0, sizeof *reload);
}
