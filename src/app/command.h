/* The commands, each in a file of its own (cmd_*.c). */
#ifndef APP_COMMAND_H
#define APP_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "app/config.h"
#include "app/exit_status.h"

/* More words than any command takes. */
#define COMMAND_ARGUMENTS_MAX 4
#define COMMAND_OPTIONS_MAX 128

/* How a command was called. */
struct invocation {
    const struct command *command;
    const char *conf; /* --conf; NULL: the default */
    struct config_option options[COMMAND_OPTIONS_MAX];
    size_t option_count;
    const char *arguments[COMMAND_ARGUMENTS_MAX];
    size_t argument_count;
    bool json;
    bool csv;
    bool dry_run;
    bool has_from;
    uint32_t from;               /* --from: a height */
    const char *filter_headers;  /* --filter-headers: a file or URL; NULL: none */
    const char *password_file;   /* --password-file; NULL: ask */
    const struct config *config; /* NULL unless the command needs one */
};

struct command {
    const char *name;
    const char *usage;   /* its own arguments and options: "[FEED] [--json]" */
    const char *summary; /* for the overview, one line */
    const char *help;    /* the rest: what it does, example, exit status */
    size_t arguments_min, arguments_max;
    bool json, csv; /* options that it has */
    bool dry_run;   /* the option that it can't do without */
    bool password_file;
    bool filter_headers;
    bool from;
    bool needs_config; /* a configuration without fault is loaded before */
    enum exit_status (*run)(const struct invocation *invocation);
};

/* In the order of the overview. */
extern const struct command commands[];
extern const size_t command_count;

enum exit_status cmd_audit(const struct invocation *invocation);
enum exit_status cmd_check(const struct invocation *invocation);
enum exit_status cmd_coins(const struct invocation *invocation);
enum exit_status cmd_import(const struct invocation *invocation);
enum exit_status cmd_keys(const struct invocation *invocation);
enum exit_status cmd_peers(const struct invocation *invocation);
enum exit_status cmd_publish(const struct invocation *invocation);
enum exit_status cmd_publications(const struct invocation *invocation);
enum exit_status cmd_reload(const struct invocation *invocation);
enum exit_status cmd_rescan(const struct invocation *invocation);
enum exit_status cmd_reserves(const struct invocation *invocation);
enum exit_status cmd_run(const struct invocation *invocation);
enum exit_status cmd_status(const struct invocation *invocation);

#endif
