#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* The length of the printable character at `at`, or 0. The second byte's bounds leave out
 * overlong forms, surrogates and what lies beyond U+10FFFF (RFC 3629, section 4), and the
 * controls U+0080 to U+009F. */
static size_t printable_length(const uint8_t *at)
{
    uint8_t lead = at[0];
    if (lead >= 0x20 && lead < 0x7f)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;

    size_t len = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    uint8_t low = 0x80, high = 0xbf;
    if (lead == 0xc2 || lead == 0xe0)
        low = 0xa0;
    else if (lead == 0xed)
        high = 0x9f;
    else if (lead == 0xf0)
        low = 0x90;
    else if (lead == 0xf4)
        high = 0x8f;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if (!is_continuation(at[i]))
            return 0;
    }
    return len;
}

void text_make_printable(char *text)
{
    uint8_t *at = (uint8_t *)text;
    while (*at != '\0') {
        size_t len = printable_length(at);
        if (len == 0)
            *at = '?';
        at += len > 0 ? len : 1;
    }
}
