#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

bool error_set(struct error *error, const char *format, ...)
{
    /* Written aside first: the values may include the text that is there. */
    char text[ERROR_TEXT_MAX];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    text_make_printable(text);
    memcpy(error->text, text, sizeof(text));
    return false;
}

bool error_prefix(struct error *error, const char *format, ...)
{
    char prefix[ERROR_TEXT_MAX];
    va_list values;
    va_start(values, format);
    vsnprintf(prefix, sizeof(prefix), format, values);
    va_end(values);
    return error_set(error, "%s: %s", prefix, error->text);
}
