/* A new cohort's scan of a chain whose filters are kept, but for those of HOLE. */
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

#define BLOCKS 60
#define HOLE_FROM 21
#define HOLE_TO 30
#define PEER 7

struct bench {
    struct chain_row rows[BLOCKS + 1];
    struct spv *spv;
    struct lane *lane;
    struct spv_effects effects;
};

static const struct spv_now now = {{1}, {2000000000}};

static void rows_make(struct chain_row *rows)
{
    const struct network *network = network_find("regtest");
    rows[0].header = network->genesis;
    rows[0].hash = network->genesis_hash;
    for (uint32_t i = 0; i <= BLOCKS; i++) {
        struct header_node parent = {.hash = rows[i ? i - 1 : 0].hash,
                                     .header = rows[i ? i - 1 : 0].header};
        if (i) {
            rows[i].header = mine_template(&parent, 600, 1);
            mine_solve(network, &rows[i].header);
            block_header_hash(&rows[i].hash, &rows[i].header);
        }
        put_u32be(rows[i].filter_header.b, i);
        rows[i].has_filter_header = true;
    }
}

static struct cohort cohort(uint32_t id, uint32_t cursor)
{
    struct bytes script = {(const uint8_t *)"\x51", 1};
    return (struct cohort){
        id, cursor, script_set_new(&script, (uint32_t[]){0}, 1, (uint64_t[]){1, 2})};
}

static bool is_kept(uint32_t height)
{
    return height && height <= BLOCKS && (height < HOLE_FROM || height > HOLE_TO);
}

static void tick(struct bench *bench)
{
    spv_effects_clear(&bench->effects);
    spv_step(bench->spv, &bench->effects, now, &(struct spv_input){.kind = SPV_TICK});
}

static void open_bench(struct bench *bench, bool keeps)
{
    struct height_set kept = {0};
    memset(bench, 0, sizeof(*bench));
    rows_make(bench->rows);
    for (uint32_t height = 0; height <= BLOCKS; height++)
        if (is_kept(height))
            height_set_add(&kept, height);
    struct spv_start start = {.rows = bench->rows,
                              .row_count = BLOCKS + 1,
                              .root_work = u256_from_u64(2),
                              .filter_header_count = BLOCKS + 1,
                              .last_filter_header = bench->rows[BLOCKS].filter_header,
                              .kept = keeps ? &kept : NULL};
    start.cohorts.at[0] = cohort(0, BLOCKS);
    start.cohorts.at[1] = cohort(1, 0);
    start.cohorts.count = 2;
    const struct spv_settings settings = {
        .network = network_find("regtest"), .map_seed = {1, 2}, .agent = "/test/"};
    bench->spv = spv_new(&settings, &start, now);
    bench->lane = &bench->spv->lanes[LANE_BACK];
    cohort_table_release(&start.cohorts);
    height_set_release(&kept);
}

static void close_bench(struct bench *bench)
{
    spv_effects_clear(&bench->effects);
    spv_free(bench->spv);
}

static enum slot_state state_at(const struct bench *bench, uint32_t height)
{
    return lane_slot(bench->lane, height)->state;
}

static void answer(struct bench *bench, uint32_t height, enum match_verdict verdict)
{
    struct spv_input input = {.kind = SPV_MATCHED,
                              .ticket = ticket_make(bench->lane, height),
                              .matched.verdict = verdict};
    if (verdict == MATCH_HIT)
        input.matched.filter = mem_dup("f", input.matched.filter_len = 1);
    spv_effects_clear(&bench->effects);
    spv_step(bench->spv, &bench->effects, now, &input);
}

static size_t warnings(const struct bench *bench)
{
    size_t count = 0;
    for (size_t i = 0; i < bench->effects.count; i++)
        count += bench->effects.items[i].kind == SPV_NOTE &&
                 bench->effects.items[i].note.level == LOG_WARNING;
    return count;
}

static void test_kept_filters_are_matched_without_peers(void **state)
{
    (void)state;
    struct bench bench;
    size_t count = 0;
    open_bench(&bench, true);
    tick(&bench);
    for (size_t i = 0; i < bench.effects.count; i++) {
        const struct spv_effect *effect = &bench.effects.items[i];
        if (effect->kind != SPV_MATCH)
            continue;
        uint32_t height = effect->match.height;
        assert_true(is_kept(height));
        assert_int_equal(effect->ticket, ticket_make(bench.lane, height));
        assert_true(effect->match.kept);
        assert_false(effect->match.keep_on_disk);
        assert_null(effect->match.filter);
        assert_memory_equal(&effect->match.block, &bench.rows[height].hash, 32);
        assert_memory_equal(&effect->match.expected, &bench.rows[height].filter_header,
                            32);
        assert_memory_equal(&effect->match.previous,
                            &bench.rows[height - 1].filter_header, 32);
        count++;
    }
    assert_int_equal(count, BLOCKS - (HOLE_TO - HOLE_FROM + 1));
    for (uint32_t height = 1; height <= BLOCKS; height++)
        assert_int_equal(state_at(&bench, height),
                         is_kept(height) ? SLOT_MATCHING : SLOT_WANTS_FILTER);
    answer(&bench, 1, MATCH_HIT);
    assert_int_equal(state_at(&bench, 1), SLOT_WANTS_BLOCK);
    answer(&bench, 2, MATCH_NONE);
    assert_int_equal(state_at(&bench, 2), SLOT_DONE);
    close_bench(&bench);
}

/* They always are as many as the budget allows: peers wouldn't be heard before the end.
 */
