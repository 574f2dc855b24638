/* Who is dialed, who tells addresses, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/spv/core_world.h"
#include "tests/unit/spv/mine.h"

#define ALL_SERVICES SERVICES_NEEDED

static struct net_address address_of(unsigned group, unsigned host)
{
    struct net_address address = {.kind = NET_IPV4, .port = 8333};
    address.b[0] = (uint8_t)(20 + group / 256);
    address.b[1] = (uint8_t)group;
    address.b[3] = (uint8_t)host;
    return address;
}

static void open_outbound(struct world *world, uint32_t outbound)
{
    world_open(world, (struct spv_settings){.outbound = outbound},
               (struct spv_start){.book_key = {1, 2}});
}

/* Answer the seed that was asked last with so many addresses, each in a group of its own
 * from `first` on. */
static void answer_seed(struct world *world, unsigned first, size_t count)
{
    const struct spv_effect *asked = world_effect(world, SPV_RESOLVE, 0);
    assert_non_null(asked);
    struct net_address addresses[200];
    for (unsigned i = 0; i < count; i++)
        addresses[i] = address_of(first + i, 1);
    world_input(world, &(struct spv_input){.kind = SPV_RESOLVED,
                                           .ticket = asked->ticket,
                                           .resolved = {addresses, count}});
}

static const char *asked_name(const struct world *world)
{
    const struct spv_effect *asked = world_effect(world, SPV_RESOLVE, 0);
    return asked ? asked->resolve.name : "";
}

/* "DNS seeds with the service prefix x49": without it where a seed doesn't know it; asked
 * only when the book is short; in order; then a pause. */
static void seeds_are_asked_in_order(void **state)
{
    (void)state;
    struct world world;
    open_outbound(&world, 8);
    world_pass(&world, 100);
    assert_string_equal(asked_name(&world), "x49.seed.one.test");
    answer_seed(&world, 0, 0);
    world_pass(&world, 6000);
    assert_string_equal(asked_name(&world), "seed.one.test");
    answer_seed(&world, 0, 0);
    world_pass(&world, 6000);
    assert_string_equal(asked_name(&world), "x49.seed.two.test");
    answer_seed(&world, 0, 10);
    assert_true(world_noted(&world, "seed x49.seed.two.test: 10 addresses"));
    world_pass(&world, 500000);
    assert_string_equal(asked_name(&world), "");
    world_pass(&world, 120000);
    assert_string_equal(asked_name(&world), "x49.seed.one.test");
    answer_seed(&world, 20, 100);
    size_t known, tried;
    spv_book_counts(world.spv, &known, &tried);
    assert_true(known > 64);
    assert_int_equal(tried, 0);
    world_close(&world);
}

static void seeds_without_filters_are_asked_plainly(void **state)
{
    (void)state;
    struct world world;
    open_outbound(&world, 8);
    world.network.filter_seeds = 1;
    world_pass(&world, 100);
    assert_string_equal(asked_name(&world), "x49.seed.one.test");
    answer_seed(&world, 0, 3);
    world_pass(&world, 6000);
    assert_string_equal(asked_name(&world), "seed.two.test");
    world_close(&world);
}

static void a_seed_that_never_answers_is_passed_over(void **state)
{
    (void)state;
    struct world world;
    open_outbound(&world, 8);
    world_pass(&world, 100);
    assert_string_equal(asked_name(&world), "x49.seed.one.test");
    world_pass(&world, 70000);
    assert_string_equal(asked_name(&world), "seed.one.test");
    world_close(&world);
}

static struct net_address dialed(const struct world *world, size_t n)
{
    struct net_address address = {0};
    const struct spv_effect *dial = world_effect(world, SPV_DIAL, n);
    assert_non_null(dial);
    assert_true(net_address_parse(&address, dial->dial.address));
    return address;
}

