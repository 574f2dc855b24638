/* Files of real data outside the repository. */
#ifndef TESTS_UNIT_SPV_SHARED_DATA_H
#define TESTS_UNIT_SPV_SHARED_DATA_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

/* The whole file, to be freed; NULL, with a message, where it is absent. */
static inline uint8_t *shared_data(const char *name, size_t *len)
{
    const char *folder = getenv("RESERVEWATCH_SHARED_DATA");
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder == NULL ? "." : folder, name);
    FILE *file = folder == NULL ? NULL : fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "skipped: RESERVEWATCH_SHARED_DATA has no %s\n", name);
        return NULL;
    }
    uint8_t *data = NULL;
    size_t capacity = 0;
    size_t got;
    *len = 0;
    do {
        data = mem_grow(data, &capacity, *len + 65536, 1);
        got = fread(data + *len, 1, capacity - *len, file);
        *len += got;
    } while (got > 0);
    fclose(file);
    return data;
}

#endif
