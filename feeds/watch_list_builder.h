/* What the forms of watch lists share: adding an entry, collecting errors. Internal to
 * feeds/watch_list*.c. */
#ifndef FEEDS_WATCH_LIST_BUILDER_H
#define FEEDS_WATCH_LIST_BUILDER_H

#include "base/map.h"
#include "feeds/watch_list.h"

struct watch_list_builder {
    const struct network *network;
    const char *path;
    struct watch_list *list;
    size_t capacity;
    struct map seen; /* SHA-256 of a script -> uint32_t line */
    struct watch_list_errors *errors;
};

/* A line of the list, and where a text in it starts. */
struct watch_list_place {
    uint32_t line;
    uint32_t column;
};

/* Text that somebody else owns, not terminated. */
struct watch_list_text {
    const char *at;
    size_t len;
};

/* Note an error at this place. Always returns false. */
bool watch_list_error(struct watch_list_builder *builder, struct watch_list_place place,
                      const char *format, ...) PRINTF_LIKE(3, 4);

/* Whether the label is well-formed and short enough; *error_at is the index of the byte
 * at fault. */
NODISCARD bool watch_label_check(struct watch_list_text label, size_t *error_at,
                                 struct error *error);

/* Add an entry, or note what is wrong with its address; label and birth are the caller's
 * to check. (After any error the list is dropped, so that going on only finds more.) An
 * empty label is none. `exact` says that `place` is that of the address's first
 * character, so that the column of a character at fault follows from its index. */
void watch_list_add(struct watch_list_builder *builder, struct watch_list_place place,
                    bool exact, struct watch_list_text address,
                    struct watch_list_text label, uint32_t birth);

/* Characters, not bytes, in UTF-8 (in other text, some number not above `len`). */
uint32_t watch_list_characters(const char *text, size_t len);

/* The forms. Each notes every error that it finds. */
void watch_list_parse_lines(struct watch_list_builder *builder,
                            struct watch_list_text text);
void watch_list_parse_json(struct watch_list_builder *builder,
                           struct watch_list_text text);

#endif
