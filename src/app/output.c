#include "app/output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

void complain(const char *format, ...)
{
    char text[2 * ERROR_TEXT_MAX];
    struct error error;
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    error_set(&error, "%s", text);
    fprintf(stderr, "reservewatch: %s\n", error.text);
}

const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

void output_json(json_t *object)
{
    /* A failure shows in ferror(), at the end. */
    (void)json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
}

enum exit_status output_end(enum exit_status status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    complain("standard output: %s", strerror(errno));
    return EXIT_FAILED;
}
