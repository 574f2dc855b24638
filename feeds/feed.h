/* A feed as it is configured: which lists it sums, what counts, when it publishes. */
#ifndef FEEDS_FEED_H
#define FEEDS_FEED_H

#include "base/error.h"
#include "feeds/due.h"

#define FEED_NAME_MAX 64
#define FEED_LISTS_MAX 64
#define FEEDS_MAX 1000

#define FEED_CONFIRMATIONS_DEFAULT 6
/* The ledger tells the state of so many blocks back (LEDGER_DEPTH). */
#define FEED_CONFIRMATIONS_MAX 2016

/* A plain value. */
struct feed {
    char name[FEED_NAME_MAX + 1];
    char lists[FEED_LISTS_MAX][FEED_NAME_MAX + 1];
    size_t list_count;
    uint32_t confirmations; /* 1 .. FEED_CONFIRMATIONS_MAX */
    bool count_immature;    /* immature=include */
    struct due_policy policy;
    char publisher[FEED_NAME_MAX + 1]; /* empty: isn't published */
};

/* No name, no lists, no publisher; confirmations 6, immature=exclude, no deviation, no
 * heartbeat. */
void feed_init(struct feed *feed);

/* Names of feeds, lists and publishers: 1 to 64 of a-z A-Z 0-9 . _ - with a letter or a
 * digit first. They stand in paths, addresses and JSON as they are. */
NODISCARD bool feed_name_valid(const char *text, size_t len, struct error *error);
/* "6" */
NODISCARD bool feed_parse_confirmations(uint32_t *out, const char *text, size_t len,
                                        struct error *error);
/* "include" or "exclude" */
NODISCARD bool feed_parse_immature(bool *count_immature, const char *text, size_t len,
                                   struct error *error);

#endif
