#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

/* Longer lines are cut: several times an error's text, and one write() that a pipe takes
 * whole (PIPE_BUF). */
#define LINE_MAX_BYTES 2048

static const char *const part_names[LOG_PARTS] = {
    [LOG_NET] = "net",     [LOG_CHAIN] = "chain", [LOG_SCAN] = "scan",
    [LOG_STORE] = "store", [LOG_FEED] = "feed",   [LOG_PUBLISH] = "publish",
    [LOG_HTTP] = "http",   [LOG_APP] = "app",
};
static const char *const level_names[] = {
    [LOG_ERROR] = "error",
    [LOG_WARNING] = "warning",
    [LOG_INFO] = "info",
    [LOG_DEBUG] = "debug",
};
#define LOG_LEVELS (sizeof(level_names) / sizeof(level_names[0]))
static const char journal_prefixes[LOG_LEVELS][4] = {
    [LOG_ERROR] = "<3>",
    [LOG_WARNING] = "<4>",
    [LOG_INFO] = "<6>",
    [LOG_DEBUG] = "<7>",
};

static atomic_int levels[LOG_PARTS] = {LOG_INFO, LOG_INFO, LOG_INFO, LOG_INFO,
                                       LOG_INFO, LOG_INFO, LOG_INFO, LOG_INFO};
static atomic_bool journal_prefix;
static struct wall_time (*_Atomic clock_now)(void);
static pthread_mutex_t line_lock = PTHREAD_MUTEX_INITIALIZER;
static void (*before_line)(void);
static void (*after_line)(void);

/* The index of the word among the names, or -1. */
static int find_name(const char *const *names, size_t count, const char *word, size_t len)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(names[i]) == len && memcmp(names[i], word, len) == 0)
            return (int)i;
    }
    return -1;
}

/* One "level" or "part=level". */
static bool configure_word(int chosen[static LOG_PARTS], const char *word, size_t len)
{
    const char *equals = memchr(word, '=', len);
    const char *level_word = equals != NULL ? equals + 1 : word;
    size_t level_len = len - (size_t)(level_word - word);
    int level = find_name(level_names, LOG_LEVELS, level_word, level_len);
    if (level < 0)
        return false;
    if (equals == NULL) {
        for (int part = 0; part < LOG_PARTS; part++)
            chosen[part] = level;
        return true;
    }
    int part = find_name(part_names, LOG_PARTS, word, (size_t)(equals - word));
    if (part < 0)
        return false;
    chosen[part] = level;
    return true;
}

bool log_configure(const char *text)
{
    int chosen[LOG_PARTS];
    for (int part = 0; part < LOG_PARTS; part++)
        chosen[part] = atomic_load(&levels[part]);
    for (;;) {
        size_t len = strcspn(text, ",");
        if (!configure_word(chosen, text, len))
            return false;
        if (text[len] == '\0')
            break;
        text += len + 1;
    }
    for (int part = 0; part < LOG_PARTS; part++)
        atomic_store(&levels[part], chosen[part]);
    return true;
}

void log_use_journal_prefix(bool on)
{
    atomic_store(&journal_prefix, on);
}

void log_use_clock(struct wall_time (*now)(void))
{
    atomic_store(&clock_now, now);
}

bool log_enabled(enum log_part part, enum log_level level)
{
    return (int)level <= atomic_load_explicit(&levels[part], memory_order_relaxed);
}

/* One write, so that lines of other processes on the same stream don't mix with it. */
static void write_line(const char *line, size_t len)
{
    pthread_mutex_lock(&line_lock);
    if (before_line != NULL)
        before_line();
    ssize_t written;
    do
        written = write(STDERR_FILENO, line, len);
    while (written < 0 && errno == EINTR);
    if (after_line != NULL)
        after_line();
    pthread_mutex_unlock(&line_lock);
}

void log_line(enum log_part part, enum log_level level, const char *format, ...)
{
    if (!log_enabled(part, level))
        return;
    int saved_errno = errno;
    char line[LINE_MAX_BYTES];
    const char *prefix = atomic_load(&journal_prefix) ? journal_prefixes[level] : "";
    /* The last byte stays free for the line's end. */
    size_t room = sizeof(line) - 1;
    char time[TIME_TEXT_MAX + 1] = "";
    struct wall_time (*now)(void) = atomic_load(&clock_now);
    if (now != NULL) {
        time_format_utc(time, now().s);
        strcat(time, " ");
    }
    size_t start =
        (size_t)snprintf(line, room, "%s%s%s: ", prefix, time, part_names[part]);
    errno = saved_errno;
    va_list values;
    va_start(values, format);
    vsnprintf(line + start, room - start, format, values);
    va_end(values);
    text_make_printable(line);
    size_t len = strlen(line);
    line[len] = '\n';
    write_line(line, len + 1);
    errno = saved_errno;
}

void log_on_line(void (*before)(void), void (*after)(void))
{
    pthread_mutex_lock(&line_lock);
    before_line = before;
    after_line = after;
    pthread_mutex_unlock(&line_lock);
}

const char *log_part_name(enum log_part part)
{
    return part_names[part];
}

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}
