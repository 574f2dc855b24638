/* A file of headers (spv/header_file.h) on the disk or behind a URL, which is downloaded
 * into a file without a name. */
#ifndef APP_HEADER_SOURCE_H
#define APP_HEADER_SOURCE_H

#include "base/time.h"
#include "spv/header_file.h"

struct header_source {
    int fd;           /* -1: not open */
    const char *name; /* the path or URL, for messages; without what may be a key */
    char *name_owned;
    struct header_file_layout layout;
};

/* `place` is a path, or a URL that begins with http:// or https://; a download goes to
 * `folder`. Says how far a download is through io/progress.h, and ends when
 * interrupt_asked(). On false *error names the place. header_source_close() in either
 * case. */
NODISCARD bool header_source_open(struct header_source *source,
                                  enum header_file_kind kind, const char *place,
                                  const char *folder, const struct network *network,
                                  struct wall_time now, struct error *error);
void header_source_close(struct header_source *source);

/* Read `count` records from height `from` on, all of which are there. */
NODISCARD bool header_source_read(const struct header_source *source, uint8_t *out,
                                  uint32_t from, size_t count, struct error *error);

#endif
