/* RLP, and raw transactions within it, as a damaged record may hold them. */
#include <stdlib.h>
#include <string.h>

#include "feeds/evm/rlp.h"
#include "feeds/evm/transaction.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEPTH_MAX 16

/* Write again what was read; false if it can't be, or lists lie deeper. */
static bool copy_items(struct writer *out, struct bytes items, unsigned depth)
{
    struct reader reader;
    reader_init(&reader, items.data, items.len);
    while (reader.left > 0) {
        struct rlp_item item = rlp_read(&reader);
        struct writer inner = {0};
        if (!item.is_list) {
            rlp_write_string(out, item.content.data, item.content.len);
            continue;
        }
        bool good = depth > 0 && copy_items(&inner, item.content, depth - 1);
        rlp_write_list(out, (struct bytes){inner.data, inner.len});
        writer_release(&inner);
        if (!good)
            return false;
    }
    return reader_done(&reader);
}

/* Only the canonical form is read, so writing it again gives the same bytes. */
static void canonical(struct bytes input)
{
    struct writer again = {0};
    if (input.len > 0 && copy_items(&again, input, DEPTH_MAX) &&
        (again.len != input.len || memcmp(again.data, input.data, input.len) != 0))
        abort();
    writer_release(&again);
}

static void transaction(struct bytes input)
{
    struct evm_transaction read;
    struct evm_signature signature;
    struct evm_address sender;
    struct error error;
    struct writer again = {0};
    if (!evm_transaction_read(&read, &signature, &sender, input, &error))
        return;
    evm_transaction_write(&again, &read, &signature);
    if (again.len != input.len || memcmp(again.data, input.data, input.len) != 0)
        abort();
    writer_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    canonical((struct bytes){data, size});
    transaction((struct bytes){data, size});
    return 0;
}
