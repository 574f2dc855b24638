#include "feeds/gate.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"

const char *gate_name(uint8_t gate)
{
    static const char *const names[] = {
        [GATE_SYNCED] = "synced",
        [GATE_PEERS] = "peers",
        [GATE_FORK] = "fork",
        [GATE_IDENTITY] = "identity",
        [GATE_LIST] = "list",
        [GATE_AUDIT] = "audit",
        [GATE_BACKFILL] = "backfill",
        [GATE_CLOCK] = "clock",
        [GATE_CHAIN_SHORT] = "chain-short",
    };
    return gate < sizeof(names) / sizeof(*names) ? names[gate] : "unknown";
}

void gate_pass(struct gate_report *report, enum gate gate)
{
    report->at[gate].ok = true;
    report->at[gate].reason[0] = '\0';
}

void gate_fail(struct gate_report *report, enum gate gate, const char *format, ...)
{
    struct gate_state *state = &report->at[gate];
    va_list values;
    va_start(values, format);
    vsnprintf(state->reason, sizeof(state->reason), format, values);
    va_end(values);
    text_make_printable(state->reason);
    state->ok = false;
}

bool gates_hold(const struct gate_report *report)
{
    for (size_t i = 0; i < GATES; i++) {
        if (!report->at[i].ok)
            return false;
    }
    return true;
}

void gates_join(struct gate_report *all, const struct gate_report *report)
{
    for (size_t i = 0; i < GATES; i++) {
        if (all->at[i].ok && !report->at[i].ok)
            all->at[i] = report->at[i];
    }
}
