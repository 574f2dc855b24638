#include "app/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/secret.h"
#include "io/file.h"

void secret_text_release(struct secret_text *secret)
{
    secret_wipe(secret, sizeof(*secret));
}

struct bytes secret_text_bytes(const struct secret_text *secret)
{
    return (struct bytes){(const uint8_t *)secret->text, secret->len};
}

/* Take the line end off and see that there is a line, and only one. */
static bool finish(struct secret_text *out, const char *from, struct error *error)
{
    if (out->len > 0 && out->text[out->len - 1] == '\n')
        out->len--;
    if (out->len > 0 && out->text[out->len - 1] == '\r')
        out->len--;
    out->text[out->len] = '\0';
    if (out->len == 0)
        return error_set(error, "%s: is empty; give one line", from);
    if (memchr(out->text, '\n', out->len) != NULL)
        return error_set(error, "%s: has several lines; give one", from);
    return true;
}

bool secret_text_read(struct secret_text *out, const char *path, struct error *error)
{
    char *data = NULL;
    *out = (struct secret_text){0};
    if (!file_read_secret(&data, &out->len, path, PASSWORD_MAX, error))
        return false;
    memcpy(out->text, data, out->len);
    secret_wipe(data, out->len);
    free(data);
    if (finish(out, path, error))
        return true;
    secret_text_release(out);
    return false;
}

/* ---- the terminal ---- */

static bool write_text(int fd, const char *text)
{
    size_t len = strlen(text);
    return write(fd, text, len) == (ssize_t)len;
}

static bool read_line(struct secret_text *out, int fd, struct error *error)
{
    while (out->len < PASSWORD_MAX) {
        ssize_t got = read(fd, out->text + out->len, PASSWORD_MAX - out->len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set(error, "terminal: can't be read: %s", strerror(errno));
        out->len += (size_t)got;
        if (got == 0 || out->text[out->len - 1] == '\n')
            return finish(out, "what was typed", error);
    }
    return error_set(error, "what was typed is longer than %d bytes; give a shorter one",
                     PASSWORD_MAX);
}

/* Signals wait meanwhile: none may end us while the terminal shows nothing. */
static bool ask_silently(struct secret_text *out, int fd, const char *prompt,
                         struct error *error)
{
    struct termios shown, silent;
    sigset_t ending, before;
    if (tcgetattr(fd, &shown) != 0)
        return error_set(error, "terminal: %s", strerror(errno));
    silent = shown;
    silent.c_lflag &= (tcflag_t)~ECHO;
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGHUP);
    sigaddset(&ending, SIGTSTP);
    sigprocmask(SIG_BLOCK, &ending, &before);
    bool ok = tcsetattr(fd, TCSAFLUSH, &silent) == 0;
    if (!ok)
        error_set(error, "terminal: %s", strerror(errno));
    else
        ok = write_text(fd, prompt) && read_line(out, fd, error);
    tcsetattr(fd, TCSAFLUSH, &shown);
    (void)!write_text(fd, "\n");
    sigprocmask(SIG_SETMASK, &before, NULL);
    return ok;
}

bool secret_text_ask(struct secret_text *out, const char *prompt, const char *remedy,
                     struct error *error)
{
    *out = (struct secret_text){0};
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return error_set(error, "there is no terminal to ask on; %s", remedy);
    bool ok = ask_silently(out, fd, prompt, error);
    close(fd);
    if (!ok)
        secret_text_release(out);
    return ok;
}
