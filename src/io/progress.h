/* One line of progress at the foot of a terminal on stderr. Log lines scroll above it.
 * Everywhere else than on a terminal all of this does nothing. From any thread. */
#ifndef IO_PROGRESS_H
#define IO_PROGRESS_H

#include <stdbool.h>

/* Hook into the log (log_on_line). False if there is no terminal to draw on. */
bool progress_start(void);
/* Draw this text, cut to the terminal's width, instead of the previous one. */
void progress_show(const char *text);
/* Wipe the line and unhook. */
void progress_stop(void);

#endif
