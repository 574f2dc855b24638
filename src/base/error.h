/* An error as a person reads it: the thing, the reason, the remedy. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

#include "base/attr.h"

#define ERROR_TEXT_MAX 512

/* Filled by the call that failed; unspecified otherwise. Plain value, owns nothing. */
struct error {
    char text[ERROR_TEXT_MAX];
};

/* Set the text (cut to fit, made printable as by text_make_printable(): parts of it may
 * come from a peer). The values may include the text that is there. Always returns false,
 * so that a failing function can `return error_set(...)`. */
bool error_set(struct error *error, const char *format, ...) PRINTF_LIKE(2, 3);

/* Put "prefix: " in front of the text that is there. Always returns false. */
bool error_prefix(struct error *error, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
