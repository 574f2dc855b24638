/* A script of inputs for the core: peers that connect and die, messages of any content,
 * headers on its own tip, answers of workers and store with any verdict, in any order.
 * Its effects must be releasable and its view readable at every step. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "spv/core.h"
#include "spv/pow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS_MAX 400
#define HEADERS_KEPT 512
#define PENDING_MAX 256

struct world {
    const struct network *network;
    struct spv *spv;
    struct spv_now now;
    struct reader in;
    struct spv_effect pending[PENDING_MAX]; /* wait for an answer; owned */
    size_t pending_count;
    struct spv_effect asked; /* the newest SEND; owned */
    uint32_t peer;           /* the newest that was dialled */
    struct block_header headers[HEADERS_KEPT];
    struct block_hash hashes[HEADERS_KEPT];
    size_t header_count;
    struct cohort_table cohorts;
    uint32_t staged; /* up to here */
};

static void step(struct world *world, const struct spv_input *input);

static void keep(struct world *world, struct spv_effect *effect)
{
    switch (effect->kind) {
    case SPV_DIAL:
        world->peer = effect->peer;
        break;
    case SPV_SEND:
        spv_effect_release(&world->asked);
        world->asked = *effect;
        return;
    case SPV_LOAD_ROWS:
    case SPV_STORE_HEADERS:
    case SPV_STORE_FILTER_HEADERS:
    case SPV_MATCH:
    case SPV_CHECK:
    case SPV_APPLY:
    case SPV_CUT_FILTER_HEADERS:
    case SPV_STORE_WHOLE:
    case SPV_REVIEW:
    case SPV_LOOK_UP:
        if (world->pending_count < PENDING_MAX) {
            world->pending[world->pending_count++] = *effect;
            return;
        }
        break;
    case SPV_DROP:
    case SPV_UNSTAGE:
    case SPV_RESOLVE:
    case SPV_STORE_BOOK:
    case SPV_BAN:
    case SPV_UNBAN:
    case SPV_NOTE:
        break;
    }
    spv_effect_release(effect);
}

static void look(const struct world *world)
{
    struct spv_summary summary;
    struct spv_peer_info peers[4];
    struct error reason;
    spv_summary(world->spv, &summary, world->now);
    if (spv_peers(world->spv, peers, 4) != 2)
        abort();
    bool synced = spv_synced(world->spv, world->now, &reason);
    if (synced && summary.scan_height != summary.header_height)
        abort();
    spv_fork_near(world->spv, summary.scan_height, 3, &reason);
    spv_peers_agreeing(world->spv, summary.scan_height, &summary.header_hash, NULL);
    spv_disputed(world->spv, &reason);
}

static void step(struct world *world, const struct spv_input *input)
{
    struct spv_effects effects = {0};
    spv_step(world->spv, &effects, world->now, input);
    for (size_t i = 0; i < effects.count; i++)
        keep(world, &effects.items[i]);
    effects.count = 0;
    spv_effects_clear(&effects);
    if (spv_deadline(world->spv).ms < 0)
        abort();
    look(world);
}

/* ---- messages ---- */

/* The shell lets nothing longer through. */
static void message(struct world *world, enum message_kind kind, struct bytes payload)
{
    struct spv_input input = {.kind = SPV_MESSAGE, .peer = world->peer};
    struct frame *frame = &input.message.frame;
    uint8_t hash[32];
    if (payload.len > message_payload_max(kind))
        return;
    sha256d(hash, payload.data, payload.len);
    frame->kind = kind;
    frame->payload_len = (uint32_t)payload.len;
    memcpy(frame->checksum, hash, sizeof frame->checksum);
    input.message.payload = payload;
    step(world, &input);
}

static void any_message(struct world *world)
{
    enum message_kind kind = (enum message_kind)(read_u8(&world->in) % MESSAGE_OTHER);
    message(world, kind, read_view(&world->in, read_u8(&world->in)));
}

