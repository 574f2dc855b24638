/* The form of a configuration file, without what its keys mean: `key=value` lines under
 * `[kind name]` headings, in the habit of bitcoin.conf.
 *
 * A '#' at a line's start or after a blank begins a comment. Blanks around key and value
 * don't count; there are no quotes and no escapes. A UTF-8 byte order mark and CRLF are
 * tolerated; other control characters and what isn't UTF-8 are faults. */
#ifndef APP_CONFIG_FILE_H
#define APP_CONFIG_FILE_H

#include "app/faults.h"

/* Thousands of feeds fit; nobody writes more by hand. */
#define CONFIG_FILE_MAX ((size_t)1 << 20)
#define CONFIG_VALUE_MAX 4096

/* One key and its value, and where it was given. */
struct config_entry {
    char *key;   /* a-z 0-9 _ */
    char *value; /* not empty */
    char *place; /* "reservewatch.conf:12", "RESERVEWATCH_LOG", "--log": for messages */
    bool in_file;
};

/* The kind of a section whose heading couldn't be read, so that its keys don't count as
 * the section's above. */
#define CONFIG_KIND_UNREADABLE "?"

/* Entries in the order given. */
struct config_section {
    char *kind; /* "" for what stands above the first heading */
    char *name; /* "" if the heading has none */
    char *place;
    struct config_entry *entries;
    size_t count;
    size_t capacity;
};

/* Sections in the order given; the first, which is always there, is the one without a
 * heading. */
struct config_file {
    struct config_section *sections;
    size_t count;
    size_t capacity;
};

/* Read a file's text; `path` is for messages. True, or false with every fault added; what
 * could be read is in *out in either case, for config_file_release. */
NODISCARD bool config_file_parse(struct config_file *out, struct faults *faults,
                                 const char *path, const char *text, size_t len);
void config_file_release(struct config_file *file);

/* Whether a text is what a terminal, a log and JSON can show: UTF-8 without control
 * characters. */
bool config_text_printable(const char *text);

/* Add an entry; the texts are copied. */
void config_section_add(struct config_section *section, const char *key,
                        const char *value, const char *place, bool in_file);
void config_section_release(struct config_section *section);

#endif
