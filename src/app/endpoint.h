/* "host:port" as a person writes it. */
#ifndef APP_ENDPOINT_H
#define APP_ENDPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* A DNS name has at most 253 characters; brackets, colon, port, NUL. */
#define ENDPOINT_TEXT_MAX 264

/* Read "host", "host:port", "[IPv6]" or "[IPv6]:port" and write it with its port. The
 * error says what to write instead. */
NODISCARD bool endpoint_parse(char out[static ENDPOINT_TEXT_MAX], const char *text,
                              uint16_t default_port, struct error *error);
/* Whether the text can be a host's name or IPv4 address. */
bool host_name_valid(const char *text, size_t len);

#endif
