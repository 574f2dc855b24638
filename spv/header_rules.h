/* What a header must satisfy to follow another, apart from its proof of work. */
#ifndef SPV_HEADER_RULES_H
#define SPV_HEADER_RULES_H

#include "base/error.h"
#include "spv/header_tree.h"

/* Heights whose times the median-time-past looks at. */
#define MEDIAN_SPAN 11

/* HEADER_ADDED if `header` may follow `parent`; HEADER_FUTURE; or HEADER_INVALID with the
 * rule in *error. `first` is the first header of the period that `parent` ends, needed
 * only when the header starts a period. Times below a root other than genesis count for
 * the header. */
NODISCARD enum header_verdict
header_rules_check(const struct network *network, const struct header_node *parent,
                   const struct header_node *first, const struct block_header *header,
                   struct wall_time now, struct error *error);

#endif
