/* What a file of publication lines says, and where a line stands in it after a crash.
 * Pure: the file is reached through a function that the shell gives. */
#ifndef FEEDS_PUBLICATION_FILE_H
#define FEEDS_PUBLICATION_FILE_H

#include "feeds/due.h"
#include "feeds/publication_line.h"

/* The file as it is now. Nobody else writes to it between looking and done, except as one
 * who rotates or edits it, which is noticed where it matters. */
struct publication_file {
    const char *fault; /* why it couldn't be looked at; NULL if it could */
    bool exists;
    uint64_t size; /* 0 if it doesn't exist */
    /* Read exactly `len` bytes at `offset`, which lie within the size. */
    bool (*read)(void *context, uint8_t *out, uint64_t offset, size_t len,
                 struct error *error);
    void *context;
};

/* What the file's last line says. PUBLISHED_NONE if it doesn't exist or is empty;
 * PUBLISHED_UNKNOWN if it can't be read, its last line isn't whole, or isn't one of this
 * feed on this chain. */
void file_published(struct published *out, const struct publication_file *file,
                    const char *feed, const struct block_hash *genesis);

enum file_recovery {
    FILE_LINE_THERE,    /* whole */
    FILE_LINE_MISSING,  /* nothing or a part of it is there: write it at *offset */
    FILE_LINE_MOVED,    /* others changed the file and the line isn't in it: write it at
                         *offset, the present end, once that is committed as position */
    FILE_LINE_UNUSABLE, /* *error says why */
};
/* Where a publication in state PERSISTED stands after a crash. Bytes from its position to
 * the end that are the line's own or NUL (a power cut may leave a size without its
 * data) are a part of it. */
enum file_recovery file_recover(uint64_t *offset, const struct publication_file *file,
                                uint64_t position, struct bytes line,
                                struct error *error);

#endif
