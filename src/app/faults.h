/* Everything that is wrong with a configuration and its lists, so that one look mends
 * all. */
#ifndef APP_FAULTS_H
#define APP_FAULTS_H

#include <stddef.h>

#include "base/error.h"

/* Nobody reads more at once; the rest is counted. */
#define FAULTS_MAX 200

/* In the order found, each a line of text with its place in front. Zero-initialised is
 * empty. */
struct faults {
    struct error *items;
    size_t count;
    size_t capacity;
    size_t more; /* found no room */
};

void faults_release(struct faults *faults);
/* Always returns false, so that a failing function can `return faults_add(...)`. */
bool faults_add(struct faults *faults, const char *format, ...) PRINTF_LIKE(2, 3);
/* Print to stderr, a line each, with the number of those that found no room. */
void faults_print(const struct faults *faults);

#endif