static void shake_hands(struct world *world)
{
    struct message_version version = {.version = PROTOCOL_VERSION,
                                      .services = NODE_NETWORK | NODE_WITNESS |
                                                  NODE_COMPACT_FILTERS,
                                      .nonce = 7,
                                      .agent = "/fuzz/"};
    struct writer out;
    writer_init(&out);
    version_encode(&out, &version);
    step(world, &(struct spv_input){.kind = SPV_PEER_CONNECTED, .peer = world->peer});
    message(world, MESSAGE_VERSION, (struct bytes){out.data, out.len});
    message(world, MESSAGE_VERACK, (struct bytes){NULL, 0});
    writer_release(&out);
}

static void mine(struct world *world, size_t parent)
{
    struct block_header *header = &world->headers[world->header_count];
    struct block_hash *hash = &world->hashes[world->header_count];
    *header = (struct block_header){.version = 4,
                                    .previous = world->hashes[parent],
                                    .time = {world->headers[parent].time.s + 1},
                                    .bits = world->network->genesis.bits};
    put_u32le(header->merkle_root, (uint32_t)world->header_count);
    do {
        header->nonce++;
        block_header_hash(hash, header);
    } while (!pow_check(world->network, hash, header->bits));
    world->header_count++;
}

/* A branch off any header, told at once. */
static void branch(struct world *world)
{
    size_t parent = world->header_count - 1 - read_u8(&world->in) % world->header_count;
    size_t count = read_u8(&world->in) % 60, first = world->header_count;
    struct writer out;
    writer_init(&out);
    for (size_t i = 0; i < count && world->header_count < HEADERS_KEPT; i++)
        mine(world, i ? world->header_count - 1 : parent);
    write_compact_size(&out, world->header_count - first);
    for (size_t i = first; i < world->header_count; i++) {
        uint8_t header[BLOCK_HEADER_SIZE];
        block_header_encode(header, &world->headers[i]);
        write_bytes(&out, header, sizeof header);
        write_u8(&out, 0);
    }
    message(world, MESSAGE_HEADERS, (struct bytes){out.data, out.len});
    writer_release(&out);
}

static size_t find_header(const struct world *world, const uint8_t *hash)
{
    for (size_t i = 0; i < world->header_count; i++)
        if (memcmp(world->hashes[i].b, hash, 32) == 0)
            return i;
    return 0;
}

/* What was asked last is answered in a form that belongs to it. */
static void answer_request(struct world *world)
{
    const struct spv_effect *asked = &world->asked;
    struct error error;
    struct frame frame;
    struct writer out;
    if (!asked->send.data ||
        !frame_decode(&frame, world->network, asked->send.data, &error))
        return;
    const uint8_t *payload = asked->send.data + FRAME_HEADER_SIZE;
    uint8_t count = read_u8(&world->in);
    writer_init(&out);
    world->peer = asked->peer;
    if (frame.kind == MESSAGE_GETCFHEADERS) {
        uint8_t filter = read_u8(&world->in) & 1;
        struct filter_hash hash;
        filter_hash_of(&hash, (struct bytes){&filter, 1});
        write_u8(&out, 0);
        write_bytes(&out, payload + 5, 32);
        write_bytes(&out, (uint8_t[32]){0}, 32);
        write_compact_size(&out, count);
        for (uint8_t i = 0; i < count; i++)
            write_bytes(&out, hash.b, 32);
        message(world, MESSAGE_CFHEADERS, (struct bytes){out.data, out.len});
    } else if (frame.kind == MESSAGE_GETCFILTERS) {
        write_u8(&out, 0);
        write_bytes(&out, payload + 5, 32);
        count &= 1; /* one of the filters that peers commit to */
        write_var_bytes(&out, (struct bytes){&count, 1});
        message(world, MESSAGE_CFILTER, (struct bytes){out.data, out.len});
    } else if (frame.kind == MESSAGE_GETDATA) {
        uint8_t header[BLOCK_HEADER_SIZE];
        block_header_encode(header, &world->headers[find_header(world, payload + 5)]);
        write_bytes(&out, header, sizeof header);
        message(world, MESSAGE_BLOCK, (struct bytes){out.data, out.len});
    }
    writer_release(&out);
}

