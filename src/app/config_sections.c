/* Lists, feeds and publishers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/config_build.h"
#include "app/nearest.h"
#include "base/map.h"
#include "base/mem.h"

/* Which keys each kind of section has; each may be given once. */
static const char *const list_keys[] = {"custodian", "file"};
static const char *const feed_keys[] = {"lists",     "confirmations", "immature",
                                        "deviation", "deviation_up",  "deviation_down",
                                        "heartbeat", "publisher"};
#define COUNT(ARRAY) (sizeof(ARRAY) / sizeof(*(ARRAY)))

static const char *const kinds[] = {"list", "feed", "publisher"};

bool config_is_one_of(const char *word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i], word) == 0)
            return true;
    }
    return false;
}

const char *config_kind_of(const char *key)
{
    if (config_is_one_of(key, list_keys, COUNT(list_keys)))
        return "list";
    if (config_is_one_of(key, feed_keys, COUNT(feed_keys)))
        return "feed";
    return config_publisher_has_key(key) ? "publisher" : NULL;
}

const struct config_entry *config_entry_of(const struct config_section *section,
                                           const char *key)
{
    for (size_t i = 0; i < section->count; i++) {
        if (strcmp(section->entries[i].key, key) == 0)
            return &section->entries[i];
    }
    return NULL;
}

void config_check_keys(struct config_build *build, const struct config_section *section,
                       const char *const *keys, size_t key_count)
{
    char where[160];
    snprintf(where, sizeof(where), "in [%s %.*s]", section->kind, FEED_NAME_MAX,
             section->name);
    for (size_t i = 0; i < section->count; i++) {
        const struct config_entry *entry = &section->entries[i];
        if (!config_is_one_of(entry->key, keys, key_count)) {
            if (strcmp(section->kind, "publisher") == 0 &&
                config_publisher_has_key(entry->key))
                config_fault(build, entry->place,
                             "%s %s: is for another type=", entry->key, where);
            else
                config_unknown_key(build, entry, where, keys, key_count);
            continue;
        }
        const struct config_entry *first = config_entry_of(section, entry->key);
        if (first != entry)
            config_fault(build, entry->place, "%s is given already at %s; remove one",
                         entry->key, first->place);
    }
}

void config_note_section(struct config_build *build, const struct config_section *section)
{
    char key[FEED_NAME_MAX + 64];
    for (size_t i = 0; i < section->count; i++) {
        snprintf(key, sizeof(key), "[%s %s] %.32s", section->kind, section->name,
                 section->entries[i].key);
        config_note_given(build, key, section->entries[i].value);
    }
}

void config_copy_name(char out[static FEED_NAME_MAX + 1], const char *name, size_t len)
{
    memcpy(out, name, len);
    out[len] = '\0';
}

/* ---- lists ---- */

static void build_list(struct config_build *build, const struct config_section *section)
{
    struct config *config = build->config;
    struct config_list *list = &config->lists[config->list_count++];
    const struct config_entry *custodian = config_entry_of(section, "custodian");
    const struct config_entry *file = config_entry_of(section, "file");

    config_check_keys(build, section, list_keys, COUNT(list_keys));
    config_copy_name(list->name, section->name, strlen(section->name));
    list->place = mem_strdup(section->place);
    list->custodian = mem_strdup(custodian != NULL ? custodian->value : section->name);
    if (file != NULL)
        list->file = config_path_of(build, file);
    else
        config_fault(build, section->place,
                     "[list %s] has no file=; name the file with "
                     "its addresses",
                     section->name);
}

/* ---- feeds ---- */

