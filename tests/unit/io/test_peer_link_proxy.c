/* Links through a SOCKS5 proxy, and what a peer costs at most. */
#include "peer_fixture.h"

#include "base/mem.h"

static void start_proxied(struct fixture *fixture)
{
    start(fixture, NULL);
    peer_links_free(fixture->links);
    const struct peer_links_settings settings = {.network = &network,
                                                 .proxy = fixture->address};
    const struct peer_links_handler handler = {on_connected, on_message, on_lost,
                                               &fixture->seen};
    fixture->links = peer_links_new(fixture->loop, &settings, &handler);
    fixture->seen.links = fixture->links;
}

static void dial_proxied(struct fixture *fixture, const char *address)
{
    peer_links_dial(fixture->links, PEER, address);
    DRIVE_UNTIL(fixture->loop, accept_peer(fixture));
}

/* As the proxy: the next `len` bytes that it is sent. */
static void proxy_reads(struct fixture *fixture, struct writer *got, size_t len)
{
    writer_release(got);
    *got = (struct writer){0};
    while (got->len < len) {
        uint8_t piece[512];
        size_t room = len - got->len < sizeof(piece) ? len - got->len : sizeof(piece);
        event_base_loop(loop_base(fixture->loop), EVLOOP_NONBLOCK);
        ssize_t here = recv(fixture->peer, piece, room, 0);
        if (here > 0)
            write_bytes(got, piece, (size_t)here);
    }
}

static void write_ping(struct writer *out)
{
    frame_encode(out, &network, MESSAGE_PING,
                 (struct bytes){(const uint8_t *)"12345678", 8});
}

static void test_messages_through_a_proxy(void **state)
{
    (void)state;
    struct fixture fixture;
    struct writer got = {0}, reply = {0};
    start_proxied(&fixture);
    dial_proxied(&fixture, "node.example:18444");
    proxy_reads(&fixture, &got, 4);
    assert_memory_equal(got.data, "\5\2\0\2", 4);
    peer_sends(&fixture, "\5\2", 2);
    proxy_reads(&fixture, &got, 35);
    assert_int_equal(got.data[0], 1);
    peer_sends(&fixture, "\1\0", 2);
    proxy_reads(&fixture, &got, 4 + 1 + 12 + 2);
    assert_memory_equal(got.data, "\5\1\0\3\x0cnode.example\x48\x0c", got.len);
    assert_int_equal(fixture.seen.connected, 0);
    /* The peer speaks at once, in the same segment as the proxy's answer. */
    write_bytes(&reply, "\5\0\0\1\0\0\0\0\0\0", 10);
    write_ping(&reply);
    peer_sends(&fixture, reply.data, reply.len);
    DRIVE_UNTIL(fixture.loop, fixture.seen.messages == 1);
    assert_int_equal(fixture.seen.connected, 1);
    assert_int_equal(fixture.seen.kinds[0], MESSAGE_PING);
    peer_links_send(fixture.links, PEER, mem_dup("hello", 5), 5);
    proxy_reads(&fixture, &got, 5);
    assert_memory_equal(got.data, "hello", 5);
    writer_release(&got);
    writer_release(&reply);
    stop(&fixture);
}

/* "stream isolation": no two connections have the same user name. */
static void test_each_connection_has_its_login(void **state)
{
    (void)state;
    struct writer first = {0}, second = {0};
    for (int i = 0; i < 2; i++) {
        struct fixture fixture;
        struct writer *got = i ? &second : &first;
        start_proxied(&fixture);
        dial_proxied(&fixture, "node.example:18444");
        proxy_reads(&fixture, got, 4);
        peer_sends(&fixture, "\5\2", 2);
        proxy_reads(&fixture, got, 35);
        stop(&fixture);
    }
    assert_memory_not_equal(first.data, second.data, 35);
    writer_release(&first);
    writer_release(&second);
}

static void test_refusals_are_told(void **state)
{
    (void)state;
    struct fixture fixture;
    struct writer got = {0};
    start_proxied(&fixture);
    dial_proxied(&fixture, "node.example:18444");
    proxy_reads(&fixture, &got, 4);
    peer_sends(&fixture, "\5\0", 2);
    proxy_reads(&fixture, &got, 19);
    peer_sends(&fixture, "\5\4", 2);
    DRIVE_UNTIL(fixture.loop, fixture.seen.lost == 1);
    assert_string_equal(fixture.seen.reason, "the proxy refuses: host unreachable");
    assert_int_equal(fixture.seen.connected, 0);
    /* One that isn't there. */
    close(fixture.listener);
    hang_up(&fixture);
    peer_links_dial(fixture.links, PEER, "node.example:18444");
    DRIVE_UNTIL(fixture.loop, fixture.seen.lost == 2);
    assert_string_equal(fixture.seen.reason, "the proxy: Connection refused");
    fixture.listener = listen_on(&fixture, 1);
    writer_release(&got);
    stop(&fixture);
}

