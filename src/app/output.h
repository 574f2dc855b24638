/* What commands print. */
#ifndef APP_OUTPUT_H
#define APP_OUTPUT_H

#include <stddef.h>

#include <jansson.h>

#include "app/exit_status.h"
#include "base/attr.h"
#include "base/money.h"
#include "base/time.h"

/* Print "reservewatch: TEXT" to stderr, made printable. */
void complain(const char *format, ...) PRINTF_LIKE(1, 2);

/* "s" after any number but one. */
const char *plural(size_t count);

/* Print the object on a line of its own to stdout; takes over the reference. */
void output_json(json_t *object);
/* Write what is buffered; EXIT_FAILED, said on stderr, if stdout can't take it, else
 * `status`. */
enum exit_status output_end(enum exit_status status);

#endif
