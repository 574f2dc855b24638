#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "spv/address.h"

static const struct {
    const char *network;
    const char *address;
    const char *script;
} valid[] = {
    /* BIP 350, which replaces BIP 173's. */
    {"mainnet", "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
     "0014751e76e8199196d454941c45d1b3a323f1433bd6"},
    {"testnet3", "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
     "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262"},
    {"mainnet",
     "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
     "5128751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd"
     "6"},
    {"mainnet", "BC1SW50QGDZ25J", "6002751e"},
    {"mainnet", "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs",
     "5210751e76e8199196d454941c45d1b3a323"},
    {"signet", "tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy",
     "0020000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433"},
    {"testnet4", "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c",
     "5120000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433"},
    {"mainnet", "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
     "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"},
    /* BIP 341, wallet vectors. */
    {"mainnet", "bc1p2wsldez5mud2yam29q22wgfh9439spgduvct83k3pm50fcxa5dps59h4z5",
     "512053a1f6e454df1aa2776a2814a721372d6258050de330b3c6d10ee8f4e0dda343"},
    {"mainnet", "bc1pz37fc4cn9ah8anwm4xqqhvxygjf9rjf2resrw8h8w4tmvcs0863sa2e586",
     "5120147c9c57132f6e7ecddba9800bb0c4449251c92a1e60371ee77557b6620f3ea3"},
    {"mainnet", "bc1punvppl2stp38f7kwv2u2spltjuvuaayuqsthe34hd2dyy5w4g58qqfuag5",
     "5120e4d810fd50586274face62b8a807eb9719cef49c04177cc6b76a9a4251d5450e"},
    {"mainnet", "bc1pwyjywgrd0ffr3tx8laflh6228dj98xkjj8rum0zfpd6h0e930h6saqxrrm",
     "5120712447206d7a5238acc7ff53fbe94a3b64539ad291c7cdbc490b7577e4b17df5"},
    {"mainnet", "bc1pwl3s54fzmk0cjnpl3w9af39je7pv5ldg504x5guk2hpecpg2kgsqaqstjq",
     "512077e30a5522dd9f894c3f8b8bd4c4b2cf82ca7da8a3ea6a239655c39c050ab220"},
    {"mainnet", "bc1pjxmy65eywgafs5tsunw95ruycpqcqnev6ynxp7jaasylcgtcxczs6n332e",
     "512091b64d5324723a985170e4dc5a0f84c041804f2cd12660fa5dec09fc21783605"},
    {"mainnet", "bc1pw5tf7sqp4f50zka7629jrr036znzew70zxyvvej3zrpf8jg8hqcssyuewe",
     "512075169f4001aa68f15bbed28b218df1d0a62cbbcf1188c6665110c293c907b831"},
    /* Base58: the genesis block's, and BIP 385's. */
    {"mainnet", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
     "76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac"},
    {"mainnet", "3PUNyaW7M55oKWJ3kDukwk9bsKvryra15j",
     "a914eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee87"},
    {"testnet3", "mpXwg4jMtRhuSpVq4xS3HFHmCmWp9NyGKt",
     "76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac"},
    {"regtest", "mpXwg4jMtRhuSpVq4xS3HFHmCmWp9NyGKt",
     "76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac"},
    {"regtest", "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
     "0014751e76e8199196d454941c45d1b3a323f1433bd6"},
};

#define TAPROOT "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq"

