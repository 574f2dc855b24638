/* What a peer claims about filters, in the corners that need a peer which contradicts
 * itself or keeps silent; whole runs are in tests/sim. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "spv/core_rooms.h"
#include "tests/unit/spv/mine.h"

#define BLOCKS 1200
#define PEERS 3
#define WALL 2000000000

struct bench {
    const struct network *network;
    struct spv *spv;
    struct spv_effects effects;
    struct spv_now now;
    struct chain_row rows[BLOCKS + 1];
};

/* The filter of a height, of those who tell the truth (0) and of others. */
static struct filter_hash filter_hash_at(uint32_t height, uint8_t version)
{
    struct filter_hash hash = {{0}};
    put_u32le(hash.b, height);
    hash.b[31] = version;
    return hash;
}

static void bench_init(struct bench *bench, const struct filter_checkpoint *pin)
{
    const struct network *network = network_find("regtest");
    static struct spv_address peers[PEERS] = {
        {"a:1", false}, {"b:1", false}, {"c:1", false}};
    memset(bench, 0, sizeof *bench);
    bench->network = network;
    bench->now = (struct spv_now){{1000}, {WALL}};
    bench->rows[0].header = network->genesis;
    bench->rows[0].hash = network->genesis_hash;
    for (size_t i = 1; i <= BLOCKS; i++) {
        struct header_node parent = {.hash = bench->rows[i - 1].hash,
                                     .header = bench->rows[i - 1].header};
        bench->rows[i].header = mine_template(&parent, 600, 1);
        mine_solve(network, &bench->rows[i].header);
        block_header_hash(&bench->rows[i].hash, &bench->rows[i].header);
    }
    struct spv_start start = {.rows = bench->rows, .row_count = BLOCKS + 1};
    struct bytes script = {(const uint8_t *)"\x51", 1};
    start.cohorts.at[0].cursor = BLOCKS; /* scanned: all of it is to be compared */
    start.cohorts.at[0].scripts =
        script_set_new(&script, (uint32_t[]){0}, 1, (uint64_t[]){1, 2});
    start.cohorts.count = 1;
    const struct spv_settings settings = {.network = network,
                                          .map_seed = {1, 2},
                                          .agent = "/test/",
                                          .connect = peers,
                                          .connect_count = PEERS,
                                          .filter_checkpoints = pin,
                                          .filter_checkpoint_count = pin != NULL};
    bench->spv = spv_new(&settings, &start, bench->now);
    bench->spv->headers_settled = true;
    cohort_table_release(&start.cohorts);
}

static void bench_release(struct bench *bench)
{
    spv_effects_clear(&bench->effects);
    spv_free(bench->spv);
}

static void step(struct bench *bench, const struct spv_input *input)
{
    spv_effects_clear(&bench->effects);
    spv_step(bench->spv, &bench->effects, bench->now, input);
}

static void tick(struct bench *bench, int64_t ms)
{
    bench->now.mono.ms += ms;
    step(bench, &(struct spv_input){.kind = SPV_TICK});
}

/* A peer that is ready and has the whole chain, without the messages that lead there. */
static struct peer *ready(struct bench *bench, size_t index)
{
    struct peer *peer = &bench->spv->peers[index];
    peer->id = (uint32_t)index + 1;
    peer->state = PEER_READY;
    peer->best = bench->spv->best;
    peer->headers_done = true;
    peer->ping_at = peer->probe_at = mono_add(bench->now.mono, 1000000);
    return peer;
}

static bool asked(const struct bench *bench, const struct peer *peer,
                  enum message_kind kind)
{
    for (size_t i = 0; i < bench->effects.count; i++) {
        const struct spv_effect *effect = &bench->effects.items[i];
        struct frame frame;
        struct error error;
        if (effect->kind == SPV_SEND && effect->peer == peer->id &&
            frame_decode(&frame, bench->network, effect->send.data, &error) &&
            frame.kind == kind)
            return true;
    }
    return false;
}

