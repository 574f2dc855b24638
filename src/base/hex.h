/* Hexadecimal text. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* Write 2 * len lower-case digits and a NUL. */
void hex_encode(char *out, const uint8_t *data, size_t len);
/* The same, last byte first: the order in which hashes are shown. */
void hex_encode_reversed(char *out, const uint8_t *data, size_t len);
/* Read exactly 2 * len digits of either case; false (with *error_at, if given, the index
 * of the first bad character) for anything else. `out` may be half written then. */
NODISCARD bool hex_decode(uint8_t *out, size_t len, const char *text, size_t text_len,
                          size_t *error_at);
NODISCARD bool hex_decode_reversed(uint8_t *out, size_t len, const char *text,
                                   size_t text_len);

#endif
