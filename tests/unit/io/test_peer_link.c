#include "peer_fixture.h"

#include <stdlib.h>

#include "base/mem.h"

static void add_unknown(struct writer *out, uint32_t len)
{
    static const char command[12] = "feefilter";
    write_u32le(out, network.magic);
    write_bytes(out, command, sizeof(command));
    write_u32le(out, len);
    write_u32le(out, 0x12345678);
    for (uint32_t i = 0; i < len; i++)
        write_u8(out, 0xee);
}

static void make_stream(struct writer *out)
{
    writer_init(out);
    frame_encode(out, &network, MESSAGE_VERACK, (struct bytes){NULL, 0});
    frame_encode(out, &network, MESSAGE_PING,
                 (struct bytes){(uint8_t[8]){"12345678"}, 8});
    add_unknown(out, 30);
    frame_encode(out, &network, MESSAGE_PONG,
                 (struct bytes){(uint8_t[8]){"abcdefgh"}, 8});
}

static void assert_stream(struct fixture *fixture)
{
    struct seen *seen = &fixture->seen;
    DRIVE_UNTIL(fixture->loop, seen->messages == 3 || seen->lost > 0);
    assert_int_equal(seen->messages, 3);
    assert_int_equal(seen->kinds[0], MESSAGE_VERACK);
    assert_int_equal(seen->kinds[1], MESSAGE_PING);
    assert_int_equal(seen->kinds[2], MESSAGE_PONG);
    assert_int_equal(seen->payloads.len, 16);
    assert_memory_equal(seen->payloads.data, "12345678abcdefgh", 16);
}

static void test_frames_split_at_every_byte(void **state)
{
    (void)state;
    struct writer stream;
    make_stream(&stream);
    for (size_t split = 1; split < stream.len; split++) {
        struct fixture fixture;
        start(&fixture, NULL);
        dial(&fixture, fixture.address);
        peer_sends(&fixture, stream.data, split);
        DRIVE_UNTIL(fixture.loop, bytes_read(&fixture) == split);
        peer_sends(&fixture, stream.data + split, stream.len - split);
        assert_stream(&fixture);
        stop(&fixture);
    }
    writer_release(&stream);
}

static void test_frames_byte_by_byte(void **state)
{
    (void)state;
    struct writer stream;
    make_stream(&stream);
    struct fixture fixture;
    start(&fixture, NULL);
    dial(&fixture, fixture.address);
    for (size_t i = 0; i < stream.len; i++) {
        peer_sends(&fixture, stream.data + i, 1);
        DRIVE_UNTIL(fixture.loop, bytes_read(&fixture) == i + 1);
    }
    assert_stream(&fixture);
    stop(&fixture);
    writer_release(&stream);
}

static void test_longest_payload(void **state)
{
    (void)state;
    struct fixture fixture;
    struct writer stream;
    uint8_t *block = mem_alloc(FRAME_PAYLOAD_MAX);
    for (size_t i = 0; i < FRAME_PAYLOAD_MAX; i++)
        block[i] = (uint8_t)(i * 7 >> 3);
    writer_init(&stream);
    frame_encode(&stream, &network, MESSAGE_PING, (struct bytes){block, 8});
    frame_encode(&stream, &network, MESSAGE_BLOCK,
                 (struct bytes){block, FRAME_PAYLOAD_MAX});
    add_unknown(&stream, FRAME_PAYLOAD_MAX);
    frame_encode(&stream, &network, MESSAGE_PONG, (struct bytes){block, 8});
    start(&fixture, NULL);
    dial(&fixture, fixture.address);
    peer_sends(&fixture, stream.data, stream.len);
    DRIVE_UNTIL(fixture.loop, fixture.seen.messages == 3);
    assert_int_equal(fixture.seen.payloads.len, FRAME_PAYLOAD_MAX + 16);
    assert_memory_equal(fixture.seen.payloads.data + 8, block, FRAME_PAYLOAD_MAX);
    assert_int_equal(bytes_read(&fixture), stream.len);
    stop(&fixture);
    writer_release(&stream);
    free(block);
}

/* What comes meanwhile waits in the socket, and nobody is lost. */
static void test_paused_links_read_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    struct writer stream;
    make_stream(&stream);
    start(&fixture, NULL);
    dial(&fixture, fixture.address);
    peer_links_pause(fixture.links, true);
    peer_sends(&fixture, stream.data, stream.len);
    struct mono_time until = mono_add(now_mono(), 30);
    DRIVE_UNTIL(fixture.loop, mono_reached(now_mono(), until));
    assert_int_equal(bytes_read(&fixture), 0);
    peer_links_pause(fixture.links, false);
    assert_stream(&fixture);
    stop(&fixture);
    writer_release(&stream);
}