/* ---- answers of workers and store ---- */

static void applied(struct world *world, const struct spv_effect *effect,
                    struct spv_input *input, uint8_t verdict)
{
    struct cohort *cohort = &world->cohorts.at[0];
    bool stale = effect->apply.epoch != world->cohorts.epoch || verdict % 8 == 1;
    input->kind = SPV_APPLIED;
    input->applied.verdict = stale              ? APPLY_STALE
                             : verdict % 8 == 2 ? APPLY_INVALID
                                                : APPLY_OK;
    input->applied.invalid_height = effect->apply.base + 1;
    input->applied.reason = "the fuzzer says so";
    if (input->applied.verdict == APPLY_OK && effect->apply.commit)
        cohort->cursor = effect->apply.base + (uint32_t)effect->apply.count;
    for (size_t i = 0; effect->apply.retract && i < world->cohorts.count; i++)
        if (input->applied.verdict == APPLY_OK &&
            world->cohorts.at[i].cursor > effect->apply.base)
            world->cohorts.at[i].cursor = effect->apply.base;
    input->applied.cohorts = &world->cohorts;
}

static void answer_pending(struct world *world)
{
    if (!world->pending_count)
        return;
    size_t at = read_u8(&world->in) % world->pending_count;
    uint8_t verdict = read_u8(&world->in);
    struct spv_effect effect = world->pending[at];
    struct spv_input input = {.kind = SPV_STORED, .ticket = effect.ticket};
    memmove(&world->pending[at], &world->pending[at + 1],
            (--world->pending_count - at) * sizeof effect);
    if (effect.kind == SPV_LOAD_ROWS) {
        input.kind = SPV_ROWS;
    } else if (effect.kind == SPV_MATCH) {
        input.kind = SPV_MATCHED;
        input.matched.verdict = (enum match_verdict)(
            verdict % ((effect.match.kept ? MATCH_ABSENT : MATCH_MALFORMED) + 1));
        if (input.matched.verdict == MATCH_HIT || effect.match.keep)
            input.matched.filter = mem_dup("\0", input.matched.filter_len = 1);
    } else if (effect.kind == SPV_CHECK) {
        input.kind = SPV_CHECKED;
        input.checked.verdict = (enum block_verdict)(verdict % (BLOCK_INVALID + 1));
        for (int i = 0; i < CHECK_FILTERS; i++)
            input.checked.filter_false[i] =
                effect.check.filters[i].data && verdict >> (6 + i) & 1;
        input.checked.reason = "the fuzzer says so";
        if (input.checked.verdict == BLOCK_VALID)
            input.checked.block = mem_zalloc(1, sizeof *input.checked.block);
    } else if (effect.kind == SPV_REVIEW) {
        input.kind = SPV_REVIEWED;
        input.reviewed.lacks = verdict & 1;
        for (int i = 0; i < CHECK_FILTERS; i++)
            input.reviewed.filter_false[i] =
                effect.review.filters[i].data && verdict >> (6 + i) & 1;
    } else if (effect.kind == SPV_APPLY) {
        applied(world, &effect, &input, verdict);
    } else if (effect.kind == SPV_LOOK_UP) {
        input.kind = SPV_LOOKED_UP;
    }
    step(world, &input);
    spv_effect_release(&effect);
}

