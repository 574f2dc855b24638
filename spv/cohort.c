#include "spv/cohort.h"

void cohort_table_copy(struct cohort_table *out, const struct cohort_table *from)
{
    *out = *from;
    for (size_t i = 0; i < out->count; i++)
        script_set_ref(out->at[i].scripts);
}

void cohort_table_release(struct cohort_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        script_set_unref(table->at[i].scripts);
    table->count = 0;
}
