#include "io/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Digits of a pid and a line feed, with room. */
#define PID_TEXT_MAX 32

/* Open file description locks: unlike the older kind they aren't lost when some other
 * part of this process opens and closes the file. The whole file, and whatever it grows
 * to. */
static struct flock whole_file(void)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

static pid_t read_holder(int fd)
{
    char text[PID_TEXT_MAX];
    ssize_t len = pread(fd, text, sizeof(text) - 1, 0);
    if (len <= 0)
        return 0;
    text[len] = '\0';
    char *end;
    errno = 0;
    long pid = strtol(text, &end, 10);
    if (errno != 0 || *end != '\n' || pid <= 0 || (pid_t)pid != pid)
        return 0;
    return (pid_t)pid;
}

static bool write_holder(int fd)
{
    char text[PID_TEXT_MAX];
    int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    return ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)len, 0) == len;
}

enum lock_state lock_take(struct lock *lock, pid_t *holder, const char *path,
                          struct error *error)
{
    enum lock_state state = LOCK_FAILED;
    *holder = 0;
    lock->fd = -1;
    /* Readable by the group, so that its members' `status` can test it. */
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) {
        error_set(error, "%s: %s", path, strerror(errno));
        return LOCK_FAILED;
    }
    struct flock range = whole_file();
    if (fcntl(fd, F_OFD_SETLK, &range) != 0) {
        if (errno == EAGAIN || errno == EACCES) {
            *holder = read_holder(fd);
            state = LOCK_HELD;
        } else {
            error_set(error, "%s: can't be locked: %s", path, strerror(errno));
        }
        goto out;
    }
    if (!write_holder(fd)) {
        error_set(error, "%s: can't be written: %s; check the disk's space", path,
                  strerror(errno));
        goto out;
    }
    lock->fd = fd;
    return LOCK_FREE;
out:
    close(fd);
    return state;
}

void lock_release(struct lock *lock)
{
    if (lock->fd < 0)
        return;
    /* The pid goes first: nobody may read it as the next holder's. */
    if (ftruncate(lock->fd, 0) != 0) {
        /* It's only shown while the lock is held. */
    }
    close(lock->fd);
    lock->fd = -1;
}

enum lock_state lock_test(pid_t *holder, const char *path, struct error *error)
{
    *holder = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        if (errno == ENOENT)
            return LOCK_FREE;
        error_set(error, "%s: %s", path, strerror(errno));
        return LOCK_FAILED;
    }
    enum lock_state state = LOCK_FREE;
    struct flock range = whole_file();
    if (fcntl(fd, F_OFD_GETLK, &range) != 0) {
        error_set(error, "%s: can't be tested: %s", path, strerror(errno));
        state = LOCK_FAILED;
    } else if (range.l_type != F_UNLCK) {
        *holder = read_holder(fd);
        state = LOCK_HELD;
    }
    close(fd);
    return state;
}
