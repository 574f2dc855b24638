/* The planner's corners that the simulation seldom reaches; its runs are in tests/sim. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "spv/core_rooms.h"
#include "tests/unit/spv/mine.h"

#define ROOT RETARGET_INTERVAL
#define NEWEST (ROOT + HEADER_WINDOW + 50)
#define SEED                                                                             \
    {                                                                                    \
        1, 2                                                                             \
    }

static struct chain_row *rows_make(size_t count)
{
    const struct network *network = network_find("regtest");
    struct chain_row *rows = mem_zalloc(count, sizeof(*rows));
    struct header_node parent = {.hash = network->genesis_hash,
                                 .header = network->genesis};
    for (size_t i = 0; i < count; i++) {
        rows[i].header = mine_template(&parent, 600, 1);
        mine_solve(network, &rows[i].header);
        block_header_hash(&rows[i].hash, &rows[i].header);
        parent.hash = rows[i].hash;
        parent.header = rows[i].header;
    }
    return rows;
}

static struct spv *core_make(uint32_t cursor)
{
    struct chain_row *rows = rows_make(NEWEST - ROOT + 1);
    struct spv_start start = {.root_height = ROOT,
                              .root_work = u256_from_u64(ROOT),
                              .rows = rows,
                              .row_count = NEWEST - ROOT + 1};
    struct bytes script = {(const uint8_t *)"\x51", 1};
    start.cohorts.at[0] = (struct cohort){
        .cursor = cursor,
        .scripts = script_set_new(&script, (uint32_t[]){0}, 1, (uint64_t[])SEED)};
    start.cohorts.count = 1;
    const struct spv_settings settings = {
        .network = network_find("regtest"), .map_seed = SEED, .agent = "/test/"};
    struct spv *spv = spv_new(&settings, &start, (struct spv_now){{1}, {2000000000}});
    cohort_table_release(&start.cohorts);
    free(rows);
    return spv;
}

static size_t count_and_clear(struct spv_effects *effects, enum spv_effect_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < effects->count; i++)
        count += effects->items[i].kind == kind;
    spv_effects_clear(effects);
    return count;
}

/* While the filter header below a lane isn't known, asking the store for it would be
 * answered at once, and asked again. */
static void test_unknown_filter_header_is_not_asked_of_store(void **state)
{
    (void)state;
    struct spv *spv = core_make(1000);
    struct spv_effects effects = {0};
    const struct spv_now now = {{1}, {2000000000}};
    spv_step(spv, &effects, now, &(struct spv_input){.kind = SPV_TICK});
    assert_true(spv->lanes[LANE_FRONT].active);
    assert_int_equal(count_and_clear(&effects, SPV_LOAD_ROWS), 0);
    spv->fh_count = spv->fh_stored = 1500;
    spv_step(spv, &effects, now, &(struct spv_input){.kind = SPV_TICK});
    assert_int_equal(count_and_clear(&effects, SPV_LOAD_ROWS), 1);
    spv_free(spv);
}

/* A request whose first heights are applied, with one a window above it in their slots.
 */
static struct spv *core_with_overlap(struct peer **peer)
{
    struct spv *spv = core_make(150);
    struct lane *lane = &spv->lanes[LANE_BACK];
    lane->active = true;
    lane->scripts = script_set_ref(spv->cohorts.at[0].scripts);
    lane->base = 150;
    lane->filled = 150 + LANE_WINDOW;
    lane->filters_until = UINT32_MAX;
    lane->counts[SLOT_FILTER_ASKED] = LANE_WINDOW;
    for (uint32_t height = lane->base + 1; height <= lane->filled; height++) {
        lane_slot(lane, height)->state = SLOT_FILTER_ASKED;
        memcpy(lane_slot(lane, height)->row.hash.b, &height, sizeof(height));
    }
    *peer = &spv->peers[spv->peer_count++];
    (*peer)->id = 7;
    (*peer)->state = PEER_READY;
    struct request request = {.kind = REQUEST_FILTERS, .peer = 7, .lane = LANE_BACK};
    request.from = 100;
    request.to = 199;
    request.missing = 49;
    assert_non_null(request_add(spv, &request));
    request.from = 100 + LANE_WINDOW;
    request.to = lane->filled;
    request.missing = request.to - request.from + 1;
    assert_non_null(request_add(spv, &request));
    return spv;
}

