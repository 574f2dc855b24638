/* A byte for the network and the kind of file, a byte for how the file is cut; then the
 * file: what its beginning says it holds, and its headers judged in pieces. However they
 * are cut, the verdict is the same; what was judged is taken again, and nothing else. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "spv/header_file.h"
#include "spv/header_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct wall_time late = {4000000000};

static void require(bool condition)
{
    if (!condition)
        abort();
}

static bool judge(struct header_import *import, const struct network *network,
                  const uint8_t *records, size_t count, size_t step)
{
    struct error error;
    bool good = true;
    header_import_init(import, network, NULL, 0);
    for (size_t at = 0; at < count && good; at += step)
        good = header_import_judge(import, records + at * BLOCK_HEADER_SIZE,
                                   count - at < step ? count - at : step, late, &error);
    return good;
}

static void take_again(const struct header_import *import, const uint8_t *records)
{
    if (header_import_height(import) == 0)
        return;
    size_t count = header_import_piece(import, 1);
    struct block_header *headers = mem_zalloc(count, sizeof(*headers));
    struct error error;
    uint8_t *copy = mem_dup(records + BLOCK_HEADER_SIZE, count * BLOCK_HEADER_SIZE);
    require(header_import_take(import, headers, copy, 1, &error));
    copy[count * BLOCK_HEADER_SIZE / 2] ^= 1;
    require(!header_import_take(import, headers, copy, 1, &error));
    free(copy);
    free(headers);
}

static void judge_twice(const struct network *network, const uint8_t *records,
                        size_t count, size_t step)
{
    struct header_import whole, cut;
    bool good = judge(&whole, network, records, count, count);
    require(judge(&cut, network, records, count, step) == good);
    require(header_import_height(&whole) == header_import_height(&cut));
    require(block_hash_equal(header_import_tip(&whole), header_import_tip(&cut)));
    if (good) {
        require(header_import_height(&whole) + 1 == count);
        take_again(&whole, records);
    }
    header_import_release(&whole);
    header_import_release(&cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct header_file_layout layout;
    struct error error;
    if (size < 2)
        return 0;
    const struct network *network = network_all()[data[0] % 5];
    enum header_file_kind kind =
        data[0] & 0x80 ? HEADER_FILE_FILTERS : HEADER_FILE_BLOCKS;
    size_t step = 1 + data[1];
    data += 2;
    size -= 2;
    const struct bytes head = {data,
                               size < HEADER_FILE_PREFIX ? size : HEADER_FILE_PREFIX};
    if (!header_file_layout_of(&layout, kind, head, size, 1000, network, &error))
        return 0;
    require(layout.count >= 1 && layout.count <= 1000);
    require(layout.offset + (uint64_t)layout.count * layout.record_size == size);
    require(size <= header_file_size_max(kind, layout.count));
    if (kind == HEADER_FILE_BLOCKS)
        judge_twice(network, data + layout.offset, layout.count, step);
    return 0;
}
