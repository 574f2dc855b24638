/* A chain of headers that can be read twice, such as a file: first judged as a whole, in
 * constant memory; then, piece by piece, proved to be what was judged. So nothing of a
 * chain is believed before all of it is known to be valid and worth it. */
#ifndef SPV_HEADER_IMPORT_H
#define SPV_HEADER_IMPORT_H

#include "spv/header_stream.h"

/* Headers a piece: each piece's last hash is remembered. */
#define HEADER_IMPORT_PIECE 25000

struct header_import {
    struct header_stream stream; /* of the first reading */
    const struct checkpoint *pins;
    size_t pin_count;
    struct block_hash *marks; /* of the headers at multiples of HEADER_IMPORT_PIECE */
    size_t mark_count, mark_capacity;
    bool begun; /* genesis was seen */
};

/* Pins: a header at a checkpoint's height must have its hash. They must outlive this. */
void header_import_init(struct header_import *import, const struct network *network,
                        const struct checkpoint *pins, size_t pin_count);
void header_import_release(struct header_import *import);

/* Judge the next `count` records of BLOCK_HEADER_SIZE bytes, from genesis on, by every
 * rule of header_stream_add and the pins. On false *error names the record (counted from
 * 1), its height and the rule, and nothing may be added. */
NODISCARD bool header_import_judge(struct header_import *import, const uint8_t *records,
                                   size_t count, struct wall_time now,
                                   struct error *error);
/* The height of the newest header judged, and its hash. */
uint32_t header_import_height(const struct header_import *import);
const struct block_hash *header_import_tip(const struct header_import *import);
/* Whether the chain has the network's minimum work. */
NODISCARD bool header_import_enough(const struct header_import *import,
                                    struct error *error);

/* How many headers from height `from` on (1 to header_import_height) are the next piece.
 */
size_t header_import_piece(const struct header_import *import, uint32_t from);
/* Take a piece's records again. False if they aren't those that were judged. */
NODISCARD bool header_import_take(const struct header_import *import,
                                  struct block_header *out, const uint8_t *records,
                                  uint32_t from, struct error *error);

#endif
