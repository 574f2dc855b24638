/* LD_PRELOAD: writes down, in order, all that the process does to the files under the
 * folder $FAULT_FOLDER, into the file $FAULT_JOURNAL: from that, power.py makes the disk
 * as it is after a power cut at any moment.
 *
 * A record is five 64-bit numbers, little-endian (kind, handle, offset, length of the
 * data, flag) and the data. A handle is one opening of a file. */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

_Static_assert(sizeof(off_t) == 8, "pwrite and pwrite64 are to be the same");

#define EXPORT __attribute__((visibility("default")))
#define FDS 1024

enum kind {
    JOURNAL_OPEN = 1, /* data: path; flag: 1 if truncated */
    JOURNAL_WRITE,    /* at offset; flag: 1 if on the disk at once (O_DSYNC) */
    JOURNAL_TRUNCATE, /* to offset */
    JOURNAL_SYNC,
    JOURNAL_DIRECTORY, /* data: path of a folder that was made */
    JOURNAL_RENAME,    /* data: old path, NUL, new path */
    JOURNAL_REMOVE,    /* data: path */
};

EXPORT int open(const char *path, int flags, ...);
EXPORT int open64(const char *path, int flags, ...);
EXPORT int openat(int at, const char *path, int flags, ...);
EXPORT int close(int fd);
EXPORT ssize_t write(int fd, const void *data, size_t len);
EXPORT ssize_t pwrite(int fd, const void *data, size_t len, off_t offset);
EXPORT ssize_t pwrite64(int fd, const void *data, size_t len, off_t offset);
EXPORT ssize_t writev(int fd, const struct iovec *parts, int count);
EXPORT ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset);
EXPORT ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset);
EXPORT int ftruncate(int fd, off_t size);
EXPORT int ftruncate64(int fd, off_t size);
EXPORT int fsync(int fd);
EXPORT int fdatasync(int fd);
EXPORT int msync(void *start, size_t len, int flags);
EXPORT int mkdir(const char *path, mode_t mode);
EXPORT int rename(const char *from, const char *to);
EXPORT int unlink(const char *path);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t handles[FDS]; /* 0: not watched */
static bool at_once[FDS];
static uint64_t last_handle;
static int journal = -1;

#define REAL(name)                                                                       \
    __typeof__(&name) real_##name;                                                       \
    *(void **)&real_##name = next(#name)

static void *next(const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    if (!symbol)
        abort();
    return symbol;
}

static void put(const void *data, size_t len)
{
    REAL(write);
    if (real_write(journal, data, len) != (ssize_t)len)
        abort();
}

