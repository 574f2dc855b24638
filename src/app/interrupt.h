/* SIGINT and SIGTERM, for a command that ends in good order at the next piece of work. */
#ifndef APP_INTERRUPT_H
#define APP_INTERRUPT_H

#include <stdbool.h>

/* Catch them from now on; a second one kills as usual. */
void interrupt_catch(void);
/* Whether one has come. */
bool interrupt_asked(void);

#endif
