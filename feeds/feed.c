#include "feeds/feed.h"

#include <string.h>

#include "base/decimal.h"

void feed_init(struct feed *feed)
{
    memset(feed, 0, sizeof(*feed));
    feed->confirmations = FEED_CONFIRMATIONS_DEFAULT;
}

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool feed_name_valid(const char *text, size_t len, struct error *error)
{
    if (len == 0 || len > FEED_NAME_MAX)
        return error_set(error, "name: has %zu characters; give it 1 to %d", len,
                         FEED_NAME_MAX);
    for (size_t i = 0; i < len; i++) {
        bool mark = text[i] == '.' || text[i] == '_' || text[i] == '-';
        if (!is_alphanumeric(text[i]) && !(mark && i > 0))
            return error_set(error,
                             "name '%.*s': use letters, digits and . _ - with a letter "
                             "or a digit first",
                             (int)len, text);
    }
    return true;
}

bool feed_parse_confirmations(uint32_t *out, const char *text, size_t len,
                              struct error *error)
{
    uint64_t value = 0;
    if (!decimal_parse(&value, text, len, FEED_CONFIRMATIONS_MAX) || value == 0)
        return error_set(error, "confirmations '%.*s': write a whole number from 1 to %d",
                         (int)(len > 64 ? 64 : len), text, FEED_CONFIRMATIONS_MAX);
    *out = (uint32_t)value;
    return true;
}

bool feed_parse_immature(bool *count_immature, const char *text, size_t len,
                         struct error *error)
{
    if (len == 7 && memcmp(text, "include", 7) == 0) {
        *count_immature = true;
        return true;
    }
    if (len == 7 && memcmp(text, "exclude", 7) == 0) {
        *count_immature = false;
        return true;
    }
    return error_set(error, "immature '%.*s': write include or exclude",
                     (int)(len > 64 ? 64 : len), text);
}
