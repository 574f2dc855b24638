#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"

static void assert_hash(const uint8_t *hash, size_t len, const char *expected)
{
    char text[65];
    hex_encode(text, hash, len);
    assert_string_equal(text, expected);
}

/* FIPS 180-4's examples. */
static void test_sha256(void **state)
{
    (void)state;
    static const struct {
        const char *message, *hash;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t hash[32];
        sha256(hash, cases[i].message, strlen(cases[i].message));
        assert_hash(hash, 32, cases[i].hash);
    }
}

/* FIPS 180-4's long example, a million times 'a', in pieces of changing length. */
static void test_sha256_in_pieces(void **state)
{
    (void)state;
    char piece[200];
    memset(piece, 'a', sizeof(piece));
    struct sha256 hash;
    sha256_init(&hash);
    size_t left = 1000000;
    for (size_t len = 0; left > 0; len = (len + 37) % sizeof(piece)) {
        size_t take = len < left ? len : left;
        sha256_update(&hash, piece, take);
        left -= take;
    }
    uint8_t out[32];
    sha256_final(&hash, out);
    assert_hash(out, 32,
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* The genesis block's header and its hash. */
static void test_sha256d(void **state)
{
    (void)state;
    static const char genesis[] =
        "01000000"
        "0000000000000000000000000000000000000000000000000000000000000000"
        "3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a"
        "29ab5f49ffff001d1dac2b7c";
    uint8_t header[80], hash[32];
    assert_true(hex_decode(header, sizeof(header), genesis, strlen(genesis), NULL));
    sha256d(hash, header, sizeof(header));
    char text[65];
    hex_encode_reversed(text, hash, sizeof(hash));
    assert_string_equal(
        text, "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f");

    struct sha256 pieces;
    uint8_t again[32];
    sha256_init(&pieces);
    sha256_update(&pieces, header, 36);
    sha256_update(&pieces, header + 36, 44);
    sha256d_final(&pieces, again);
    assert_memory_equal(again, hash, sizeof(hash));
}

/* BIP 173's example key, the generator point, and its witness program. */
static void test_hash160(void **state)
{
    (void)state;
    static const char text[] =
        "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    uint8_t key[33], hash[20];
    assert_true(hex_decode(key, sizeof(key), text, strlen(text), NULL));
    hash160(hash, key, sizeof(key));
    assert_hash(hash, 20, "751e76e8199196d454941c45d1b3a323f1433bd6");
    hash160(hash, "", 0);
    assert_hash(hash, 20, "b472a266d0bd89c13706a4132ccfb16f7c3b9fcb");
}

/* BIP 341's wallet test vectors: a leaf's version, script and hash. */
static void test_tagged_leaf(void **state)
{
    (void)state;
    static const char text[] =
        "c02220d85a959b0290bf19bb89ed43c916be835475d013da4b362117393e25a48229b8ac";
    uint8_t leaf[36], out[32];
    assert_true(hex_decode(leaf, sizeof(leaf), text, strlen(text), NULL));
    struct sha256 hash;
    sha256_tagged_init(&hash, "TapLeaf");
    sha256_update(&hash, leaf, sizeof(leaf));
    sha256_final(&hash, out);
    assert_hash(out, 32,
                "5b75adecf53548f3ec6ad7d78383bf84cc57b55a3127c72b9a2481752dd88b21");
}

/* The published start of BIP 340's challenge hash: SHA256("BIP0340/challenge"), twice. */
static void test_tagged_challenge(void **state)
{
    (void)state;
    static const char text[] =
        "7bb52d7a9fef58323eb1bf7a407db382d2f3f2d81bb1224f49fe518f6d48d37c";
    uint8_t tag_hash[32], out[32], expected[32];
    assert_true(hex_decode(tag_hash, 32, text, strlen(text), NULL));
    struct sha256 hash;
    sha256_init(&hash);
    sha256_update(&hash, tag_hash, 32);
    sha256_update(&hash, tag_hash, 32);
    sha256_update(&hash, "message", 7);
    sha256_final(&hash, expected);

    sha256_tagged_init(&hash, "BIP0340/challenge");
    sha256_update(&hash, "message", 7);
    sha256_final(&hash, out);
    assert_memory_equal(out, expected, 32);
}

/* The reference implementation's vectors: key 00 01 .. 0f; entry i is the hash of the i
 * bytes 00 01 .. */
static const uint64_t siphash_vectors[64] = {
    UINT64_C(0x726fdb47dd0e0e31), UINT64_C(0x74f839c593dc67fd),
    UINT64_C(0x0d6c8009d9a94f5a), UINT64_C(0x85676696d7fb7e2d),
    UINT64_C(0xcf2794e0277187b7), UINT64_C(0x18765564cd99a68d),
    UINT64_C(0xcbc9466e58fee3ce), UINT64_C(0xab0200f58b01d137),
    UINT64_C(0x93f5f5799a932462), UINT64_C(0x9e0082df0ba9e4b0),
    UINT64_C(0x7a5dbbc594ddb9f3), UINT64_C(0xf4b32f46226bada7),
    UINT64_C(0x751e8fbc860ee5fb), UINT64_C(0x14ea5627c0843d90),
    UINT64_C(0xf723ca908e7af2ee), UINT64_C(0xa129ca6149be45e5),
    UINT64_C(0x3f2acc7f57c29bdb), UINT64_C(0x699ae9f52cbe4794),
    UINT64_C(0x4bc1b3f0968dd39c), UINT64_C(0xbb6dc91da77961bd),
    UINT64_C(0xbed65cf21aa2ee98), UINT64_C(0xd0f2cbb02e3b67c7),
    UINT64_C(0x93536795e3a33e88), UINT64_C(0xa80c038ccd5ccec8),
    UINT64_C(0xb8ad50c6f649af94), UINT64_C(0xbce192de8a85b8ea),
    UINT64_C(0x17d835b85bbb15f3), UINT64_C(0x2f2e6163076bcfad),
    UINT64_C(0xde4daaaca71dc9a5), UINT64_C(0xa6a2506687956571),
    UINT64_C(0xad87a3535c49ef28), UINT64_C(0x32d892fad841c342),
    UINT64_C(0x7127512f72f27cce), UINT64_C(0xa7f32346f95978e3),
    UINT64_C(0x12e0b01abb051238), UINT64_C(0x15e034d40fa197ae),
    UINT64_C(0x314dffbe0815a3b4), UINT64_C(0x027990f029623981),
    UINT64_C(0xcadcd4e59ef40c4d), UINT64_C(0x9abfd8766a33735c),
    UINT64_C(0x0e3ea96b5304a7d0), UINT64_C(0xad0c42d6fc585992),
    UINT64_C(0x187306c89bc215a9), UINT64_C(0xd4a60abcf3792b95),
    UINT64_C(0xf935451de4f21df2), UINT64_C(0xa9538f0419755787),
    UINT64_C(0xdb9acddff56ca510), UINT64_C(0xd06c98cd5c0975eb),
    UINT64_C(0xe612a3cb9ecba951), UINT64_C(0xc766e62cfcadaf96),
    UINT64_C(0xee64435a9752fe72), UINT64_C(0xa192d576b245165a),
    UINT64_C(0x0a8787bf8ecb74b2), UINT64_C(0x81b3e73d20b49b6f),
    UINT64_C(0x7fa8220ba3b2ecea), UINT64_C(0x245731c13ca42499),
    UINT64_C(0xb78dbfaf3a8d83bd), UINT64_C(0xea1ad565322a1a0b),
    UINT64_C(0x60e61c23a3795013), UINT64_C(0x6606d7e446282b93),
    UINT64_C(0x6ca4ecb15c5f91e1), UINT64_C(0x9f626da15c9625f3),
    UINT64_C(0xe51b38608ef25f57), UINT64_C(0x958a324ceb064572),
};

static void test_siphash(void **state)
{
    (void)state;
    for (size_t len = 0; len < 64; len++) {
        /* Memory of just that length, so that a read beyond it is caught. */
        uint8_t *message = malloc(len + 1);
        assert_non_null(message);
        for (size_t i = 0; i < len; i++)
            message[i + 1] = (uint8_t)i;
        assert_int_equal(siphash(UINT64_C(0x0706050403020100),
                                 UINT64_C(0x0f0e0d0c0b0a0908), message + 1, len),
                         siphash_vectors[len]);
        free(message);
    }
}

/* FIPS 202's: of nothing, and of "abc". */
static void test_sha3(void **state)
{
    (void)state;
    static const uint8_t of_nothing[] = {0xa7, 0xff, 0xc6, 0xf8},
                         of_abc[] = {0x3a, 0x98, 0x5d, 0xa7};
    uint8_t out[32];
    sha3_256(out, "", 0);
    assert_memory_equal(out, of_nothing, 4);
    sha3_256(out, "abc", 3);
    assert_memory_equal(out, of_abc, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256),      cmocka_unit_test(test_sha256_in_pieces),
        cmocka_unit_test(test_sha256d),     cmocka_unit_test(test_hash160),
        cmocka_unit_test(test_tagged_leaf), cmocka_unit_test(test_tagged_challenge),
        cmocka_unit_test(test_siphash),     cmocka_unit_test(test_sha3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
