/* The global keys of every source, put together. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/config_build.h"
#include "app/endpoint.h"
#include "app/nearest.h"
#include "base/mem.h"

#define ENVIRONMENT_PREFIX "RESERVEWATCH_"
/* Of a variable's name; a key is shorter. */
#define VARIABLE_MAX 64

/* ---- the environment ---- */

static void add_values(struct config_section *section, const struct config_key *key,
                       const char *value, const char *variable)
{
    char *copy = mem_strdup(value);
    char *rest = copy;
    while (rest != NULL) {
        char *item = key->repeatable ? strsep(&rest, ",") : rest;
        if (!key->repeatable)
            rest = NULL;
        config_section_add(section, key->name, item, variable, false);
    }
    free(copy);
}

/* Other programs' variables may begin with our prefix (service managers make some up from
 * a service's name); one that nearly is a key of ours is a slip. */
static void read_variable(struct config_build *build, const char *variable,
                          const char *value)
{
    char key[VARIABLE_MAX];
    size_t len = strlen(variable) - strlen(ENVIRONMENT_PREFIX);
    if (len >= sizeof(key))
        return;
    for (size_t i = 0; i <= len; i++) {
        char c = variable[strlen(ENVIRONMENT_PREFIX) + i];
        key[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    const struct config_key *known = config_key_find(key);
    const char *const *names = config_global_keys();
    const char *nearest = nearest_word(key, names, CONFIG_KEYS);
    if (known != NULL && *value != '\0')
        add_values(&build->environment, known, value, variable);
    else if (known == NULL && len > 3 && word_distance(key, nearest) <= 2)
        config_fault(build, variable, "unknown key '%s'; the nearest known is '%s'", key,
                     nearest);
}

static void read_environment(struct config_build *build)
{
    const char *const *environment = build->sources->environment;
    for (; environment != NULL && *environment != NULL; environment++) {
        char variable[VARIABLE_MAX];
        size_t len = strcspn(*environment, "=");
        if (strncmp(*environment, ENVIRONMENT_PREFIX, strlen(ENVIRONMENT_PREFIX)) != 0 ||
            len >= sizeof(variable) || (*environment)[len] != '=')
            continue;
        memcpy(variable, *environment, len);
        variable[len] = '\0';
        read_variable(build, variable, *environment + len + 1);
    }
}

static void read_command_line(struct config_build *build)
{
    for (size_t i = 0; i < build->sources->option_count; i++) {
        const struct config_option *option = &build->sources->options[i];
        char place[VARIABLE_MAX];
        snprintf(place, sizeof(place), "--%s", option->key);
        config_section_add(&build->command_line, option->key, option->value, place,
                           false);
    }
}

/* ---- putting them together ---- */

static void check_section(struct config_build *build,
                          const struct config_section *section)
{
    const char *const *names = config_global_keys();
    for (size_t i = 0; i < section->count; i++) {
        const struct config_entry *entry = &section->entries[i];
        const struct config_key *key = config_key_find(entry->key);
        if (key == NULL) {
            config_unknown_key(build, entry, "outside of sections", names, CONFIG_KEYS);
            continue;
        }
        for (size_t j = 0; j < i && !key->repeatable; j++) {
            if (strcmp(section->entries[j].key, entry->key) == 0) {
                config_fault(build, entry->place, "%s is given already at %s; remove one",
                             entry->key, section->entries[j].place);
                break;
            }
        }
    }
}

/* Where the key's values are taken from. */
static const struct config_section *source_of(const struct config_build *build,
                                              const char *key)
{
    if (config_entry_of(&build->command_line, key) != NULL)
        return &build->command_line;
    if (config_entry_of(&build->environment, key) != NULL)
        return &build->environment;
    return &build->file.sections[0];
}

static void set_key(struct config_build *build, const struct config_key *key)
{
    const struct config_section *from = source_of(build, key->name);
    size_t used = 0;
    for (size_t i = 0; i < from->count && used <= CONFIG_REPEATS_MAX; i++) {
        const struct config_entry *entry = &from->entries[i];
        struct error error;
        if (strcmp(entry->key, key->name) != 0 || (!key->repeatable && used > 0))
            continue;
        if (++used > CONFIG_REPEATS_MAX)
            config_fault(build, entry->place, "%s: at most %d of them", key->name,
                         CONFIG_REPEATS_MAX);
        else if (!config_text_printable(entry->value))
            config_fault(build, entry->place, "%s: isn't UTF-8 text", key->name);
        else if (!key->set(build, entry, &error))
            config_fault(build, entry->place, "%s %s", key->name, error.text);
        else
            config_note_given(build, key->name, entry->value);
    }
}

static void set_defaults(struct config_build *build)
{
    struct config *config = build->config;
    config->network = network_find("mainnet");
    config->outbound = OUTBOUND_DEFAULT;
    config->sample_interval = SAMPLE_INTERVAL_DEFAULT;
    config->node_check_interval = NODE_CHECK_INTERVAL_DEFAULT;
    config->connect = mem_zalloc(CONFIG_REPEATS_MAX, sizeof(*config->connect));
    config->audit_blocks = AUDIT_BLOCKS_DEFAULT;
    config->checkpoints = mem_zalloc(CONFIG_REPEATS_MAX, sizeof(*config->checkpoints));
    config->filter_checkpoints =
        mem_zalloc(CONFIG_REPEATS_MAX, sizeof(*config->filter_checkpoints));
    config->http_hosts = mem_zalloc(CONFIG_REPEATS_MAX, sizeof(*config->http_hosts));
}

/* Of the entry in force; the file if the key isn't given. */
static const char *place_of(const struct config_build *build, const char *key)
{
    const struct config_entry *entry = config_entry_of(source_of(build, key), key);
    return entry != NULL ? entry->place : build->sources->path;
}

static void default_datadir(struct config_build *build)
{
    struct config *config = build->config;
    const char *home = build->sources->home;
    if (home == NULL) {
        config_fault(build, build->sources->path,
                     "datadir= isn't given and HOME isn't set; give one of them");
        return;
    }
    char *folder = path_join(home, ".reservewatch");
    config->datadir = path_join(folder, config->network->name);
    free(folder);
}

static void default_min_peers(struct config_build *build)
{
    struct config *config = build->config;
    config->min_peers = config->connect_count > 0 ? 1 : MIN_PEERS_DEFAULT;
    if (config->connect_count == 0 && config->outbound < MIN_PEERS_DEFAULT)
        config_fault(build, place_of(build, "outbound"),
                     "outbound=%" PRIu32 " can't meet min_peers, which is %d; raise it, "
                     "or lower min_peers=",
                     config->outbound, MIN_PEERS_DEFAULT);
}

static void default_http_bind(struct config *config)
{
    char text[ENDPOINT_TEXT_MAX];
    snprintf(text, sizeof(text), "127.0.0.1:%u", (unsigned)config->network->http_port);
    config->http_bind = mem_strdup(text);
}

/* Those that depend on other keys. */
static void set_late_default(struct config_build *build, const char *key)
{
    struct config *config = build->config;
    if (strcmp(key, "datadir") == 0 && config->datadir == NULL)
        default_datadir(build);
    else if (strcmp(key, "min_peers") == 0 && config->min_peers == 0)
        default_min_peers(build);
    else if (strcmp(key, "http_bind") == 0 && config->http_bind == NULL)
        default_http_bind(config);
}

static void check_node(struct config_build *build)
{
    const struct config *config = build->config;
    if ((config->node_rpc == NULL) == (config->node_cookie_file == NULL))
        return;
    config_fault(
        build,
        place_of(build, config->node_rpc != NULL ? "node_rpc" : "node_cookie_file"),
        "node_rpc= and node_cookie_file= belong together; give both or neither");
}

static void check_kept_filters(struct config_build *build)
{
    const struct config *config = build->config;
    if (config->keep_filters && config->scan_blocks)
        config_fault(build, place_of(build, "keep_filters"),
                     "keep_filters=1: with scan=blocks there are no filters to keep; "
                     "remove one of the two");
}

void config_build_globals(struct config_build *build)
{
    read_environment(build);
    read_command_line(build);
    check_section(build, &build->file.sections[0]);
    check_section(build, &build->command_line);
    set_defaults(build);
    for (size_t i = 0; i < CONFIG_KEYS; i++) {
        set_key(build, &config_keys[i]);
        set_late_default(build, config_keys[i].name);
    }
    check_node(build);
    check_kept_filters(build);
}
