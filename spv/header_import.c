#include "spv/header_import.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Headers hashed together: enough to fill a vector's lanes over and over. */
#define HASHED_TOGETHER 256

static size_t some_of(size_t left)
{
    return left < HASHED_TOGETHER ? left : HASHED_TOGETHER;
}

void header_import_init(struct header_import *import, const struct network *network,
                        const struct checkpoint *pins, size_t pin_count)
{
    *import = (struct header_import){.pins = pins, .pin_count = pin_count};
    header_stream_at_genesis(&import->stream, network);
}

void header_import_release(struct header_import *import)
{
    free(import->marks);
    *import = (struct header_import){0};
}

uint32_t header_import_height(const struct header_import *import)
{
    return import->stream.past.height;
}

const struct block_hash *header_import_tip(const struct header_import *import)
{
    return &import->stream.hash;
}

static bool judge_genesis(struct header_import *import, const uint8_t *record,
                          struct error *error)
{
    const struct network *network = import->stream.network;
    uint8_t genesis[BLOCK_HEADER_SIZE];
    block_header_encode(genesis, &network->genesis);
    import->begun = memcmp(record, genesis, sizeof(genesis)) == 0;
    return import->begun ||
           error_set(error,
                     "record 1, height 0: it isn't %s's genesis; the file is of another "
                     "network, doesn't begin at genesis, or isn't 80-byte headers",
                     network->name);
}

static bool pins_hold(const struct header_import *import, struct error *error)
{
    const struct header_stream *stream = &import->stream;
    for (size_t i = 0; i < import->pin_count; i++) {
        if (import->pins[i].height != stream->past.height ||
            block_hash_equal(&import->pins[i].hash, &stream->hash))
            continue;
        char text[ID_TEXT_MAX];
        block_hash_text(text, &import->pins[i].hash);
        return error_set(error, "it isn't the checkpoint %s: it is another chain", text);
    }
    return true;
}

static bool judge_next(struct header_import *import, const uint8_t *record,
                       const struct block_hash *hash, struct wall_time now,
                       struct error *error)
{
    struct block_header header;
    block_header_decode(&header, record);
    switch (header_stream_add(&import->stream, &header, hash, now, error)) {
    case HEADER_ADDED:
        return pins_hold(import, error);
    case HEADER_ORPHAN:
        return error_set(error, "it doesn't name the header before it");
    case HEADER_FUTURE:
        return error_set(error,
                         "its time %" PRIu32 " is over two hours ahead of this machine's "
                         "clock; check that",
                         header.time.s);
    case HEADER_INVALID:
    case HEADER_KNOWN:
    case HEADER_TOO_OLD:
        break;
    }
    return false;
}

static void remember(struct header_import *import)
{
    if (import->stream.past.height % HEADER_IMPORT_PIECE != 0)
        return;
    import->marks = mem_grow(import->marks, &import->mark_capacity,
                             import->mark_count + 1, sizeof(*import->marks));
    import->marks[import->mark_count++] = import->stream.hash;
}

/* At most HASHED_TOGETHER, none of which is genesis. */
static bool judge_some(struct header_import *import, const uint8_t *records, size_t count,
                       struct wall_time now, struct error *error)
{
    struct block_hash hashes[HASHED_TOGETHER];
    block_headers_hash_bytes(hashes, records, count);
    for (size_t i = 0; i < count; i++) {
        uint32_t height = import->stream.past.height + 1;
        const uint8_t *record = records + i * BLOCK_HEADER_SIZE;
        if (!judge_next(import, record, &hashes[i], now, error)) {
            error_prefix(error, "record %" PRIu32 ", height %" PRIu32, height + 1,
                         height);
            return false;
        }
        remember(import);
    }
    return true;
}

bool header_import_judge(struct header_import *import, const uint8_t *records,
                         size_t count, struct wall_time now, struct error *error)
{
    size_t done = 0;
    if (!import->begun && count > 0) {
        if (!judge_genesis(import, records, error))
            return false;
        done++;
    }
    while (done < count) {
        size_t some = some_of(count - done);
        if (!judge_some(import, records + done * BLOCK_HEADER_SIZE, some, now, error))
            return false;
        done += some;
    }
    return true;
}

bool header_import_enough(const struct header_import *import, struct error *error)
{
    const struct network *network = import->stream.network;
    struct u256 least = u256_from_be(network->minimum_work);
    return u256_compare(&import->stream.work, &least) >= 0 ||
           error_set(error,
                     "its %" PRIu32 " headers have less work than %s's chain is known to "
                     "have; name a newer file",
                     import->stream.past.height + 1, network->name);
}

static uint32_t piece_end(const struct header_import *import, uint32_t from)
{
    uint32_t end =
        (from + HEADER_IMPORT_PIECE - 1) / HEADER_IMPORT_PIECE * HEADER_IMPORT_PIECE;
    uint32_t tip = import->stream.past.height;
    return end < tip ? end : tip;
}

size_t header_import_piece(const struct header_import *import, uint32_t from)
{
    assert(from > 0 && from <= import->stream.past.height);
    return piece_end(import, from) - from + 1;
}

/* Decode headers if each names the one before it, the first `hash`, which becomes the
 * last one's. */
static bool take_some(struct block_header *out, struct block_hash *hash,
                      const uint8_t *records, size_t count)
{
    struct block_hash hashes[HASHED_TOGETHER];
    bool same = true;
    block_headers_hash_bytes(hashes, records, count);
    for (size_t i = 0; i < count && same; i++) {
        block_header_decode(&out[i], records + i * BLOCK_HEADER_SIZE);
        same = block_hash_equal(&out[i].previous, i == 0 ? hash : &hashes[i - 1]);
    }
    *hash = hashes[count - 1];
    return same;
}

/* The last one's hash stands for all. */
bool header_import_take(const struct header_import *import, struct block_header *out,
                        const uint8_t *records, uint32_t from, struct error *error)
{
    size_t count = header_import_piece(import, from);
    uint32_t end = piece_end(import, from);
    bool same = true;
    block_header_decode(&out[0], records);
    struct block_hash hash = out[0].previous; /* whatever it is: it is hashed, too */
    for (size_t done = 0; done < count && same;) {
        size_t some = some_of(count - done);
        same = take_some(out + done, &hash, records + done * BLOCK_HEADER_SIZE, some);
        done += some;
    }
    const struct block_hash *expected =
        end == import->stream.past.height ? &import->stream.hash
                                          : &import->marks[end / HEADER_IMPORT_PIECE - 1];
    return (same && block_hash_equal(&hash, expected)) ||
           error_set(error,
                     "heights %" PRIu32 " to %" PRIu32
                     " aren't what they were when the file was checked; import one that "
                     "nobody writes to",
                     from, end);
}