static void answer(struct bench *bench, const struct peer *peer, enum message_kind kind,
                   struct writer *payload)
{
    struct bytes body = {payload->data, payload->len};
    struct spv_input input = {.kind = SPV_MESSAGE, .peer = peer->id};
    struct writer out;
    struct error error;
    writer_init(&out);
    frame_encode(&out, bench->network, kind, body);
    assert_true(frame_decode(&input.message.frame, bench->network, out.data, &error));
    input.message.payload = body;
    step(bench, &input);
    writer_release(&out);
    writer_release(payload);
}

/* False from a height on, or there only. */
#define ONLY 0x80000000u
static bool false_at(uint32_t height, uint32_t from)
{
    bool only = from != NO_HEIGHT && from & ONLY;
    return only ? height == (from & ~ONLY) : height >= from;
}

/* A chain of filter headers whose filters are false from a height on. */
static struct filter_header header_at(uint32_t height, uint32_t false_from)
{
    struct filter_header header = {{0}};
    for (uint32_t at = 0; at <= height; at++) {
        struct filter_hash hash = filter_hash_at(at, false_at(at, false_from));
        filter_header_next(&header, &hash, &header);
    }
    return header;
}

static void answer_checkpt(struct bench *bench, const struct peer *peer,
                           uint32_t false_from)
{
    struct writer out;
    struct filter_header header = header_at(CFCHECKPT_INTERVAL, false_from);
    writer_init(&out);
    write_u8(&out, 0);
    write_bytes(&out, bench->rows[CFCHECKPT_INTERVAL].hash.b, 32);
    write_compact_size(&out, 1);
    write_bytes(&out, header.b, 32);
    answer(bench, peer, MESSAGE_CFCHECKPT, &out);
}

static void answer_headers(struct bench *bench, const struct peer *peer, uint32_t from,
                           uint32_t to, uint32_t false_from)
{
    struct writer out;
    struct filter_header previous = {{0}};
    if (from)
        previous = header_at(from - 1, false_from);
    writer_init(&out);
    write_u8(&out, 0);
    write_bytes(&out, bench->rows[to].hash.b, 32);
    write_bytes(&out, previous.b, 32);
    write_compact_size(&out, to - from + 1);
    for (uint32_t at = from; at <= to; at++) {
        struct filter_hash hash = filter_hash_at(at, false_at(at, false_from));
        write_bytes(&out, hash.b, 32);
    }
    answer(bench, peer, MESSAGE_CFHEADERS, &out);
}

/* The first peer gives the whole chain. */
static struct peer *adopted(struct bench *bench, uint32_t false_from)
{
    struct peer *peer = ready(bench, 0);
    tick(bench, 1);
    assert_true(asked(bench, peer, MESSAGE_GETCFCHECKPT));
    answer_checkpt(bench, peer, false_from);
    answer_headers(bench, peer, 0, CFCHECKPT_INTERVAL, false_from);
    answer_headers(bench, peer, CFCHECKPT_INTERVAL + 1, BLOCKS, false_from);
    assert_int_equal(bench->spv->fh_count, BLOCKS + 1);
    return peer;
}

/* "cfcheckpt from every peer": equal ends prove an interval equal, only what is above the
 * last checkpoint is fetched. */
static void test_equal_checkpoints_need_no_download(void **state)
{
    (void)state;
    static struct bench bench;
    bench_init(&bench, NULL);
    adopted(&bench, NO_HEIGHT);
    struct peer *peer = ready(&bench, 1);
    tick(&bench, 1);
    answer_checkpt(&bench, peer, NO_HEIGHT);
    assert_true(asked(&bench, peer, MESSAGE_GETCFHEADERS));
    assert_int_equal(peer->claims.from, CFCHECKPT_INTERVAL + 1);
    assert_false(compare_done(bench.spv, peer));
    struct error reason;
    assert_true(spv_disputed(bench.spv, &reason));
    assert_non_null(
        strstr(reason.text, "b:1: its filter headers are still being compared"));
    answer_headers(&bench, peer, CFCHECKPT_INTERVAL + 1, BLOCKS, NO_HEIGHT);
    assert_true(compare_done(bench.spv, peer));
    assert_false(spv_disputed(bench.spv, &reason));
    bench_release(&bench);
}

