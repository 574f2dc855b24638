/* What holds a secret: wiped after use, compared without telling where it differs. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* Overwrite with zeros in a way that the compiler doesn't drop. NULL with len 0 is fine.
 */
void secret_wipe(void *data, size_t len);
/* The time taken depends on `len` only. */
bool secret_equal(const void *a, const void *b, size_t len);

#endif
