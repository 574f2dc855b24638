/* Files of headers: a record a height, from genesis on, nothing between them. Block
 * headers are records of 80 bytes, filter headers (BIP 157, basic) of 32, both as on the
 * wire; so are the files that light clients keep (neutrino's block_headers.bin and
 * reg_filter_headers.bin).
 *
 * In front may stand the 10 bytes of neutrino's import files: the network's magic, a
 * version (0), the kind (0: block headers, 1: filter headers), the first record's height;
 * numbers little-endian. */
#ifndef SPV_HEADER_FILE_H
#define SPV_HEADER_FILE_H

#include "base/bytes.h"
#include "base/error.h"
#include "spv/network.h"

#define HEADER_FILE_PREFIX 10

enum header_file_kind { HEADER_FILE_BLOCKS, HEADER_FILE_FILTERS };

struct header_file_layout {
    size_t record_size;
    uint32_t offset; /* of genesis' record */
    uint32_t count;  /* records; at least 1 */
};

/* Bytes of a file of this kind with `count` records. */
uint64_t header_file_size_max(enum header_file_kind kind, uint32_t count);

/* What a file of `size` bytes holds whose first HEADER_FILE_PREFIX ones (fewer, if it has
 * no more) are `head`. At most `most` records are believed. */
NODISCARD bool header_file_layout_of(struct header_file_layout *out,
                                     enum header_file_kind kind, struct bytes head,
                                     uint64_t size, uint32_t most,
                                     const struct network *network, struct error *error);

#endif
