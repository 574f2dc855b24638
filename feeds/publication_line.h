/* The line of a file publisher: one JSON object, the same bytes on every machine. */
#ifndef FEEDS_PUBLICATION_LINE_H
#define FEEDS_PUBLICATION_LINE_H

#include "feeds/due.h"

/* With the newline; the longest has some 550 bytes. */
#define PUBLICATION_LINE_MAX 1024

struct publication_line {
    uint64_t round; /* 1 .. 2^63 - 1 */
    char feed[65];
    enum due due; /* not DUE_NOT */
    uint32_t confirmations;
    struct statement report;
};

/* Write
 *   {"round":7,"feed":"wbtc","satoshi":123,"btc_height":840000,"btc_block_hash":"...",
 *   "observed_at":1713571767,"set_hash":"...","coins":12,"confirmations":6,
 *   "reason":"heartbeat","genesis":"..."}
 * without blanks, in this order, with a newline and no NUL; returns the length.
 * observed_at is the statement's time; no wall clock is in it. */
size_t publication_line_format(char out[static PUBLICATION_LINE_MAX],
                               const struct publication_line *line);

/* Read such a line without its newline. Exactly what publication_line_format writes is
 * read; *error says what is wrong with anything else. */
NODISCARD bool publication_line_parse(struct publication_line *out, const char *text,
                                      size_t len, struct error *error);

#endif
