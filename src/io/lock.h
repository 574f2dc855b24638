/* The datadir's lock: one watcher at a time. Held by the open file, so that the system
 * lets go of it however the process ends; the file holds the holder's pid for people and
 * for other instances. */
#ifndef IO_LOCK_H
#define IO_LOCK_H

#include <sys/types.h>

#include "base/attr.h"
#include "base/error.h"

enum lock_state {
    LOCK_FREE,   /* take: it is ours now; test: nobody holds it */
    LOCK_HELD,   /* by *holder */
    LOCK_FAILED, /* the error says why */
};

struct lock {
    int fd; /* -1: not held */
};

/* Take it without waiting; the file is made if it doesn't exist, and stays. *holder is 0
 * if the holder isn't known. */
NODISCARD enum lock_state lock_take(struct lock *lock, pid_t *holder, const char *path,
                                    struct error *error);
/* Release what was taken; nothing if it wasn't. */
void lock_release(struct lock *lock);

/* See who holds it, without taking it even for a moment. A missing file is LOCK_FREE. */
NODISCARD enum lock_state lock_test(pid_t *holder, const char *path, struct error *error);

#endif
