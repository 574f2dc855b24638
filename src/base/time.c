#include "base/time.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define MINUTE_S INT64_C(60)
#define HOUR_S (60 * MINUTE_S)
#define DAY_S (24 * HOUR_S)
#define DURATION_MAX_S (3650 * DAY_S)

struct mono_time mono_add(struct mono_time time, int64_t ms)
{
    struct mono_time sum;
    if (time.ms == INT64_MAX)
        return MONO_NEVER;
    if (__builtin_add_overflow(time.ms, ms, &sum.ms))
        sum.ms = ms > 0 ? INT64_MAX : INT64_MIN;
    return sum;
}

int64_t mono_since(struct mono_time a, struct mono_time b)
{
    int64_t ms;
    if (__builtin_sub_overflow(a.ms, b.ms, &ms))
        ms = a.ms > b.ms ? INT64_MAX : INT64_MIN;
    return ms;
}

bool mono_reached(struct mono_time now, struct mono_time deadline)
{
    return deadline.ms != INT64_MAX && now.ms >= deadline.ms;
}

void time_format_utc(char out[static TIME_TEXT_MAX], int64_t unix_seconds)
{
    time_t seconds = unix_seconds;
    struct tm utc;
    /* A year beyond an int: show the number itself. */
    if (gmtime_r(&seconds, &utc) == NULL ||
        strftime(out, TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        snprintf(out, TIME_TEXT_MAX, "@%" PRId64, unix_seconds);
}

void duration_format(char out[static TIME_TEXT_MAX], int64_t seconds)
{
    static const struct {
        uint64_t seconds;
        char name;
    } units[] = {{DAY_S, 'd'}, {HOUR_S, 'h'}, {MINUTE_S, 'm'}, {1, 's'}};

    const char *sign = seconds < 0 ? "-" : "";
    uint64_t left = seconds < 0 ? 0 - (uint64_t)seconds : (uint64_t)seconds;
    size_t unit = 0;
    while (unit < 3 && left < units[unit].seconds)
        unit++;
    uint64_t first = left / units[unit].seconds;
    uint8_t second = 0; /* at most 59 */
    if (unit < 3)
        second = (uint8_t)(left % units[unit].seconds / units[unit + 1].seconds);
    if (second > 0)
        snprintf(out, TIME_TEXT_MAX, "%s%" PRIu64 "%c %u%c", sign, first,
                 units[unit].name, second, units[unit + 1].name);
    else
        snprintf(out, TIME_TEXT_MAX, "%s%" PRIu64 "%c", sign, first, units[unit].name);
}

bool duration_parse(int64_t *seconds, const char *text, size_t len)
{
    int64_t number = 0;
    size_t i = 0;
    for (; i < len && text[i] >= '0' && text[i] <= '9'; i++) {
        number = number * 10 + (text[i] - '0');
        if (number > DURATION_MAX_S)
            return false;
    }
    if (i == 0 || len - i > 1)
        return false;

    int64_t unit = 1;
    if (i < len) {
        switch (text[i]) {
        case 's':
            break;
        case 'm':
            unit = MINUTE_S;
            break;
        case 'h':
            unit = HOUR_S;
            break;
        case 'd':
            unit = DAY_S;
            break;
        default:
            return false;
        }
    }
    if (number == 0 || number > DURATION_MAX_S / unit)
        return false;
    *seconds = number * unit;
    return true;
}
