/* What a header must satisfy to follow another, apart from its proof of work. */
#ifndef SPV_HEADER_RULES_H
#define SPV_HEADER_RULES_H

#include "base/error.h"
#include "spv/header_tree.h"

/* Heights whose times the median-time-past looks at. */
#define MEDIAN_SPAN 11

/* What the rules look at in the headers before a new one. */
struct header_past {
    uint32_t height; /* of the newest */
    uint32_t bits;   /* the newest's, as the following */
    struct block_time time;
    uint32_t normal_bits; /* pow_context.last_normal_bits */
    uint32_t first_bits;  /* of the first header of the newest's period; used only when */
    struct block_time first_time; /* the new one starts a period */
    /* Times of the newest headers in any order: all up to MEDIAN_SPAN that are known.
     * Those that are missing above genesis count for the header. */
    uint32_t times[MEDIAN_SPAN];
    uint32_t time_count;
};

/* HEADER_ADDED if `header` may follow; HEADER_FUTURE; or HEADER_INVALID with the rule in
 * *error. */
NODISCARD enum header_verdict header_rules_check_past(const struct network *network,
                                                      const struct header_past *past,
                                                      const struct block_header *header,
                                                      struct wall_time now,
                                                      struct error *error);
/* The past of a header that follows `parent`. `first` is the first header of the
 * parent's period, needed only when the new one starts a period. */
void header_past_of_node(struct header_past *past, const struct header_node *parent,
                         const struct header_node *first);

/* HEADER_ADDED if `header` may follow `parent`; HEADER_FUTURE; or HEADER_INVALID with the
 * rule in *error. `first` is the first header of the period that `parent` ends, needed
 * only when the header starts a period. Times below a root other than genesis count for
 * the header. */
NODISCARD enum header_verdict
header_rules_check(const struct network *network, const struct header_node *parent,
                   const struct header_node *first, const struct block_header *header,
                   struct wall_time now, struct error *error);

#endif