static void test_filter_goes_to_the_height_that_was_asked(void **state)
{
    (void)state;
    struct peer *peer;
    struct spv *spv = core_with_overlap(&peer);
    struct spv_effects effects = {0};
    spv->out = &effects;
    uint32_t height = 100 + LANE_WINDOW;
    struct writer payload;
    writer_init(&payload);
    write_u8(&payload, 0);
    write_bytes(&payload, lane_slot(&spv->lanes[LANE_BACK], height)->row.hash.b, 32);
    write_var_bytes(&payload, (struct bytes){(const uint8_t *)"", 1});
    lane_cfilter(spv, peer, (struct bytes){payload.data, payload.len});
    assert_int_equal(effects.count, 1);
    assert_int_equal(effects.items[0].kind, SPV_MATCH);
    assert_int_equal((uint32_t)effects.items[0].ticket, height);
    assert_int_equal(spv->requests[0].missing, 49);
    writer_release(&payload);
    spv_effects_clear(&effects);
    spv_free(spv);
}

/* Back-pressure: bytes at workers, and only those, hold up reading. */
static void test_reading_pauses_while_workers_are_busy(void **state)
{
    (void)state;
    struct peer *peer;
    struct spv *spv = core_with_overlap(&peer);
    struct lane *lane = &spv->lanes[LANE_BACK];
    struct slot *one = lane_slot(lane, 151), *other = lane_slot(lane, 152);
    slot_hold(lane, one, RECEIVE_BUDGET);
    assert_false(spv_busy(spv, false));
    slot_set(lane, one, SLOT_MATCHING);
    assert_true(spv_busy(spv, false));
    slot_hold(lane, one, RECEIVE_BUDGET / 2);
    assert_false(spv_busy(spv, false));
    assert_true(spv_busy(spv, true));
    slot_set(lane, other, SLOT_CHECKING);
    slot_hold(lane, other, RECEIVE_BUDGET / 2);
    assert_true(spv_busy(spv, false));
    slot_set(lane, other, SLOT_DONE);
    slot_hold(lane, one, 0);
    assert_false(spv_busy(spv, true));
    assert_int_equal(lane->held, RECEIVE_BUDGET / 2);
    spv_free(spv);
}

static void test_returned_request_leaves_others_slots(void **state)
{
    (void)state;
    struct peer *peer;
    struct spv *spv = core_with_overlap(&peer);
    struct lane *lane = &spv->lanes[LANE_BACK];
    lane_returned(spv, &spv->requests[0]);
    assert_int_equal(lane->counts[SLOT_WANTS_FILTER], 49);
    assert_int_equal(lane_slot(lane, 151)->state, SLOT_WANTS_FILTER);
    assert_int_equal(lane_slot(lane, 100 + LANE_WINDOW)->state, SLOT_FILTER_ASKED);
    spv_free(spv);
}

/* Two peers with all that ours has, of which the first was asked for 50 filters. */
static struct spv *core_with_request(struct spv_effects *effects)
{
    struct peer *peer;
    struct spv *spv = core_with_overlap(&peer);
    struct lane *lane = &spv->lanes[LANE_BACK];
    spv->out = effects;
    spv->now.mono.ms = 1000;
    lane_truncate(spv, lane, 200);
    spv->headers_settled = true;
    for (uint32_t id = 7; id <= 8; id++) {
        peer = &spv->peers[id - 7];
        spv->peer_count = id - 6;
        peer->id = id;
        peer->state = PEER_READY;
        peer->best = spv->best;
        peer->claims.compared = NEWEST;
        peer->claims.first_difference = NO_HEIGHT;
    }
    const struct request request = {.kind = REQUEST_FILTERS,
                                    .peer = 7,
                                    .lane = LANE_BACK,
                                    .from = 151,
                                    .to = 200,
                                    .missing = 50};
    assert_int_equal(spv->request_count, 0);
    assert_non_null(request_add(spv, &request));
    for (uint32_t height = request.from; height <= request.to; height++)
        slot_set(lane, lane_slot(lane, height), SLOT_FILTER_ASKED);
    return spv;
}

