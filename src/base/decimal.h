/* Whole numbers as text. */
#ifndef BASE_DECIMAL_H
#define BASE_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* Read digits and nothing else: no sign, no space. False, and *out as it was, if there
 * are none, something else, or the number is above `max`. */
NODISCARD bool decimal_parse(uint64_t *out, const char *text, size_t len, uint64_t max);

#endif
