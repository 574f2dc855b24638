#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

/* What the system says, and what to do about it where that is plain. */
static bool system_error(struct error *error, const char *path, const char *what)
{
    const char *remedy = "";
    if (errno == EACCES || errno == EPERM)
        remedy = "; check the owner and mode of it and of its directories";
    else if (errno == ENOENT)
        remedy = "; check the path";
    else if (errno == ENOSPC || errno == EDQUOT)
        remedy = "; make room on the disk";
    return error_set(error, "%s: %s: %s%s", path, what, strerror(errno), remedy);
}

/* O_NONBLOCK, so that a FIFO in the place of the file can't keep us. -1 with the error.
 */
static int open_regular(struct stat *status, const char *path, int flags,
                        struct error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags);
    if (fd < 0) {
        system_error(error, path, "can't be opened");
        return -1;
    }
    if (fstat(fd, status) != 0) {
        system_error(error, path, "can't be examined");
    } else if (!S_ISREG(status->st_mode)) {
        error_set(error, "%s: isn't a regular file; name one", path);
    } else {
        return fd;
    }
    close(fd);
    return -1;
}

/* At most `max` bytes, with a NUL behind them. */
static bool read_all(char **data, size_t *len, int fd, const char *path, size_t max,
                     struct error *error)
{
    char *text = NULL;
    size_t capacity = 0;
    size_t have = 0;
    for (;;) {
        /* One byte stays free for the NUL. */
        text = mem_grow(text, &capacity, have + 2, 1);
        size_t room = capacity - have - 1;
        size_t want = room < max - have ? room : max - have;
        ssize_t got = pread(fd, text + have, want, (off_t)have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            free(text);
            return system_error(error, path, "can't be read");
        }
        have += (size_t)got;
        if (got == 0 || have == max) {
            text[have] = '\0';
            *data = text;
            *len = have;
            return true;
        }
    }
}

/* The whole file; one byte more than allowed shows that it is too long. */
static bool read_whole(char **data, size_t *len, int fd, const char *path, size_t max,
                       struct error *error)
{
    if (!read_all(data, len, fd, path, max + 1, error))
        return false;
    if (*len <= max)
        return true;
    free(*data);
    return error_set(error, "%s: longer than %zu bytes; is it the right file?", path,
                     max);
}

bool file_read(char **data, size_t *len, const char *path, size_t max,
               struct error *error)
{
    struct stat status;
    int fd = open_regular(&status, path, 0, error);
    if (fd < 0)
        return false;
    bool ok = read_whole(data, len, fd, path, max, error);
    close(fd);
    return ok;
}

/* systemd.exec(5): credentials are files in a folder that only the service can read. */
static bool is_credential(const char *path)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    size_t len = folder != NULL ? strlen(folder) : 0;
    return len > 0 && strncmp(path, folder, len) == 0 && path[len] == '/' &&
           strchr(path + len + 1, '/') == NULL;
}

bool file_read_secret(char **data, size_t *len, const char *path, size_t max,
                      struct error *error)
{
    bool ok = false, credential = is_credential(path);
    struct stat status;
    int fd = open_regular(&status, path, O_NOFOLLOW, error);
    if (fd < 0)
        return false;
    if (!credential && status.st_uid != geteuid() && status.st_uid != 0) {
        error_set(error, "%s: belongs to another user; chown it to yours", path);
    } else if (!credential && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        error_set(error, "%s: holds a secret and is open to other users; chmod 600 it",
                  path);
    } else {
        ok = read_whole(data, len, fd, path, max, error);
    }
    close(fd);
    return ok;
}

static bool write_all(int fd, uint64_t offset, struct bytes data)
{
    while (data.len > 0) {
        ssize_t written = pwrite(fd, data.data, data.len, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        data.data += written;
        data.len -= (size_t)written;
        offset += (size_t)written;
    }
    return true;
}

/* A file's name is on the disk only when its directory is. */
static bool sync_directory_of(const char *path, struct error *error)
{
    char *directory = mem_strdup(path);
    char *slash = strrchr(directory, '/');
    if (slash == NULL)
        memcpy(directory, ".", 2);
    else
        slash[slash == directory ? 1 : 0] = '\0';
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        system_error(error, directory, "can't be synced to the disk");
    if (fd >= 0)
        close(fd);
    free(directory);
    return ok;
}

bool file_write_at(const char *path, uint64_t offset, struct bytes data, bool truncate,
                   struct error *error)
{
    bool ok = false;
    struct stat status;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
    if (fd < 0)
        return system_error(error, path, "can't be opened for writing");
    if (fstat(fd, &status) != 0) {
        system_error(error, path, "can't be examined");
        goto out;
    }
    if (!S_ISREG(status.st_mode)) {
        error_set(error, "%s: isn't a regular file; name one", path);
        goto out;
    }
    uint64_t size = (uint64_t)status.st_size;
    if (size < offset) {
        error_set(error,
                  "%s: has %" PRIu64 " bytes, but %" PRIu64
                  " were written to it; restore it",
                  path, size, offset);
        goto out;
    }
    if ((truncate && size > offset && ftruncate(fd, (off_t)offset) != 0) ||
        !write_all(fd, offset, data)) {
        system_error(error, path, "can't be written");
        goto out;
    }
    if (fsync(fd) != 0) {
        system_error(error, path, "can't be synced to the disk");
        goto out;
    }
    /* At its start the file may be new, or its name not yet synced by whom a crash hit.
     */
    ok = offset > 0 || sync_directory_of(path, error);
out:
    close(fd);
    return ok;
}

bool file_create_private(const char *path, struct bytes data, struct error *error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return error_set(error, "%s: exists already; move it away or name another", path);
    if (fd < 0)
        return system_error(error, path, "can't be created");
    bool ok = write_all(fd, 0, data) && fsync(fd) == 0;
    if (!ok)
        system_error(error, path, "can't be written");
    close(fd);
    if (ok)
        ok = sync_directory_of(path, error);
    if (!ok)
        unlink(path);
    return ok;
}

bool directory_make(const char *path, mode_t mode, struct error *error)
{
    bool ok = true;
    char *part = mem_strdup(path);
    for (char *at = part + 1; ok; at++) {
        char here = *at;
        if (here != '/' && here != '\0')
            continue;
        *at = '\0';
        if (mkdir(part, mode) == 0)
            ok = sync_directory_of(part, error);
        else if (errno != EEXIST)
            ok = system_error(error, part, "can't be created");
        *at = here;
        if (here == '\0')
            break;
    }
    free(part);
    struct stat status;
    if (ok && (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)))
        return error_set(error, "%s: isn't a directory; move it away or name another",
                         path);
    return ok;
}