static void add_list(struct config_build *build, struct feed *feed,
                     const struct config_entry *entry, const char *name)
{
    const struct config *config = build->config;
    struct error error;
    if (!feed_name_valid(name, strlen(name), &error)) {
        config_fault(build, entry->place, "lists: %s", error.text);
    } else if (config_list_find(config, name) == NULL) {
        config_fault(build, entry->place,
                     "lists: there is no [list %s]; add it or "
                     "correct the name",
                     name);
    } else if (feed->list_count == FEED_LISTS_MAX) {
        config_fault(build, entry->place, "lists: at most %d of them", FEED_LISTS_MAX);
    } else {
        for (size_t i = 0; i < feed->list_count; i++) {
            if (strcmp(feed->lists[i], name) == 0) {
                config_fault(build, entry->place, "lists: names %s twice; remove one",
                             name);
                return;
            }
        }
        config_copy_name(feed->lists[feed->list_count++], name, strlen(name));
    }
}

static void set_lists(struct config_build *build, struct feed *feed,
                      const struct config_section *section)
{
    const struct config_entry *entry = config_entry_of(section, "lists");
    if (entry == NULL) {
        config_fault(build, section->place,
                     "[feed %s] has no lists=; name the lists that it sums", feed->name);
        return;
    }
    char *copy = mem_strdup(entry->value), *rest = copy, *item;
    while ((item = strsep(&rest, ",")) != NULL) {
        item += strspn(item, " \t");
        size_t len = strlen(item);
        while (len > 0 && (item[len - 1] == ' ' || item[len - 1] == '\t'))
            item[--len] = '\0';
        add_list(build, feed, entry, item);
    }
    free(copy);
}

static void set_deviation(struct config_build *build, struct deviation *out,
                          const struct config_section *section, const char *key)
{
    const struct config_entry *entry = config_entry_of(section, key);
    struct error error;
    if (entry != NULL &&
        !deviation_parse(out, entry->value, strlen(entry->value), &error))
        config_fault(build, entry->place, "%s", error.text);
}

static void set_policy(struct config_build *build, struct feed *feed,
                       const struct config_section *section)
{
    const struct config_entry *heartbeat = config_entry_of(section, "heartbeat");
    set_deviation(build, &feed->policy.up, section, "deviation");
    feed->policy.down = feed->policy.up;
    set_deviation(build, &feed->policy.up, section, "deviation_up");
    set_deviation(build, &feed->policy.down, section, "deviation_down");
    if (heartbeat != NULL && !duration_parse(&feed->policy.heartbeat, heartbeat->value,
                                             strlen(heartbeat->value)))
        config_fault(build, heartbeat->place,
                     "heartbeat '%.40s': write a duration such as 24h or 90m",
                     heartbeat->value);
}

/* A file holds one feed's lines. */
static void set_publisher(struct config_build *build, struct feed *feed,
                          const struct config_section *section)
{
    const struct config *config = build->config;
    const struct config_entry *entry = config_entry_of(section, "publisher");
    struct error error;
    if (entry == NULL)
        return;
    if (!feed_name_valid(entry->value, strlen(entry->value), &error)) {
        config_fault(build, entry->place, "publisher: %s", error.text);
        return;
    }
    if (config_publisher_find(config, entry->value) == NULL)
        config_fault(build, entry->place,
                     "publisher: there is no [publisher %s]; add it "
                     "or correct the name",
                     entry->value);
    for (size_t i = 0; i < config->feed_count; i++) {
        if (strcmp(config->feeds[i].publisher, entry->value) == 0)
            config_fault(build, entry->place,
                         "publisher: %s is that of [feed %s] already; give each feed its "
                         "own",
                         entry->value, config->feeds[i].name);
    }
    config_copy_name(feed->publisher, entry->value, strlen(entry->value));
}