static void test_peers_are_heard_meanwhile(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, true);
    bench.spv->filter_size = RECEIVE_BUDGET;
    tick(&bench);
    assert_int_equal(state_at(&bench, 1), SLOT_MATCHING);
    assert_true(bench.lane->held >= RECEIVE_BUDGET);
    assert_false(spv_busy(bench.spv, false));
    assert_int_equal(bench.lane->at_workers, 0);
    answer(&bench, 1, MATCH_HIT);
    assert_int_equal(state_at(&bench, 1), SLOT_WANTS_BLOCK);
    assert_int_equal(bench.lane->at_workers, 0);
    close_bench(&bench);
}

static void test_what_the_disk_has_lost_is_asked_of_peers(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, true);
    tick(&bench);
    answer(&bench, 3, MATCH_ABSENT);
    assert_int_equal(state_at(&bench, 3), SLOT_WANTS_FILTER);
    assert_int_equal(warnings(&bench), 0); /* the block of before was another */
    answer(&bench, 4, MATCH_FALSE);
    assert_int_equal(state_at(&bench, 4), SLOT_WANTS_FILTER);
    assert_int_equal(warnings(&bench), 1);
    answer(&bench, 5, MATCH_FALSE);
    assert_int_equal(state_at(&bench, 5), SLOT_WANTS_FILTER);
    assert_int_equal(warnings(&bench), 0); /* once is enough */
    for (uint32_t height = 3; height <= 5; height++)
        assert_false(height_set_has(&bench.spv->kept, height));
    assert_int_equal(bench.lane->counts[SLOT_WANTS_FILTER], HOLE_TO - HOLE_FROM + 1 + 3);
    close_bench(&bench);
}

static void test_the_budget_holds_for_them(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, true);
    bench.spv->filter_size = RECEIVE_BUDGET / 8;
    tick(&bench);
    assert_int_equal(bench.lane->counts[SLOT_MATCHING], 8);
    assert_int_equal(bench.lane->held, RECEIVE_BUDGET);
    answer(&bench, 5, MATCH_NONE);
    assert_int_equal(bench.lane->counts[SLOT_MATCHING], 8);
    assert_int_equal(state_at(&bench, 9), SLOT_MATCHING);
    assert_int_equal(state_at(&bench, 10), SLOT_WANTS_KEPT);
    close_bench(&bench);
}

static void test_a_height_that_is_to_be_fetched_whole(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, true);
    bench.spv->filter_size = RECEIVE_BUDGET / 8;
    tick(&bench);
    height_set_add(&bench.spv->whole, 50);
    lanes_whole(bench.spv, 50);
    assert_int_equal(state_at(&bench, 50), SLOT_WANTS_BLOCK);
    assert_int_equal(state_at(&bench, 51), SLOT_WANTS_KEPT);
    close_bench(&bench);
}

/* The filter of HOLE_FROM, as asked for. */
static void send_filter(struct bench *bench)
{
    struct peer *peer = &bench->spv->peers[bench->spv->peer_count++];
    struct slot *slot = lane_slot(bench->lane, HOLE_FROM);
    struct writer payload = {0};
    peer->id = PEER;
    peer->state = PEER_READY;
    const struct request request = {.kind = REQUEST_FILTERS,
                                    .peer = PEER,
                                    .lane = LANE_BACK,
                                    .from = HOLE_FROM,
                                    .to = HOLE_FROM,
                                    .missing = 1,
                                    .stop = slot->row.hash};
    assert_non_null(request_add(bench->spv, &request));
    slot_set(bench->lane, slot, SLOT_FILTER_ASKED);
    write_u8(&payload, 0);
    write_bytes(&payload, slot->row.hash.b, 32);
    write_var_bytes(&payload, (struct bytes){(const uint8_t *)"", 1});
    spv_effects_clear(&bench->effects);
    bench->spv->out = &bench->effects;
    lane_cfilter(bench->spv, peer, (struct bytes){payload.data, payload.len});
    writer_release(&payload);
    assert_int_equal(bench->effects.count, 1);
    assert_int_equal(bench->effects.items[0].kind, SPV_MATCH);
    assert_false(bench->effects.items[0].match.kept);
    assert_int_equal(bench->effects.items[0].match.height, HOLE_FROM);
}

static void test_what_peers_send_is_kept_once_verified(void **state)
{
    (void)state;
    struct bench bench;
    for (int keeps = 0; keeps < 2; keeps++) {
        open_bench(&bench, keeps);
        tick(&bench);
        send_filter(&bench);
        assert_int_equal(bench.effects.items[0].match.keep_on_disk, keeps);
        assert_false(height_set_has(&bench.spv->kept, HOLE_FROM));
        answer(&bench, HOLE_FROM, MATCH_NONE);
        assert_int_equal(height_set_has(&bench.spv->kept, HOLE_FROM), keeps);
        close_bench(&bench);
    }
}

/* A false one of a peer is its fault; a false one of the disk was nobody's. */
static void test_who_is_blamed(void **state)
{
    (void)state;
    struct bench bench;
    for (int kept = 0; kept < 2; kept++) {
        open_bench(&bench, true);
        tick(&bench);
        send_filter(&bench);
        if (kept) {
            lane_slot(bench.lane, 7)->peer = PEER;
            answer(&bench, 7, MATCH_FALSE);
        } else {
            answer(&bench, HOLE_FROM, MATCH_FALSE);
        }
        assert_int_equal(peer_find(bench.spv, PEER) != NULL, kept);
        close_bench(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept_filters_are_matched_without_peers),
        cmocka_unit_test(test_peers_are_heard_meanwhile),
        cmocka_unit_test(test_what_the_disk_has_lost_is_asked_of_peers),
        cmocka_unit_test(test_the_budget_holds_for_them),
        cmocka_unit_test(test_a_height_that_is_to_be_fetched_whole),
        cmocka_unit_test(test_what_peers_send_is_kept_once_verified),
        cmocka_unit_test(test_who_is_blamed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
