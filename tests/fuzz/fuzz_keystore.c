/* A key file, up to the point where its password would be needed. */
#include "feeds/evm/keystore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct evm_address address;
    struct error error;
    bool known;
    (void)!keystore_address(&address, &known, (const char *)data, size, &error);
    return 0;
}