/* "Per network group one outbound". */
static void each_peer_is_in_a_group_of_its_own(void **state)
{
    (void)state;
    struct world world;
    open_outbound(&world, 8);
    world_pass(&world, 100);
    const struct spv_effect *asked = world_effect(&world, SPV_RESOLVE, 0);
    struct net_address addresses[60];
    for (unsigned i = 0; i < 60; i++)
        addresses[i] = address_of(i % 6, i);
    world_input(&world, &(struct spv_input){.kind = SPV_RESOLVED,
                                            .ticket = asked->ticket,
                                            .resolved = {addresses, 60}});
    world_pass(&world, 5000);
    assert_int_equal(world_count(&world, SPV_DIAL), 6);
    for (size_t i = 0; i < 6; i++)
        for (size_t j = 0; j < i; j++) {
            struct net_address a = dialed(&world, i), b = dialed(&world, j);
            assert_true(net_group(&a) != net_group(&b));
        }
    world_close(&world);
}

/* Fill all slots with ready peers; ids[i] is what the i-th was dialed as. */
static void fill_slots(struct world *world, uint32_t *ids, size_t count)
{
    world_pass(world, 100);
    answer_seed(world, 0, 120);
    size_t ready = 0;
    while (ready < count) {
        world_pass(world, 1000);
        uint32_t fresh[SPV_OUTBOUND_MAX];
        size_t found = world_count(world, SPV_DIAL);
        for (size_t i = 0; i < found; i++)
            fresh[i] = world_effect(world, SPV_DIAL, i)->peer;
        assert_true(found > 0);
        for (size_t i = 0; i < found; i++) {
            world_shake(world, fresh[i], ALL_SERVICES);
            ids[ready++] = fresh[i];
        }
    }
    assert_int_equal(spv_count_ready(world->spv), count);
}

static void eight_and_no_more(void **state)
{
    (void)state;
    struct world world;
    uint32_t ids[8];
    open_outbound(&world, 8);
    fill_slots(&world, ids, 8);
    size_t known, tried;
    spv_book_counts(world.spv, &known, &tried);
    assert_int_equal(tried, 8);
    world_pass(&world, 60000);
    assert_int_equal(world_count(&world, SPV_DIAL), 0);
    world_input(&world, &(struct spv_input){.kind = SPV_PEER_LOST, .peer = ids[3]});
    world_pass(&world, 3000);
    assert_int_equal(world_count(&world, SPV_DIAL), 1);
    world_close(&world);
}

/* "A peer without the services is let go at the handshake", and not dialed again. */
static void who_lacks_services_is_let_go(void **state)
{
    (void)state;
    struct world world;
    open_outbound(&world, 1);
    world_pass(&world, 100);
    answer_seed(&world, 0, 1);
    world_pass(&world, 1000);
    uint32_t peer = world_effect(&world, SPV_DIAL, 0)->peer;
    world_shake(&world, peer, NODE_NETWORK | NODE_WITNESS);
    assert_int_equal(world_count(&world, SPV_DROP), 1);
    for (int i = 0; i < 20; i++) {
        world_pass(&world, 100000);
        assert_int_equal(world_count(&world, SPV_DIAL), 0);
    }
    world_close(&world);
}

static void write_address(struct writer *out, const struct net_address *address,
                          uint64_t services)
{
    write_u32le(out, (uint32_t)WORLD_WALL);
    write_compact_size(out, services);
    write_u8(out, (uint8_t)address->kind);
    write_var_bytes(out, (struct bytes){address->b, address->kind == NET_IPV4 ? 4 : 32});
    write_u16be(out, address->port);
}

static void tell(struct world *world, uint32_t peer, unsigned first, size_t count,
                 uint64_t services)
{
    struct writer payload = {0};
    write_compact_size(&payload, count);
    for (unsigned i = 0; i < count; i++) {
        struct net_address address = address_of((first + i) % 20000, i / 7 % 250);
        write_address(&payload, &address, services);
    }
    world_message(world, peer, MESSAGE_ADDRV2, &payload);
}

static size_t known(const struct world *world)
{
    size_t known, tried;
    spv_book_counts(world->spv, &known, &tried);
    return known;
}