static void expect_refusal(size_t at, uint32_t value, const char *reason)
{
    struct fixture fixture;
    struct writer stream;
    writer_init(&stream);
    frame_encode(&stream, &network, MESSAGE_VERACK, (struct bytes){NULL, 0});
    frame_encode(&stream, &network, MESSAGE_PING, (struct bytes){(uint8_t[8]){0}, 8});
    put_u32le(stream.data + FRAME_HEADER_SIZE + at, value);
    start(&fixture, NULL);
    dial(&fixture, fixture.address);
    peer_sends(&fixture, stream.data, stream.len);
    DRIVE_UNTIL(fixture.loop, fixture.seen.lost == 1);
    assert_int_equal(fixture.seen.messages, 1);
    assert_non_null(strstr(fixture.seen.reason, reason));
    assert_true(fixture.seen.malformed);
    assert_false(
        peer_links_counters(fixture.links, &(struct peer_link_counters){0}, PEER));
    stop(&fixture);
    writer_release(&stream);
}

static void test_malformed_frames_are_refused(void **state)
{
    (void)state;
    expect_refusal(0, 0xd9b4bef9, "magic");
    expect_refusal(4, 0x0a676e69, "command");
    expect_refusal(16, 9, "9 bytes");
    expect_refusal(16, UINT32_MAX, "4294967295 bytes");
}

static void expect_end(size_t sent, int messages, const char *reason)
{
    struct fixture fixture;
    struct writer stream;
    make_stream(&stream);
    start(&fixture, NULL);
    dial(&fixture, fixture.address);
    peer_sends(&fixture, stream.data, sent);
    shutdown(fixture.peer, SHUT_WR);
    DRIVE_UNTIL(fixture.loop, fixture.seen.lost == 1);
    assert_int_equal(fixture.seen.messages, messages);
    assert_string_equal(fixture.seen.reason, reason);
    assert_false(fixture.seen.malformed);
    stop(&fixture);
    writer_release(&stream);
}

static void test_half_closed(void **state)
{
    (void)state;
    expect_end(0, 0, "closed the connection");
    expect_end(FRAME_HEADER_SIZE, 1, "closed the connection");
    expect_end(10, 0, "closed the connection in the middle of a message");
    expect_end(FRAME_HEADER_SIZE + 30, 1,
               "closed the connection in the middle of a message");
    expect_end(2 * FRAME_HEADER_SIZE + 8 + FRAME_HEADER_SIZE + 1, 2,
               "closed the connection in the middle of a message");
}

static void test_drop_inside_a_message(void **state)
{
    (void)state;
    struct fixture fixture;
    struct writer stream;
    make_stream(&stream);
    start(&fixture, NULL);
    fixture.seen.drop_on_message = true;
    fixture.seen.redial = fixture.address;
    dial(&fixture, fixture.address);
    peer_sends(&fixture, stream.data, stream.len);
    DRIVE_UNTIL(fixture.loop, fixture.seen.lost == 1);
    assert_int_equal(fixture.seen.messages, 1);
    hang_up(&fixture);
    fixture.seen.lost = 0;
    DRIVE_UNTIL(fixture.loop, accept_peer(&fixture) && fixture.seen.connected == 2);
    stop(&fixture);
    writer_release(&stream);
}

static void test_counters(void **state)
{
    (void)state;
    struct fixture fixture;
    struct peer_link_counters counters;
    struct writer got;
    writer_init(&got);
    start(&fixture, NULL);
    assert_false(peer_links_counters(fixture.links, &counters, PEER));
    dial(&fixture, fixture.address);
    peer_links_send(fixture.links, PEER, mem_dup("abc", 3), 3);
    DRIVE_UNTIL(fixture.loop, peer_drains(&fixture, &got) || got.len == 3);
    peer_sends(&fixture, "\xfa\xbf", 2);
    DRIVE_UNTIL(fixture.loop, bytes_read(&fixture) == 2);
    assert_true(peer_links_counters(fixture.links, &counters, PEER));
    assert_int_equal(counters.written, 3);
    stop(&fixture);
    writer_release(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_split_at_every_byte),
        cmocka_unit_test(test_frames_byte_by_byte),
        cmocka_unit_test(test_longest_payload),
        cmocka_unit_test(test_paused_links_read_nothing),
        cmocka_unit_test(test_malformed_frames_are_refused),
        cmocka_unit_test(test_half_closed),
        cmocka_unit_test(test_drop_inside_a_message),
        cmocka_unit_test(test_counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
