#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/publish.h"
#include "io/file.h"

struct opened {
    int fd;
    const char *path;
    struct error error;
};

static bool read_at(void *context, uint8_t *out, uint64_t offset, size_t len,
                    struct error *error)
{
    const struct opened *opened = context;
    while (len) {
        ssize_t got = pread(opened->fd, out, len, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return error_set(error, "%s: reading failed: %s", opened->path,
                             got ? strerror(errno) : "it was cut off meanwhile");
        out += got;
        offset += (uint64_t)got;
        len -= (size_t)got;
    }
    return true;
}

static void look(struct publication_file *file, struct opened *opened, const char *path)
{
    memset(file, 0, sizeof *file);
    opened->path = path;
    opened->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (opened->fd < 0 && errno == ENOENT)
        return;
    struct stat status;
    if (opened->fd < 0 || fstat(opened->fd, &status) != 0) {
        error_set(&opened->error, "%s: %s", path, strerror(errno));
        file->fault = opened->error.text;
        return;
    }
    if (!S_ISREG(status.st_mode)) {
        error_set(&opened->error, "%s: not a regular file", path);
        file->fault = opened->error.text;
        return;
    }
    file->exists = true;
    file->size = (uint64_t)status.st_size;
    file->read = read_at;
    file->context = opened;
}

static bool sync_file(const char *path, struct error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (!good)
        error_set(error, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return good;
}

static bool perform(const struct file_action *action, const char *path,
                    struct error *error)
{
    if (action->kind == FILE_ACTION_SYNC)
        return sync_file(path, error);
    struct bytes data = {action->data, action->len};
    return file_write_at(path, action->offset, data, true, error);
}

struct step {
    struct publish *publish;
    const struct publication_file *file;
    struct file_action action;
};

static enum store_result step_change(void *context, struct store_txn *txn,
                                     struct error *error)
{
    struct step *step = context;
    file_action_release(&step->action);
    return file_publisher_step(txn, &step->action, &step->publish->evaluation,
                               step->publish->feed, &step->publish->policy, step->file,
                               step->publish->now, error);
}

static enum store_result done_change(void *context, struct store_txn *txn,
                                     struct error *error)
{
    const struct step *step = context;
    return file_publisher_done(txn, step->publish->feed, step->action.round,
                               step->publish->now, error);
}

static enum store_result finish(struct step *step, struct store *store,
                                struct error *error)
{
    struct publish *publish = step->publish;
    enum store_result result = store_update(store, done_change, step, error);
    if (result == STORE_OK)
        publish->lines[publish->written++] =
            (struct written){.round = step->action.round,
                             .due = step->action.due,
                             .amount = step->action.report.amount,
                             .height = step->action.report.height};
    return result;
}

/* One publication further; *more says whether to call again. */
static enum store_result publish_one(struct publish *publish, struct store *store,
                                     bool *more, struct error *error)
{
    struct publication_file file;
    struct opened opened;
    look(&file, &opened, publish->path);
    struct step step = {.publish = publish, .file = &file};
    enum store_result result = store_update(store, step_change, &step, error);
    publish->reported_block_orphaned |=
        result == STORE_OK && publish->evaluation.reported_block_orphaned;
    if (opened.fd >= 0)
        close(opened.fd);
    *more = result == STORE_OK && step.action.kind != FILE_ACTION_NOTHING;
    if (*more && !perform(&step.action, publish->path, &publish->fault)) {
        publish->unwritten = true;
        *more = false;
    }
    if (*more && step.action.kind != FILE_ACTION_CUT)
        result = finish(&step, store, error);
    file_action_release(&step.action);
    return result;
}

enum store_result publish_run(struct publish *publish, struct store *store,
                              struct error *error)
{
    bool more = true;
    enum store_result result = STORE_OK;
    for (int i = 0; more && result == STORE_OK && i < PUBLISH_ROUNDS_MAX; i++)
        result = publish_one(publish, store, &more, error);
    return result;
}

void publish_read(struct published *out, const char *feed, const char *path,
                  const struct block_hash *genesis)
{
    struct publication_file file;
    struct opened opened;
    look(&file, &opened, path);
    file_published(out, &file, feed, genesis);
    if (opened.fd >= 0)
        close(opened.fd);
}