/* Where a seed doesn't know the prefix, its nodes serve to ask for others. */
static void nodes_of_plain_seeds_tell_addresses(void **state)
{
    (void)state;
    struct world world;
    open_outbound(&world, 1);
    world_pass(&world, 100);
    answer_seed(&world, 0, 0);
    world_pass(&world, 6000);
    assert_string_equal(asked_name(&world), "seed.one.test");
    answer_seed(&world, 0, 1);
    world_pass(&world, 1000);
    uint32_t peer = world_effect(&world, SPV_DIAL, 0)->peer;
    world_shake(&world, peer, NODE_NETWORK | NODE_WITNESS);
    assert_int_equal(world_count(&world, SPV_DROP), 0);
    assert_int_equal(world_sent(&world, MESSAGE_GETADDR, peer), 1);
    assert_int_equal(world_sent(&world, MESSAGE_GETHEADERS, peer), 0);
    tell(&world, peer, 50, 1, ALL_SERVICES);
    assert_int_equal(world_count(&world, SPV_DROP), 0);
    tell(&world, peer, 100, 20, ALL_SERVICES);
    assert_int_equal(world_count(&world, SPV_DROP), 1);
    assert_int_equal(known(&world), 22);
    world_close(&world);
}

/* BIP 155: sendaddrv2 between version and verack. getaddr once; then as many addresses as
 * were asked for, and one in ten seconds. */
static void addresses_come_at_a_bounded_rate(void **state)
{
    (void)state;
    struct world world;
    uint32_t peer;
    open_outbound(&world, 1);
    world_pass(&world, 100);
    answer_seed(&world, 0, 1);
    world_pass(&world, 1000);
    peer = world_effect(&world, SPV_DIAL, 0)->peer;
    world_input(&world, &(struct spv_input){.kind = SPV_PEER_CONNECTED, .peer = peer});
    struct message_version version = {
        .version = PROTOCOL_VERSION, .services = ALL_SERVICES, .nonce = 7};
    struct writer payload = {0};
    version_encode(&payload, &version);
    world_message(&world, peer, MESSAGE_VERSION, &payload);
    assert_int_equal(world_effect(&world, SPV_SEND, 0)->send.data[4], 's');
    assert_int_equal(world_sent(&world, MESSAGE_SENDADDRV2, peer), 1);
    assert_int_equal(world_sent(&world, MESSAGE_VERACK, peer), 1);
    world_message(&world, peer, MESSAGE_VERACK, NULL);
    assert_int_equal(world_sent(&world, MESSAGE_GETADDR, peer), 1);
    tell(&world, peer, 0, 1000, NODE_NETWORK);
    assert_int_equal(known(&world), 1);
    tell(&world, peer, 1000, 900, ALL_SERVICES);
    size_t first = known(&world);
    assert_true(first > 400);
    for (unsigned i = 2; i < 12; i++)
        tell(&world, peer, i * 1000, 1000, ALL_SERVICES);
    assert_true(known(&world) <= first + 101);
    size_t before = known(&world);
    tell(&world, peer, 15000, 1000, ALL_SERVICES);
    assert_int_equal(known(&world), before);
    world_pass(&world, 100000);
    tell(&world, peer, 16000, 1000, ALL_SERVICES);
    assert_true(known(&world) <= before + 10);
    assert_int_equal(spv_count_ready(world.spv), 1);
    world_close(&world);
}

static void malformed_addresses_are_a_fault(void **state)
{
    (void)state;
    struct world world;
    uint32_t ids[8];
    open_outbound(&world, 8);
    fill_slots(&world, ids, 8);
    struct writer payload = {0};
    write_compact_size(&payload, 3);
    world_message(&world, ids[0], MESSAGE_ADDR, &payload);
    assert_int_equal(world_count(&world, SPV_DROP), 1);
    assert_true(world_noted(&world, "let go: malformed list of addresses"));
    world_close(&world);
}

/* "Onion addresses are dialed only with a proxy", and seeds are asked through it. */
static void a_proxy_reaches_onions_and_seeds(void **state)
{
    (void)state;
    for (int proxied = 0; proxied < 2; proxied++) {
        struct world world;
        world_open(&world, (struct spv_settings){.outbound = 2, .proxied = proxied != 0},
                   (struct spv_start){.book_key = {1, 2}});
        world_pass(&world, 100);
        uint32_t peer;
        if (proxied) {
            assert_int_equal(world_count(&world, SPV_RESOLVE), 0);
            const struct spv_effect *dial = world_effect(&world, SPV_DIAL, 0);
            assert_non_null(dial);
            assert_string_equal(dial->dial.address, "x49.seed.one.test:18444");
            peer = dial->peer;
        } else {
            answer_seed(&world, 0, 1);
            world_pass(&world, 1000);
            peer = world_effect(&world, SPV_DIAL, 0)->peer;
        }
        world_shake(&world, peer, ALL_SERVICES);
        assert_int_equal(world_sent(&world, MESSAGE_GETADDR, peer), 1);
        struct writer payload = {0};
        write_compact_size(&payload, 2);
        for (uint8_t i = 0; i < 2; i++) {
            struct net_address onion = {.kind = NET_ONION, .port = 8333};
            onion.b[0] = (uint8_t)(i << 6);
            write_address(&payload, &onion, ALL_SERVICES);
        }
        world_message(&world, peer, MESSAGE_ADDRV2, &payload);
        assert_int_equal(world_count(&world, SPV_DROP), proxied);
        assert_int_equal(known(&world), proxied ? 2 : 1);
        world_pass(&world, 3000);
        assert_int_equal(world_count(&world, SPV_DIAL), proxied ? 2 : 0);
        world_close(&world);
    }
}

