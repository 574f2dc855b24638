#include "spv/merkle.h"

#include <string.h>

#include "base/hash.h"
#include "base/sha256_many.h"

bool merkle_root(uint8_t root[static 32], uint8_t (*nodes)[32], size_t count)
{
    uint8_t odd[64];
    bool distinct = true;

    if (count == 0) {
        memset(root, 0, 32);
        return true;
    }
    while (count > 1) {
        if (count % 2 == 1) {
            memcpy(odd, nodes[count - 1], 32);
            memcpy(odd + 32, nodes[count - 1], 32);
        }
        size_t pairs = count / 2;
        for (size_t i = 0; i < pairs; i++)
            distinct &= memcmp(nodes[2 * i], nodes[2 * i + 1], 32) != 0;
        sha256d_each(nodes, nodes[0], 64, pairs);
        if (count % 2 == 1)
            sha256d(nodes[pairs], odd, sizeof(odd));
        count = pairs + count % 2;
    }
    memcpy(root, nodes[0], 32);
    return distinct;
}
