/* The command line. */
#ifndef APP_CLI_H
#define APP_CLI_H

#include "app/command.h"
#include "base/error.h"

enum cli_wish {
    CLI_RUN,  /* invocation->command is to be run */
    CLI_HELP, /* of invocation->command, or overall if it is NULL */
    CLI_VERSION,
    CLI_FAULT, /* the error says what is wrong and what to write instead */
};

/* Read the words after the program's name. Options may stand before and after the
 * command; "--" ends them. *out points into the words. */
NODISCARD enum cli_wish cli_parse(struct invocation *out, const char *const *words,
                                  size_t count, struct error *error);

/* The whole program; returns its exit status. */
int cli_main(int argc, char **argv);

#endif
