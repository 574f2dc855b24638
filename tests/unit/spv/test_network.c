#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/hex.h"
#include "spv/message.h"
#include "spv/network.h"
#include "spv/pow.h"
#include "tests/unit/spv/shared_data.h"

static const struct {
    const char *name;
    const char *magic; /* on the wire */
    uint16_t port;
    const char *genesis;
} published[] = {
    {"mainnet", "f9beb4d9", 8333,
     "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"},
    {"testnet3", "0b110907", 18333,
     "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943"},
    {"testnet4", "1c163f28", 48333,
     "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043"},
    {"signet", "0a03cf40", 38333,
     "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6"},
    {"regtest", "fabfb5da", 18444,
     "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"},
};
#define PUBLISHED (sizeof(published) / sizeof(published[0]))

static void test_find(void **state)
{
    (void)state;
    for (size_t i = 0; i < PUBLISHED; i++) {
        assert_ptr_equal(network_find(published[i].name), network_all()[i]);
    }
    assert_null(network_all()[PUBLISHED]);
    assert_null(network_find("main"));
    assert_null(network_find(""));
}

static void test_wire(void **state)
{
    (void)state;
    for (size_t i = 0; i < PUBLISHED; i++) {
        const struct network *network = network_all()[i];
        uint8_t magic[4];
        put_u32le(magic, network->magic);
        char text[9];
        hex_encode(text, magic, sizeof(magic));
        assert_string_equal(text, published[i].magic);
        assert_int_equal(network->port, published[i].port);
    }
}

/* The hash comes out of the fields, has their work, and is the one that is published. */
static void test_genesis(void **state)
{
    (void)state;
    for (size_t i = 0; i < PUBLISHED; i++) {
        const struct network *network = network_all()[i];
        struct block_hash hash;
        block_header_hash(&hash, &network->genesis);
        assert_true(block_hash_equal(&hash, &network->genesis_hash));
        char text[ID_TEXT_MAX];
        block_hash_text(text, &hash);
        assert_string_equal(text, published[i].genesis);
        assert_true(pow_check(network, &hash, network->genesis.bits));
        assert_int_equal(network->genesis.bits, network->pow_limit_bits);
    }
}

/* BIP 325: the magic starts the double SHA-256 of the challenge, its length in front. */
static void test_signet_magic(void **state)
{
    (void)state;
    static const char challenge[] =
        "47512103ad5e0edad18cb1f0fc0d28a3d4f1f3e445640337489abb10404f2d1e086be430"
        "210359ef5021964fe22d6f8e05b2463c9540ce96883fe3b278760f048f5189f2e6c452ae";
    uint8_t raw[72];
    assert_true(hex_decode(raw, sizeof(raw), challenge, strlen(challenge), NULL));
    uint8_t hash[32];
    sha256d(hash, raw, sizeof(raw));
    assert_int_equal(get_u32le(hash), network_find("signet")->magic);
}

static struct network *signet_of(const char *hex)
{
    uint8_t raw[100];
    size_t len = strlen(hex) / 2;
    assert_true(hex_decode(raw, len, hex, strlen(hex), NULL));
    return network_signet_new(raw, len);
}

/* BIP 325: another challenge, another magic; genesis and rules are the same. */
static void test_custom_signet(void **state)
{
    (void)state;
    const struct network *signet = network_find("signet");
    struct network *custom = signet_of("51");
    assert_string_equal(custom->name, "signet_54d26fbd");
    assert_int_equal(custom->magic, 0xbd6fd254);
    assert_true(block_hash_equal(&custom->genesis_hash, &signet->genesis_hash));
    assert_int_equal(custom->retarget, signet->retarget);
    assert_int_equal(custom->port, signet->port);
    assert_int_equal(custom->checkpoint_count, 0);
    assert_null(custom->dns_seeds[0]);
    struct u256 minimum = u256_from_be(custom->minimum_work);
    assert_true(u256_is_zero(&minimum));
    free(custom);
    assert_null(signet_of(
        "512103ad5e0edad18cb1f0fc0d28a3d4f1f3e445640337489abb10404f2d1e086be430"
        "210359ef5021964fe22d6f8e05b2463c9540ce96883fe3b278760f048f5189f2e6c452ae"));
}

