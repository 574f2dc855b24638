#include "base/sha256_many.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

/* With no more lanes at work than this part of a kernel's, one message after the other is
 * as fast: libcrypto has the processor's SHA instructions for one. */
#define LANES_WORTH 4

/* Longer messages than this many blocks needn't be put in order. */
#define SORTED_BLOCKS 256

/* What FIPS 180-4 puts behind a message of `len` bytes, the last `rest` of which stand at
 * the start of `blocks`. How many blocks that makes. */
static size_t pad(uint8_t blocks[static 2 * SHA256_BLOCK], size_t rest, uint64_t len)
{
    size_t count = rest < SHA256_BLOCK - 8 ? 1 : 2;
    size_t end = count * SHA256_BLOCK;
    blocks[rest] = 0x80;
    memset(blocks + rest + 1, 0, end - 8 - rest - 1);
    put_u64be(blocks + end - 8, len * 8);
    return count;
}

static void start_lane(uint32_t *state, size_t stride)
{
    for (size_t i = 0; i < 8; i++)
        state[i * stride] = sha256_initial[i];
}

static void read_lane(uint8_t out[static 32], const uint32_t *state, size_t stride)
{
    for (size_t i = 0; i < 8; i++)
        put_u32be(out + 4 * i, state[i * stride]);
}

static void write_lane(uint32_t *state, size_t stride, const uint8_t in[static 32])
{
    for (size_t i = 0; i < 8; i++)
        state[i * stride] = get_u32be(in + 4 * i);
}

/* ---- messages of one length ---- */

/* The ends of a group's messages, with what follows them: the same for all groups. */
struct tails {
    uint8_t blocks[SHA256_LANES_MAX][2 * SHA256_BLOCK];
    size_t count; /* of blocks each */
};

static void hash_group(uint8_t (*out)[32], const uint8_t *in, size_t len, size_t count,
                       struct tails *tails, const struct sha256_kernel *kernel)
{
    uint32_t states[8 * SHA256_LANES_MAX];
    const uint8_t *data[SHA256_LANES_MAX], *ends[SHA256_LANES_MAX];
    size_t rest = len % SHA256_BLOCK, lanes = kernel->lanes;

    for (size_t i = 0; i < lanes; i++) {
        data[i] = in + (i < count ? i : 0) * len;
        ends[i] = tails->blocks[i];
        if (rest > 0)
            memcpy(tails->blocks[i], data[i] + len - rest, rest);
        start_lane(states + i, lanes);
    }
    if (len > rest)
        kernel->compress(states, data, len / SHA256_BLOCK);
    kernel->compress(states, ends, tails->count);
    kernel->again(states);
    for (size_t i = 0; i < count; i++)
        read_lane(out[i], states + i, lanes);
}

void sha256d_each_with(uint8_t (*out)[32], const uint8_t *in, size_t len, size_t count,
                       const struct sha256_kernel *kernel)
{
    struct tails tails;
    size_t done = 0;

    for (size_t i = 0; kernel != NULL && i < kernel->lanes; i++)
        tails.count = pad(tails.blocks[i], len % SHA256_BLOCK, len);
    while (kernel != NULL && (count - done) * LANES_WORTH > kernel->lanes) {
        size_t group = count - done < kernel->lanes ? count - done : kernel->lanes;
        hash_group(out + done, in + done * len, len, group, &tails, kernel);
        done += group;
    }
    for (; done < count; done++)
        sha256d(out[done], in + done * len, len);
}

void sha256d_each(uint8_t (*out)[32], const uint8_t *in, size_t len, size_t count)
{
    sha256d_each_with(out, in, len, count, sha256_kernel());
}

/* ---- messages of any lengths ---- */

static uint64_t message_len(const struct sha256d_message *message)
{
    uint64_t len = 0;

    for (size_t i = 0; i < SHA256D_PIECES; i++)
        len += message->pieces[i].len;
    return len;
}

/* Messages by their length in blocks, the longest first: lanes then go side by side, and
 * none is left behind with a long one. */