static void change_cohorts(struct world *world)
{
    uint32_t birth = read_u8(&world->in);
    world->cohorts.epoch++;
    if (world->cohorts.count == 1 && birth < world->cohorts.at[0].cursor) {
        world->cohorts.at[1] =
            (struct cohort){1, birth, script_set_ref(world->cohorts.at[0].scripts)};
        world->cohorts.count = 2;
    } else if (world->cohorts.count == 2) {
        script_set_unref(world->cohorts.at[1].scripts);
        world->cohorts.count = 1;
    }
    step(world, &(struct spv_input){.kind = SPV_COHORTS, .cohorts = &world->cohorts});
}

/* A transaction announced and then sent, whether asked for or not. */
static void transaction(struct world *world)
{
    struct bytes raw = read_view(&world->in, read_u8(&world->in));
    struct inv_item item = {.type = INV_TX};
    struct block *parsed;
    struct error error;
    struct writer out;
    if (!transaction_parse(&parsed, raw, &error))
        return;
    memcpy(item.hash, parsed->txs[0].txid.b, sizeof item.hash);
    block_free(parsed);
    writer_init(&out);
    inv_encode(&out, &item, 1);
    message(world, MESSAGE_INV, (struct bytes){out.data, out.len});
    writer_release(&out);
    message(world, MESSAGE_TX, raw);
    spv_announcers(world->spv, &(struct txid){{1}});
}

static void one(struct world *world)
{
    switch (read_u8(&world->in) % 11) {
    case 0:
        world->now.mono.ms += 10 * (int64_t)read_u16le(&world->in);
        world->now.wall.s += 1;
        step(world, &(struct spv_input){.kind = SPV_TICK});
        break;
    case 1:
        step(world, &(struct spv_input){.kind = SPV_PEER_LOST, .peer = world->peer});
        break;
    case 2:
        any_message(world);
        break;
    case 3:
        shake_hands(world);
        break;
    case 4:
        branch(world);
        break;
    case 5:
    case 6:
        answer_request(world);
        break;
    case 7:
    case 8:
        answer_pending(world);
        break;
    case 9:
        transaction(world);
        break;
    default:
        change_cohorts(world);
    }
}

static void world_init(struct world *world, const uint8_t *data, size_t size)
{
    static const uint64_t seed[2] = {1, 2};
    static const struct spv_address peers[2] = {{"a:1", false}, {"b:2", true}};
    static const uint8_t script[] = {0x51};
    const struct network *network = network_find("regtest");
    *world = (struct world){.network = network, .header_count = 1};
    reader_init(&world->in, data, size);
    world->now = (struct spv_now){{1000}, {network->genesis.time.s + 100000}};
    world->headers[0] = network->genesis;
    world->hashes[0] = network->genesis_hash;
    uint32_t id = 0;
    world->cohorts.at[0].scripts =
        script_set_new(&(struct bytes){script, 1}, &id, 1, seed);
    world->cohorts.count = 1;
    struct chain_row row = {.header = network->genesis, .hash = network->genesis_hash};
    struct height_set kept = {0};
    for (uint32_t height = 5; height < HEADERS_KEPT; height += 5)
        height_set_add(&kept, height);
    struct spv_start start = {.root_work = pow_work(network->genesis.bits),
                              .rows = &row,
                              .row_count = 1,
                              .checkpoint_hashes = &network->genesis_hash,
                              .checkpoint_hash_count = 1,
                              .kept = &kept,
                              .cohorts = world->cohorts};
    struct spv_settings settings = {.network = network,
                                    .map_seed = {3, 4},
                                    .agent = "/fuzz/",
                                    .connect = peers,
                                    .connect_count = 2,
                                    .mempool = true};
    world->spv = spv_new(&settings, &start, world->now);
    height_set_release(&kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world *world = mem_alloc(sizeof *world);
    world_init(world, data, size);
    for (int i = 0; i < STEPS_MAX && world->in.left; i++)
        one(world);
    for (size_t i = 0; i < world->pending_count; i++)
        spv_effect_release(&world->pending[i]);
    spv_effect_release(&world->asked);
    spv_free(world->spv);
    cohort_table_release(&world->cohorts);
    free(world);
    return 0;
}
