/* Gates: what must hold for a sample to be good. */
#ifndef FEEDS_GATE_H
#define FEEDS_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "store/sample.h"

/* The numbers are stored with samples: add at the end only. */
enum gate {
    GATE_SYNCED = 0,
    GATE_PEERS = 1,
    GATE_FORK = 2,
    GATE_IDENTITY = 3,
    GATE_LIST = 4,
    GATE_AUDIT = 5,
    GATE_BACKFILL = 6,
    GATE_CLOCK = 7,
    /* Not a gate that can open and close, but a reason of its own: there are fewer blocks
     * than the feed's confirmations. */
    GATE_CHAIN_SHORT = 8,
};
#define GATES 8

/* "synced", "peers" ... "chain-short"; "unknown" for any other number. Lives for ever. */
const char *gate_name(uint8_t gate);

/* What is known of every gate. Zero-initialised, none holds. */
struct gate_report {
    struct gate_state {
        bool ok;
        char reason[SAMPLE_REASON_TEXT_MAX]; /* why not; empty when ok */
    } at[GATES];
};

void gate_pass(struct gate_report *report, enum gate gate);
/* The text is cut to fit and made printable. */
void gate_fail(struct gate_report *report, enum gate gate, const char *format, ...)
    PRINTF_LIKE(3, 4);
bool gates_hold(const struct gate_report *report);
/* Fold another feed's report into `all`: a gate holds if it holds in both; the reason
 * that was first stays. */
void gates_join(struct gate_report *all, const struct gate_report *report);

#endif
