/* What the program's exit status says. Scripts rely on the numbers. */
#ifndef APP_EXIT_STATUS_H
#define APP_EXIT_STATUS_H

enum exit_status {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,        /* the command line, the configuration or a list is at fault */
    EXIT_GATE = 3,         /* a gate doesn't hold, or a feed's sample isn't good */
    EXIT_BUSY = 4,         /* another instance holds the datadir */
    EXIT_NEWER_SCHEMA = 5, /* the ledger was written by a newer version */
};

#endif
