/* The log: one line a call, to stderr. Used by the shell only; the core appends notes to
 * its effects instead. Safe to call from any thread. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/time.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* The parts whose level can be set apart. */
enum log_part {
    LOG_NET,
    LOG_CHAIN,
    LOG_SCAN,
    LOG_STORE,
    LOG_FEED,
    LOG_PUBLISH,
    LOG_HTTP,
    LOG_APP
};
#define LOG_PARTS 8

/* Set from text such as "info", "debug" or "net=debug,store=warning", left to right;
 * false, with nothing changed, if a word is unknown. Default: info. */
NODISCARD bool log_configure(const char *text);
/* Start each line with "<N>", which journald reads as its level. */
void log_use_journal_prefix(bool on);
/* Start each line with the time that this function tells (UTC, ISO 8601); NULL, the
 * default, for none. It is called from any thread. */
void log_use_clock(struct wall_time (*now)(void));
/* Whether a line would be written. */
bool log_enabled(enum log_part part, enum log_level level);
/* Write "part: text", cut at 2 KiB and made printable as by text_make_printable(). Leaves
 * errno alone. */
void log_line(enum log_part part, enum log_level level, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* Called with the lock held before and after each line, so that a progress line on a
 * terminal can be wiped and drawn again; NULL for none. */
void log_on_line(void (*before)(void), void (*after)(void));

const char *log_part_name(enum log_part part);
const char *log_level_name(enum log_level level);

#endif
