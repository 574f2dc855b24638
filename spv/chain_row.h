/* One height of a chain: header, hash and, where known, filter header. */
#ifndef SPV_CHAIN_ROW_H
#define SPV_CHAIN_ROW_H

#include "spv/header.h"

struct chain_row {
    struct block_header header;
    struct block_hash hash;
    struct filter_header filter_header;
    bool has_filter_header;
};

#endif
