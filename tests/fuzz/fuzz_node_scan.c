/* The answer of a node, or of whatever answers in its place, about the coins of two
 * scripts. */
#include <stdlib.h>

#include "feeds/node_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct bytes scripts[] = {{(const uint8_t *)"\x51", 1},
                                           {(const uint8_t *)"\x52\x53", 2}};
    static const uint64_t seed[2] = {1, 2};
    struct script_set *set = script_set_new(scripts, (uint32_t[]){0, 1}, 2, seed);
    struct node_scan scan;
    struct error error;
    struct amount sum = {0};
    enum node_scan_outcome outcome =
        node_scan_read(&scan, (struct bytes){data, size}, set, &error);
    if (outcome != NODE_SCAN_DONE && (scan.coins || scan.count))
        abort();
    for (size_t i = 0; i < scan.count; i++) {
        if (scan.coins[i].script > 1 || scan.coins[i].amount.sat > MAX_MONEY_SAT ||
            !amount_add(&sum, sum, scan.coins[i].amount) ||
            (i &&
             outpoint_compare(&scan.coins[i - 1].outpoint, &scan.coins[i].outpoint) >= 0))
            abort();
    }
    node_scan_release(&scan);
    script_set_unref(set);
    return 0;
}
