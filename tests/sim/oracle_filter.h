/* BIP 158 basic filters, built by the oracle's own code. */
#ifndef TESTS_SIM_ORACLE_FILTER_H
#define TESTS_SIM_ORACLE_FILTER_H

#include "tests/sim/oracle_bytes.h"

struct oracle_item {
    const uint8_t *data;
    size_t len;
    uint32_t script; /* index into the oracle's table, or SCRIPT_OTHER */
    bool spent;      /* of a coin that the block spends */
};

/* The filter of a block that touches these scripts (repeats allowed; those that don't
 * belong into a filter are left out by the caller). */
void oracle_filter(struct oracle_bytes *out, const struct oracle_hash *block,
                   const struct oracle_item *items, size_t count);
/* BIP 157: the filter header after `previous`. */
struct oracle_hash oracle_filter_header(const struct oracle_hash *filter_hash,
                                        const struct oracle_hash *previous);

#endif
