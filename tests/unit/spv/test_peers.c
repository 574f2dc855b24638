/* Bans, floods, and whose word counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/spv/core_world.h"

static const struct spv_address two[] = {{.text = "one.test:18444"},
                                         {.text = "two.test:18444", .trusted = true}};

static void open_connected(struct world *world, uint32_t ids[static 2])
{
    world_open(world, (struct spv_settings){.connect = two, .connect_count = 2},
               (struct spv_start){0});
    world_pass(world, 100);
    assert_int_equal(world_count(world, SPV_DIAL), 2);
    ids[0] = world_effect(world, SPV_DIAL, 0)->peer;
    ids[1] = world_effect(world, SPV_DIAL, 1)->peer;
    world_shake(world, ids[0], SERVICES_NEEDED);
    world_shake(world, ids[1], SERVICES_NEEDED);
    assert_int_equal(spv_count_ready(world->spv), 2);
}

static void ban(struct world *world, uint32_t peer, const char *proof)
{
    spv_effects_clear(&world->effects);
    world->spv->out = &world->effects;
    world->spv->now = world_now(world);
    peer_ban(world->spv, peer_find(world->spv, peer), proof);
    world->spv->out = NULL;
}

/* "what is provably false bans, with the proof kept"; for a day. */
static void a_ban_lasts_a_day(void **state)
{
    (void)state;
    struct world world;
    uint32_t ids[2];
    struct error reason;
    struct spv_ban bans[2];
    open_connected(&world, ids);
    assert_false(spv_connect_banned(world.spv, world_now(&world), &reason));
    ban(&world, ids[0], "its filter of block 7 lacks an output");
    assert_int_equal(world_count(&world, SPV_DROP), 1);
    const struct spv_effect *kept = world_effect(&world, SPV_BAN, 0);
    assert_non_null(kept);
    assert_string_equal(kept->ban->address, "one.test:18444");
    assert_string_equal(kept->ban->reason, "its filter of block 7 lacks an output");
    assert_int_equal(kept->ban->until.s, world_now(&world).wall.s + 86400);
    assert_true(world_noted(&world, "one.test:18444: banned for 24 h: its filter"));
    assert_true(spv_connect_banned(world.spv, world_now(&world), &reason));
    assert_string_equal(reason.text, "one.test:18444 is banned: its filter of block 7 "
                                     "lacks an output");
    assert_int_equal(spv_bans(world.spv, bans, 2, world_now(&world)), 1);
    world_pass(&world, INT64_C(86300) * 1000);
    for (size_t n = 0; world_effect(&world, SPV_DIAL, n); n++)
        assert_string_equal(world_effect(&world, SPV_DIAL, n)->dial.address,
                            "two.test:18444");
    world_pass(&world, 200000);
    assert_int_equal(spv_bans(world.spv, bans, 2, world_now(&world)), 0);
    bool dialed = false;
    for (size_t n = 0; world_effect(&world, SPV_DIAL, n); n++)
        dialed |= strcmp(world_effect(&world, SPV_DIAL, n)->dial.address,
                         "one.test:18444") == 0;
    assert_true(dialed);
    world_close(&world);
}

static void bans_outlive_a_restart(void **state)
{
    (void)state;
    struct world world;
    struct error reason;
    const struct spv_ban bans[2] = {
        {"one.test:18444", {WORLD_WALL + 1000}, "proved"},
        {"two.test:18444", {WORLD_WALL - 1}, "long ago"},
    };
    world_open(&world, (struct spv_settings){.connect = two, .connect_count = 2},
               (struct spv_start){.bans = bans, .ban_count = 2});
    world_pass(&world, 100);
    assert_int_equal(world_count(&world, SPV_DIAL), 1);
    assert_string_equal(world_effect(&world, SPV_DIAL, 0)->dial.address,
                        "two.test:18444");
    assert_true(spv_connect_banned(world.spv, world_now(&world), &reason));
    /* Lifted, it is dialed again. */
    world_input(&world,
                &(struct spv_input){.kind = SPV_LIFT_BAN, .address = "one.test:18444"});
    assert_int_equal(world_count(&world, SPV_UNBAN), 1);
    world_pass(&world, 1000);
    assert_int_equal(world_count(&world, SPV_DIAL), 1);
    assert_false(spv_connect_banned(world.spv, world_now(&world), &reason));
    world_close(&world);
}

