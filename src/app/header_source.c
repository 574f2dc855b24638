#include "app/header_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/download.h"
#include "base/mem.h"
#include "spv/presync.h"

static bool system_fault(struct error *error, const char *what)
{
    return error_set(error, "%s: %s", what, strerror(errno));
}

static bool is_url(const char *place)
{
    return strncasecmp(place, "http://", 7) == 0 ||
           strncasecmp(place, "https://", 8) == 0;
}

/* O_NONBLOCK, so that a FIFO in the place of the file can't keep us. */
static bool open_file(struct header_source *source, const char *path, struct error *error)
{
    struct stat status;
    source->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (source->fd < 0 || fstat(source->fd, &status) != 0)
        return system_fault(error, "can't be opened");
    return S_ISREG(status.st_mode) || error_set(error, "isn't a regular file; name one");
}

static bool read_at(int fd, uint8_t *out, size_t len, uint64_t offset,
                    struct error *error)
{
    while (len > 0) {
        ssize_t got = pread(fd, out, len, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return system_fault(error, "can't be read");
        if (got == 0)
            return error_set(error, "it has become shorter meanwhile");
        out += got;
        offset += (uint64_t)got;
        len -= (size_t)got;
    }
    return true;
}

static bool read_layout(struct header_source *source, enum header_file_kind kind,
                        uint32_t most, const struct network *network, struct error *error)
{
    uint8_t head[HEADER_FILE_PREFIX];
    struct stat status;
    if (fstat(source->fd, &status) != 0)
        return system_fault(error, "can't be examined");
    uint64_t size = (uint64_t)status.st_size;
    size_t len = size < sizeof(head) ? (size_t)size : sizeof(head);
    return read_at(source->fd, head, len, 0, error) &&
           header_file_layout_of(&source->layout, kind, (struct bytes){head, len}, size,
                                 most, network, error);
}

bool header_source_open(struct header_source *source, enum header_file_kind kind,
                        const char *place, const char *folder,
                        const struct network *network, struct wall_time now,
                        struct error *error)
{
    uint32_t most = presync_headers_max(network, now);
    *source = (struct header_source){.fd = -1, .name = place};
    bool good;
    if (is_url(place))
        good = download(&source->fd, &source->name_owned, place, folder,
                        header_file_size_max(kind, most), error);
    else
        good = open_file(source, place, error);
    if (source->name_owned != NULL)
        source->name = source->name_owned;
    else if (is_url(place))
        source->name = "the URL";
    good = good && read_layout(source, kind, most, network, error);
    if (!good)
        error_prefix(error, "%s", source->name);
    return good;
}

void header_source_close(struct header_source *source)
{
    if (source->fd >= 0)
        close(source->fd);
    free(source->name_owned);
    *source = (struct header_source){.fd = -1};
}

bool header_source_read(const struct header_source *source, uint8_t *out, uint32_t from,
                        size_t count, struct error *error)
{
    const struct header_file_layout *layout = &source->layout;
    uint64_t offset = layout->offset + (uint64_t)from * layout->record_size;
    return read_at(source->fd, out, count * layout->record_size, offset, error) ||
           error_prefix(error, "%s", source->name);
}
