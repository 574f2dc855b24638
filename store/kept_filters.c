#include "store/kept_filters.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"
#include "spv/gcs.h"

#define INDEX_NAME "index"
#define INDEX_VERSION 1
#define INDEX_HEAD_SIZE 16
/* A row of the index: offset and length of the filter in its file; length 0: none. */
#define ROW_SIZE 8
/* In front of a filter: hash of its block, height, length. */
#define RECORD_HEAD_SIZE 40
#define NAME_SIZE 16
/* Far above any chain: bounds what an index may make us allocate, 8 MB. */
#define HEIGHTS_MAX (UINT32_C(1) << 26)
/* Lanes work within windows of some thousand heights: files that are open at once. */
#define OPEN_FILES 8
/* The disk's free room is looked at each time so much has been written. */
#define ROOM_CHECK_BYTES ((uint64_t)4 << 20)

struct row {
    uint32_t offset;
    uint32_t len;
};

struct file {
    uint32_t first; /* height */
    int fd;         /* -1: the entry is free */
    uint64_t size;
};

struct kept_filters {
    char *path;
    int folder, index;
    pthread_mutex_t lock; /* over what follows, and every write */
    struct file files[OPEN_FILES];
    uint64_t unchecked; /* bytes written since the disk's room was looked at */
    bool stopped;
    _Atomic uint64_t count, bytes;
};

static bool failed(const struct kept_filters *kept, const char *what, int reason,
                   struct error *error)
{
    return error_set(error, "filters in %s: %s: %s", kept->path, what, strerror(reason));
}

/* ---- rows ---- */

static off_t row_place(uint32_t height)
{
    return INDEX_HEAD_SIZE + (off_t)height * ROW_SIZE;
}

static bool row_decode(struct row *out, const uint8_t bytes[static ROW_SIZE])
{
    *out = (struct row){get_u32be(bytes), get_u32be(bytes + 4)};
    return out->len > 0 && out->len <= GCS_FILTER_MAX && out->offset >= RECORD_HEAD_SIZE;
}

static bool row_read(const struct kept_filters *kept, struct row *out, uint32_t height)
{
    uint8_t bytes[ROW_SIZE];
    return pread(kept->index, bytes, sizeof(bytes), row_place(height)) == sizeof(bytes) &&
           row_decode(out, bytes);
}

static bool row_write(const struct kept_filters *kept, const struct row *row,
                      uint32_t height)
{
    uint8_t bytes[ROW_SIZE];
    put_u32be(bytes, row->offset);
    put_u32be(bytes + 4, row->len);
    return pwrite(kept->index, bytes, sizeof(bytes), row_place(height)) == sizeof(bytes);
}

/* ---- records ---- */

struct record_head {
    uint8_t b[RECORD_HEAD_SIZE];
};

static struct record_head record_head(uint32_t height, const struct block_hash *block,
                                      uint32_t len)
{
    struct record_head head;
    memcpy(head.b, block->b, sizeof(block->b));
    put_u32be(head.b + 32, height);
    put_u32be(head.b + 36, len);
    return head;
}

/* Whether a record of this height and length lies there, of whichever block. */
static bool is_record_of(const struct record_head *head, uint32_t height, uint32_t len)
{
    return get_u32be(head->b + 32) == height && get_u32be(head->b + 36) == len;
}

/* ---- files ---- */

static void file_name(char out[static NAME_SIZE], uint32_t first)
{
    snprintf(out, NAME_SIZE, "%08u", first);
}

static bool is_file_name(const char *name)
{
    return strlen(name) == 8 && strspn(name, "0123456789") == 8;
}

