#include "spv/header_stream.h"

#include "spv/pow.h"

static void start(struct header_stream *stream, const struct network *network)
{
    stream->network = network;
    stream->next_time =
        stream->past.time_count < MEDIAN_SPAN ? stream->past.time_count : 0;
    stream->work_bits = network->pow_limit_bits;
    stream->header_work = pow_work(stream->work_bits);
}

void header_stream_at_genesis(struct header_stream *stream, const struct network *network)
{
    const struct block_header *genesis = &network->genesis;
    *stream = (struct header_stream){
        .hash = network->genesis_hash,
        .work = pow_work(genesis->bits),
        .past = {.bits = genesis->bits,
                 .time = genesis->time,
                 .normal_bits = genesis->bits,
                 .first_bits = genesis->bits,
                 .first_time = genesis->time,
                 .times = {genesis->time.s},
                 .time_count = 1},
    };
    start(stream, network);
}

void header_stream_at_node(struct header_stream *stream, const struct network *network,
                           const struct header_tree *tree, struct header_node *node)
{
    uint32_t first = node->height - node->height % RETARGET_INTERVAL;
    *stream = (struct header_stream){.hash = node->hash, .work = node->work};
    header_past_of_node(&stream->past, node, header_tree_ancestor(tree, node, first));
    /* They were taken from the newest down; the ring wants the oldest first. */
    for (uint32_t i = 0, j = stream->past.time_count - 1; i < j; i++, j--) {
        uint32_t swap = stream->past.times[i];
        stream->past.times[i] = stream->past.times[j];
        stream->past.times[j] = swap;
    }
    start(stream, network);
}

static void go_on(struct header_stream *stream, const struct block_hash *hash,
                  const struct block_header *header)
{
    struct header_past *past = &stream->past;
    bool starts = ++past->height % RETARGET_INTERVAL == 0;
    if (header->bits != stream->work_bits) {
        stream->work_bits = header->bits;
        stream->header_work = pow_work(header->bits);
    }
    stream->hash = *hash;
    stream->work = u256_add(&stream->work, &stream->header_work);
    past->bits = header->bits;
    past->time = header->time;
    if (starts) {
        past->first_bits = header->bits;
        past->first_time = header->time;
    }
    if (starts || header->bits != stream->network->pow_limit_bits) {
        past->normal_bits = header->bits;
    }
    past->times[stream->next_time] = header->time.s;
    stream->next_time = (stream->next_time + 1) % MEDIAN_SPAN;
    past->time_count += past->time_count < MEDIAN_SPAN;
}

enum header_verdict header_stream_add(struct header_stream *stream,
                                      const struct block_header *header,
                                      const struct block_hash *hash, struct wall_time now,
                                      struct error *error)
{
    if (!block_hash_equal(&header->previous, &stream->hash)) {
        return HEADER_ORPHAN;
    }
    enum header_verdict verdict = HEADER_INVALID;
    if (pow_check(stream->network, hash, header->bits)) {
        verdict =
            header_rules_check_past(stream->network, &stream->past, header, now, error);
    } else {
        pow_error(error, header->bits);
    }
    if (verdict == HEADER_INVALID) {
        char text[ID_TEXT_MAX];
        block_hash_text(text, hash);
        error_prefix(error, "header %s", text);
    }
    if (verdict == HEADER_ADDED) {
        go_on(stream, hash, header);
    }
    return verdict;
}
