/* Two bytes for where the index ends; then the index and the first file of kept filters,
 * as a damaged disk may hold them. What is kept anew is there, whatever was before. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spv/gcs.h"
#include "store/kept_filters.h"

#define HEIGHTS 8
#define INDEX "index"
#define RECORDS "00000000"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static char folder[48];

static void remove_folder(void)
{
    (void)!chdir(folder);
    (void)unlink(INDEX);
    (void)unlink(RECORDS);
    (void)rmdir(folder);
}

static void make_folder(void)
{
    static bool made;
    if (made)
        return;
    /* In memory where there is such a place: a disk takes its time. */
    snprintf(folder, sizeof(folder), "%s/rw-fuzz-kept-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    require(mkdtemp(folder) != NULL && atexit(remove_folder) == 0);
    made = true;
}

static void write_file(const char *name, const uint8_t *data, size_t len)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    require(fd >= 0 && write(fd, data, len) == (ssize_t)len);
    close(fd);
}

static void write_files(const uint8_t *data, size_t size)
{
    size_t index = (size_t)data[0] << 8 | data[1];
    data += 2;
    size -= 2;
    if (index > size)
        index = size;
    make_folder();
    write_file(INDEX, data, index);
    write_file(RECORDS, data + index, size - index);
}

static void get(struct kept_filters *kept, uint32_t height, const struct bytes *want)
{
    const struct block_hash block = {{0}};
    uint8_t *filter;
    size_t len;
    enum kept_result result = kept_filters_get(kept, &filter, &len, height, &block);
    require((result == KEPT_FOUND) == (filter != NULL));
    require(len <= GCS_FILTER_MAX);
    if (want)
        require(filter && bytes_equal((struct bytes){filter, len}, *want));
    free(filter);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kept_filters *kept;
    struct height_set heights = {0};
    struct error error;
    const struct block_hash block = {{0}};
    const struct bytes filter = {(const uint8_t *)"filter", 6};
    if (size < 2)
        return 0;
    write_files(data, size);
    require(kept_filters_open(&kept, &heights, folder, network_find("regtest"), &error) !=
            KEPT_FAILED);
    for (uint32_t height = 0; height < HEIGHTS; height++)
        get(kept, height, NULL);
    for (uint32_t height = 0; height < HEIGHTS; height += 2)
        if (!kept_filters_put(kept, height, &block, filter, &error))
            goto out; /* the disk is full */
    for (uint32_t height = 0; height < HEIGHTS; height++)
        get(kept, height, height % 2 ? NULL : &filter);
out:
    kept_filters_close(kept);
    height_set_release(&heights);
    return 0;
}
