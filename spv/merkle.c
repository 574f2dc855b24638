#include "spv/merkle.h"

#include <string.h>

#include "base/hash.h"

bool merkle_root(uint8_t root[static 32], uint8_t (*nodes)[32], size_t count)
{
    bool distinct = true;

    if (count == 0) {
        memset(root, 0, 32);
        return true;
    }
    while (count > 1) {
        size_t pairs = count / 2;
        for (size_t i = 0; i < pairs; i++) {
            uint8_t pair[64];
            memcpy(pair, nodes[2 * i], sizeof(pair));
            distinct &= memcmp(pair, pair + 32, 32) != 0;
            sha256d(nodes[i], pair, sizeof(pair));
        }
        if (count % 2 == 1) {
            uint8_t pair[64];
            memcpy(pair, nodes[count - 1], 32);
            memcpy(pair + 32, nodes[count - 1], 32);
            sha256d(nodes[pairs], pair, sizeof(pair));
        }
        count = pairs + count % 2;
    }
    memcpy(root, nodes[0], 32);
    return distinct;
}
