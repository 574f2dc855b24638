/* A byte for the retarget rule, one for where the chain begins and one for the work that
 * is enough; then headers, right or wrong in some field, which a tree and a presync judge
 * alike. The second download tells the same chain, with one byte of the input saying
 * where it lies: nothing beyond the lie is ever proved. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "spv/pow.h"
#include "spv/presync.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Enough to cross a period's border and a commitment. */
#define HEADERS 2300
#define LIMIT 0x1e01ffff
#define NORMAL 0x1d7fffff

struct world {
    struct network network;
    struct header_tree *tree;
    struct header_node *tip;
    struct header_stream start;
    struct block_header headers[HEADERS];
    size_t count;
    struct u256 enough;
};

static const struct wall_time late = {4000000000};

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void world_init(struct world *world, struct reader *reader)
{
    static const uint64_t seed[2] = {1, 2};
    world->network = *network_find("regtest");
    world->network.retarget = (enum retarget_rule)(read_u8(reader) % 4);
    world->network.pow_limit_bits = LIMIT;
    struct block_header root = world->network.genesis;
    root.bits = NORMAL;
    struct u256 work = u256_from_u64(1000);
    world->tree =
        header_tree_new_at(&world->network, seed, RETARGET_INTERVAL, &root, &work);
    world->tip = header_tree_root(world->tree);
    header_stream_at_node(&world->start, &world->network, world->tree, world->tip);
    struct u256 one = pow_work(NORMAL);
    struct u256 more = u256_mul_u32(&one, read_u16le(reader));
    world->enough = u256_add(&work, &more);
}

/* What the network's rule says, or, now and then, not. */
static struct block_header next_header(const struct world *world, struct reader *reader)
{
    uint8_t kind = read_u8(reader);
    struct header_past past;
    uint32_t height = world->tip->height;
    header_past_of_node(&past, world->tip,
                        header_tree_ancestor(world->tree, world->tip,
                                             height - height % RETARGET_INTERVAL));
    struct block_header header = {
        .version = kind == 7 ? 3 : 4,
        .previous = world->tip->hash,
        .time = {world->tip->header.time.s + (kind == 9 ? 0 : 60u * (kind % 32))},
        .nonce = (uint32_t)world->count,
    };
    const struct pow_context context = {
        .height = height + 1,
        .previous_bits = past.bits,
        .previous_time = past.time,
        .time = header.time,
        .first_bits = past.first_bits,
        .first_time = past.first_time,
        .last_normal_bits = past.normal_bits,
    };
    header.bits = kind == 11 ? LIMIT : pow_next_bits(&world->network, &context);
    return header;
}

/* Every header has the tree's verdict in the stream, too. */
static void first_download(struct world *world, struct reader *reader,
                           struct presync *presync)
{
    struct header_stream stream = world->start;
    bool enough = false;
    while (world->count < HEADERS && reader->left > 0) {
        struct block_header header = next_header(world, reader);
        struct block_hash hash;
        struct header_node *node;
        struct error error;
        block_header_hash(&hash, &header);
        enum header_verdict verdict =
            header_tree_add(world->tree, &node, &header, &hash, late, &error);
        require(header_stream_add(&stream, &header, &hash, late, &error) == verdict);
        if (verdict != HEADER_ADDED) {
            continue;
        }
        require(u256_compare(&stream.work, &node->work) == 0);
        require(block_hash_equal(&stream.hash, &node->hash));
        world->tip = node;
        world->headers[world->count++] = header;
        if (enough) {
            continue;
        }
        enum presync_verdict found =
            presync_add(presync, &header, &hash, 1, late, &error);
        enough = u256_compare(&node->work, &world->enough) >= 0;
        require(found == (enough ? PRESYNC_ENOUGH : PRESYNC_MORE));
    }
}

static void second_download(struct world *world, struct reader *reader,
                            struct presync *presync)
{
    size_t lie = read_u16le(reader);
    size_t told = 0;
    static struct block_hash hashes[HEADERS];
    enum presync_verdict verdict = PRESYNC_MORE;
    if (lie < world->count) {
        world->headers[lie].nonce ^= 1u << 31;
        for (size_t i = lie + 1; i < world->count; i++) {
            block_header_hash(&world->headers[i].previous, &world->headers[i - 1]);
        }
    }
    block_headers_hash(hashes, world->headers, world->count);
    while (verdict == PRESYNC_MORE && told < world->count) {
        size_t left = world->count - told;
        size_t proved;
        verdict = presync_compare(presync, &proved, world->headers + told, hashes + told,
                                  left < PRESYNC_STRIDE ? left : PRESYNC_STRIDE);
        told += proved;
        require(told <= lie || lie >= world->count);
        if (proved == 0) {
            break;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t salt[2] = {3, 4};
    struct reader reader;
    struct world *world = mem_zalloc(1, sizeof(*world));
    reader_init(&reader, data, size);
    world_init(world, &reader);
    struct presync *presync =
        presync_new(&world->start, &world->enough, HEADERS + 1, salt, NULL, 0);
    /* The lie's place is in the last bytes, wherever the headers end. */
    size_t lie_at = size > 2 ? size - 2 : size;
    first_download(world, &reader, presync);
    struct reader tail;
    reader_init(&tail, data + lie_at, size - lie_at);
    if (presync_second(presync)) {
        second_download(world, &tail, presync);
    }
    presync_free(presync);
    header_tree_free(world->tree);
    free(world);
    return 0;
}
