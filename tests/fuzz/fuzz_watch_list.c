/* Watch lists in every form: what is read is whole and unique, what isn't is explained.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "feeds/watch_list.h"
#include "spv/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entries(const struct watch_list *list, size_t size)
{
    struct error error;

    assert(list->count <= size);
    for (size_t i = 0; i < list->count; i++) {
        const struct watch_entry *entry = &list->entries[i];
        const struct bytes script = {entry->script, entry->script_len};
        assert(script_watchable(script, &error));
        assert(entry->line > 0 && entry->line <= size);
        assert(entry->birth <= WATCH_BIRTH_MAX);
        if (entry->label != NULL)
            assert(entry->label[0] != '\0' && strlen(entry->label) <= WATCH_LABEL_MAX);
        if (i > 0) {
            const struct watch_entry *other = entry - 1;
            assert(
                !bytes_equal(script, (struct bytes){other->script, other->script_len}));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t seed[2] = {0x5eed, 0xf00d};
    struct watch_list list;
    struct watch_list_errors errors;

    if (watch_list_parse(&list, &errors, network_find("mainnet"), "list",
                         (const char *)data, size, seed)) {
        assert(errors.count == 0 && errors.more == 0);
        check_entries(&list, size);
    } else {
        assert(errors.count > 0 && errors.count <= WATCH_LIST_ERRORS_MAX);
        assert(list.entries == NULL && list.count == 0);
    }
    watch_list_release(&list);
    return 0;
}
