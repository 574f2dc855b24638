#include "app/interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t asked;

static void note(int signal_number)
{
    (void)signal_number;
    asked = 1;
}

void interrupt_catch(void)
{
    const struct sigaction action = {.sa_handler = note,
                                     .sa_flags = SA_RESTART | (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool interrupt_asked(void)
{
    return asked != 0;
}
