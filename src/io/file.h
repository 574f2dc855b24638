/* Files: whole reads within a bound, durable writes. Blocking; for start-up, commands and
 * workers. Errors name the file, the reason and, where there is one, the remedy. */
#ifndef IO_FILE_H
#define IO_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/error.h"

/* Read a regular file of at most `max` bytes. *data is malloc'd, the caller's, with a NUL
 * behind its *len bytes. */
NODISCARD bool file_read(char **data, size_t *len, const char *path, size_t max,
                         struct error *error);
/* The same for secrets: links aren't followed, and the file has to be readable by its
 * owner (us or root) only, except directly under $CREDENTIALS_DIRECTORY, where the
 * service manager sees to that. */
NODISCARD bool file_read_secret(char **data, size_t *len, const char *path, size_t max,
                                struct error *error);
/* Write at `offset`, which the file must reach already; first cut off what lies behind
 * it if `truncate`. The file is made (mode 0644) if it doesn't exist. On true the bytes,
 * and the file's name, are on the disk. */
NODISCARD bool file_write_at(const char *path, uint64_t offset, struct bytes data,
                             bool truncate, struct error *error);
/* Make a new file, mode 0600, with these bytes, durably; an existing one is an error and
 * left alone. After a failure there is no file. */
NODISCARD bool file_create_private(const char *path, struct bytes data,
                                   struct error *error);

/* Make a directory and those above it as far as they are missing; no error if it exists.
 */
NODISCARD bool directory_make(const char *path, mode_t mode, struct error *error);

#endif
