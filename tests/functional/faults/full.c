/* LD_PRELOAD: a full disk. While the file $FAULT_FLAG exists, what takes room under the
 * folder $FAULT_FOLDER fails with ENOSPC. $FAULT_KIND says what that is:
 *
 * grow  a write past a file's end; what is left of its last sector is written
 * any   any write but those with O_DSYNC: each takes new room where nothing is
 * overwritten sync  fsync and fdatasync: room is taken late meta  writes with O_DSYNC
 * (LMDB's last step of a commit) */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SECTOR 512

_Static_assert(sizeof(off_t) == 8, "pwrite and pwrite64 are to be the same");

ssize_t write(int fd, const void *data, size_t len)
    __attribute__((visibility("default")));
ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
    __attribute__((visibility("default")));
ssize_t pwrite64(int fd, const void *data, size_t len, off_t offset)
    __attribute__((visibility("default")));
ssize_t writev(int fd, const struct iovec *parts, int count)
    __attribute__((visibility("default")));
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
    __attribute__((visibility("default")));
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset)
    __attribute__((visibility("default")));
int fsync(int fd) __attribute__((visibility("default")));
int fdatasync(int fd) __attribute__((visibility("default")));

static void *next(const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    if (!symbol)
        abort();
    return symbol;
}

static bool watched(int fd)
{
    const char *flag = getenv("FAULT_FLAG"), *folder = getenv("FAULT_FOLDER");
    char link[64], path[PATH_MAX];
    if (!flag || !folder || access(flag, F_OK) != 0)
        return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path);
    size_t folder_len = strlen(folder);
    return len > (ssize_t)folder_len && memcmp(path, folder, folder_len) == 0 &&
           path[folder_len] == '/';
}

static bool kind_is(const char *kind)
{
    const char *chosen = getenv("FAULT_KIND");
    return chosen && strcmp(chosen, kind) == 0;
}

/* How much of a write at `offset` there is room for; -1 with ENOSPC if none. */
static ssize_t room(int fd, size_t len, off_t offset)
{
    struct stat status;
    if (!watched(fd) || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return (ssize_t)len;
    bool at_once = fcntl(fd, F_GETFL) & O_DSYNC;
    off_t end = (status.st_size + SECTOR - 1) / SECTOR * SECTOR;
    if (kind_is("grow") && offset + (off_t)len > end && offset < end)
        return (ssize_t)(end - offset);
    if ((kind_is("grow") && offset + (off_t)len > end) || (kind_is("any") && !at_once) ||
        (kind_is("meta") && at_once)) {
        errno = ENOSPC;
        return -1;
    }
    return (ssize_t)len;
}

ssize_t write(int fd, const void *data, size_t len)
{
    ssize_t (*real)(int, const void *, size_t);
    *(void **)&real = next("write");
    off_t offset = lseek(fd, 0, SEEK_CUR);
    ssize_t fits = offset < 0 ? (ssize_t)len : room(fd, len, offset);
    return fits < 0 ? fits : real(fd, data, (size_t)fits);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    ssize_t (*real)(int, const void *, size_t, off_t);
    *(void **)&real = next("pwrite");
    ssize_t fits = room(fd, len, offset);
    return fits < 0 ? fits : real(fd, data, (size_t)fits, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t len, off_t offset)
{
    return pwrite(fd, data, len, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    ssize_t (*real)(int, const struct iovec *, int);
    *(void **)&real = next("writev");
    off_t offset = lseek(fd, 0, SEEK_CUR);
    ssize_t len = 0;
    for (int i = 0; i < count; i++)
        len += (ssize_t)parts[i].iov_len;
    ssize_t fits = offset < 0 ? len : room(fd, (size_t)len, offset);
    if (fits < 0 || fits == len)
        return fits < 0 ? fits : real(fd, parts, count);
    size_t first = parts[0].iov_len;
    return write(fd, parts[0].iov_base, first < (size_t)fits ? first : (size_t)fits);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    ssize_t (*real)(int, const struct iovec *, int, off_t);
    *(void **)&real = next("pwritev");
    ssize_t len = 0;
    for (int i = 0; i < count; i++)
        len += (ssize_t)parts[i].iov_len;
    ssize_t fits = room(fd, (size_t)len, offset);
    if (fits < 0 || fits == len)
        return fits < 0 ? fits : real(fd, parts, count, offset);
    size_t first = parts[0].iov_len;
    return pwrite(fd, parts[0].iov_base, first < (size_t)fits ? first : (size_t)fits,
                  offset);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset)
{
    return pwritev(fd, parts, count, offset);
}

static int sync_or_fail(int fd, const char *name)
{
    int (*real)(int);
    *(void **)&real = next(name);
    if (!kind_is("sync") || !watched(fd))
        return real(fd);
    errno = ENOSPC;
    return -1;
}

int fsync(int fd)
{
    return sync_or_fail(fd, "fsync");
}

int fdatasync(int fd)
{
    return sync_or_fail(fd, "fdatasync");
}