static void test_tables(void **state)
{
    (void)state;
    for (size_t i = 0; i < PUBLISHED; i++) {
        const struct network *network = network_all()[i];
        for (size_t j = 1; j < network->checkpoint_count; j++) {
            assert_true(network->checkpoints[j - 1].height <
                        network->checkpoints[j].height);
        }
        assert_true(network->bip34_height <= network->bip66_height);
        assert_true(network->bip66_height <= network->bip65_height);
        assert_non_null(network->dns_seeds);
        bool regtest = strcmp(network->name, "regtest") == 0;
        assert_true((network->dns_seeds[0] == NULL) == regtest);
        assert_true((network->filter_seeds == 0) == regtest);
        size_t seeds = 0;
        while (network->dns_seeds[seeds] != NULL) {
            seeds++;
        }
        assert_true(network->filter_seeds <= seeds);
        assert_true((network->checkpoint_count == 0) == regtest);
    }
}

static void test_filter_checkpoints(void **state)
{
    (void)state;
    for (size_t i = 0; i < PUBLISHED; i++) {
        const struct network *network = network_all()[i];
        for (size_t j = 0; j < network->filter_checkpoint_count; j++) {
            uint32_t height = network->filter_checkpoints[j].height;
            assert_true(j == 0 || network->filter_checkpoints[j - 1].height < height);
            /* A peer's cfcheckpt message is held against it at once. */
            assert_int_equal(height % CFCHECKPT_INTERVAL, 0);
        }
    }
    const struct network *mainnet = network_find("mainnet");
    char text[ID_TEXT_MAX];
    filter_header_text(text, &mainnet->filter_checkpoints[5].header);
    assert_int_equal(mainnet->filter_checkpoints[5].height, 540000);
    assert_string_equal(
        text, "bbabb3b757ff0776971c5719e58a4fdc7f2a8159c9028be62896bc17ba14dda1");
}

/* Targets at the limit, multiplied by the longest span, must stay below 2^256. */
static void test_retarget_fits(void **state)
{
    (void)state;
    for (size_t i = 0; i < PUBLISHED; i++) {
        const struct network *network = network_all()[i];
        struct u256 limit;
        assert_true(compact_to_target(&limit, network->pow_limit_bits));
        if (network->retarget != RETARGET_NEVER) {
            uint32_t span = 4 * 14 * 24 * 60 * 60;
            struct u256 product = u256_mul_u32(&limit, span);
            struct u256 divisor = u256_from_u64(span);
            struct u256 back = u256_div(&product, &divisor);
            assert_true(u256_compare(&back, &limit) == 0);
        }
    }
}

static void test_checkpoints_are_real(void **state)
{
    (void)state;
    size_t len;
    uint8_t *data = shared_data("mainnet/retargets-0-832608.bin", &len);
    if (data == NULL) {
        skip();
    }
    const struct network *mainnet = network_find("mainnet");
    struct u256 work = {{0}};
    size_t found = 0;
    for (size_t at = 0; at + 116 <= len; at += 116) {
        for (size_t i = 0; i < mainnet->checkpoint_count; i++) {
            if (mainnet->checkpoints[i].height == get_u32le(data + at)) {
                struct block_hash hash;
                block_header_hash_bytes(&hash, data + at + 4);
                assert_true(block_hash_equal(&hash, &mainnet->checkpoints[i].hash));
                found++;
            }
        }
        work = u256_from_be(data + at + 84);
    }
    free(data);
    assert_int_equal(found, 8);
    struct u256 minimum = u256_from_be(mainnet->minimum_work);
    assert_true(u256_compare(&minimum, &work) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_wire),
        cmocka_unit_test(test_genesis),
        cmocka_unit_test(test_signet_magic),
        cmocka_unit_test(test_custom_signet),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_filter_checkpoints),
        cmocka_unit_test(test_retarget_fits),
        cmocka_unit_test(test_checkpoints_are_real),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
