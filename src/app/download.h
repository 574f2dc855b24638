/* A file from a URL. */
#ifndef APP_DOWNLOAD_H
#define APP_DOWNLOAD_H

#include <stdint.h>

#include "base/error.h"

/* Download into a file without a name in `folder`, which is gone when *fd is closed; the
 * caller does that, also after false if *fd isn't -1. At most `max` bytes are taken; a
 * minute of silence ends it, and so does interrupt_asked(). TLS is verified. *name is
 * "https://host:port", the caller's, for messages: the path may hold a key; NULL if the
 * URL can't be used. Shows its progress (io/progress.h). */
NODISCARD bool download(int *fd, char **name, const char *url, const char *folder,
                        uint64_t max, struct error *error);

#endif
