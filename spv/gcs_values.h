/* The values of a Golomb-coded set, decoded by many readers at once.
 *
 * The bits of a filter follow from one another: where a number begins is known only when
 * the one before it has been read. But a reader that begins at any bit falls into step
 * with the true sequence after some thirty numbers, and from then on reads the same.
 * So a long filter is cut into segments, a reader ("lane") begins at each cut and goes on
 * into the next segment, until it meets a number boundary of the next lane. What a lane
 * read before it was met is dropped. A filter whose lanes don't meet, or in which
 * anything is out of the ordinary, is decoded once more from end to end by one lane,
 * which alone decides whether it is malformed. */
#ifndef SPV_GCS_VALUES_H
#define SPV_GCS_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "spv/gcs.h"

/* A lane after a number: its place in bits, and below it the sum of the numbers it has
 * read. 21 bits hold every place in a filter without its count, and 43 the sum of numbers
 * read from it, which is below 2^42 even where they are read out of step. */
#define GCS_PLACE_SHIFT 43
#define GCS_SUM_MASK ((UINT64_C(1) << GCS_PLACE_SHIFT) - 1)
#define GCS_LANES_MAX 32
/* A word loaded at a byte holds 57 bits from any place in that byte on: numbers of
 * quotients up to this one are read at once. */
#define GCS_QUOTIENT_FAST (57 - 1 - GCS_P)

/* A lane's part of the values: rows first .. last - 1. Its sums are from its beginning:
 * the values are the sums plus `base`. The value before its first is `start`. */
struct gcs_lane {
    uint64_t base, start;
    size_t first, last;
};

struct gcs_values {
    uint64_t *rows; /* one state of each lane a row */
    size_t lanes;
    size_t full_rows; /* that all lanes have; below them only rows of single lanes */
    struct gcs_lane lane[GCS_LANES_MAX];
    void *memory;
};

struct gcs_kernel;

/* Decode all `count` values (1 .. GCS_ELEMENTS_MAX) in `data`, which is shorter than
 * GCS_FILTER_MAX. False, and nothing to release, if they are malformed: truncated,
 * followed by more than the zeros that fill the last byte, or not all below count *
 * GCS_M. */
NODISCARD bool gcs_values_init(struct gcs_values *values, struct bytes data, size_t count,
                               const struct gcs_kernel *kernel);
void gcs_values_release(struct gcs_values *values);

#endif
