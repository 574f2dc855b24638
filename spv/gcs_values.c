#include "spv/gcs_values.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "spv/gcs_kernel.h"
#include "spv/gcs_scalar.h"

/* Segments of fewer numbers cost more to join than they save. */
#define SEGMENT_MIN 64
/* By how many bits the last segment is longer, so that the others' lanes have gone some
 * thirty numbers into their next one's segment when the last comes to its end. */
#define OVERRUN (32 * 22)
/* Rows for lanes that need longer to fall into step, and to try. */
#define ROWS_EXTRA 256

struct source {
    const uint8_t *data;
    uint64_t bits;
    uint64_t fast_end; /* eight bytes can be read at every bit below this */
};

static uint64_t place_of(uint64_t state)
{
    return state >> GCS_PLACE_SHIFT;
}

static uint64_t sum_of(uint64_t state)
{
    return state & GCS_SUM_MASK;
}

/* Read a number that is wholly in one word; false if it isn't. */
static bool read_fast(uint64_t *state, const struct source *source)
{
    uint64_t place = place_of(*state);
    if (place >= source->fast_end)
        return false;
    uint64_t word = gcs_load(source->data, place);
    unsigned quotient = gcs_quotient(word);
    if (quotient > GCS_QUOTIENT_FAST)
        return false;
    *state = gcs_advance(*state, word, quotient);
    return true;
}

static unsigned bit_at(const struct source *source, uint64_t place)
{
    return source->data[place / 8] >> (7 - place % 8) & 1;
}

/* Read any number; false at the end of the bits. */
static bool read_number(uint64_t *state, const struct source *source)
{
    if (read_fast(state, source))
        return true;
    uint64_t place = place_of(*state), sum = sum_of(*state), remainder = 0;
    for (; place < source->bits && bit_at(source, place); place++)
        sum += UINT64_C(1) << GCS_P;
    if (source->bits - place < 1 + GCS_P)
        return false;
    place++;
    for (unsigned i = 0; i < GCS_P; i++)
        remainder = remainder << 1 | bit_at(source, place++);
    *state = place << GCS_PLACE_SHIFT | (sum + remainder);
    return true;
}

/* Whether the last number ends in the last byte, with zeros behind it. */
static bool ends_soundly(const struct source *source, uint64_t state)
{
    uint64_t left = source->bits - place_of(state);
    return left < 8 &&
           (left == 0 || (source->data[source->bits / 8 - 1] & ((1U << left) - 1)) == 0);
}

static void allocate_rows(struct gcs_values *values, size_t lanes, size_t rows)
{
    values->lanes = lanes;
    values->memory = mem_alloc(rows * lanes * sizeof(uint64_t) + 63);
    /* Rows that begin with a cache line. */
    values->rows = (uint64_t *)(((uintptr_t)values->memory + 63) & ~(uintptr_t)63);
}

static bool decode_in_one(struct gcs_values *values, const struct source *source,
                          size_t count)
{
    allocate_rows(values, 1, count);
    uint64_t state = 0;
    for (size_t i = 0; i < count; i++) {
        if (!read_number(&state, source))
            return false;
        values->rows[i] = state;
    }
    values->full_rows = count;
    values->lane[0] = (struct gcs_lane){.last = count};
    /* Every value is a hash mapped to below N * M, and none is above the last. */
    return ends_soundly(source, state) && sum_of(state) < count * GCS_M;
}

/* Lanes at work. */
struct segments {
    struct gcs_values *values;
    const struct source *source;
    size_t bits;     /* of a segment */
    size_t capacity; /* rows there is room for */
};

/* Where a lane stands after `read` numbers. */
static uint64_t lane_state(const struct segments *segments, size_t lane, size_t read)
{
    if (read == 0)
        return (uint64_t)(lane * segments->bits) << GCS_PLACE_SHIFT;
    return segments->values->rows[(read - 1) * segments->values->lanes + lane];
}