static void record(enum kind kind, uint64_t handle, uint64_t offset, const void *data,
                   size_t len, bool flag)
{
    if (journal < 0) {
        REAL(open);
        journal = real_open(getenv("FAULT_JOURNAL"),
                            O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    }
    const uint64_t head[] = {(uint64_t)kind, handle, offset, len, flag};
    put(head, sizeof head);
    put(data, len);
}

static bool watched(const char *path)
{
    const char *folder = getenv("FAULT_FOLDER");
    size_t len = folder ? strlen(folder) : 0;
    return len && strncmp(path, folder, len) == 0 && (!path[len] || path[len] == '/');
}

static uint64_t handle_of(int fd)
{
    return fd >= 0 && fd < FDS ? handles[fd] : 0;
}

static int opened(int fd, const char *path, int flags)
{
    if (fd < 0 || !watched(path))
        return fd;
    if (fd >= FDS)
        abort();
    pthread_mutex_lock(&lock);
    handles[fd] = ++last_handle;
    at_once[fd] = flags & O_DSYNC;
    record(JOURNAL_OPEN, last_handle, 0, path, strlen(path), flags & O_TRUNC);
    pthread_mutex_unlock(&lock);
    return fd;
}

static mode_t mode_of(int flags, va_list arguments)
{
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    REAL(open);
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return opened(real_open(path, flags, mode), path, flags);
}

int open64(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return open(path, flags, mode);
}

/* A path that isn't absolute can't be told from here: nothing of the program's is. */
int openat(int at, const char *path, int flags, ...)
{
    REAL(openat);
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return opened(real_openat(at, path, flags, mode), path, flags);
}

int close(int fd)
{
    REAL(close);
    pthread_mutex_lock(&lock);
    if (handle_of(fd))
        handles[fd] = 0;
    pthread_mutex_unlock(&lock);
    return real_close(fd);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    REAL(pwrite);
    if (!handle_of(fd))
        return real_pwrite(fd, data, len, offset);
    pthread_mutex_lock(&lock);
    ssize_t written = real_pwrite(fd, data, len, offset);
    if (written > 0)
        record(JOURNAL_WRITE, handles[fd], (uint64_t)offset, data, (size_t)written,
               at_once[fd]);
    pthread_mutex_unlock(&lock);
    return written;
}

ssize_t pwrite64(int fd, const void *data, size_t len, off_t offset)
{
    return pwrite(fd, data, len, offset);
}

/* By pwrite, then on behind it. */
ssize_t write(int fd, const void *data, size_t len)
{
    REAL(write);
    off_t offset = handle_of(fd) ? lseek(fd, 0, SEEK_CUR) : -1;
    if (offset < 0)
        return real_write(fd, data, len);
    ssize_t written = pwrite(fd, data, len, offset);
    if (written > 0)
        lseek(fd, offset + written, SEEK_SET);
    return written;
}

static ssize_t write_parts(int fd, const struct iovec *parts, int count, off_t offset)
{
    ssize_t total = 0;
    for (int i = 0; i < count; i++) {
        ssize_t written = pwrite(fd, parts[i].iov_base, parts[i].iov_len, offset + total);
        if (written < 0)
            return total ? total : written;
        total += written;
        if ((size_t)written < parts[i].iov_len)
            break;
    }
    return total;
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    REAL(pwritev);
    if (!handle_of(fd))
        return real_pwritev(fd, parts, count, offset);
    return write_parts(fd, parts, count, offset);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset)
{
    return pwritev(fd, parts, count, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    REAL(writev);
    off_t offset = handle_of(fd) ? lseek(fd, 0, SEEK_CUR) : -1;
    if (offset < 0)
        return real_writev(fd, parts, count);
    ssize_t written = write_parts(fd, parts, count, offset);
    if (written > 0)
        lseek(fd, offset + written, SEEK_SET);
    return written;
}

int ftruncate(int fd, off_t size)
{
    REAL(ftruncate);
    if (!handle_of(fd))
        return real_ftruncate(fd, size);
    pthread_mutex_lock(&lock);
    int result = real_ftruncate(fd, size);
    if (result == 0)
        record(JOURNAL_TRUNCATE, handles[fd], (uint64_t)size, NULL, 0, false);
    pthread_mutex_unlock(&lock);
    return result;
}

int ftruncate64(int fd, off_t size)
{
    return ftruncate(fd, size);
}

/* What others write meanwhile may or may not be in it: the record stands before them. */
static int sync_by(int (*real)(int), int fd)
{
    if (!handle_of(fd))
        return real(fd);
    pthread_mutex_lock(&lock);
    int result = real(fd);
    if (result == 0)
        record(JOURNAL_SYNC, handles[fd], 0, NULL, 0, false);
    pthread_mutex_unlock(&lock);
    return result;
}

int fsync(int fd)
{
    REAL(fsync);
    return sync_by(real_fsync, fd);
}

int fdatasync(int fd)
{
    REAL(fdatasync);
    return sync_by(real_fdatasync, fd);
}

/* Writes through a map can't be followed. */
int msync(void *start, size_t len, int flags)
{
    (void)start;
    (void)len;
    (void)flags;
    abort();
}

static int changed(int result, enum kind kind, const char *path, size_t len)
{
    if (result == 0 && watched(path))
        record(kind, 0, 0, path, len, false);
    pthread_mutex_unlock(&lock);
    return result;
}

int mkdir(const char *path, mode_t mode)
{
    REAL(mkdir);
    pthread_mutex_lock(&lock);
    return changed(real_mkdir(path, mode), JOURNAL_DIRECTORY, path, strlen(path));
}

int unlink(const char *path)
{
    REAL(unlink);
    pthread_mutex_lock(&lock);
    return changed(real_unlink(path), JOURNAL_REMOVE, path, strlen(path));
}

int rename(const char *from, const char *to)
{
    REAL(rename);
    char both[2 * PATH_MAX];
    int len = snprintf(both, sizeof both, "%s%c%s", from, '\0', to);
    if (len <= 0 || (size_t)len >= sizeof both)
        abort();
    pthread_mutex_lock(&lock);
    return changed(real_rename(from, to), JOURNAL_RENAME, both, (size_t)len);
}