static void test_contradicting_own_checkpoint_is_proof(void **state)
{
    (void)state;
    static struct bench bench;
    bench_init(&bench, NULL);
    adopted(&bench, NO_HEIGHT);
    struct peer *peer = ready(&bench, 1);
    tick(&bench, 1);
    answer_checkpt(&bench, peer, 900);
    assert_int_equal(peer->claims.from, 0);
    answer_headers(&bench, peer, 0, CFCHECKPT_INTERVAL, 800);
    assert_int_equal(peer->state, PEER_WAITING);
    assert_int_equal(bench.spv->dispute_count, 0);
    bench_release(&bench);
}

/* "filter headers from such a file stay provisional until peers agree" (issue): what
 * nothing rests on and nobody stands for makes room for a peer's; for a backed one it's a
 * dispute.
 */
static void test_what_nobody_stands_for_gives_way(void **state)
{
    (void)state;
    for (int backed = 0; backed < 2; backed++) {
        static struct bench bench;
        bench_init(&bench, NULL);
        adopted(&bench, NO_HEIGHT);
        struct peer *peer = ready(&bench, 1);
        tick(&bench, 1);
        answer_checkpt(&bench, peer, 998);
        bench.spv->filter_scanned = 500;
        bench.spv->peers[0].state = backed ? PEER_READY : PEER_WAITING;
        answer_headers(&bench, peer, 0, CFCHECKPT_INTERVAL, 998);
        assert_int_equal(bench.spv->fh_count, backed ? BLOCKS + 1 : 998);
        assert_int_equal(bench.spv->dispute_count, backed ? 3 : 0);
        assert_int_equal(peer->claims.first_difference, backed ? 998 : NO_HEIGHT);
        bench_release(&bench);
    }
}

/* "Branches of filter headers are compared by the filter's hash for each height." */
static void test_each_height_that_differs_is_disputed(void **state)
{
    (void)state;
    static struct bench bench;
    bench_init(&bench, NULL);
    adopted(&bench, NO_HEIGHT);
    struct peer *peer = ready(&bench, 1);
    tick(&bench, 1);
    answer_checkpt(&bench, peer, 998);
    answer_headers(&bench, peer, 0, CFCHECKPT_INTERVAL, 998);
    assert_int_equal(bench.spv->dispute_count, 3);
    assert_int_equal(bench.spv->disputes[0].height, 998);
    assert_int_equal(peer->claims.first_difference, 998);
    assert_true(height_set_has(&bench.spv->whole, 999));
    /* Then the comparison goes on, but only so far. */
    answer_headers(&bench, peer, CFCHECKPT_INTERVAL + 1, BLOCKS, 998);
    assert_int_equal(bench.spv->dispute_count, DISPUTES_PER_PEER);
    assert_int_equal(peer->claims.compared, 998 + DISPUTES_PER_PEER);
    struct error reason;
    assert_true(spv_disputed(bench.spv, &reason));
    assert_non_null(strstr(reason.text, "8 heights still to be settled, the first at "
                                        "height 998"));
    bench_release(&bench);
}

/* The block decides also where the filter that hid something of ours is nowhere to be
 * had, and so nothing is proven: what the ledger lacks of the block takes it back. */
