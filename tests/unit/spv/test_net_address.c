#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "spv/net_address.h"

static struct net_address parsed(const char *text)
{
    struct net_address address;
    if (!net_address_parse(&address, text))
        fail_msg("%s isn't understood", text);
    return address;
}

static void assert_text(const char *text, enum net_kind kind)
{
    char back[NET_ADDRESS_TEXT_MAX];
    struct net_address address = parsed(text);
    assert_int_equal(address.kind, kind);
    net_address_text(back, &address);
    assert_string_equal(back, text);
}

/* The onion names are Tor's own examples in rend-spec-v3, checksum and all. */
#define ONION "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion"

static void text_there_and_back(void **state)
{
    (void)state;
    assert_text("1.2.3.4:8333", NET_IPV4);
    assert_text("255.255.255.255:65535", NET_IPV4);
    assert_text("[::1]:18444", NET_IPV6);
    assert_text("[2001:db8::ff00:42:8329]:1", NET_IPV6);
    assert_text(ONION ":8333", NET_ONION);
    assert_text("sp3k262uwy4r2k3ycr5awluarykdpag6a7y33jxop4cs2lu5uz5sseqd.onion:8333",
                NET_ONION);
    assert_text("xa4r2iadxm55fbnqgwwi5mymqdcofiu3w6rpbtqn7b2dyn7mgwj64jyd.onion:8333",
                NET_ONION);
    assert_int_equal(parsed("[::ffff:1.2.3.4]:5").kind, NET_IPV4);
}

static void refuses_what_is_no_address(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        ":",
        "1.2.3.4",
        "1.2.3.4:",
        "1.2.3.4:0",
        "1.2.3.4:65536",
        "1.2.3.4:08333",
        "1.2.3:8333",
        "::1:8333",
        "[::1]",
        "[]:1",
        "[1.2.3.4]:1",
        "seed.example:8333",
        "[fd87:d87e:eb43::1]:8333", /* Tor v2's range */
        "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscrye.onion:1", /* version */
        "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf5pscryd.onion:1", /* checksum */
        "expyuzz4wqqyqhjn.onion:8333",
        ONION};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct net_address address;
        if (net_address_parse(&address, texts[i]))
            fail_msg("\"%s\" is taken as an address", texts[i]);
    }
}

static void host_has_no_port(void **state)
{
    (void)state;
    char text[NET_ADDRESS_TEXT_MAX];
    struct net_address address = parsed("[2001:db8::1]:8333");
    net_host_text(text, &address);
    assert_string_equal(text, "2001:db8::1");
    address = parsed(ONION ":8333");
    net_host_text(text, &address);
    assert_string_equal(text, ONION);
}

static bool routable(const char *text)
{
    struct net_address address = parsed(text);
    return net_address_routable(&address);
}

static void knows_what_is_routed(void **state)
{
    (void)state;
    static const char *const not_routed[] = {
        "0.1.2.3:1",         "10.0.0.1:1",
        "127.0.0.1:1",       "100.64.0.1:1",
        "169.254.1.1:1",     "172.16.0.1:1",
        "172.31.9.9:1",      "192.0.2.1:1",
        "192.168.1.1:1",     "198.18.0.1:1",
        "198.19.255.1:1",    "198.51.100.7:1",
        "203.0.113.7:1",     "224.0.0.1:1",
        "255.255.255.255:1", "[::]:1",
        "[::1]:1",           "[2001:db8::1]:1",
        "[fc00::1]:1",       "[fd00::1]:1",
        "[fe80::1]:1",       "[ff02::1]:1",
        "[2001:10::1]:1",    "[2001:20::1]:1",
        "[2002:a00:1::1]:1", "[64:ff9b::10.0.0.1]:1"};
    static const char *const routed[] = {
        "1.2.3.4:1",   "100.128.0.1:1",       "172.32.0.1:1",         "198.20.0.1:1",
        "[2a00::1]:1", "[2002:102:304::1]:1", "[64:ff9b::1.2.3.4]:1", ONION ":1"};
    for (size_t i = 0; i < sizeof(not_routed) / sizeof(not_routed[0]); i++)
        if (routable(not_routed[i]))
            fail_msg("%s counts as routable", not_routed[i]);
    for (size_t i = 0; i < sizeof(routed) / sizeof(routed[0]); i++)
        if (!routable(routed[i]))
            fail_msg("%s doesn't count as routable", routed[i]);
    struct net_address no_port = parsed("1.2.3.4:1");
    no_port.port = 0;
    assert_false(net_address_routable(&no_port));
}

static bool same_group(const char *a, const char *b)
{
    struct net_address first = parsed(a), second = parsed(b);
    return net_group(&first) == net_group(&second);
}

static void groups_are_what_one_operator_has(void **state)
{
    (void)state;
    assert_true(same_group("1.2.3.4:1", "1.2.200.4:2"));
    assert_false(same_group("1.2.3.4:1", "1.3.3.4:1"));
    assert_true(same_group("[2a00:1:2::1]:1", "[2a00:1:9::2]:1"));
    assert_false(same_group("[2a00:1::1]:1", "[2a00:2::1]:1"));
    /* A tunnel of Hurricane Electric's: /36. */
    assert_true(same_group("[2001:470:1000::1]:1", "[2001:470:1fff::1]:1"));
    assert_false(same_group("[2001:470:1000::1]:1", "[2001:470:2000::1]:1"));
    /* IPv4 inside IPv6: 6to4, NAT64, translated, Teredo (inverted). */
    assert_true(same_group("1.2.3.4:1", "[2002:102:304::1]:1"));
    assert_true(same_group("1.2.3.4:1", "[64:ff9b::1.2.9.9]:1"));
    assert_true(same_group("1.2.3.4:1", "[::ffff:0:1.2.9.9]:1"));
    assert_true(same_group("1.2.3.4:1", "[2001:0:9::fefd:fcfb]:1"));
    /* Four bits of an onion: p is 01111, s is 10010. */
    assert_false(same_group(
        ONION ":1", "sp3k262uwy4r2k3ycr5awluarykdpag6a7y33jxop4cs2lu5uz5sseqd.onion:1"));
    assert_false(same_group("1.2.3.4:1", "[102::1]:1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_there_and_back),
        cmocka_unit_test(refuses_what_is_no_address),
        cmocka_unit_test(host_has_no_port),
        cmocka_unit_test(knows_what_is_routed),
        cmocka_unit_test(groups_are_what_one_operator_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
