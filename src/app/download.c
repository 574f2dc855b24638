#include "app/download.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/interrupt.h"
#include "base/mem.h"
#include "io/clock.h"
#include "io/http_client.h"
#include "io/progress.h"

#define SILENCE_MS 60000
#define TICK_MS 200

struct transfer {
    struct loop *loop;
    struct loop_timer *tick;
    const char *name;
    int fd;
    uint64_t bytes;
    struct mono_time began;
    bool failed;
    struct error error; /* if it failed */
};

/* The first reason counts. */
static void give_up(struct transfer *transfer, const char *what, const char *reason)
{
    if (!transfer->failed)
        error_set(&transfer->error, "%s%s%s", what, *what != '\0' ? ": " : "", reason);
    transfer->failed = true;
    loop_stop(transfer->loop);
}

static void on_received(struct bytes piece, void *context)
{
    struct transfer *transfer = context;
    transfer->bytes += piece.len;
    while (piece.len > 0) {
        ssize_t written = write(transfer->fd, piece.data, piece.len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            give_up(transfer, "it can't be kept in the datadir", strerror(errno));
            return;
        }
        piece.data += written;
        piece.len -= (size_t)written;
    }
}

static void on_answered(uint64_t ticket, const struct http_answer *answer, void *context)
{
    (void)ticket;
    struct transfer *transfer = context;
    size_t len = strlen(transfer->name);
    const char *reason = answer->failure;
    char text[64];
    snprintf(text, sizeof(text), "the answer has status %d instead of 200",
             answer->status);
    /* Who calls puts the name in front of every error. */
    if (reason != NULL && strncmp(reason, transfer->name, len) == 0 && reason[len] == ':')
        reason += len + 2;
    if (reason == NULL && answer->status != 200)
        reason = text;
    if (reason != NULL)
        give_up(transfer, "", reason);
    else
        loop_stop(transfer->loop);
}

static void on_tick(void *context)
{
    struct transfer *transfer = context;
    if (interrupt_asked()) {
        give_up(transfer, "interrupted", "nothing was imported; run it again");
        return;
    }
    int64_t passed = mono_since(now_mono(), transfer->began);
    char line[128];
    snprintf(line, sizeof(line), "download: %" PRIu64 " KiB, %" PRIu64 " KiB a second",
             transfer->bytes >> 10,
             passed > 0 ? (transfer->bytes >> 10) * 1000 / (uint64_t)passed : 0);
    progress_show(line);
    loop_timer_set(transfer->tick, mono_add(now_mono(), TICK_MS));
}

static bool run(struct transfer *transfer, struct http_client *client,
                struct error *error)
{
    transfer->began = now_mono();
    transfer->tick = loop_timer_new(transfer->loop, on_tick, transfer);
    loop_timer_set(transfer->tick, now_mono());
    if (!http_client_get(client, 0, SILENCE_MS, on_received, on_answered, transfer))
        give_up(transfer, "", "it can't be asked for");
    else
        loop_run(transfer->loop);
    loop_timer_free(transfer->tick);
    if (transfer->failed)
        *error = transfer->error;
    return !transfer->failed;
}

/* -1 with the error. */
static int nameless_file(const char *folder, struct error *error)
{
    size_t size = strlen(folder) + sizeof("/download.XXXXXX");
    char *path = mem_alloc(size);
    snprintf(path, size, "%s/download.XXXXXX", folder);
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        error_set(error, "no file can be made in %s: %s", folder, strerror(errno));
    else
        (void)unlink(path);
    free(path);
    return fd;
}

bool download(int *fd, char **name, const char *url, const char *folder, uint64_t max,
              struct error *error)
{
    bool good = false;
    struct loop *loop = loop_new();
    struct resolver *resolver = resolver_new(loop, NULL);
    const struct http_client_settings settings = {
        .url = url, .resolver = resolver, .body_max = (size_t)max};
    struct http_client *client = http_client_new(loop, &settings, error);
    *fd = -1;
    *name = NULL;
    if (client == NULL)
        goto out;
    *name = mem_strdup(http_client_name(client));
    *fd = nameless_file(folder, error);
    if (*fd < 0)
        goto out;
    struct transfer transfer = {.loop = loop, .name = *name, .fd = *fd};
    good = run(&transfer, client, error);
out:
    http_client_free(client);
    resolver_free(resolver);
    loop_free(loop);
    return good;
}
