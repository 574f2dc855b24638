/* 32 bytes of block hash, then a filter; matched against a fixed set by every kernel. */
#include <stdlib.h>
#include <string.h>

#include "spv/gcs_kernel.h"
#include "tests/plain_gcs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t seed[2] = {1, 2};
    struct bytes scripts[100];
    uint8_t rooms[100][2];
    uint32_t ids[100];
    struct tx_out outs[100];
    struct block block = {.outs = outs, .out_count = 100};

    if (size < 32) {
        return 0;
    }
    memcpy(block.hash.b, data, 32);
    for (uint32_t i = 0; i < 100; i++) {
        rooms[i][0] = 0x51;
        rooms[i][1] = (uint8_t)i;
        scripts[i] = (struct bytes){rooms[i], 2};
        outs[i].script = scripts[i];
        ids[i] = i;
    }
    struct bytes filter = {data + 32, size - 32};
    struct script_set *set = script_set_new(scripts, ids, 100, seed);
    enum gcs_result plain = plain_match_any(filter, &block.hash, scripts, 100);
    for (size_t i = 0; gcs_kernels()[i] != NULL; i++) {
        const struct gcs_kernel *kernel = gcs_kernels()[i];
        enum gcs_result any = gcs_match_any_with(filter, &block.hash, set, kernel);
        enum gcs_result all = gcs_holds_outputs_with(filter, &block, kernel);
        if (any != plain || (any == GCS_MALFORMED) != (all == GCS_MALFORMED) ||
            (all == GCS_MATCH && any != GCS_MATCH)) {
            abort();
        }
    }
    script_set_unref(set);
    return 0;
}