static void who_is_distrusted_is_banned(void **state)
{
    (void)state;
    struct world world;
    uint32_t ids[2];
    struct spv_ban bans[2];
    open_connected(&world, ids);
    world_input(&world,
                &(struct spv_input){.kind = SPV_DISTRUST, .address = "two.test:18444"});
    assert_int_equal(world_count(&world, SPV_DROP), 1);
    assert_int_equal(spv_count_ready(world.spv), 1);
    assert_true(spv_could_ban(world.spv, "two.test:18444"));
    assert_false(spv_could_ban(world.spv, "two.test"));
    assert_false(spv_could_ban(world.spv, "20.0.0.1"));
    world_input(&world, &(struct spv_input){.kind = SPV_DISTRUST, .address = "20.0.0.1"});
    assert_int_equal(world_count(&world, SPV_DROP), 0);
    assert_int_equal(spv_bans(world.spv, bans, 2, world_now(&world)), 2);
    assert_string_equal(bans[0].reason, "distrusted by the operator");
    world_close(&world);
}

/* However many are banned, memory is bounded: who is free soonest gives way. */
static void bans_are_bounded(void **state)
{
    (void)state;
    struct world world;
    struct spv_ban none[1];
    world_open(&world, (struct spv_settings){.connect = two, .connect_count = 2},
               (struct spv_start){0});
    for (unsigned i = 0; i < BANS_MAX + 10; i++) {
        char address[32];
        snprintf(address, sizeof(address), "20.0.%u.%u", i / 256, i % 256);
        world.ms += 1000;
        world_input(&world,
                    &(struct spv_input){.kind = SPV_DISTRUST, .address = address});
        assert_int_equal(world_count(&world, SPV_BAN), 1);
        assert_int_equal(world_count(&world, SPV_UNBAN), i >= BANS_MAX);
    }
    assert_int_equal(spv_bans(world.spv, none, 1, world_now(&world)), BANS_MAX);
    assert_null(ban_find(world.spv, "20.0.0.9", world_now(&world).wall));
    assert_non_null(ban_find(world.spv, "20.0.0.10", world_now(&world).wall));
    world_close(&world);
}

static void send_ping(struct world *world, uint32_t peer)
{
    struct writer payload = {0};
    write_u64le(&payload, 5);
    world_message(world, peer, MESSAGE_PING, &payload);
}

/* "A peer costs at most a fixed, named amount of memory and CPU a second." */
static void floods_end_the_connection(void **state)
{
    (void)state;
    struct world world;
    uint32_t ids[2];
    open_connected(&world, ids);
    size_t pings = 0;
    while (peer_find(world.spv, ids[0])) {
        send_ping(&world, ids[0]);
        pings++;
    }
    assert_in_range(pings, BUDGET_MESSAGES_BURST - 10, BUDGET_MESSAGES_BURST + 10);
    assert_true(world_noted(&world, "one.test:18444: let go: floods"));
    /* A hundred a second is too many for long, ten aren't. */
    for (int second = 0; second < 600; second++) {
        for (int i = 0; i < 10; i++)
            send_ping(&world, ids[1]);
        world.ms += 1000;
    }
    assert_non_null(peer_find(world.spv, ids[1]));
    world_close(&world);
}

static void bytes_count_too(void **state)
{
    (void)state;
    struct world world;
    uint32_t ids[2];
    open_connected(&world, ids);
    size_t bytes = 0;
    while (peer_find(world.spv, ids[0])) {
        struct writer payload = {0};
        struct inv_item *items = mem_zalloc(INV_MAX, sizeof(*items));
        inv_encode(&payload, items, INV_MAX);
        free(items);
        bytes += payload.len;
        world_message(&world, ids[0], MESSAGE_INV, &payload);
    }
    assert_in_range(bytes, BUDGET_BYTES_BURST, BUDGET_BYTES_BURST + 2 * INV_MAX * 36);
    world_close(&world);
}

/* Kinds that we have no use for cost their announced length, though the shell keeps
 * nothing of them. */
static void unknown_kinds_are_paid_for(void **state)
{
    (void)state;
    struct world world;
    uint32_t ids[2];
    open_connected(&world, ids);
    const struct spv_input input = {
        .kind = SPV_MESSAGE,
        .peer = ids[0],
        .message = {.frame = {.kind = MESSAGE_OTHER, .payload_len = FRAME_PAYLOAD_MAX}}};
    world_input(&world, &input);
    assert_int_equal(world_count(&world, SPV_DROP), 0);
    world_input(&world, &input);
    assert_int_equal(world_count(&world, SPV_DROP), 1);
    world_close(&world);
}

