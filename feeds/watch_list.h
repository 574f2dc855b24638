/* Watch lists: what a custodian publishes as the addresses that hold the reserve.
 *
 * Three forms, told apart by the first character that isn't blank ('[' or '{' is JSON):
 *
 *   CSV    `address,label,birth_height`, a line each; label and birth height may be empty
 *          or absent. A first line whose first field is `address` is a header and names
 *          those columns in that order. Fields may be quoted as in RFC 4180, but none
 *          reaches over the end of its line. Blanks around a field don't count.
 *   plain  an address a line: CSV of one column.
 *   JSON   an array of strings, or of objects {"address" or "descriptor", "label",
 *          "birth_height"}, or an object whose only key "addresses" holds such an array.
 *          Unknown and repeated keys are errors.
 *
 * An address may be a descriptor everywhere (spv/descriptor.h). In CSV and plain lists
 * blank lines, and lines that begin with '#', are skipped. A UTF-8 byte order mark and
 * CRLF are tolerated. */
#ifndef FEEDS_WATCH_LIST_H
#define FEEDS_WATCH_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "spv/network.h"

/* Some millions of addresses with labels; line and entry numbers stay below 2^32. */
#define WATCH_LIST_SIZE_MAX ((size_t)256 << 20)
#define WATCH_LABEL_MAX 256 /* bytes */
#define WATCH_BIRTH_MAX INT32_MAX
#define WATCH_LIST_ERRORS_MAX 20

struct watch_entry {
    uint8_t *script; /* scriptPubKey; watchable (spv/script.h) */
    size_t script_len;
    char *label;    /* UTF-8 without control characters; NULL if there is none */
    uint32_t birth; /* height; 0, which is genesis, when not given */
    uint32_t line;  /* in the list, 1-based */
};

/* Entries in the order of the list, no script twice. Owns scripts and labels. */
struct watch_list {
    struct watch_entry *entries;
    size_t count;
};

/* What is wrong with a list, in its order: "path:line:column: reason". Lines and columns
 * are 1-based, columns count characters. Owns nothing. */
struct watch_list_errors {
    struct error items[WATCH_LIST_ERRORS_MAX];
    size_t count; /* of items */
    size_t more;  /* errors that found no room; a JSON syntax error ends the search */
};

/* Read a list for `network`; `path` is for messages only. True with *out filled, to be
 * given to watch_list_release; or false with every error found in *errors and *out empty.
 * A list without entries is no error. Two lines that stand for the same script are one,
 * however they are written. `seed` keys a hash table: random for each process. */
NODISCARD bool watch_list_parse(struct watch_list *out, struct watch_list_errors *errors,
                                const struct network *network, const char *path,
                                const char *text, size_t len,
                                const uint64_t seed[static 2]);
void watch_list_release(struct watch_list *list);

#endif
