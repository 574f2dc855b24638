/* A file in memory, for tests of what is written to files. */
#ifndef TESTS_UNIT_FEEDS_MEMORY_FILE_H
#define TESTS_UNIT_FEEDS_MEMORY_FILE_H

#include <string.h>

#include "feeds/publication_file.h"

struct memory_file {
    bool exists;
    bool broken; /* reading fails */
    size_t size;
    uint8_t data[1 << 18];
};

static inline bool memory_file_read(void *context, uint8_t *out, uint64_t offset,
                                    size_t len, struct error *error)
{
    const struct memory_file *file = context;
    if (file->broken)
        return error_set(error, "Input/output error");
    assert_true(offset + len <= file->size);
    memcpy(out, file->data + offset, len);
    return true;
}

static inline struct publication_file memory_file_look(struct memory_file *file)
{
    return (struct publication_file){
        .exists = file->exists,
        .size = file->size,
        .read = memory_file_read,
        .context = file,
    };
}

static inline void memory_file_write(struct memory_file *file, size_t offset,
                                     const void *data, size_t len)
{
    assert_true(offset + len <= sizeof(file->data));
    if (offset > file->size)
        memset(file->data + file->size, 0, offset - file->size);
    if (len > 0)
        memcpy(file->data + offset, data, len);
    if (offset + len > file->size)
        file->size = offset + len;
    file->exists = true;
}

static inline void memory_file_append(struct memory_file *file, const char *text)
{
    memory_file_write(file, file->size, text, strlen(text));
}

#endif
