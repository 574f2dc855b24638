/* Output descriptors as far as watch lists need them: addr(ADDRESS) and raw(HEX), with or
 * without BIP 380's checksum; a plain address too. */
#ifndef SPV_DESCRIPTOR_H
#define SPV_DESCRIPTOR_H

#include "spv/address.h"

/* Read one descriptor or address into a script that the caller frees (*script, *len). A
 * script that can't be watched is refused. On failure *error_at is the index of the
 * character at fault. */
NODISCARD bool descriptor_parse(uint8_t **script, size_t *script_len,
                                const struct network *network, const char *text,
                                size_t len, size_t *error_at, struct error *error);

/* The eight characters of BIP 380's checksum for the text before '#'; false if it holds a
 * character that descriptors don't have. */
NODISCARD bool descriptor_checksum(char out[static 9], const char *text, size_t len);

#endif
