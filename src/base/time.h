/* Three kinds of time that don't mix. Nothing below floor 4 reads a clock: the shell does
 * and hands these down. */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* Milliseconds since some moment in the past; never runs backwards. */
struct mono_time {
    int64_t ms;
};

/* Unix time in seconds, as this machine believes. */
struct wall_time {
    int64_t s;
};

/* A header's time field, or a median of them: Unix seconds by the chain's account. */
struct block_time {
    uint32_t s;
};

/* Stays at the ends of its range; never plus anything is never. */
struct mono_time mono_add(struct mono_time time, int64_t ms);
/* a - b in milliseconds. */
int64_t mono_since(struct mono_time a, struct mono_time b);
bool mono_reached(struct mono_time now, struct mono_time deadline);
/* A moment that is never reached. */
#define MONO_NEVER ((struct mono_time){INT64_MAX})

/* "2026-09-03T12:34:56Z" and its NUL; "@SECONDS" for a year that has no such form. */
#define TIME_TEXT_MAX 32
void time_format_utc(char out[static TIME_TEXT_MAX], int64_t unix_seconds);
/* "3d 4h", "5m 10s", "12s": the largest unit and the next one, which is left out when it
 * is zero ("1h"). */
void duration_format(char out[static TIME_TEXT_MAX], int64_t seconds);

/* Read "90", "90s", "10m", "24h", "7d" as seconds; false for anything else, zero
 * included, and above ten years. */
NODISCARD bool duration_parse(int64_t *seconds, const char *text, size_t len);

#endif
