#include "feeds/publication_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#define SEARCH_CHUNK ((size_t)64 << 10)

/* ---- what the file says ---- */

static bool file_read(const struct publication_file *file, uint8_t *out, uint64_t offset,
                      size_t len, struct error *error)
{
    return len == 0 || file->read(file->context, out, offset, len, error);
}

static bool last_line(struct publication_line *out, const struct publication_file *file,
                      struct error *error)
{
    uint8_t tail[PUBLICATION_LINE_MAX + 1];
    size_t len = file->size < sizeof(tail) ? (size_t)file->size : sizeof(tail);
    if (!file_read(file, tail, file->size - len, len, error))
        return false;
    if (tail[len - 1] != '\n')
        return error_set(error, "last line: isn't whole; complete it or remove it");
    size_t start = len - 1;
    while (start > 0 && tail[start - 1] != '\n')
        start--;
    if (!publication_line_parse(out, (const char *)tail + start, len - 1 - start, error))
        return error_prefix(error, "last line");
    return true;
}

static bool last_line_of(struct publication_line *out,
                         const struct publication_file *file, const char *feed,
                         const struct block_hash *genesis, struct error *error)
{
    if (file->fault)
        return error_set(error, "%s", file->fault);
    if (!last_line(out, file, error))
        return false;
    if (strcmp(out->feed, feed) != 0)
        return error_set(error,
                         "last line: is feed %s's, not feed %s's; give each feed a "
                         "file of its own",
                         out->feed, feed);
    if (!block_hash_equal(&out->report.genesis, genesis))
        return error_set(error, "last line: is about another chain; use another file");
    return true;
}

void file_published(struct published *out, const struct publication_file *file,
                    const char *feed, const struct block_hash *genesis)
{
    *out = (struct published){.state = PUBLISHED_UNKNOWN};
    if (!file->fault && (!file->exists || file->size == 0)) {
        out->state = PUBLISHED_NONE;
        return;
    }
    struct publication_line line;
    struct error error;
    if (!last_line_of(&line, file, feed, genesis, &error)) {
        snprintf(out->reason, sizeof(out->reason), "%.*s", SAMPLE_REASON_TEXT_MAX - 1,
                 error.text);
        text_make_printable(out->reason);
        return;
    }
    out->state = PUBLISHED;
    out->round = line.round;
    out->height = line.report.height;
    out->block = line.report.block;
    out->time = line.report.time;
    out->amount = line.report.amount;
    memcpy(out->set_hash, line.report.set_hash, sizeof(out->set_hash));
}

/* ---- recovery ---- */

enum search { SEARCH_FOUND, SEARCH_ABSENT, SEARCH_FAILED };

/* Whether `line` stands at the beginning of a line in this piece of the file. */
static bool piece_has_line(const uint8_t *piece, size_t len, bool at_file_start,
                           struct bytes line)
{
    size_t from = 0;
    while (from < len) {
        const uint8_t *hit = memmem(piece + from, len - from, line.data, line.len);
        if (!hit)
            return false;
        size_t at = (size_t)(hit - piece);
        if (at > 0 ? hit[-1] == '\n' : at_file_start)
            return true;
        from = at + 1;
    }
    return false;
}

/* Each piece begins one byte early, for the newline before, and ends a line late. */
static enum search file_search(const struct publication_file *file, struct bytes line,
                               struct error *error)
{
    size_t room = 1 + SEARCH_CHUNK + line.len;
    uint8_t *piece = mem_alloc(room);
    enum search result = SEARCH_ABSENT;
    for (uint64_t at = 0; at < file->size && result == SEARCH_ABSENT;
         at += SEARCH_CHUNK) {
        uint64_t start = at > 0 ? at - 1 : 0;
        size_t len = file->size - start < room ? (size_t)(file->size - start) : room;
        if (!file_read(file, piece, start, len, error))
            result = SEARCH_FAILED;
        else if (piece_has_line(piece, len, start == 0, line))
            result = SEARCH_FOUND;
    }
    free(piece);
    return result;
}

static bool is_part_of(const uint8_t *data, size_t len, struct bytes line)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] != line.data[i] && data[i] != 0)
            return false;
    }
    return true;
}

/* Nothing of the line is where it was to be. */
static enum file_recovery recover_elsewhere(uint64_t *offset,
                                            const struct publication_file *file,
                                            struct bytes line, struct error *error)
{
    switch (file_search(file, line, error)) {
    case SEARCH_FOUND:
        return FILE_LINE_THERE;
    case SEARCH_FAILED:
        return FILE_LINE_UNUSABLE;
    case SEARCH_ABSENT:
        break;
    }
    uint8_t last = '\n';
    if (file->size > 0 && !file_read(file, &last, file->size - 1, 1, error))
        return FILE_LINE_UNUSABLE;
    if (last != '\n') {
        error_set(error, "last line: isn't whole; complete it or remove it");
        return FILE_LINE_UNUSABLE;
    }
    *offset = file->size;
    return FILE_LINE_MOVED;
}

enum file_recovery file_recover(uint64_t *offset, const struct publication_file *file,
                                uint64_t position, struct bytes line, struct error *error)
{
    if (file->fault) {
        error_set(error, "%s", file->fault);
        return FILE_LINE_UNUSABLE;
    }
    if (file->size < position)
        return recover_elsewhere(offset, file, line, error);

    /* From the byte before, which ends the line before. */
    uint8_t found[1 + PUBLICATION_LINE_MAX] = {'\n'};
    size_t before = position > 0;
    uint64_t rest = file->size - position;
    size_t len = rest < line.len ? (size_t)rest : line.len;
    if (!file_read(file, found + 1 - before, position - before, before + len, error))
        return FILE_LINE_UNUSABLE;
    if (found[0] != '\n')
        return recover_elsewhere(offset, file, line, error);
    if (len == line.len && memcmp(found + 1, line.data, len) == 0)
        return FILE_LINE_THERE;
    if (rest <= line.len && is_part_of(found + 1, len, line)) {
        *offset = position;
        return FILE_LINE_MISSING;
    }
    return recover_elsewhere(offset, file, line, error);
}