/* The changed rows, kept as the store keeps them. */
static size_t keep_rows(const struct world *world, struct book_row *rows, size_t max)
{
    size_t count = 0;
    for (size_t n = 0; world_effect(world, SPV_STORE_BOOK, n); n++) {
        const struct spv_effect *effect = world_effect(world, SPV_STORE_BOOK, n);
        for (size_t i = 0; i < effect->book.count && count < max; i++)
            if (effect->book.rows[i].entry.address.kind != NET_NONE)
                rows[count++] = effect->book.rows[i];
    }
    return count;
}

static void the_book_outlives_a_restart(void **state)
{
    (void)state;
    struct world world;
    struct book_row rows[300];
    open_outbound(&world, 4);
    world_pass(&world, 100);
    answer_seed(&world, 0, 120);
    world_pass(&world, 11000);
    size_t count = keep_rows(&world, rows, 300);
    assert_int_equal(count, known(&world));
    world_input(&world, &(struct spv_input){.kind = SPV_STOP});
    world_close(&world);
    world_open(&world, (struct spv_settings){.outbound = 4},
               (struct spv_start){.book_key = {1, 2}, .book = rows, .book_count = count});
    assert_int_equal(known(&world), count);
    world_pass(&world, 100);
    assert_int_equal(world_count(&world, SPV_RESOLVE), 0);
    assert_int_equal(world_count(&world, SPV_DIAL), 4);
    world_close(&world);
}

/* The operator may distrust who isn't connected, under the name that its ban has. */
static void a_host_can_be_distrusted(void **state)
{
    (void)state;
    struct world world;
    open_outbound(&world, 4);
    assert_true(spv_could_ban(world.spv, "20.0.0.1"));
    assert_true(spv_could_ban(world.spv, "2001:db8::1"));
    assert_false(spv_could_ban(world.spv, "20.0.0.1:8333"));
    assert_false(spv_could_ban(world.spv, "[2001:db8::1]"));
    assert_false(spv_could_ban(world.spv, "nonsense"));
    world_close(&world);
}

/* An old book of which nobody answers any more: after a minute seeds are asked again. */
static void a_stale_book_is_no_end(void **state)
{
    (void)state;
    struct world world;
    struct book_row rows[300];
    open_outbound(&world, 4);
    world_pass(&world, 100);
    answer_seed(&world, 0, 120);
    world_pass(&world, 11000);
    size_t count = keep_rows(&world, rows, 300);
    world_close(&world);
    world_open(&world, (struct spv_settings){.outbound = 4},
               (struct spv_start){.book_key = {1, 2}, .book = rows, .book_count = count});
    world_pass(&world, 50000);
    assert_int_equal(world_count(&world, SPV_RESOLVE), 0);
    world_pass(&world, 30000);
    assert_int_equal(world_count(&world, SPV_RESOLVE), 1);
    world_close(&world);
}

