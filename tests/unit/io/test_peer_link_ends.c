/* How links come up and go down. */
#include "nameserver.h"
#include "peer_fixture.h"

#include "base/mem.h"

static void test_peer_that_never_reads(void **state)
{
    (void)state;
    struct fixture fixture;
    size_t len = (size_t)1 << 20;
    size_t sent = 0;
    start(&fixture, NULL);
    dial(&fixture, fixture.address);
    while (fixture.seen.lost == 0) {
        peer_links_send(fixture.links, PEER, mem_zalloc(len, 1), len);
        sent += len;
        event_base_loop(loop_base(fixture.loop), EVLOOP_NONBLOCK);
        assert_in_range(sent, 0, (size_t)256 << 20);
    }
    assert_true(sent > PEER_LINK_OUTPUT_MAX);
    assert_string_equal(fixture.seen.reason, "doesn't read what is sent to it");
    peer_links_send(fixture.links, PEER, mem_zalloc(len, 1), len);
    stop(&fixture);
}

static void test_one_send_beyond_the_bound(void **state)
{
    (void)state;
    struct fixture fixture;
    size_t len = PEER_LINK_OUTPUT_MAX + 1;
    start(&fixture, NULL);
    dial(&fixture, fixture.address);
    peer_links_send(fixture.links, PEER, mem_zalloc(len, 1), len);
    DRIVE_UNTIL(fixture.loop, fixture.seen.lost == 1);
    stop(&fixture);
}

static void test_drop_sends_what_is_left(void **state)
{
    (void)state;
    struct fixture fixture;
    struct writer got;
    size_t len = (size_t)6 << 20;
    writer_init(&got);
    start(&fixture, NULL);
    dial(&fixture, fixture.address);
    uint8_t *data = mem_zalloc(len, 1);
    data[len - 1] = 0x5a;
    peer_links_send(fixture.links, PEER, data, len);
    peer_links_send(fixture.links, PEER, mem_dup("end", 3), 3);
    peer_links_drop(fixture.links, PEER);
    peer_links_drop(fixture.links, PEER);
    peer_links_send(fixture.links, PEER, mem_dup("late", 4), 4);
    DRIVE_UNTIL(fixture.loop, peer_drains(&fixture, &got));
    assert_int_equal(got.len, len + 3);
    assert_int_equal(got.data[len - 1], 0x5a);
    assert_memory_equal(got.data + len, "end", 3);
    DRIVE_UNTIL(fixture.loop, fixture.seen.lost == 1);
    assert_string_equal(fixture.seen.reason, "dropped");
    stop(&fixture);
    writer_release(&got);
}

static void test_drop_waits_only_so_long(void **state)
{
    (void)state;
    struct fixture fixture;
    size_t len = PEER_LINK_OUTPUT_MAX;
    start(&fixture, &(struct peer_links_settings){.flush_timeout_ms = 30});
    dial(&fixture, fixture.address);
    peer_links_send(fixture.links, PEER, mem_zalloc(len, 1), len);
    peer_links_drop(fixture.links, PEER);
    DRIVE_UNTIL(fixture.loop, fixture.seen.lost == 1);
    assert_non_null(strstr(fixture.seen.reason, "didn't take all"));
    stop(&fixture);
}

static void test_drop_in_every_other_state(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, NULL);
    peer_links_drop(fixture.links, PEER);
    for (int i = 1; i <= 3; i++) {
        peer_links_dial(fixture.links, PEER, fixture.address);
        for (int turn = 1; turn < i; turn++)
            event_base_loop(loop_base(fixture.loop), EVLOOP_ONCE);
        peer_links_drop(fixture.links, PEER);
        assert_int_equal(fixture.seen.lost, i - 1);
        DRIVE_UNTIL(fixture.loop, fixture.seen.lost == i);
    }
    stop(&fixture);
}

static void expect_lost(struct fixture *fixture, const char *address, const char *reason)
{
    int before = fixture->seen.lost;
    peer_links_dial(fixture->links, PEER, address);
    assert_int_equal(fixture->seen.lost, before);
    DRIVE_UNTIL(fixture->loop, fixture->seen.lost == before + 1);
    assert_int_equal(fixture->seen.connected, 0);
    if (strstr(fixture->seen.reason, reason) == NULL)
        fail_msg("%s: %s", address, fixture->seen.reason);
}

