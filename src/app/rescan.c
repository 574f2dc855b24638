#include "app/rescan.h"

#include <stdlib.h>

#include "base/log.h"

static bool has_scanned(const struct cohort_table *cohorts, uint32_t height)
{
    for (size_t i = 0; i < cohorts->count; i++) {
        if (cohorts->at[i].cursor >= height)
            return true;
    }
    return false;
}

enum store_result rescan_work(struct rescan *rescan, struct ledger *ledger,
                              struct error *error)
{
    rescan_release(rescan); /* of an attempt for which there was no room */
    ledger_cohorts(ledger, &rescan->cohorts);
    rescan->unwatched = rescan->cohorts.count == 0;
    rescan->unscanned = !has_scanned(&rescan->cohorts, rescan->from);
    if (rescan->unwatched || rescan->unscanned)
        return STORE_OK;
    const struct ledger_batch batch = {.epoch = rescan->cohorts.epoch,
                                       .base = rescan->from > 0 ? rescan->from - 1 : 0,
                                       .reorganise = true,
                                       .commit = true,
                                       .retract = true};
    enum store_result result = ledger_apply(ledger, &batch, &rescan->outcome, error);
    cohort_table_release(&rescan->cohorts);
    ledger_cohorts(ledger, &rescan->cohorts);
    return result;
}

void rescan_release(struct rescan *rescan)
{
    cohort_table_release(&rescan->cohorts);
    free(rescan->outcome.reports);
    *rescan = (struct rescan){.from = rescan->from};
}

void log_retraction(const struct ledger_outcome *outcome)
{
    log_line(
        LOG_SCAN, LOG_WARNING,
        "scanning again from height %u: %u blocks taken back, %llu samples retracted",
        outcome->base + 1, outcome->rewound, (unsigned long long)outcome->retracted);
    for (size_t i = 0; i < outcome->report_count; i++) {
        const struct retracted_reports *reports = &outcome->reports[i];
        log_line(LOG_PUBLISH, LOG_ERROR,
                 "feed %s: published sums above height %u were taken back and are being "
                 "counted again: rounds %llu to %llu; see `reservewatch publications %s`",
                 reports->feed, outcome->base, (unsigned long long)reports->first_round,
                 (unsigned long long)reports->last_round, reports->feed);
    }
}
