#include "app/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/config_build.h"
#include "app/nearest.h"
#include "base/mem.h"
#include "io/file.h"

#define CONFIG_NAME "reservewatch.conf"

bool config_fault(struct config_build *build, const char *place, const char *format, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    build->good = false;
    return faults_add(build->faults, "%s: %s", place, text);
}

bool config_unknown_key(struct config_build *build, const struct config_entry *entry,
                        const char *where, const char *const *keys, size_t count)
{
    const char *kind = config_kind_of(entry->key);
    if (config_key_find(entry->key) != NULL)
        return config_fault(build, entry->place,
                            "unknown key '%s' %s; it stands above the first heading",
                            entry->key, where);
    if (kind != NULL)
        return config_fault(build, entry->place,
                            "unknown key '%s' %s; it stands under a heading [%s NAME]",
                            entry->key, where, kind);
    return config_fault(build, entry->place,
                        "unknown key '%.64s' %s; the nearest known is '%s'", entry->key,
                        where, nearest_word(entry->key, keys, count));
}

char *path_join(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = mem_alloc(size);
    snprintf(path, size, "%s/%s", folder, name);
    return path;
}

/* The folder of a file's path, "" if it has none; the caller frees it. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash != NULL ? (size_t)(slash - path) : 0;
    char *folder = mem_strdup(path);
    folder[len] = '\0';
    return folder;
}

char *config_path_of(const struct config_build *build, const struct config_entry *entry)
{
    const char *path = entry->value, *home = build->sources->home;
    if (strncmp(path, "~/", 2) == 0 && home != NULL)
        return path_join(home, path + 2);
    if (path[0] == '/' || !entry->in_file || strchr(build->sources->path, '/') == NULL)
        return mem_strdup(path);
    char *folder = folder_of(build->sources->path);
    char *joined = path_join(folder, path);
    free(folder);
    return joined;
}

void config_note_given(struct config_build *build, const char *key, const char *value)
{
    struct config *config = build->config;
    config->given = mem_grow(config->given, &build->given_capacity,
                             config->given_count + 1, sizeof(*config->given));
    config->given[config->given_count++] =
        (struct config_given){mem_strdup(key), mem_strdup(value)};
}

const struct config_list *config_list_find(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->list_count; i++) {
        if (strcmp(config->lists[i].name, name) == 0)
            return &config->lists[i];
    }
    return NULL;
}

const struct config_publisher *config_publisher_find(const struct config *config,
                                                     const char *name)
{
    for (size_t i = 0; i < config->publisher_count; i++) {
        if (strcmp(config->publishers[i].name, name) == 0)
            return &config->publishers[i];
    }
    return NULL;
}

void config_release(struct config *config)
{
    for (size_t i = 0; i < config->http_host_count; i++)
        free(config->http_hosts[i]);
    for (size_t i = 0; i < config->list_count; i++) {
        free(config->lists[i].custodian);
        free(config->lists[i].file);
        free(config->lists[i].place);
    }
    for (size_t i = 0; i < config->publisher_count; i++) {
        free(config->publishers[i].file);
        free(config->publishers[i].evm.rpc);
        free(config->publishers[i].evm.key_file);
        free(config->publishers[i].evm.password_file);
        free(config->publishers[i].place);
    }
    for (size_t i = 0; i < config->given_count; i++) {
        free(config->given[i].key);
        free(config->given[i].value);
    }
    free(config->path);
    free(config->datadir);
    free(config->custom_signet);
    free(config->connect);
    free(config->checkpoints);
    free(config->filter_checkpoints);
    free(config->http_bind);
    free(config->proxy);
    free(config->http_hosts);
    free(config->node_rpc);
    free(config->node_cookie_file);
    free(config->log);
    free(config->lists);
    free(config->publishers);
    free(config->feeds);
    free(config->given);
    *config = (struct config){0};
}

bool config_parse(struct config *out, struct faults *faults,
                  const struct config_sources *sources)
{
    struct config_build build = {
        .config = out, .faults = faults, .sources = sources, .good = true};

    *out = (struct config){.path = mem_strdup(sources->path)};
    if (!config_file_parse(&build.file, faults, sources->path, sources->text,
                           sources->len))
        build.good = false;
    config_build_globals(&build);
    config_build_sections(&build);
    config_file_release(&build.file);
    config_section_release(&build.environment);
    config_section_release(&build.command_line);
    if (build.network_unknown)
        out->network = NULL;
    return build.good;
}

static bool read_file(char **text, size_t *len, bool *absent, const char *path,
                      bool must_exist, struct faults *faults)
{
    struct error error;
    *absent = !must_exist && access(path, F_OK) != 0 && errno == ENOENT;
    if (*absent) {
        *text = mem_strdup("");
        *len = 0;
        return true;
    }
    if (file_read(text, len, path, CONFIG_FILE_MAX, &error))
        return true;
    return faults_add(faults, "configuration: %s", error.text);
}

bool config_load(struct config *out, struct faults *faults, const char *path,
                 const struct config_option *options, size_t option_count)
{
    const char *home = getenv("HOME");
    if (home != NULL && home[0] != '/')
        home = NULL;
    char *folder = home != NULL ? path_join(home, ".reservewatch") : NULL;
    char *default_path = folder != NULL ? path_join(folder, CONFIG_NAME) : NULL;
    char *text = NULL;
    struct config_sources sources = {
        .path = path != NULL ? path : default_path,
        .environment = (const char *const *)environ,
        .options = options,
        .option_count = option_count,
        .home = home,
    };
    bool good = false, absent = false;
    *out = (struct config){0};
    if (sources.path == NULL)
        faults_add(faults, "configuration: HOME isn't set; name the file with --conf");
    else if (!config_text_printable(sources.path))
        faults_add(faults, "%s: the configuration's path isn't UTF-8 text; rename it",
                   sources.path);
    else
        good =
            read_file(&text, &sources.len, &absent, sources.path, path != NULL, faults);
    sources.text = text;
    good = good && config_parse(out, faults, &sources);
    out->absent = absent;
    free(text);
    free(folder);
    free(default_path);
    return good;
}