static void sort(uint16_t order[static SHA256D_BATCH_MAX],
                 const struct sha256d_batch *batch)
{
    uint16_t blocks[SHA256D_BATCH_MAX];
    size_t places[SORTED_BLOCKS] = {0};

    for (size_t i = 0; i < batch->count; i++) {
        uint64_t len = (message_len(&batch->messages[i]) + 8) / SHA256_BLOCK;
        blocks[i] = (uint16_t)(len < SORTED_BLOCKS ? len : SORTED_BLOCKS - 1);
        places[blocks[i]]++;
    }
    for (size_t i = SORTED_BLOCKS, before = 0; i-- > 0;) {
        size_t here = places[i];
        places[i] = before;
        before += here;
    }
    for (size_t i = 0; i < batch->count; i++)
        order[places[blocks[i]]++] = (uint16_t)i;
}

/* A message on its way. */
struct lane {
    struct bytes pieces[SHA256D_PIECES]; /* what is left of it */
    uint8_t *out;                        /* NULL: none */
    uint64_t len;
    bool padded;                      /* its last blocks were given out */
    uint8_t buffer[2 * SHA256_BLOCK]; /* where blocks are brought together */
};

/* Blocks that lie together. */
struct run {
    const uint8_t *data;
    size_t blocks;
};

/* Bring together a block across pieces, or what is left and its padding. */
static struct run gather(struct lane *lane)
{
    size_t used = 0;

    for (size_t i = 0; i < SHA256D_PIECES; i++) {
        struct bytes *piece = &lane->pieces[i];
        size_t room = SHA256_BLOCK - used;
        size_t taken = piece->len < room ? piece->len : room;
        if (taken > 0) {
            memcpy(lane->buffer + used, piece->data, taken);
            piece->data += taken;
            piece->len -= taken;
            used += taken;
        }
    }
    lane->padded = used < SHA256_BLOCK;
    return (struct run){lane->buffer,
                        lane->padded ? pad(lane->buffer, used, lane->len) : 1};
}

/* Of no blocks at the message's end. */
static struct run next_run(struct lane *lane)
{
    struct bytes *piece = lane->pieces;

    if (lane->padded)
        return (struct run){NULL, 0};
    while (piece < lane->pieces + SHA256D_PIECES - 1 && piece->len == 0)
        piece++;
    if (piece->len < SHA256_BLOCK)
        return gather(lane);
    struct run run = {piece->data, piece->len / SHA256_BLOCK};
    piece->data += run.blocks * SHA256_BLOCK;
    piece->len %= SHA256_BLOCK;
    return run;
}

static struct run begin(struct lane *lane, uint32_t *state, size_t stride,
                        const struct sha256d_message *message)
{
    memcpy(lane->pieces, message->pieces, sizeof(lane->pieces));
    lane->out = message->out;
    lane->len = message_len(message);
    lane->padded = false;
    start_lane(state, stride);
    return next_run(lane);
}

/* The rest of one message, one block after the other. */
static void finish_alone(struct lane *lane, struct run run, const uint32_t *state,
                         size_t stride)
{
    struct sha256 hash;

    sha256_init(&hash);
    for (size_t i = 0; i < 8; i++)
        hash.ctx.h[i] = state[i * stride];
    for (; run.blocks > 0; run = next_run(lane))
        sha256_update(&hash, run.data, run.blocks * SHA256_BLOCK);
    for (size_t i = 0; i < 8; i++)
        put_u32be(lane->out + 4 * i, hash.ctx.h[i]);
}

struct lanes {
    const struct sha256_kernel *kernel;
    uint32_t states[8 * SHA256_LANES_MAX];
    /* What each takes up next; SIZE_MAX blocks where there is no message. */
    const uint8_t *data[SHA256_LANES_MAX];
    size_t blocks[SHA256_LANES_MAX];
    size_t busy;
    struct lane at[SHA256_LANES_MAX];
    const struct sha256d_message *messages;
    const uint16_t *order; /* of the messages */
    size_t next, count;    /* in it */
};

/* What the lane takes up next of its message, else of a new one. */
static void refill(struct lanes *lanes, size_t i)
{
    struct lane *lane = &lanes->at[i];
    uint32_t *state = lanes->states + i;
    struct run run = {NULL, 0};

    if (lane->out != NULL) {
        run = next_run(lane);
        if (run.blocks == 0)
            read_lane(lane->out, state, lanes->kernel->lanes);
    }
    if (run.blocks == 0 && lanes->next < lanes->count)
        run = begin(lane, state, lanes->kernel->lanes,
                    &lanes->messages[lanes->order[lanes->next++]]);
    if (run.blocks == 0) {
        lane->out = NULL;
        lanes->busy--;
        run.blocks = SIZE_MAX;
    }
    lanes->data[i] = run.data;
    lanes->blocks[i] = run.blocks;
}