static void file_close(struct file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

/* The file of a height, opened; NULL with errno set. */
static struct file *file_of(struct kept_filters *kept, uint32_t height, bool create)
{
    uint32_t number = height / KEPT_FILTERS_A_FILE;
    struct file *file = &kept->files[number % OPEN_FILES];
    uint32_t first = number * KEPT_FILTERS_A_FILE;
    char name[NAME_SIZE];
    struct stat status;
    if (file->fd >= 0 && file->first == first)
        return file;
    file_close(file);
    file_name(name, first);
    file->fd =
        openat(kept->folder, name, O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0640);
    if (file->fd < 0)
        return NULL;
    if (fstat(file->fd, &status) != 0) {
        int reason = errno;
        file_close(file);
        errno = reason;
        return NULL;
    }
    file->first = first;
    file->size = (uint64_t)status.st_size;
    return file;
}

/* ---- opening ---- */

static void remove_files(const struct kept_filters *kept)
{
    int fd = dup(kept->folder);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (folder == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (is_file_name(entry->d_name))
            (void)unlinkat(kept->folder, entry->d_name, 0);
    closedir(folder);
}

/* What the index begins with: a mark, the format's version, the network's magic. */
static void index_head(uint8_t out[static INDEX_HEAD_SIZE], const struct network *network)
{
    static const uint8_t mark[8] = {'r', 'w', 'f', 'i', 'l', 't', 'e', 'r'};
    memcpy(out, mark, sizeof(mark));
    put_u32be(out + 8, INDEX_VERSION);
    put_u32be(out + 12, network->magic);
}

/* A begun index is emptied with the files that it spoke of. */
static bool begin_anew(const struct kept_filters *kept,
                       const uint8_t head[static INDEX_HEAD_SIZE], struct error *error)
{
    remove_files(kept);
    if (ftruncate(kept->index, 0) != 0)
        return failed(kept, "emptying " INDEX_NAME, errno, error);
    errno = ENOSPC; /* of a write that the disk takes a part of */
    if (pwrite(kept->index, head, INDEX_HEAD_SIZE, 0) != INDEX_HEAD_SIZE)
        return failed(kept, "writing " INDEX_NAME, errno, error);
    return true;
}

static enum kept_opening check_index(const struct kept_filters *kept,
                                     const struct network *network, struct error *error)
{
    uint8_t head[INDEX_HEAD_SIZE], found[INDEX_HEAD_SIZE];
    struct stat status;
    index_head(head, network);
    if (fstat(kept->index, &status) != 0) {
        (void)failed(kept, INDEX_NAME, errno, error);
        return KEPT_FAILED;
    }
    bool fresh = status.st_size == 0;
    if (!fresh && status.st_size <= row_place(HEIGHTS_MAX) &&
        pread(kept->index, found, sizeof(found), 0) == sizeof(found) &&
        memcmp(found, head, sizeof(head)) == 0)
        return KEPT_OPENED;
    if (!begin_anew(kept, head, error))
        return KEPT_FAILED;
    if (fresh)
        return KEPT_OPENED;
    error_set(error,
              "filters in %s: damaged, or of another network or version: thrown away, to "
              "be fetched anew where they are wanted",
              kept->path);
    return KEPT_ANEW;
}

static void read_index(struct kept_filters *kept, struct height_set *heights)
{
    const size_t size = 8192 * ROW_SIZE;
    uint8_t *bytes = mem_alloc(size);
    struct row row;
    uint32_t height = 0;
    ssize_t got;
    do {
        got = pread(kept->index, bytes, size, row_place(height));
        for (ssize_t at = 0; at + ROW_SIZE <= got; at += ROW_SIZE, height++) {
            if (!row_decode(&row, bytes + at))
                continue;
            height_set_add(heights, height);
            kept->count++;
            kept->bytes += row.len;
        }
    } while (got >= ROW_SIZE);
    free(bytes);
}

static bool open_folder(struct kept_filters *kept, struct error *error)
{
    if (mkdir(kept->path, 0750) != 0 && errno != EEXIST)
        return failed(kept, "the folder", errno, error);
    kept->folder = open(kept->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (kept->folder < 0)
        return failed(kept, "the folder", errno, error);
    kept->index = openat(kept->folder, INDEX_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    return kept->index >= 0 || failed(kept, INDEX_NAME, errno, error);
}

enum kept_opening kept_filters_open(struct kept_filters **out, struct height_set *heights,
                                    const char *path, const struct network *network,
                                    struct error *error)
{
    struct kept_filters *kept = mem_zalloc(1, sizeof(*kept));
    kept->path = mem_strdup(path);
    kept->folder = kept->index = -1;
    for (size_t i = 0; i < OPEN_FILES; i++)
        kept->files[i].fd = -1;
    pthread_mutex_init(&kept->lock, NULL);
    kept->unchecked = ROOM_CHECK_BYTES;
    *out = NULL;
    enum kept_opening opening = KEPT_FAILED;
    if (open_folder(kept, error))
        opening = check_index(kept, network, error);
    if (opening == KEPT_FAILED) {
        kept_filters_close(kept);
        return opening;
    }
    read_index(kept, heights);
    *out = kept;
    return opening;
}

void kept_filters_close(struct kept_filters *kept)
{
    if (kept == NULL)
        return;
    for (size_t i = 0; i < OPEN_FILES; i++)
        file_close(&kept->files[i]);
    if (kept->index >= 0)
        close(kept->index);
    if (kept->folder >= 0)
        close(kept->folder);
    pthread_mutex_destroy(&kept->lock);
    free(kept->path);
    free(kept);
}

/* ---- getting ---- */

static enum kept_result get(struct kept_filters *kept, uint8_t *filter,
                            const struct row *row, uint32_t height,
                            const struct block_hash *block)
{
    struct record_head head;
    struct iovec parts[] = {{head.b, sizeof(head.b)}, {filter, row->len}};
    struct file *file = file_of(kept, height, false);
    if (file == NULL ||
        preadv(file->fd, parts, 2, (off_t)row->offset - RECORD_HEAD_SIZE) !=
            (ssize_t)(RECORD_HEAD_SIZE + row->len) ||
        !is_record_of(&head, height, row->len))
        return KEPT_DAMAGED;
    return memcmp(head.b, block->b, sizeof(block->b)) == 0 ? KEPT_FOUND : KEPT_NONE;
}

enum kept_result kept_filters_get(struct kept_filters *kept, uint8_t **filter,
                                  size_t *len, uint32_t height,
                                  const struct block_hash *block)
{
    struct row row;
    enum kept_result result = KEPT_NONE;
    *filter = NULL;
    *len = 0;
    pthread_mutex_lock(&kept->lock);
    if (height < HEIGHTS_MAX && row_read(kept, &row, height)) {
        *filter = mem_alloc(row.len);
        *len = row.len;
        result = get(kept, *filter, &row, height, block);
    }
    pthread_mutex_unlock(&kept->lock);
    if (result != KEPT_FOUND) {
        free(*filter);
        *filter = NULL;
        *len = 0;
    }
    return result;
}

/* ---- putting ---- */

static bool has_room(struct kept_filters *kept, size_t wanted, struct error *error)
{
    struct statvfs disk;
    kept->unchecked += wanted;
    if (kept->unchecked < ROOM_CHECK_BYTES || fstatvfs(kept->folder, &disk) != 0)
        return true; /* a write will tell */
    kept->unchecked = 0;
    return (uint64_t)disk.f_bavail * disk.f_frsize >= KEPT_FILTERS_SPARE_BYTES ||
           error_set(error, "filters in %s: less than %u MiB are free on the disk",
                     kept->path, (unsigned)(KEPT_FILTERS_SPARE_BYTES >> 20));
}

/* Where the filter is to lie: a record of the same height and length is written over. */
static uint64_t place_for(const struct file *file, const struct row *old, uint32_t height,
                          size_t len)
{
    struct record_head head;
    if (old->len == len &&
        pread(file->fd, head.b, sizeof(head.b), (off_t)old->offset - RECORD_HEAD_SIZE) ==
            RECORD_HEAD_SIZE &&
        is_record_of(&head, height, old->len))
        return old->offset;
    return file->size + RECORD_HEAD_SIZE;
}

static bool write_record(const struct file *file, uint64_t offset, uint32_t height,
                         const struct block_hash *block, struct bytes filter)
{
    struct record_head head = record_head(height, block, (uint32_t)filter.len);
    union {
        const void *in;
        void *out;
    } data = {.in = filter.data}; /* writev reads what it takes as void * */
    struct iovec parts[] = {{head.b, sizeof(head.b)}, {data.out, filter.len}};
    errno = ENOSPC; /* of a write that the disk takes a part of */
    return pwritev(file->fd, parts, 2, (off_t)offset - RECORD_HEAD_SIZE) ==
           (ssize_t)(RECORD_HEAD_SIZE + filter.len);
}

static bool put(struct kept_filters *kept, uint32_t height,
                const struct block_hash *block, struct bytes filter, struct error *error)
{
    struct row old = {0};
    if (!has_room(kept, filter.len, error))
        return false;
    struct file *file = file_of(kept, height, true);
    if (file == NULL)
        return failed(kept, "a file", errno, error);
    bool replaces = row_read(kept, &old, height);
    uint64_t offset = place_for(file, &old, height, filter.len);
    if (offset > UINT32_MAX)
        return true; /* written over time and again; no chain's thousand filters */
    const struct row row = {(uint32_t)offset, (uint32_t)filter.len};
    if (!write_record(file, offset, height, block, filter) ||
        !row_write(kept, &row, height))
        return failed(kept, "writing", errno, error);
    if (file->size < offset + filter.len)
        file->size = offset + filter.len;
    kept->count += !replaces;
    kept->bytes += filter.len - (replaces ? old.len : 0);
    return true;
}

bool kept_filters_put(struct kept_filters *kept, uint32_t height,
                      const struct block_hash *block, struct bytes filter,
                      struct error *error)
{
    if (height >= HEIGHTS_MAX || filter.len == 0 || filter.len > GCS_FILTER_MAX)
        return true;
    pthread_mutex_lock(&kept->lock);
    bool good = kept->stopped || put(kept, height, block, filter, error);
    if (!good) {
        kept->stopped = true;
        (void)error_set(error, "%s; no more filters are kept until a restart",
                        error->text);
    }
    pthread_mutex_unlock(&kept->lock);
    return good;
}

void kept_filters_totals(const struct kept_filters *kept, uint64_t *count,
                         uint64_t *bytes)
{
    *count = kept->count;
    *bytes = kept->bytes;
}
