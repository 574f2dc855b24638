#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "io/socks5.h"

static const uint8_t secret[SOCKS5_SECRET_SIZE] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab,
                                                   0xcd, 0xef, 0xfe, 0xdc, 0xba, 0x98,
                                                   0x76, 0x54, 0x32, 0x10};

static void expect_bytes(struct writer *out, const void *bytes, size_t len)
{
    assert_int_equal(out->len, len);
    assert_memory_equal(out->data, bytes, len);
    writer_release(out);
    *out = (struct writer){0};
}

static enum socks5_result give(struct socks5 *socks, struct writer *out,
                               const void *bytes, size_t len, struct error *error)
{
    size_t used;
    enum socks5_result result =
        socks5_take(socks, &used, out, (struct bytes){bytes, len}, error);
    if (result != SOCKS5_FAILED)
        assert_int_equal(used, result == SOCKS5_MORE ? 0 : len);
    return result;
}

static void begin(struct socks5 *socks, const char *address)
{
    struct writer out = {0};
    struct error error;
    assert_true(socks5_start(socks, &out, address, secret, &error));
    expect_bytes(&out, "\5\2\0\2", 4);
}

/* "names ... resolved by the proxy", with a user name and password of one's own. */
static void a_name_with_a_login(void **state)
{
    (void)state;
    struct socks5 socks;
    struct writer out = {0};
    struct error error;
    begin(&socks, "x49.seed.example:8333");
    assert_int_equal(give(&socks, &out, "\5", 1, &error), SOCKS5_MORE);
    assert_int_equal(give(&socks, &out, "\5\2", 2, &error), SOCKS5_NEXT);
    expect_bytes(&out,
                 "\1\x10"
                 "0123456789abcdef"
                 "\x10"
                 "fedcba9876543210",
                 35);
    assert_int_equal(give(&socks, &out, "\1\0", 2, &error), SOCKS5_NEXT);
    expect_bytes(&out,
                 "\5\1\0\3\x10"
                 "x49.seed.example"
                 "\x20\x8d",
                 23);
    static const uint8_t reply[] = {5, 0, 0, 1, 1, 2, 3, 4, 0, 80};
    for (size_t len = 0; len < sizeof(reply); len++)
        assert_int_equal(give(&socks, &out, reply, len, &error), SOCKS5_MORE);
    assert_int_equal(give(&socks, &out, reply, sizeof(reply), &error), SOCKS5_DONE);
    assert_int_equal(out.len, 0);
}

/* What comes behind the answer is the peer's. */
static void takes_no_more_than_its_answer(void **state)
{
    (void)state;
    static const uint8_t named[] = {5, 0, 0, 3, 2, 'a', 'b', 0, 80, 0xfa, 0xbf};
    static const uint8_t ipv6[24] = {5, 0, 0, 4};
    struct socks5 socks = {.state = SOCKS5_CONNECT};
    struct writer out = {0};
    struct error error;
    size_t used;
    assert_int_equal(
        socks5_take(&socks, &used, &out, (struct bytes){named, sizeof(named)}, &error),
        SOCKS5_DONE);
    assert_int_equal(used, 9);
    assert_int_equal(
        socks5_take(&socks, &used, &out, (struct bytes){ipv6, sizeof(ipv6)}, &error),
        SOCKS5_DONE);
    assert_int_equal(used, 22);
}

static void addresses_go_as_addresses(void **state)
{
    (void)state;
    struct socks5 socks;
    struct writer out = {0};
    struct error error;
    begin(&socks, "1.2.3.4:8333");
    assert_int_equal(give(&socks, &out, "\5\0", 2, &error), SOCKS5_NEXT);
    expect_bytes(&out, "\5\1\0\1\1\2\3\4\x20\x8d", 10);
    begin(&socks, "[2a00::1]:8333");
    assert_int_equal(give(&socks, &out, "\5\0", 2, &error), SOCKS5_NEXT);
    expect_bytes(&out, "\5\1\0\4\x2a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x20\x8d", 22);
}

static void expect_failure(enum socks5_state state, const void *bytes, size_t len,
                           const char *text)
{
    struct socks5 socks = {.state = state, .host = "h", .port = 1};
    struct writer out = {0};
    struct error error;
    assert_int_equal(give(&socks, &out, bytes, len, &error), SOCKS5_FAILED);
    assert_string_equal(error.text, text);
    assert_int_equal(out.len, 0);
}

static void failures_are_told_in_words(void **state)
{
    (void)state;
    expect_failure(SOCKS5_METHOD, "HT", 2, "the proxy doesn't speak SOCKS5");
    expect_failure(SOCKS5_METHOD, "\5\xff", 2,
                   "the proxy wants to know who we are in a way that we don't know");
    expect_failure(SOCKS5_METHOD, "\5\1", 2, "the proxy chose what wasn't offered");
    expect_failure(SOCKS5_LOGIN, "\1\1", 2,
                   "the proxy refuses the user name and password");
    expect_failure(SOCKS5_LOGIN, "\5\0", 2, "the proxy doesn't speak SOCKS5");
    expect_failure(SOCKS5_CONNECT, "\5\4", 2, "the proxy refuses: host unreachable");
    expect_failure(SOCKS5_CONNECT, "\5\5\0\1", 4,
                   "the proxy refuses: connection refused");
    expect_failure(SOCKS5_CONNECT, "\5\xf0", 2,
                   "the proxy refuses: the onion service isn't known");
    expect_failure(SOCKS5_CONNECT, "\5\x63", 2,
                   "the proxy refuses: for a reason of its own");
    expect_failure(SOCKS5_CONNECT, "\5\0\0\2\0", 5,
                   "the proxy answers with a kind of address that there isn't");
}

static void names_have_bounds(void **state)
{
    (void)state;
    struct socks5 socks;
    struct writer out = {0};
    struct error error;
    char address[300];
    memset(address, 'a', sizeof(address));
    memcpy(address + 255, ":1", 3);
    assert_true(socks5_start(&socks, &out, address, secret, &error));
    writer_release(&out);
    memcpy(address + 255, "a:1", 4);
    assert_false(socks5_start(&socks, &out, address, secret, &error));
    static const char *const bad[] = {"", "host", ":1", "host:", "host:0", "host:65536"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(socks5_start(&socks, &out, bad[i], secret, &error));
    assert_int_equal(out.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_with_a_login),
        cmocka_unit_test(takes_no_more_than_its_answer),
        cmocka_unit_test(addresses_go_as_addresses),
        cmocka_unit_test(failures_are_told_in_words),
        cmocka_unit_test(names_have_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