static void test_what_the_ledger_lacks_takes_it_back(void **state)
{
    (void)state;
    static struct bench bench;
    bench_init(&bench, NULL);
    adopted(&bench, NO_HEIGHT);
    struct peer *peer = ready(&bench, 1);
    tick(&bench, 1);
    answer_checkpt(&bench, peer, 998);
    answer_headers(&bench, peer, 0, CFCHECKPT_INTERVAL, 998);
    struct dispute *dispute = &bench.spv->disputes[0];
    dispute->state = DISPUTE_REVIEWING;
    step(&bench, &(struct spv_input){.kind = SPV_REVIEWED,
                                     .ticket = ticket_of(TICKET_DISPUTE, dispute->id),
                                     .reviewed.lacks = true});
    const struct spv_effect *apply = NULL;
    for (size_t i = 0; i < bench.effects.count; i++)
        if (bench.effects.items[i].kind == SPV_APPLY)
            apply = &bench.effects.items[i];
    assert_non_null(apply);
    assert_true(apply->apply.retract);
    assert_int_equal(apply->apply.base, 997);
    struct error reason;
    assert_true(spv_disputed(bench.spv, &reason));
    bench_release(&bench);
}

static void test_pinned_filter_header_needs_no_dispute(void **state)
{
    (void)state;
    static struct bench bench;
    const struct filter_checkpoint pin = {1100, header_at(1100, NO_HEIGHT)};
    bench_init(&bench, &pin);
    struct peer *liar = ready(&bench, 0);
    tick(&bench, 1);
    answer_checkpt(&bench, liar, 1001);
    answer_headers(&bench, liar, 0, CFCHECKPT_INTERVAL, 1001);
    answer_headers(&bench, liar, CFCHECKPT_INTERVAL + 1, BLOCKS, 1001);
    assert_int_equal(liar->state, PEER_WAITING);
    assert_int_equal(bench.spv->fh_count, CFCHECKPT_INTERVAL + 1);
    bench_release(&bench);
}

/* "Silence loses the peer its turn, never its life", and it can't hold the gate up. */
static void test_silence_is_not_waited_for(void **state)
{
    (void)state;
    static struct bench bench;
    bench_init(&bench, NULL);
    adopted(&bench, NO_HEIGHT);
    struct peer *peer = ready(&bench, 1);
    struct error reason;
    tick(&bench, 1);
    assert_true(spv_disputed(bench.spv, &reason));
    tick(&bench, REQUEST_TIMEOUT_MS);
    assert_false(spv_disputed(bench.spv, &reason));
    assert_int_equal(peer->state, PEER_READY);
    for (int i = 0; i < UNANSWERED_MAX; i++) {
        tick(&bench, 2000);
        tick(&bench, REQUEST_TIMEOUT_MS);
    }
    assert_int_equal(peer->state, PEER_WAITING);
    assert_true(peer->mute);
    bench_release(&bench);
}

/* It answers each question just in time: the gate has waited long enough. */
static void test_slowness_is_not_waited_for_without_end(void **state)
{
    (void)state;
    static struct bench bench;
    bench_init(&bench, NULL);
    adopted(&bench, NO_HEIGHT);
    struct error reason;
    assert_false(spv_disputed(bench.spv, &reason));
    struct peer *slow = ready(&bench, 1);
    slow->compared_at = bench.now.mono;
    tick(&bench, 1);
    assert_true(spv_disputed(bench.spv, &reason));
    slow->claims.deadline = mono_add(bench.now.mono, 2 * COMPARE_PATIENCE_MS);
    struct mono_time end = mono_add(slow->compared_at, COMPARE_PATIENCE_MS);
    while (bench.now.mono.ms < end.ms) {
        assert_true(spv_disputed(bench.spv, &reason));
        tick(&bench, mono_since(spv_deadline(bench.spv), bench.now.mono));
    }
    assert_int_equal(bench.now.mono.ms, end.ms);
    assert_false(spv_disputed(bench.spv, &reason));
    /* The next time it counts anew from when it was done. */
    slow->mute = false;
    slow->claims.compared = BLOCKS + 1;
    tick(&bench, 1);
    slow->claims.compared = 0;
    tick(&bench, 1);
    assert_true(spv_disputed(bench.spv, &reason));
    assert_false(compare_done(bench.spv, slow));
    bench_release(&bench);
}