/* "rotation": one gives way now and then, only when enough others are there. */
static void peers_rotate(void **state)
{
    (void)state;
    struct world world;
    uint32_t ids[8];
    open_outbound(&world, 8);
    fill_slots(&world, ids, 8);
    size_t turns = 0;
    for (int hour = 0; hour < 4; hour++) {
        world_pass(&world, 1000);
        for (size_t i = 0; i < 59; i++) {
            /* Peers answer pings. */
            for (size_t p = 0; p < 8; p++)
                world.spv->peers[p].ping_nonce = 0;
            world_pass(&world, 60000);
            turns += world_noted(&world, "let go in turn");
            size_t fresh = world_count(&world, SPV_DIAL);
            uint32_t peer[SPV_OUTBOUND_MAX];
            for (size_t p = 0; p < fresh; p++)
                peer[p] = world_effect(&world, SPV_DIAL, p)->peer;
            for (size_t p = 0; p < fresh; p++)
                world_shake(&world, peer[p], ALL_SERVICES);
        }
    }
    assert_in_range(turns, 2, 8);
    world_close(&world);
    open_outbound(&world, 3);
    fill_slots(&world, ids, 3);
    for (int i = 0; i < 240; i++) {
        for (size_t p = 0; p < 3; p++)
            world.spv->peers[p].ping_nonce = 0;
        world_pass(&world, 60000);
        assert_false(world_noted(&world, "let go in turn"));
    }
    world_close(&world);
}

/* "a probe for a longer chain when the tip is stale": one more, then back. */
static void a_stale_tip_is_probed(void **state)
{
    (void)state;
    struct world world;
    uint32_t ids[4];
    open_outbound(&world, 4);
    fill_slots(&world, ids, 4);
    world.spv->headers_settled = true; /* at genesis: years old */
    world_pass(&world, 61000);
    assert_true(world_noted(&world, "asking one more peer"));
    assert_int_equal(world_count(&world, SPV_DIAL), 1);
    uint32_t probe = world_effect(&world, SPV_DIAL, 0)->peer;
    world_shake(&world, probe, ALL_SERVICES);
    assert_int_equal(world_sent(&world, MESSAGE_GETHEADERS, probe), 1);
    assert_int_equal(spv_count_ready(world.spv), 5);
    world_pass(&world, PROBE_MS + 1000);
    assert_int_equal(spv_count_ready(world.spv), 4);
    assert_int_equal(world_count(&world, SPV_DIAL), 0);
    world_close(&world);
}

/* A probe that brings a block stays, for one that didn't. */
static void a_probe_with_news_stays(void **state)
{
    (void)state;
    struct world world;
    uint32_t ids[4];
    open_outbound(&world, 4);
    fill_slots(&world, ids, 4);
    world.spv->headers_settled = true;
    world_pass(&world, 61000);
    uint32_t probe = world_effect(&world, SPV_DIAL, 0)->peer;
    world_shake(&world, probe, ALL_SERVICES);
    struct block_header next = mine_template(world.spv->best, 600, 1);
    mine_solve(&world.network, &next);
    uint8_t raw[BLOCK_HEADER_SIZE];
    struct writer payload = {0};
    block_header_encode(raw, &next);
    write_compact_size(&payload, 1);
    write_bytes(&payload, raw, sizeof(raw));
    write_u8(&payload, 0);
    world_message(&world, probe, MESSAGE_HEADERS, &payload);
    assert_int_equal(world.spv->best->height, 1);
    world_pass(&world, PROBE_MS + 1000);
    assert_int_equal(spv_count_ready(world.spv), 4);
    assert_non_null(peer_find(world.spv, probe));
    assert_int_equal(peer_find(world.spv, probe)->state, PEER_READY);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seeds_are_asked_in_order),
        cmocka_unit_test(seeds_without_filters_are_asked_plainly),
        cmocka_unit_test(a_seed_that_never_answers_is_passed_over),
        cmocka_unit_test(each_peer_is_in_a_group_of_its_own),
        cmocka_unit_test(eight_and_no_more),
        cmocka_unit_test(who_lacks_services_is_let_go),
        cmocka_unit_test(nodes_of_plain_seeds_tell_addresses),
        cmocka_unit_test(addresses_come_at_a_bounded_rate),
        cmocka_unit_test(malformed_addresses_are_a_fault),
        cmocka_unit_test(a_proxy_reaches_onions_and_seeds),
        cmocka_unit_test(the_book_outlives_a_restart),
        cmocka_unit_test(a_host_can_be_distrusted),
        cmocka_unit_test(a_stale_book_is_no_end),
        cmocka_unit_test(peers_rotate),
        cmocka_unit_test(a_stale_tip_is_probed),
        cmocka_unit_test(a_probe_with_news_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