static void test_unusable_address(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, NULL);
    expect_lost(&fixture, "127.0.0.1", "isn't host:port");
    stop(&fixture);
}

static void test_connection_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, NULL);
    close(fixture.listener);
    expect_lost(&fixture, fixture.address, "Connection refused");
    fixture.listener = listen_on(&fixture, 8);
    stop(&fixture);
}

static void test_connection_times_out(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, &(struct peer_links_settings){.connect_timeout_ms = 50});
    close(fixture.listener);
    /* A full backlog: the kernel answers no further SYN. */
    fixture.listener = listen_on(&fixture, 0);
    struct sockaddr_in address;
    socklen_t len = sizeof(address);
    getsockname(fixture.listener, (struct sockaddr *)&address, &len);
    int fillers[3];
    for (size_t i = 0; i < 3; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&address, len);
    }
    expect_lost(&fixture, fixture.address, "timed out");
    for (size_t i = 0; i < 3; i++)
        close(fillers[i]);
    stop(&fixture);
}

static void start_with_nameserver(struct fixture *fixture, struct nameserver *nameserver,
                                  int64_t timeout_ms)
{
    start(fixture, NULL);
    nameserver_start(nameserver, fixture->loop);
    peer_links_free(fixture->links);
    struct peer_links_settings settings = {.network = &network,
                                           .connect_timeout_ms = timeout_ms,
                                           .nameserver = nameserver->address};
    struct peer_links_handler handler = {on_connected, on_message, on_lost,
                                         &fixture->seen};
    fixture->links = peer_links_new(fixture->loop, &settings, &handler);
    fixture->seen.links = fixture->links;
}

static void test_names_are_resolved_and_tried_in_turn(void **state)
{
    (void)state;
    struct fixture fixture;
    struct nameserver nameserver;
    char address[80];
    start_with_nameserver(&fixture, &nameserver, 0);
    snprintf(address, sizeof(address), "two.test%s", strchr(fixture.address, ':'));
    dial(&fixture, address);
    assert_int_equal(fixture.seen.lost, 0);
    nameserver_stop(&nameserver);
    stop(&fixture);
}

static void test_unknown_names(void **state)
{
    (void)state;
    struct fixture fixture;
    struct nameserver nameserver;
    start_with_nameserver(&fixture, &nameserver, 0);
    expect_lost(&fixture, "absent.test:8333", "can't be resolved");
    nameserver_stop(&nameserver);
    stop(&fixture);
}

static void test_silent_nameserver(void **state)
{
    (void)state;
    struct fixture fixture;
    struct nameserver nameserver;
    start_with_nameserver(&fixture, &nameserver, 50);
    expect_lost(&fixture, "silent.test:8333", "timed out");
    /* And one that is under way when everything ends. */
    size_t before = nameserver.unanswered_count;
    peer_links_dial(fixture.links, PEER, "silent.test:8333");
    DRIVE_UNTIL(fixture.loop, nameserver.unanswered_count > before);
    peer_links_free(fixture.links);
    fixture.links = NULL;
    assert_int_equal(fixture.seen.lost, 1);
    nameserver_stop(&nameserver);
    stop(&fixture);
}

static void test_free_calls_nobody(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, NULL);
    dial(&fixture, fixture.address);
    peer_links_send(fixture.links, PEER, mem_dup("abc", 3), 3);
    peer_links_drop(fixture.links, PEER);
    peer_links_free(fixture.links);
    fixture.links = NULL;
    assert_int_equal(fixture.seen.lost, 0);
    stop(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peer_that_never_reads),
        cmocka_unit_test(test_one_send_beyond_the_bound),
        cmocka_unit_test(test_drop_sends_what_is_left),
        cmocka_unit_test(test_drop_waits_only_so_long),
        cmocka_unit_test(test_drop_in_every_other_state),
        cmocka_unit_test(test_unusable_address),
        cmocka_unit_test(test_connection_refused),
        cmocka_unit_test(test_connection_times_out),
        cmocka_unit_test(test_names_are_resolved_and_tried_in_turn),
        cmocka_unit_test(test_unknown_names),
        cmocka_unit_test(test_silent_nameserver),
        cmocka_unit_test(test_free_calls_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