static void build_feed(struct config_build *build, const struct config_section *section)
{
    struct config *config = build->config;
    struct feed *feed = &config->feeds[config->feed_count];
    const struct config_entry *confirmations = config_entry_of(section, "confirmations");
    const struct config_entry *immature = config_entry_of(section, "immature");
    struct error error;

    feed_init(feed);
    config_check_keys(build, section, feed_keys, COUNT(feed_keys));
    config_note_section(build, section);
    config_copy_name(feed->name, section->name, strlen(section->name));
    set_lists(build, feed, section);
    if (confirmations != NULL &&
        !feed_parse_confirmations(&feed->confirmations, confirmations->value,
                                  strlen(confirmations->value), &error))
        config_fault(build, confirmations->place, "%s", error.text);
    if (immature != NULL && !feed_parse_immature(&feed->count_immature, immature->value,
                                                 strlen(immature->value), &error))
        config_fault(build, immature->place, "%s", error.text);
    set_policy(build, feed, section);
    set_publisher(build, feed, section);
    config->feed_count++;
}

/* ---- all of them ---- */

/* The key of a map of headings: zeros behind the texts. */
struct heading {
    char kind[16];
    char name[FEED_NAME_MAX + 1];
};

/* Whether the heading is one of ours and its name is good and new. `seen`: the first
 * section, by its index, with each good heading. */
static bool check_heading(struct config_build *build, struct map *seen, size_t index)
{
    const struct config_section *section = &build->file.sections[index];
    struct error error;
    if (strcmp(section->kind, CONFIG_KIND_UNREADABLE) == 0)
        return false;
    if (!config_is_one_of(section->kind, kinds, COUNT(kinds)))
        return config_fault(build, section->place,
                            "unknown heading '%.40s'; the nearest known is [%s NAME]",
                            section->kind,
                            nearest_word(section->kind, kinds, COUNT(kinds)));
    if (section->name[0] == '\0')
        return config_fault(build, section->place, "[%s] has no name; write [%s NAME]",
                            section->kind, section->kind);
    if (!feed_name_valid(section->name, strlen(section->name), &error))
        return config_fault(build, section->place, "%s %s", section->kind, error.text);
    struct heading heading = {"", ""};
    size_t first = index;
    bool added;
    snprintf(heading.kind, sizeof(heading.kind), "%s", section->kind);
    config_copy_name(heading.name, section->name, strlen(section->name));
    void *value = map_put(seen, &heading, &added);
    if (added) {
        memcpy(value, &first, sizeof(first));
        return true;
    }
    memcpy(&first, value, sizeof(first));
    return config_fault(build, section->place,
                        "[%s %s] is there already at %s; rename or remove one",
                        section->kind, section->name, build->file.sections[first].place);
}

/* Build the sections of one kind, at most `max`; `good` says which headings hold. */
static void build_kind(struct config_build *build, const bool *good, const char *kind,
                       size_t max,
                       void (*build_one)(struct config_build *build,
                                         const struct config_section *section))
{
    size_t count = 0;
    for (size_t i = 1; i < build->file.count; i++) {
        const struct config_section *section = &build->file.sections[i];
        if (!good[i] || strcmp(section->kind, kind) != 0)
            continue;
        if (count++ < max)
            build_one(build, section);
        else
            config_fault(build, section->place, "[%s %s]: at most %zu of them", kind,
                         section->name, max);
    }
}

void config_build_sections(struct config_build *build)
{
    static const uint64_t seed[2] = {0}; /* the file is the operator's own */
    struct config *config = build->config;
    bool *good = mem_zalloc(build->file.count, sizeof(*good));
    struct map seen;

    map_init(&seen, sizeof(struct heading), sizeof(size_t), seed);
    for (size_t i = 1; i < build->file.count; i++)
        good[i] = check_heading(build, &seen, i);
    map_release(&seen);
    config->lists = mem_zalloc(CONFIG_LISTS_MAX, sizeof(*config->lists));
    config->publishers = mem_zalloc(FEEDS_MAX, sizeof(*config->publishers));
    config->feeds = mem_zalloc(FEEDS_MAX, sizeof(*config->feeds));
    build_kind(build, good, "list", CONFIG_LISTS_MAX, build_list);
    build_kind(build, good, "publisher", FEEDS_MAX, config_build_publisher);
    build_kind(build, good, "feed", FEEDS_MAX, build_feed);
    free(good);
}
