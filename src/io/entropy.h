/* Randomness from the system. */
#ifndef IO_ENTROPY_H
#define IO_ENTROPY_H

#include <stddef.h>

/* Fill `out` with `len` bytes fit for keys and seeds. Waits while a freshly started
 * machine has none; aborts where the system has no such source at all. */
void entropy_fill(void *out, size_t len);

#endif