/* Work-stealing: of a slow peer, by one that has nothing to do, and not at once. */
static void test_idle_peer_takes_over_from_a_slow_one(void **state)
{
    (void)state;
    struct spv_effects effects = {0};
    struct spv *spv = core_with_request(&effects);
    struct lane *lane = &spv->lanes[LANE_BACK];
    spv->requests[0].missing = 48; /* as slow as would take it 48 s */
    assert_int_equal(requests_deadline(spv).ms, 1000 + STEAL_AFTER_MS);
    spv->now.mono.ms = 1000 + STEAL_AFTER_MS - 1;
    lane_fetch(spv, lane);
    assert_int_equal(effects.count, 0);
    spv->now.mono.ms++;
    lane_fetch(spv, lane);
    assert_int_equal(effects.count, 1);
    assert_int_equal(effects.items[0].peer, 8);
    assert_int_equal(spv->request_count, 1);
    assert_int_equal(spv->requests[0].peer, 8);
    assert_false(mono_reached(spv->now.mono, spv->peers[0].pause_until));
    spv_effects_clear(&effects);
    spv_free(spv);
}

/* What was taken from a slow peer is on its way: if all were slow, nothing would ever
 * come from whom it is asked of by then. */
static void test_block_of_whom_it_was_taken_from_is_welcome(void **state)
{
    (void)state;
    struct spv_effects effects = {0};
    struct spv *spv = core_with_request(&effects);
    struct lane *lane = &spv->lanes[LANE_BACK];
    const uint8_t block[BLOCK_HEADER_SIZE] = {1};
    struct request *request = &spv->requests[0];
    lane_truncate(spv, lane, 151);
    request_add(
        spv,
        &(struct request){
            .kind = REQUEST_BLOCK, .peer = 7, .lane = LANE_BACK, .from = 151, .to = 151});
    block_header_hash_bytes(&request->stop, block);
    lane_slot(lane, 151)->row.hash = request->stop;
    slot_set(lane, lane_slot(lane, 151), SLOT_BLOCK_ASKED);
    spv->now.mono.ms = 1000 + STEAL_AFTER_MS;
    lane_fetch(spv, lane);
    assert_int_equal(request->peer, 8);
    assert_int_equal(count_and_clear(&effects, SPV_SEND), 1);
    lane_block(spv, &spv->peers[0], (struct bytes){block, sizeof(block)});
    assert_int_equal(spv->request_count, 0);
    assert_int_equal(lane_slot(lane, 151)->state, SLOT_CHECKING);
    assert_int_equal(lane_slot(lane, 151)->peer, 7);
    spv_effects_clear(&effects);
    spv_free(spv);
}

/* When they all are slow, each has longer than the one before. */
static void test_patience_grows_with_the_slow(void **state)
{
    (void)state;
    struct spv_effects effects = {0};
    struct spv *spv = core_with_request(&effects);
    struct lane *lane = &spv->lanes[LANE_BACK];
    spv->peers[2] = (struct peer){.id = 9, .state = PEER_READY, .pause_until = {9000}};
    spv->peer_count = 3;
    assert_int_equal(requests_deadline(spv).ms, 1000 + 2 * STEAL_AFTER_MS);
    spv->now.mono.ms = 1000 + 2 * STEAL_AFTER_MS - 1;
    lane_fetch(spv, lane);
    assert_int_equal(spv->requests[0].peer, 7);
    spv->now.mono.ms++;
    lane_fetch(spv, lane);
    assert_int_equal(spv->requests[0].peer, 8);
    spv_effects_clear(&effects);
    spv_free(spv);
}

static void test_nothing_is_taken_over_without_need(void **state)
{
    (void)state;
    struct spv_effects effects = {0};
    struct spv *spv = core_with_request(&effects);
    struct lane *lane = &spv->lanes[LANE_BACK];
    spv->now.mono.ms = 1000 + STEAL_AFTER_MS;
    spv->requests[0].missing = 20; /* soon done */
    lane_fetch(spv, lane);
    assert_int_equal(effects.count, 0);
    spv->requests[0].missing = 50;
    spv->peers[1].stalled_until.ms = 1000000; /* silent lately */
    lane_fetch(spv, lane);
    assert_int_equal(effects.count, 0);
    assert_int_equal(spv->requests[0].peer, 7);
    spv_effects_clear(&effects);
    spv_free(spv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_filter_header_is_not_asked_of_store),
        cmocka_unit_test(test_filter_goes_to_the_height_that_was_asked),
        cmocka_unit_test(test_reading_pauses_while_workers_are_busy),
        cmocka_unit_test(test_returned_request_leaves_others_slots),
        cmocka_unit_test(test_idle_peer_takes_over_from_a_slow_one),
        cmocka_unit_test(test_block_of_whom_it_was_taken_from_is_welcome),
        cmocka_unit_test(test_patience_grows_with_the_slow),
        cmocka_unit_test(test_nothing_is_taken_over_without_need),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
