#include "io/progress.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"

#define TEXT_MAX 256
#define DEFAULT_WIDTH 80
/* Back to the first column, and clear the rest of the line (ECMA-48). */
#define WIPE "\r\x1b[K"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool active;         /* stderr is a terminal, and we hook the log */
static char text[TEXT_MAX]; /* what is shown; "" for nothing */

static void put(const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t written = write(STDERR_FILENO, bytes, len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        bytes += written;
        len -= (size_t)written;
    }
}

/* Bytes of the text that fit in one line: whole characters, each taken as one column. */
static size_t fitting(const char *shown)
{
    struct winsize size;
    size_t columns = DEFAULT_WIDTH;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        columns = size.ws_col;
    size_t len = 0;
    /* The last column stays free: terminals differ in when they wrap. */
    for (size_t used = 0; shown[len] != '\0'; len++) {
        bool starts_character = ((unsigned char)shown[len] & 0xc0) != 0x80;
        if (starts_character && ++used == columns)
            break;
    }
    return len;
}

static void draw(void)
{
    char line[sizeof(WIPE) + TEXT_MAX];
    size_t len = fitting(text);
    memcpy(line, WIPE, sizeof(WIPE) - 1);
    memcpy(line + sizeof(WIPE) - 1, text, len);
    put(line, sizeof(WIPE) - 1 + len);
}

/* The lock is held from before a log line to after it. */
static void before_line(void)
{
    pthread_mutex_lock(&lock);
    if (active && text[0] != '\0')
        put(WIPE, sizeof(WIPE) - 1);
}

static void after_line(void)
{
    if (active && text[0] != '\0')
        draw();
    pthread_mutex_unlock(&lock);
}

bool progress_start(void)
{
    if (isatty(STDERR_FILENO) != 1)
        return false;
    pthread_mutex_lock(&lock);
    active = true;
    pthread_mutex_unlock(&lock);
    log_on_line(before_line, after_line);
    return true;
}

void progress_show(const char *shown)
{
    pthread_mutex_lock(&lock);
    if (active && strcmp(shown, text) != 0) {
        snprintf(text, sizeof(text), "%s", shown);
        text_make_printable(text);
        draw();
    }
    pthread_mutex_unlock(&lock);
}

void progress_stop(void)
{
    log_on_line(NULL, NULL);
    pthread_mutex_lock(&lock);
    if (active && text[0] != '\0')
        put(WIPE, sizeof(WIPE) - 1);
    text[0] = '\0';
    active = false;
    pthread_mutex_unlock(&lock);
}
