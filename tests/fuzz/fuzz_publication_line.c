/* A line of a publication file, and a file of them, as anybody may have left it. */
#include <stdlib.h>
#include <string.h>

#include "feeds/publication_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool read_at(void *context, uint8_t *out, uint64_t offset, size_t len,
                    struct error *error)
{
    const struct bytes *file = context;
    (void)error;
    if (offset > file->len || len > file->len - offset)
        abort();
    memcpy(out, file->data + offset, len);
    return true;
}

static void one_line(const uint8_t *data, size_t size)
{
    struct publication_line line;
    struct error error;
    char written[PUBLICATION_LINE_MAX];
    if (!publication_line_parse(&line, (const char *)data, size, &error))
        return;
    if (publication_line_format(written, &line) != size + 1 ||
        memcmp(written, data, size) != 0)
        abort();
}

/* What is read as published, a recovery finds too; what it doesn't find, it puts where it
 * cuts nothing off. */
static void whole_file(const uint8_t *data, size_t size)
{
    struct bytes content = {data, size};
    struct publication_file file = {
        .exists = true, .size = size, .read = read_at, .context = &content};
    const struct block_hash genesis = {{1}};
    struct published published;
    file_published(&published, &file, "wbtc", &genesis);

    static const char line[] = "{\"round\":7}\n";
    struct bytes bytes = {(const uint8_t *)line, sizeof(line) - 1};
    struct error error;
    for (size_t position = 0; position < 3; position++) {
        uint64_t offset = UINT64_MAX;
        enum file_recovery result = file_recover(&offset, &file, position, bytes, &error);
        if (result == FILE_LINE_MOVED && offset != size)
            abort();
        if (result == FILE_LINE_MISSING &&
            (offset != position || size > position + bytes.len))
            abort();
        if (result == FILE_LINE_THERE && !memmem(data, size, bytes.data, bytes.len))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    one_line(data, size);
    whole_file(data, size);
    return 0;
}