/* "Slow isn't malicious": what was asked for is free, however late. */
static void late_answers_are_free(void **state)
{
    (void)state;
    struct world world;
    uint32_t ids[2];
    open_connected(&world, ids);
    struct peer *peer = peer_find(world.spv, ids[0]);
    budget_expect(peer, ANSWER_DATA, 5);
    int64_t before = peer->budget.bytes;
    const struct frame frame = {.kind = MESSAGE_BLOCK, .payload_len = FRAME_PAYLOAD_MAX};
    for (int i = 0; i < 5; i++)
        assert_true(budget_take(world.spv, peer, &frame));
    assert_int_equal(peer->budget.bytes, before);
    assert_true(budget_take(world.spv, peer, &frame));
    assert_true(peer->budget.bytes < before);
    world_close(&world);
}

/* "A peer costs at most a fixed, named amount": silence doesn't save up for a flood. */
static void answers_are_not_saved_up(void **state)
{
    (void)state;
    struct world world;
    uint32_t ids[2];
    open_connected(&world, ids);
    struct peer *peer = peer_find(world.spv, ids[0]);
    const struct frame frame = {.kind = MESSAGE_CFILTER, .payload_len = 256 << 10};
    for (int i = 0; i < 1000; i++)
        budget_expect(peer, ANSWER_CFILTER, CFILTERS_MAX);
    budget_expect(peer, ANSWER_CFILTER, UINT32_MAX);
    size_t free_of_charge = 0;
    for (int64_t before = peer->budget.bytes; peer->budget.bytes == before;) {
        assert_true(budget_take(world.spv, peer, &frame));
        free_of_charge++;
    }
    assert_int_equal(free_of_charge, BUDGET_ANSWERS_MAX + 1);
    world_close(&world);
}

/* How long after it is lost the peer is dialed again; its new transport goes to *id. */
static int64_t redialed(struct world *world, uint32_t *id)
{
    int64_t lost = world->ms;
    world_input(world, &(struct spv_input){.kind = SPV_PEER_LOST, .peer = *id});
    while (!world_count(world, SPV_DIAL))
        world_pass(world, 100);
    *id = world_effect(world, SPV_DIAL, 0)->peer;
    return world->ms - lost;
}

/* Who shakes hands and hangs up is dialed ever more seldom, who answers is soon again. */
static void hanging_up_is_met_with_patience(void **state)
{
    (void)state;
    struct world world;
    uint32_t ids[2];
    open_connected(&world, ids);
    int64_t pause = 0;
    for (int i = 0; i < 10; i++) {
        int64_t before = pause;
        pause = redialed(&world, &ids[0]);
        assert_in_range(pause, before, RETRY_MAX_MS);
        world_shake(&world, ids[0], SERVICES_NEEDED);
    }
    assert_int_equal(pause, RETRY_MAX_MS);
    world_pass(&world, PING_INTERVAL_MS);
    struct writer nonce = {0};
    write_u64le(&nonce, 0);
    world_message(&world, ids[0], MESSAGE_PONG, &nonce);
    assert_in_range(redialed(&world, &ids[0]), 1, 1000);
    world_close(&world);
}

/* "(H, hash) ... in distinct network groups"; each of connect= is one. Who hasn't been
 * compared doesn't count. */
static void groups_are_counted(void **state)
{
    (void)state;
    struct world world;
    uint32_t ids[2];
    bool trusted;
    open_connected(&world, ids);
    struct spv *spv = world.spv;
    const struct block_hash genesis = world.network.genesis_hash;
    for (size_t i = 0; i < 2; i++)
        spv->peers[i].best = spv->best;
    assert_int_equal(spv_peers_agreeing(spv, 0, &genesis, NULL), 0);
    for (size_t i = 0; i < 2; i++)
        spv->peers[i].claims.compared = 1;
    assert_int_equal(spv_peers_agreeing(spv, 0, &genesis, &trusted), 2);
    assert_true(trusted);
    for (size_t i = 0; i < 2; i++) {
        spv->peers[i].net = (struct net_address){.kind = NET_IPV4, .port = 1};
        spv->peers[i].net.b[0] = 20;
        spv->peers[i].net.b[3] = (uint8_t)i;
    }
    assert_int_equal(spv_peers_agreeing(spv, 0, &genesis, NULL), 1);
    spv->peers[1].net.b[1] = 1;
    assert_int_equal(spv_peers_agreeing(spv, 0, &genesis, NULL), 2);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ban_lasts_a_day),
        cmocka_unit_test(bans_outlive_a_restart),
        cmocka_unit_test(who_is_distrusted_is_banned),
        cmocka_unit_test(bans_are_bounded),
        cmocka_unit_test(floods_end_the_connection),
        cmocka_unit_test(bytes_count_too),
        cmocka_unit_test(unknown_kinds_are_paid_for),
        cmocka_unit_test(late_answers_are_free),
        cmocka_unit_test(answers_are_not_saved_up),
        cmocka_unit_test(hanging_up_is_met_with_patience),
        cmocka_unit_test(groups_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
