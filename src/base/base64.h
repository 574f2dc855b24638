/* RFC 4648's Base64, with padding. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>

#include "base/bytes.h"

/* Of the text for `len` bytes, with its NUL. */
#define BASE64_TEXT_SIZE(len) (((size_t)(len) + 2) / 3 * 4 + 1)

/* Write BASE64_TEXT_SIZE(data.len) characters. */
void base64_encode(char *out, struct bytes data);

#endif
