/* Cohorts: scripts that are scanned together, with the height they have reached. */
#ifndef SPV_COHORT_H
#define SPV_COHORT_H

#include "spv/script_set.h"

/* Cohort 0 is the merged one: only its scripts count. */
struct cohort {
    uint32_t id;
    uint32_t cursor; /* newest block applied; may lie above the stored headers when the
                        birth is in the future */
    struct script_set *scripts; /* a reference that the holder of the struct owns */
};
#define COHORTS_MAX 16

struct cohort_table {
    struct cohort at[COHORTS_MAX]; /* cohort 0 first */
    size_t count;
    /* Rises whenever scripts change cohorts (definition, merging): work prepared under
     * another epoch was matched against the wrong scripts and is refused. */
    uint64_t epoch;
};

void cohort_table_copy(struct cohort_table *out, const struct cohort_table *from);
void cohort_table_release(struct cohort_table *table); /* drops the references */

#endif