/* What the first peer gave isn't yet at the tip, and the second differs from 1150 on:
 * what the ledger rests on there is settled. */
static struct peer *differing(struct bench *bench)
{
    struct peer *peer = ready(bench, 1);
    tick(bench, 1);
    answer_checkpt(bench, peer, NO_HEIGHT);
    bench->spv->filter_scanned = 1152;
    answer_headers(bench, peer, CFCHECKPT_INTERVAL + 1, BLOCKS, NO_HEIGHT);
    assert_int_equal(peer->claims.first_difference, 1150);
    bench->spv->dispute_count = 0;
    peer->claims.compared = 1160;
    bench->spv->fh_count = 1180;
    return peer;
}

/* The chain of a peer that left is replaced by that of one which differs, once every
 * height where they differ is settled. */
static void test_chain_goes_on_with_another(void **state)
{
    (void)state;
    static struct bench bench;
    bench_init(&bench, NULL);
    const struct peer *first = adopted(&bench, 1150);
    const struct peer *second = differing(&bench);
    step(&bench, &(struct spv_input){.kind = SPV_PEER_LOST, .peer = first->id});
    tick(&bench, 1);
    assert_true(bench.spv->builder_missing);
    tick(&bench, BUILDER_GONE_MS);
    assert_int_equal(bench.spv->fh_count, 1150);
    assert_int_equal(bench.spv->filter_scanned, 1149);
    assert_int_equal(bench.spv->take_back, 1149);
    assert_int_equal(second->claims.first_difference, NO_HEIGHT);
    bench_release(&bench);
}

/* Who is banned doesn't come back to go on with it; who isn't compared yet may. */
static void test_chain_of_a_banned_peer_is_not_waited_for(void **state)
{
    (void)state;
    for (int another = 0; another < 2; another++) {
        static struct bench bench;
        bench_init(&bench, NULL);
        const struct peer *first = adopted(&bench, 1150);
        const struct peer *second = differing(&bench);
        struct peer *third = another ? ready(&bench, 2) : NULL;
        step(&bench,
             &(struct spv_input){.kind = SPV_DISTRUST, .address = first->address.text});
        assert_int_equal(bench.spv->fh_count, another ? 1180 : 1150);
        if (third) {
            third->claims.first_difference = 1160;
            tick(&bench, 1);
        }
        assert_int_equal(bench.spv->fh_count, 1150);
        assert_int_equal(second->claims.first_difference, NO_HEIGHT);
        bench_release(&bench);
    }
}

/* Best is another branch for a while; the ledger, whose blocks nobody serves there,
 * stays.
 */
static void visit_branch(struct bench *bench, uint32_t fork)
{
    struct header_node *node =
        header_tree_ancestor(bench->spv->tree, bench->spv->best, fork);
    struct header_node *first = NULL;
    for (uint32_t height = fork; height <= BLOCKS; height++) {
        struct error error;
        struct block_header header = mine_template(node, 700, 2);
        mine_solve(bench->network, &header);
        assert_int_equal(
            tree_add(bench->spv->tree, &node, &header, bench->now.wall, &error),
            HEADER_ADDED);
        first = first ? first : node;
    }
    tick(bench, 1);
    assert_ptr_equal(bench->spv->best, node);
    header_tree_set_aside(bench->spv->tree, first, mono_add(bench->now.mono, 10000000));
    tick(bench, 1);
    assert_int_equal(bench->spv->best->height, BLOCKS);
}

/* "Gate `peers` fails only while a disputed height up to the tip is unsettled": one that
 * was dropped with its branch isn't settled when the branch comes back. */