/* What is on one's own machine or network is no business of a proxy's. */
static void test_local_addresses_go_directly(void **state)
{
    (void)state;
    struct fixture fixture;
    start_proxied(&fixture);
    dial(&fixture, fixture.address);
    assert_int_equal(fixture.seen.connected, 1);
    stop(&fixture);
}

static struct peer_link_counters counters_of(const struct fixture *fixture)
{
    struct peer_link_counters counters = {0};
    assert_true(peer_links_counters(fixture->links, &counters, PEER));
    return counters;
}

/* "A peer costs at most a fixed, named amount of memory": the longest message, never
 * finished, and nothing read of what is sent to it. */
static void test_memory_of_a_peer_is_bounded(void **state)
{
    (void)state;
    struct fixture fixture;
    struct writer message = {0};
    uint8_t piece[4096] = {0};
    start(&fixture, NULL);
    dial(&fixture, fixture.address);
    size_t idle = counters_of(&fixture).held;
    assert_in_range(idle, 1, 65536);
    uint8_t header[FRAME_HEADER_SIZE] = {0};
    write_u32le(&message, network.magic);
    write_bytes(&message, "block\0\0\0\0\0\0", 12);
    write_u32le(&message, FRAME_PAYLOAD_MAX);
    write_u32le(&message, 0);
    memcpy(header, message.data, sizeof(header));
    writer_release(&message);
    peer_sends(&fixture, header, sizeof(header));
    size_t most = 0;
    for (size_t sent = 0; sent + sizeof(piece) < FRAME_PAYLOAD_MAX;
         sent += sizeof(piece)) {
        peer_sends(&fixture, piece, sizeof(piece));
        event_base_loop(loop_base(fixture.loop), EVLOOP_NONBLOCK);
        size_t held = counters_of(&fixture).held;
        most = held > most ? held : most;
    }
    assert_true(most > FRAME_PAYLOAD_MAX / 2);
    size_t len = PEER_LINK_OUTPUT_MAX;
    peer_links_send(fixture.links, PEER, mem_zalloc(len, 1), len);
    assert_true(counters_of(&fixture).held <= PEER_LINK_MEMORY_MAX);
    peer_links_send(fixture.links, PEER, mem_zalloc(len, 1), len);
    DRIVE_UNTIL(fixture.loop, fixture.seen.lost == 1);
    stop(&fixture);
}

/* Of kinds without use only the frame is told, and nothing is kept. */
static void test_unknown_kinds_cost_no_memory(void **state)
{
    (void)state;
    struct fixture fixture;
    struct writer message = {0};
    uint8_t piece[4096] = {0};
    start(&fixture, NULL);
    dial(&fixture, fixture.address);
    write_u32le(&message, network.magic);
    write_bytes(&message, "whatever\0\0\0", 12);
    write_u32le(&message, 900 * sizeof(piece));
    write_u32le(&message, 0);
    peer_sends(&fixture, message.data, message.len);
    DRIVE_UNTIL(fixture.loop, fixture.seen.unknown == 1);
    for (int i = 0; i < 900; i++) {
        peer_sends(&fixture, piece, sizeof(piece));
        event_base_loop(loop_base(fixture.loop), EVLOOP_NONBLOCK);
        assert_in_range(counters_of(&fixture).held, 0, 65536);
    }
    writer_release(&message);
    message = (struct writer){0};
    write_ping(&message);
    peer_sends(&fixture, message.data, message.len);
    DRIVE_UNTIL(fixture.loop, fixture.seen.messages == 1);
    assert_int_equal(counters_of(&fixture).messages, 2);
    writer_release(&message);
    stop(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_through_a_proxy),
        cmocka_unit_test(test_each_connection_has_its_login),
        cmocka_unit_test(test_refusals_are_told),
        cmocka_unit_test(test_local_addresses_go_directly),
        cmocka_unit_test(test_memory_of_a_peer_is_bounded),
        cmocka_unit_test(test_unknown_kinds_cost_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
