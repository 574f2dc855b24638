/* Bitcoin's merkle tree over 32-byte hashes. */
#ifndef SPV_MERKLE_H
#define SPV_MERKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* Fold `count` hashes into their root; `nodes` is used as scratch and holds nothing
 * meaningful afterwards. The root of no hashes is all zeros. False if two siblings are
 * equal at any level: another list of hashes then has the same root (CVE-2012-2459). */
NODISCARD bool merkle_root(uint8_t root[static 32], uint8_t (*nodes)[32], size_t count);

#endif