static void test_dispute_comes_back_with_its_branch(void **state)
{
    (void)state;
    static struct bench bench;
    struct error reason;
    bench_init(&bench, NULL);
    adopted(&bench, NO_HEIGHT);
    struct peer *peer = ready(&bench, 1);
    tick(&bench, 1);
    answer_checkpt(&bench, peer, NO_HEIGHT);
    answer_headers(&bench, peer, CFCHECKPT_INTERVAL + 1, BLOCKS, 1195);
    assert_int_equal(bench.spv->dispute_count, 6);
    visit_branch(&bench, 1190);
    assert_int_equal(bench.spv->dispute_count, 0);
    answer_headers(&bench, peer, 1191, BLOCKS, 1195);
    assert_int_equal(bench.spv->dispute_count, 6);
    assert_true(spv_disputed(bench.spv, &reason));
    bench_release(&bench);
}

/* Rows on their way carry the filter headers that are given up: an honest peer would be
 * banned for not serving their filters. */
static void test_given_up_filter_headers_dont_come_late(void **state)
{
    (void)state;
    static struct bench bench;
    bench_init(&bench, NULL);
    adopted(&bench, NO_HEIGHT);
    struct lane *lane = &bench.spv->lanes[LANE_BACK];
    uint32_t height;
    lane->active = true;
    lane->base = lane->filled = 400;
    lane->filters_until = BLOCKS;
    lane->loading = true;
    uint64_t ticket = ticket_make(lane, 401);
    assert_ptr_equal(ticket_lane(bench.spv, ticket, &height), lane);
    filter_sync_cut(bench.spv, 500);
    assert_null(ticket_lane(bench.spv, ticket, &height));
    assert_false(lane->loading);
    lane->active = false;
    bench_release(&bench);
}

/* Who goes on with the chain needn't be who was held against the filters that the ledger
 * rests on, and what it says above the cut is compared with nothing: so that is scanned
 * anew. */
static void test_nothing_rests_on_a_chain_that_is_gone(void **state)
{
    (void)state;
    static struct bench bench;
    bench_init(&bench, NULL);
    struct peer *liar = adopted(&bench, NO_HEIGHT);
    struct peer *friend = ready(&bench, 1);
    bench.spv->filter_scanned = 1180;
    tick(&bench, 1);
    answer_checkpt(&bench, friend, NO_HEIGHT);
    answer_headers(&bench, friend, CFCHECKPT_INTERVAL + 1, 1180, ONLY | 1100);
    assert_int_equal(bench.spv->dispute_count, 1);
    bench.spv->dispute_count = 0; /* settled */
    height_set_add(&bench.spv->settled, 1100);
    step(&bench, &(struct spv_input){.kind = SPV_PEER_LOST, .peer = liar->id});
    bench.spv->fh_count = 1190; /* not yet at the tip */
    tick(&bench, 1);
    tick(&bench, BUILDER_GONE_MS);
    assert_int_equal(bench.spv->fh_count, 1100);
    assert_int_equal(bench.spv->take_back, 1099);
    bench_release(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_checkpoints_need_no_download),
        cmocka_unit_test(test_contradicting_own_checkpoint_is_proof),
        cmocka_unit_test(test_what_nobody_stands_for_gives_way),
        cmocka_unit_test(test_each_height_that_differs_is_disputed),
        cmocka_unit_test(test_what_the_ledger_lacks_takes_it_back),
        cmocka_unit_test(test_pinned_filter_header_needs_no_dispute),
        cmocka_unit_test(test_silence_is_not_waited_for),
        cmocka_unit_test(test_slowness_is_not_waited_for_without_end),
        cmocka_unit_test(test_chain_goes_on_with_another),
        cmocka_unit_test(test_chain_of_a_banned_peer_is_not_waited_for),
        cmocka_unit_test(test_dispute_comes_back_with_its_branch),
        cmocka_unit_test(test_given_up_filter_headers_dont_come_late),
        cmocka_unit_test(test_nothing_rests_on_a_chain_that_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
