#include "app/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/nearest.h"
#include "app/output.h"
#include "app/version.h"
#include "base/decimal.h"
#include "base/log.h"
#include "base/mem.h"

/* Options besides the global keys. */
static const char *const plain_options[] = {
    "help",          "version",        "json", "csv",    "conf",
    "password-file", "filter-headers", "from", "dry-run"};
#define PLAIN_OPTIONS (sizeof(plain_options) / sizeof(*plain_options))

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

/* ---- parsing ---- */

struct words {
    const char *const *at;
    size_t left;
};

static bool is_global_key(const char *name, size_t len)
{
    const char *const *keys = config_global_keys();
    for (size_t i = 0; i < CONFIG_KEYS; i++) {
        if (strlen(keys[i]) == len && memcmp(keys[i], name, len) == 0)
            return true;
    }
    return false;
}

static bool unknown_option(const char *name, size_t len, struct error *error)
{
    char word[80];
    const char *const *keys = config_global_keys();
    const char *known[CONFIG_KEYS + PLAIN_OPTIONS];
    for (size_t i = 0; i < CONFIG_KEYS; i++)
        known[i] = keys[i];
    for (size_t i = 0; i < PLAIN_OPTIONS; i++)
        known[CONFIG_KEYS + i] = plain_options[i];
    snprintf(word, sizeof(word), "%.*s", (int)(len > 64 ? 64 : len), name);
    return error_set(error, "unknown option '--%s'; the nearest known is '--%s'", word,
                     nearest_word(word, known, CONFIG_KEYS + PLAIN_OPTIONS));
}

/* The value of an option: behind its '=', or the next word. */
static const char *option_value(struct words *words, const char *name, size_t len,
                                struct error *error)
{
    const char *value = name[len] == '=' ? name + len + 1 : NULL;
    if (value == NULL && words->left > 0) {
        value = *words->at++;
        words->left--;
    }
    if (value == NULL || *value == '\0') {
        error_set(error, "--%.*s: has no value; write --%.*s=VALUE", (int)len, name,
                  (int)len, name);
        return NULL;
    }
    return value;
}

static bool parse_global(struct invocation *out, struct words *words, const char *name,
                         size_t len, struct error *error)
{
    const char *const *keys = config_global_keys();
    const char *value = option_value(words, name, len, error);
    if (value == NULL)
        return false;
    if (out->option_count == COMMAND_OPTIONS_MAX)
        return error_set(error, "too many options: at most %d; use the configuration",
                         COMMAND_OPTIONS_MAX);
    for (size_t i = 0; i < CONFIG_KEYS; i++) {
        if (strlen(keys[i]) == len && memcmp(keys[i], name, len) == 0)
            out->options[out->option_count++] = (struct config_option){keys[i], value};
    }
    return true;
}

/* A switch, which takes no value; false if it isn't one. */
static bool parse_switch(struct invocation *out, enum cli_wish *wish, const char *name)
{
    if (strcmp(name, "help") == 0)
        *wish = CLI_HELP;
    else if (strcmp(name, "version") == 0)
        *wish = CLI_VERSION;
    else if (strcmp(name, "json") == 0)
        out->json = true;
    else if (strcmp(name, "csv") == 0)
        out->csv = true;
    else if (strcmp(name, "dry-run") == 0)
        out->dry_run = true;
    else
        return false;
    return true;
}

static bool parse_from(struct invocation *out, const char *text, struct error *error)
{
    uint64_t height;
    if (text == NULL)
        return false;
    if (!decimal_parse(&height, text, strlen(text), UINT32_MAX / 2 - 1))
        return error_set(error, "--from: '%.64s' isn't a height", text);
    out->has_from = true;
    out->from = (uint32_t)height;
    return true;
}

static bool parse_option(struct invocation *out, enum cli_wish *wish, struct words *words,
                         const char *name, struct error *error)
{
    size_t len = strcspn(name, "=");
    if (parse_switch(out, wish, name))
        return true;
    if (len == strlen("conf") && memcmp(name, "conf", len) == 0) {
        out->conf = option_value(words, name, len, error);
        return out->conf != NULL;
    }
    if (len == strlen("password-file") && memcmp(name, "password-file", len) == 0) {
        out->password_file = option_value(words, name, len, error);
        return out->password_file != NULL;
    }
    if (len == strlen("filter-headers") && memcmp(name, "filter-headers", len) == 0) {
        out->filter_headers = option_value(words, name, len, error);
        return out->filter_headers != NULL;
    }
    if (len == strlen("from") && memcmp(name, "from", len) == 0)
        return parse_from(out, option_value(words, name, len, error), error);
    if (is_global_key(name, len))
        return parse_global(out, words, name, len, error);
    return unknown_option(name, len, error);
}

static bool parse_word(struct invocation *out, const char *word, struct error *error)
{
    if (out->command != NULL) {
        if (out->argument_count == COMMAND_ARGUMENTS_MAX)
            return error_set(error, "'%.64s': too many arguments", word);
        out->arguments[out->argument_count++] = word;
        return true;
    }
    out->command = command_find(word);
    if (out->command != NULL)
        return true;
    const char **names = mem_zalloc(command_count, sizeof(*names));
    for (size_t i = 0; i < command_count; i++)
        names[i] = commands[i].name;
    error_set(error, "unknown command '%.64s'; the nearest known is '%s'", word,
              nearest_word(word, names, command_count));
    free(names);
    return false;
}