/* Find where the lane meets the next, letting it read on as it needs. */
static bool meet(const struct segments *segments, size_t at)
{
    struct gcs_values *values = segments->values;
    struct gcs_lane *lane = &values->lane[at], *next = lane + 1;
    size_t rows = values->full_rows, mine = rows, other = 0;
    uint64_t cut = (at + 1) * segments->bits;

    while (mine > lane->first && place_of(lane_state(segments, at, mine - 1)) >= cut)
        mine--;
    uint64_t here = lane_state(segments, at, mine);
    uint64_t there = lane_state(segments, at + 1, 0);
    while (place_of(here) != place_of(there)) {
        if (place_of(here) > place_of(there)) {
            if (other == rows)
                return false;
            there = lane_state(segments, at + 1, ++other);
        } else if (mine < rows) {
            here = lane_state(segments, at, ++mine);
        } else {
            if (mine == segments->capacity || !read_fast(&here, segments->source))
                return false;
            values->rows[mine++ * values->lanes + at] = here;
        }
    }
    lane->last = mine;
    next->first = other;
    next->start = lane->base + sum_of(here);
    next->base = next->start - sum_of(there);
    return true;
}

/* Read with the last lane what is left of `count`. */
static bool read_rest(const struct segments *segments, size_t count)
{
    struct gcs_values *values = segments->values;
    struct gcs_lane *lane = &values->lane[values->lanes - 1];
    if (lane->last - lane->first > count)
        return false;
    uint64_t state = lane_state(segments, values->lanes - 1, lane->last);
    for (count -= lane->last - lane->first; count > 0; count--) {
        if (lane->last == segments->capacity || !read_number(&state, segments->source))
            return false;
        values->rows[lane->last++ * values->lanes + values->lanes - 1] = state;
    }
    return ends_soundly(segments->source, state);
}

static bool decode_in_segments(struct gcs_values *values, const struct source *source,
                               size_t count, const struct gcs_kernel *kernel)
{
    size_t lanes = kernel->lanes, left = count;
    if (count < SEGMENT_MIN * lanes || source->bits < count * (1 + GCS_P))
        return false;
    struct segments segments = {values, source, (source->bits - OVERRUN) / lanes, 0};
    size_t last_bits = source->bits - (lanes - 1) * segments.bits;
    segments.capacity = last_bits / (1 + GCS_P) + ROWS_EXTRA;
    allocate_rows(values, lanes, segments.capacity);

    uint64_t states[GCS_LANES_MAX];
    for (size_t i = 0; i < lanes; i++)
        states[i] = lane_state(&segments, i, 0);
    values->full_rows =
        kernel->decode(values->rows, states, source->data, source->fast_end);
    values->lane[0] = (struct gcs_lane){0};
    for (size_t i = 0; i + 1 < lanes; i++) {
        if (!meet(&segments, i))
            return false;
        size_t read = values->lane[i].last - values->lane[i].first;
        if (read > left)
            return false;
        left -= read;
    }
    struct gcs_lane *last = &values->lane[lanes - 1];
    last->last = values->full_rows;
    if (!read_rest(&segments, left))
        return false;
    uint64_t greatest = last->base + sum_of(lane_state(&segments, lanes - 1, last->last));
    return greatest < count * GCS_M;
}

bool gcs_values_init(struct gcs_values *values, struct bytes data, size_t count,
                     const struct gcs_kernel *kernel)
{
    const struct source source = {
        .data = data.data,
        .bits = data.len * 8,
        .fast_end = data.len >= 8 ? (data.len - 7) * 8 : 0,
    };
    assert(data.len < GCS_FILTER_MAX && count > 0 && count <= GCS_ELEMENTS_MAX);
    *values = (struct gcs_values){0};
    if (decode_in_segments(values, &source, count, kernel))
        return true;
    gcs_values_release(values);
    if (decode_in_one(values, &source, count))
        return true;
    gcs_values_release(values);
    return false;
}

void gcs_values_release(struct gcs_values *values)
{
    free(values->memory);
    values->memory = NULL;
}