/* Let all take up as many blocks as each has. */
static void advance(struct lanes *lanes)
{
    size_t least = 0, count = lanes->kernel->lanes;

    for (size_t i = 1; i < count; i++) {
        if (lanes->blocks[i] < lanes->blocks[least])
            least = i;
    }
    size_t blocks = lanes->blocks[least];
    for (size_t i = 0; i < count && lanes->busy < count; i++) {
        if (lanes->at[i].out == NULL)
            lanes->data[i] = lanes->data[least];
    }
    lanes->kernel->compress(lanes->states, lanes->data, blocks);
    for (size_t i = 0; i < count; i++) {
        lanes->data[i] += blocks * SHA256_BLOCK;
        if (lanes->at[i].out != NULL && (lanes->blocks[i] -= blocks) == 0)
            refill(lanes, i);
    }
}

static void hash_in_lanes(const struct sha256d_batch *batch)
{
    uint16_t order[SHA256D_BATCH_MAX];
    struct lanes lanes = {.kernel = batch->kernel,
                          .messages = batch->messages,
                          .order = order,
                          .count = batch->count,
                          .busy = batch->kernel->lanes};

    sort(order, batch);
    for (size_t i = 0; i < lanes.kernel->lanes; i++)
        refill(&lanes, i);
    while (lanes.busy * LANES_WORTH > lanes.kernel->lanes)
        advance(&lanes);
    for (size_t i = 0; i < lanes.kernel->lanes; i++) {
        struct run run = {lanes.data[i], lanes.blocks[i]};
        if (lanes.at[i].out != NULL)
            finish_alone(&lanes.at[i], run, lanes.states + i, lanes.kernel->lanes);
    }
}

/* The hashes are there; now theirs. */
static void hash_again(const struct sha256d_batch *batch)
{
    const struct sha256_kernel *kernel = batch->kernel;
    uint32_t states[8 * SHA256_LANES_MAX] = {0};

    for (size_t from = 0; from < batch->count; from += kernel->lanes) {
        const struct sha256d_message *messages = batch->messages + from;
        size_t left = batch->count - from;
        size_t count = left < kernel->lanes ? left : kernel->lanes;
        for (size_t i = 0; i < count; i++)
            write_lane(states + i, kernel->lanes, messages[i].out);
        kernel->again(states);
        for (size_t i = 0; i < count; i++)
            read_lane(messages[i].out, states + i, kernel->lanes);
    }
}

void sha256d_batch_finish(struct sha256d_batch *batch)
{
    if (batch->count > 0) {
        hash_in_lanes(batch);
        hash_again(batch);
    }
    batch->count = 0;
}

void sha256d_batch_init_with(struct sha256d_batch *batch, size_t expected,
                             const struct sha256_kernel *kernel)
{
    size_t capacity = expected < SHA256D_BATCH_MAX ? expected + 1 : SHA256D_BATCH_MAX;
    *batch = (struct sha256d_batch){.kernel = kernel, .capacity = capacity};
    batch->messages = mem_realloc(NULL, capacity, sizeof(*batch->messages));
}

void sha256d_batch_init(struct sha256d_batch *batch, size_t expected)
{
    sha256d_batch_init_with(batch, expected, sha256_kernel());
}

void sha256d_batch_release(struct sha256d_batch *batch)
{
    free(batch->messages);
    *batch = (struct sha256d_batch){0};
}

static void hash_at_once(uint8_t *out, const struct bytes pieces[static SHA256D_PIECES])
{
    struct sha256 hash;

    sha256_init(&hash);
    for (size_t i = 0; i < SHA256D_PIECES; i++)
        sha256_update(&hash, pieces[i].data, pieces[i].len);
    sha256d_final(&hash, out);
}

void sha256d_batch_add(struct sha256d_batch *batch, uint8_t *out,
                       const struct bytes pieces[static SHA256D_PIECES])
{
    if (batch->kernel == NULL) {
        hash_at_once(out, pieces);
        return;
    }
    struct sha256d_message *message = &batch->messages[batch->count++];
    memcpy(message->pieces, pieces, sizeof(message->pieces));
    message->out = out;
    if (batch->count == batch->capacity)
        sha256d_batch_finish(batch);
}