/* Whether the command takes what it was given. */
static bool check_use(const struct invocation *invocation, struct error *error)
{
    const struct command *command = invocation->command;
    if (invocation->argument_count < command->arguments_min)
        return error_set(error, "%s: write reservewatch %s %s", command->name,
                         command->name, command->usage);
    if (invocation->argument_count > command->arguments_max)
        return error_set(error,
                         "%s: '%.64s' is an argument too many; write reservewatch "
                         "%s %s",
                         command->name, invocation->arguments[command->arguments_max],
                         command->name, command->usage);
    if (invocation->json && !command->json)
        return error_set(error, "%s: has no --json", command->name);
    if (invocation->csv && !command->csv)
        return error_set(error, "%s: has no --csv", command->name);
    if (invocation->password_file != NULL && !command->password_file)
        return error_set(error, "%s: has no --password-file", command->name);
    if (invocation->filter_headers != NULL && !command->filter_headers)
        return error_set(error, "%s: has no --filter-headers", command->name);
    if (invocation->has_from && !command->from)
        return error_set(error, "%s: has no --from", command->name);
    if (invocation->dry_run != command->dry_run)
        return error_set(error,
                         command->dry_run ? "%s: write --dry-run; the running watcher "
                                            "publishes by itself"
                                          : "%s: has no --dry-run",
                         command->name);
    if (invocation->csv && invocation->json)
        return error_set(error, "%s: give either --json or --csv", command->name);
    return true;
}

enum cli_wish cli_parse(struct invocation *out, const char *const *list, size_t count,
                        struct error *error)
{
    enum cli_wish wish = CLI_RUN;
    struct words words = {list, count};
    bool options = true, good = true;
    *out = (struct invocation){0};
    while (good && words.left > 0) {
        const char *word = *words.at++;
        words.left--;
        if (!options || word[0] != '-' || word[1] == '\0')
            good = parse_word(out, word, error);
        else if (strcmp(word, "--") == 0)
            options = false;
        else if (strcmp(word, "-h") == 0)
            wish = CLI_HELP;
        else if (word[1] == '-')
            good = parse_option(out, &wish, &words, word + 2, error);
        else
            good = error_set(error,
                             "unknown option '%.64s'; options are written "
                             "--NAME, -h is --help",
                             word);
    }
    if (!good)
        return CLI_FAULT;
    if (wish != CLI_RUN)
        return wish;
    if (out->command == NULL) {
        error_set(error, "no command; `reservewatch --help` lists them");
        return CLI_FAULT;
    }
    return check_use(out, error) ? CLI_RUN : CLI_FAULT;
}

/* ---- help ---- */

static void print_overview(void)
{
    printf(
        "Usage: reservewatch [--conf FILE] [--KEY=VALUE]... COMMAND [ARGUMENT]...\n"
        "\n"
        "Watches the addresses in which custodians keep bitcoin, as a light client of\n"
        "the Bitcoin network, and publishes the proven sum of each feed.\n"
        "\n"
        "Commands:\n");
    for (size_t i = 0; i < command_count; i++)
        printf("  %-14s %s\n", commands[i].name, commands[i].summary);
    printf("\n"
           "Options:\n"
           "  --conf FILE     configuration (default ~/.reservewatch/reservewatch.conf)\n"
           "  --datadir DIR   where the ledger lies (default ~/.reservewatch/NETWORK)\n"
           "  --network NAME  mainnet (default), testnet3, testnet4, signet or regtest\n"
           "  --KEY=VALUE     any other key that stands above the file's first heading;\n"
           "                  beats the environment (RESERVEWATCH_KEY), which beats the "
           "file\n"
           "  --json          print one JSON object\n"
           "  --help          this, or with a COMMAND what it does\n"
           "  --version\n"
           "\n"
           "Exit status:\n"
           "  0  done\n"
           "  1  failed\n"
           "  2  command line, configuration or a list at fault\n"
           "  3  a gate fails: a number can't be proven now\n"
           "  4  another watcher holds the datadir (its pid is named)\n"
           "  5  the ledger was written by a newer version: upgrade\n");
}

static void print_help(const struct command *command)
{
    if (command == NULL) {
        print_overview();
        return;
    }
    printf("Usage: reservewatch [--conf FILE] [--KEY=VALUE]... %s%s%s\n\n%s",
           command->name, command->usage[0] != '\0' ? " " : "", command->usage,
           command->help);
}

/* ---- running ---- */

static enum exit_status run_with_config(const struct invocation *given)
{
    struct invocation invocation = *given;
    struct config config;
    struct faults faults = {0};
    enum exit_status status = EXIT_USAGE;
    if (config_load(&config, &faults, invocation.conf, invocation.options,
                    invocation.option_count)) {
        invocation.config = &config;
        if (config.log != NULL && !log_configure(config.log))
            complain("log=%s: can't be applied", config.log);
        status = invocation.command->run(&invocation);
    } else {
        faults_print(&faults);
    }
    faults_release(&faults);
    config_release(&config);
    return status;
}

int cli_main(int argc, char **argv)
{
    struct invocation invocation;
    struct error error;
    size_t count = argc > 0 ? (size_t)argc - 1 : 0;
    enum cli_wish wish =
        cli_parse(&invocation, (const char *const *)argv + 1, count, &error);
    enum exit_status status = EXIT_DONE;
    switch (wish) {
    case CLI_FAULT:
        complain("%s", error.text);
        status = EXIT_USAGE;
        break;
    case CLI_HELP:
        print_help(invocation.command);
        break;
    case CLI_VERSION:
        printf("reservewatch %s\n", reservewatch_version);
        break;
    case CLI_RUN:
        if (invocation.command->needs_config)
            status = run_with_config(&invocation);
        else
            status = invocation.command->run(&invocation);
        break;
    }
    return (int)output_end(status);
}
