/* Passwords and keys on their way in: from owner-only files or typed without echo, and
 * wiped once used. */
#ifndef APP_SECRETS_H
#define APP_SECRETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/error.h"

#define PASSWORD_MAX 1024

/* A line of text without its end. */
struct secret_text {
    char text[PASSWORD_MAX + 1];
    size_t len;
};

/* Wipe it. */
void secret_text_release(struct secret_text *secret);
struct bytes secret_text_bytes(const struct secret_text *secret);

/* The only line of a file that its owner alone may read; an empty one is an error. */
NODISCARD bool secret_text_read(struct secret_text *out, const char *path,
                                struct error *error);
/* Ask on the terminal, without echo; an empty answer is an error, as is having no
 * terminal: then name the file to give instead, `remedy`. */
NODISCARD bool secret_text_ask(struct secret_text *out, const char *prompt,
                               const char *remedy, struct error *error);

#endif