static const struct {
    const char *network;
    const char *address;
    const char *reason;
    size_t error_at;
} invalid[] = {
    /* BIP 173 and BIP 350. */
    {"mainnet", "tc1qw508d6qejxtdg4y5r3zarvary0c5xw7kg3g4ty", "prefix 'tc'", 0},
    {"mainnet", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", "checksum does not match",
     41},
    {"mainnet", "BC13W508D6QEJXTDG4Y5R3ZARVARY0C5XW7KN40WF2", "witness version 17", 0},
    {"mainnet", "bc1rw5uspcuh", "Bech32m", 0},
    {"mainnet",
     "bc10w508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kw5rljs90",
     "Bech32m", 0},
    {"mainnet", "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P", "20 or 32", 0},
    {"testnet3", "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sL5k7",
     "mixed case", 58},
    {"testnet3", "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3pjxtptv",
     "must be zero", 0},
    {"mainnet", "bc1gmk9yu", "cut off", 0},
    {"mainnet", "tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut",
     "prefix 'tc'", 0},
    {"mainnet", TAPROOT "h2y7hd", "must be Bech32m", 0},
    {"testnet3", "tb1z0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqglt7rf",
     "must be Bech32m", 0},
    {"mainnet", "BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL",
     "must be Bech32m", 0},
    {"mainnet", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh", "must be Bech32 ", 0},
    {"testnet3", "tb1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq24jc47",
     "must be Bech32 ", 0},
    {"mainnet", "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4",
     "character 'o'", 59},
    {"mainnet", "BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R",
     "witness version 17", 0},
    {"mainnet", "bc1pw5dgrnzv", "program of 1 bytes", 0},
    {"mainnet",
     "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav",
     "program of 41 bytes", 0},
    {"testnet3", "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq",
     "mixed case", 58},
    {"mainnet", "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf",
     "character too many", 0},
    {"testnet3", "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j",
     "must be zero", 0},
    /* Networks. */
    {"mainnet", "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c",
     "address of testnet3, testnet4 or signet, this is mainnet", 0},
    {"testnet4", TAPROOT "zk5jj0", "address of mainnet, this is testnet4", 0},
    {"mainnet", "mpXwg4jMtRhuSpVq4xS3HFHmCmWp9NyGKt",
     "address of testnet3, testnet4, signet or regtest, this is mainnet", 0},
    {"regtest", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "address of mainnet", 0},
    /* Slips of the pen. */
    {"mainnet", "", "empty", 0},
    {"mainnet", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "checksum does not match", 0},
    {"mainnet", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfN", "checksum does not match", 0},
    {"mainnet", "1A1zP1eP5QGefi2DMPTfTL5SLmv7Div", "too short", 0},
    {"mainnet", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNaa", "too long", 0},
    {"mainnet", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfO", "character 'O'", 32},
    {"mainnet", "1A1zP1eP5QGefi2DMPTfTL 5SLmv7DivfNa", "a space", 22},
    {"mainnet", "1A1zP1eP5QGefi2DMPTfTL5SLmv7Div\xc3\xa9", "byte 0xc3", 31},
    {"mainnet", "bc1pw508d6q1jxtdg4y5r3zarvary0c5xw7k", "character '1'", 11},
    {"mainnet", "bc1q", "too short", 0},
    {"mainnet", "bc1", "too short", 0},
    {"mainnet", TAPROOT "zk5jj0" TAPROOT, "character '1'", 64},
    {"mainnet", "5KYZdUEo39z3FPrtuX2QbbwGnNP5zTd7yyr2SC1j299sBCnWjss", "private key", 0},
    {"mainnet", "L4rK1yDtCWekvXuE6oXD9jCYfFNV2cWRpVuPLBcCU2z8TrisoyY1", "private key", 0},
};

static void test_valid(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof valid / sizeof valid[0]; i++) {
        const struct network *network = network_find(valid[i].network);
        const char *address = valid[i].address;
        struct address_script script;
        struct error error;
        size_t error_at;
        char hex[2 * ADDRESS_SCRIPT_MAX + 1], again[ADDRESS_TEXT_MAX];

        if (!address_decode(&script, network, address, strlen(address), &error_at,
                            &error))
            fail_msg("%s: %s", address, error.text);
        hex_encode(hex, script.data, script.len);
        assert_string_equal(hex, valid[i].script);
        assert_true(
            address_encode(again, network, (struct bytes){script.data, script.len}));
        assert_int_equal(strlen(again), strlen(address));
        const bool upper = isupper((unsigned char)address[0]);
        for (size_t k = 0; again[k] != '\0'; k++)
            assert_int_equal(again[k],
                             upper ? tolower((unsigned char)address[k]) : address[k]);
    }
}

static void test_invalid(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++) {
        const char *address = invalid[i].address;
        struct address_script script;
        struct error error;
        size_t error_at = 99;

        assert_false(address_decode(&script, network_find(invalid[i].network), address,
                                    strlen(address), &error_at, &error));
        if (strstr(error.text, invalid[i].reason) == NULL ||
            error_at != invalid[i].error_at)
            fail_msg("%s: at %zu: %s", address, error_at, error.text);
    }
}

static void test_every_witness_version(void **state)
{
    (void)state;
    const struct network *network = network_find("regtest");
    for (unsigned version = 0; version <= 16; version++) {
        for (size_t len = 2; len <= 40; len++) {
            uint8_t data[ADDRESS_SCRIPT_MAX] = {0};
            char text[ADDRESS_TEXT_MAX];
            struct address_script script;
            struct error error;
            size_t error_at;

            data[0] = (uint8_t)(version == 0 ? 0 : 0x50 + version);
            data[1] = (uint8_t)len;
            data[len + 1] = 0xaa;
            const bool ok = address_encode(text, network, (struct bytes){data, len + 2});
            assert_int_equal(ok, version > 0 || len == 20 || len == 32);
            if (!ok)
                continue;
            assert_true(
                address_decode(&script, network, text, strlen(text), &error_at, &error));
            assert_int_equal(script.len, len + 2);
            assert_memory_equal(script.data, data, script.len);
        }
    }
}

static void test_bare_scripts_have_none(void **state)
{
    (void)state;
    static const uint8_t op_true[] = {0x51}, op_return[] = {0x6a, 0x01, 0x02};
    char text[ADDRESS_TEXT_MAX];
    const struct network *network = network_find("mainnet");

    assert_false(address_encode(text, network, (struct bytes){op_true, 1}));
    assert_false(address_encode(text, network, (struct bytes){op_return, 3}));
    assert_false(address_encode(text, network, (struct bytes){NULL, 0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_every_witness_version),
        cmocka_unit_test(test_bare_scripts_have_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
