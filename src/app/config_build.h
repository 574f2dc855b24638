/* Inside src/app/config*.c only: making a configuration out of its entries. */
#ifndef APP_CONFIG_BUILD_H
#define APP_CONFIG_BUILD_H

#include "app/config.h"
#include "app/config_file.h"

struct config_build {
    struct config *config;
    struct faults *faults;
    const struct config_sources *sources;
    struct config_file file;
    struct config_section environment;
    struct config_section command_line;
    size_t given_capacity;
    bool good;
    bool network_unknown;
};

/* Note a fault at a place. Always returns false. */
bool config_fault(struct config_build *build, const char *place, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Note an unknown key, with its nearest neighbour among those known `where` it stands.
 * Always returns false. */
bool config_unknown_key(struct config_build *build, const struct config_entry *entry,
                        const char *where, const char *const *keys, size_t count);

/* A path given by this entry: "~/" is the user's folder; a relative one starts at the
 * configuration file's folder if it is in the file. The caller frees it. */
char *config_path_of(const struct config_build *build, const struct config_entry *entry);

/* Remember what was given, for config_changes. */
void config_note_given(struct config_build *build, const char *key, const char *value);

/* folder/name; the caller frees it. */
char *path_join(const char *folder, const char *name);

/* A global key. */
struct config_key {
    const char *name;
    /* Take a value; false with the error, which goes on from the key's name. */
    bool (*set)(struct config_build *build, const struct config_entry *entry,
                struct error *error);
    bool repeatable;
};
/* In the order in which they are read: a key comes after those that its value depends on;
 * `http` last, since it undoes http_bind. */
extern const struct config_key config_keys[CONFIG_KEYS];
/* NULL if there is none of this name. */
const struct config_key *config_key_find(const char *name);

/* The kind of section that has this key; NULL if none has. */
const char *config_kind_of(const char *key);

/* The section's first entry of this key; NULL if there is none. */
const struct config_entry *config_entry_of(const struct config_section *section,
                                           const char *key);

/* Read the global keys of all sources. */
void config_build_globals(struct config_build *build);
/* Read the sections of the file. */
void config_build_sections(struct config_build *build);

/* ---- between config_sections.c and config_publisher.c ---- */

bool config_is_one_of(const char *word, const char *const *words, size_t count);
/* A fault for each key that isn't one of these, and for each given twice. */
void config_check_keys(struct config_build *build, const struct config_section *section,
                       const char *const *keys, size_t key_count);
/* For a section that takes a restart to change. */
void config_note_section(struct config_build *build,
                         const struct config_section *section);
/* Copies a name that feed_name_valid() holds for. */
void config_copy_name(char out[static FEED_NAME_MAX + 1], const char *name, size_t len);

void config_build_publisher(struct config_build *build,
                            const struct config_section *section);
bool config_publisher_has_key(const char *key);

#endif
