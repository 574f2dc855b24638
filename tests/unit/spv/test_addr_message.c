#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "spv/message.h"

static struct bytes written(const struct writer *writer)
{
    return (struct bytes){writer->data, writer->len};
}

static void write_addr(struct writer *out, const uint8_t ip[static 16])
{
    write_u32le(out, 1700000000);
    write_u64le(out, 0x49);
    write_bytes(out, ip, 16);
    write_u16be(out, 8333);
}

static const uint8_t ipv4[16] = {[10] = 0xff, 0xff, 1, 2, 3, 4};
static const uint8_t ipv6[16] = {0x2a, 0x00, [15] = 1};
static const uint8_t onioncat[16] = {0xfd, 0x87, 0xd8, 0x7e, 0xeb, 0x43};

static void addr(void **state)
{
    (void)state;
    struct writer out = {0};
    struct told_address *told;
    char text[NET_ADDRESS_TEXT_MAX];
    size_t count;

    write_compact_size(&out, 3);
    write_addr(&out, ipv4);
    write_addr(&out, onioncat);
    write_addr(&out, ipv6);
    assert_true(addr_decode(&told, &count, written(&out)));
    assert_int_equal(count, 2);
    assert_int_equal(told[0].time, 1700000000);
    assert_int_equal(told[0].services, 0x49);
    net_address_text(text, &told[0].address);
    assert_string_equal(text, "1.2.3.4:8333");
    net_address_text(text, &told[1].address);
    assert_string_equal(text, "[2a00::1]:8333");
    free(told);
    assert_false(addr_decode(&told, &count, (struct bytes){out.data, out.len - 1}));
    assert_null(told);
    writer_release(&out);
}

static void at_most_a_thousand(void **state)
{
    (void)state;
    struct told_address *told;
    size_t count;

    for (size_t many = 1000; many <= 1001; many++) {
        struct writer v1 = {0}, v2 = {0};
        write_compact_size(&v1, many);
        write_compact_size(&v2, many);
        for (size_t i = 0; i < many; i++) {
            write_addr(&v1, ipv4);
            write_bytes(&v2, "\1\2\3\4\x49\1\4\1\2\3\4\x20\x8d", 13);
        }
        assert_int_equal(addr_decode(&told, &count, written(&v1)), many == 1000);
        assert_int_equal(count, many == 1000 ? many : 0);
        free(told);
        assert_int_equal(addrv2_decode(&told, &count, written(&v2)), many == 1000);
        assert_int_equal(count, many == 1000 ? many : 0);
        free(told);
        writer_release(&v1);
        writer_release(&v2);
    }
    assert_true(addr_decode(&told, &count, (struct bytes){(const uint8_t *)"", 1}));
    assert_null(told);
    assert_true(addrv2_decode(&told, &count, (struct bytes){(const uint8_t *)"", 1}));
    assert_null(told);
}

static void write_addrv2(struct writer *out, uint8_t network_id, const void *address,
                         size_t len)
{
    write_u32le(out, 1700000000);
    write_compact_size(out, 0x449);
    write_u8(out, network_id);
    write_var_bytes(out, (struct bytes){address, len});
    write_u16be(out, 8333);
}

/* One address of this network and length, then a sound one. -1: refused; else how many
 * were understood. */
static int understood(uint8_t network_id, const void *address, size_t len)
{
    struct writer out = {0};
    struct told_address *told;
    size_t count;

    write_compact_size(&out, 2);
    write_addrv2(&out, network_id, address, len);
    write_addrv2(&out, 1, "\1\2\3\4", 4);
    bool good = addrv2_decode(&told, &count, written(&out));
    free(told);
    writer_release(&out);
    return good ? (int)count : -1;
}

static void each_network_of_bip_155(void **state)
{
    (void)state;
    static const uint8_t bytes[600] = {0x2a, 1};
    static const struct {
        uint8_t network_id;
        size_t len;
        int understood;
    } cases[] = {
        {1, 4, 2},
        {1, 16, -1},
        {2, 16, 2},
        {2, 4, -1},
        {3, 10, 1},
        {3, 16, -1},
        {4, 32, 2},
        {4, 10, -1},
        {5, 32, 1},
        {5, 31, -1},
        {6, 16, 1},
        {6, 32, -1},
        {7, 16, 1},
        {7, 4, -1},
        {8, 99, 1},
        {0, 0, 1},
        {255, 512, 1},
        /* "Clients SHOULD reject messages with longer addresses, irrespective of the
         * network ID." */
        {255, 513, -1},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(understood(cases[i].network_id, bytes, cases[i].len),
                         cases[i].understood);
    }
    /* What has a network id of its own, or none any more, doesn't come as IPv6. */
    assert_int_equal(understood(2, ipv4, 16), 1);
    assert_int_equal(understood(2, onioncat, 16), 1);
}

static void addrv2_fields(void **state)
{
    (void)state;
    struct writer out = {0};
    struct told_address *told;
    char text[NET_ADDRESS_TEXT_MAX];
    uint8_t key[32] = {0x79};
    size_t count;

    write_compact_size(&out, 1);
    write_addrv2(&out, 4, key, sizeof(key));
    assert_true(addrv2_decode(&told, &count, written(&out)));
    assert_int_equal(told[0].time, 1700000000);
    assert_int_equal(told[0].services, 0x449);
    assert_int_equal(told[0].address.port, 8333);
    net_address_text(text, &told[0].address);
    struct net_address again;
    assert_true(net_address_parse(&again, text));
    assert_memory_equal(again.b, key, sizeof(key));
    free(told);
    for (size_t cut = 1; cut < out.len; cut++) {
        assert_false(
            addrv2_decode(&told, &count, (struct bytes){out.data, out.len - cut}));
        assert_null(told);
    }
    write_u8(&out, 0);
    assert_false(addrv2_decode(&told, &count, written(&out)));
    writer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addr),
        cmocka_unit_test(at_most_a_thousand),
        cmocka_unit_test(each_network_of_bip_155),
        cmocka_unit_test(addrv2_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
