#include "feeds/due.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PPM UINT64_C(1000000)
/* Digits of a percentage behind the point: 0.0001% is one part per million. */
#define PERCENT_DECIMALS 4

static const char *const due_names[] = {
    [DUE_NOT] = "not-due",
    [DUE_FIRST] = "first",
    [DUE_ORPHANED] = "orphaned",
    [DUE_SET_CHANGED] = "set-changed",
    [DUE_FROM_ZERO] = "from-zero",
    [DUE_DEVIATION_UP] = "deviation-up",
    [DUE_DEVIATION_DOWN] = "deviation-down",
    [DUE_HEARTBEAT] = "heartbeat",
};
#define DUE_NAMES (sizeof(due_names) / sizeof(*due_names))

const char *due_name(uint8_t due)
{
    return due < DUE_NAMES ? due_names[due] : "unknown";
}

bool due_parse(enum due *out, const char *text, size_t len)
{
    for (size_t i = DUE_NOT + 1; i < DUE_NAMES; i++) {
        if (strlen(due_names[i]) == len && memcmp(due_names[i], text, len) == 0) {
            *out = (enum due)i;
            return true;
        }
    }
    return false;
}

static bool percent_parse(uint64_t *ppm, const char *text, size_t len)
{
    uint64_t value = 0;
    size_t decimals = 0;
    bool digit_last = false, point_seen = false;
    for (size_t i = 0; i < len; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (digit) {
            decimals += point_seen;
            value = value * 10 + (uint64_t)(text[i] - '0');
            if (decimals > PERCENT_DECIMALS || value > PPM)
                return false;
        } else if (text[i] == '.' && digit_last && !point_seen) {
            point_seen = true;
        } else {
            return false;
        }
        digit_last = digit;
    }
    for (; decimals < PERCENT_DECIMALS; decimals++)
        value *= 10;
    *ppm = value;
    return digit_last && value > 0 && value <= PPM;
}

static size_t trim_blanks(const char *text, size_t len)
{
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    return len;
}

static bool ends_with(const char *text, size_t len, const char *end)
{
    size_t end_len = strlen(end);
    return len >= end_len && memcmp(text + len - end_len, end, end_len) == 0;
}

bool deviation_parse(struct deviation *out, const char *text, size_t len,
                     struct error *error)
{
    if (ends_with(text, len, "%")) {
        struct deviation read = {.kind = DEVIATION_PPM};
        if (!percent_parse(&read.value, text, trim_blanks(text, len - 1)))
            return error_set(error,
                             "deviation '%.*s': a percentage is above 0, at most 100, "
                             "with at most 4 decimals, such as 0.5%%",
                             (int)(len > 64 ? 64 : len), text);
        *out = read;
        return true;
    }
    if (ends_with(text, len, "BTC")) {
        struct amount amount;
        if (!amount_parse_btc(&amount, text, trim_blanks(text, len - 3)) ||
            amount.sat == 0)
            return error_set(error,
                             "deviation '%.*s': an amount is above 0, at most 21000000, "
                             "with at most 8 decimals, such as 10 BTC",
                             (int)(len > 64 ? 64 : len), text);
        *out = (struct deviation){DEVIATION_SATOSHI, amount.sat};
        return true;
    }
    return error_set(error,
                     "deviation '%.*s': has no unit; write a percentage such as 0.5%% or "
                     "an amount such as 10 BTC",
                     (int)(len > 64 ? 64 : len), text);
}

static void percent_format(char out[static DEVIATION_TEXT_MAX], uint64_t ppm)
{
    uint64_t unit = PPM / 100;
    int len = snprintf(out, DEVIATION_TEXT_MAX, "%" PRIu64 ".%04" PRIu64, ppm / unit,
                       ppm % unit);
    while (out[len - 1] == '0')
        len--;
    if (out[len - 1] == '.')
        len--;
    memcpy(out + len, "%", 2);
}

void deviation_format(char out[static DEVIATION_TEXT_MAX],
                      const struct deviation *deviation)
{
    switch (deviation->kind) {
    case DEVIATION_NONE:
        snprintf(out, DEVIATION_TEXT_MAX, "none");
        return;
    case DEVIATION_PPM:
        percent_format(out, deviation->value);
        return;
    case DEVIATION_SATOSHI: {
        char btc[AMOUNT_TEXT_MAX];
        amount_format_btc(btc, (struct amount){deviation->value});
        snprintf(out, DEVIATION_TEXT_MAX, "%s BTC", btc);
        return;
    }
    }
}

static bool deviation_reached(const struct deviation *deviation, uint64_t old,
                              uint64_t change)
{
    if (change == 0)
        return false;
    switch (deviation->kind) {
    case DEVIATION_NONE:
        return false;
    case DEVIATION_SATOSHI:
        return change >= deviation->value;
    case DEVIATION_PPM:
        /* 64 bits overflow from 18 BTC at 100 % on. */
        return (unsigned __int128)change * PPM >=
               (unsigned __int128)old * deviation->value;
    }
    return false;
}

static enum due due_reason(const struct due_policy *policy,
                           const struct published *published,
                           const struct statement *candidate)
{
    uint64_t old = published->amount.sat, new = candidate->amount.sat;
    if (published->state == PUBLISHED_NONE)
        return DUE_FIRST;
    if (!published->on_chain)
        return DUE_ORPHANED;
    if (memcmp(published->set_hash, candidate->set_hash, sizeof(published->set_hash)) !=
        0)
        return DUE_SET_CHANGED;
    if (old == 0 && new > 0)
        return DUE_FROM_ZERO;
    if (new > old && deviation_reached(&policy->up, old, new - old))
        return DUE_DEVIATION_UP;
    if (new < old && deviation_reached(&policy->down, old, old - new))
        return DUE_DEVIATION_DOWN;
    int64_t age = (int64_t)candidate->time.s - (int64_t)published->time.s;
    if (policy->heartbeat > 0 && age >= policy->heartbeat)
        return DUE_HEARTBEAT;
    return DUE_NOT;
}

struct due_verdict due_decide(const struct due_policy *policy,
                              const struct published *published,
                              const struct statement *candidate)
{
    struct due_verdict verdict = {.due = due_reason(policy, published, candidate)};
    if (verdict.due != DUE_NOT && published->state == PUBLISHED)
        verdict.waiting = candidate->height <= published->height ||
                          candidate->time.s < published->time.s;
    return verdict;
}
