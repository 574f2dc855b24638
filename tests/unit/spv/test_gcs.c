#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/hex.h"
#include "base/mem.h"
#include "base/random.h"
#include "spv/gcs_kernel.h"

#include "shared_data.h"
#include "tests/plain_gcs.h"

static const struct network testnet3 = {.bip34_height = 21111, .segwit_height = 834624};
static const uint64_t seed[2] = {1, 2};

/* One row of BIP 158's vectors; of the previous scripts only the first. */
struct vector {
    uint32_t height;
    const char *hash, *block, *previous_script, *previous_header, *filter, *header;
};

/* The genesis block, an OP_RETURN output, a block with witnesses, a filter of nothing. */
static const struct vector vectors[] = {
    {0, "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943",
     "0100000000000000000000000000000000000000000000000000000000000000000000003ba3"
     "edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4adae5494dffff001d"
     "1aa4ae1801010000000100000000000000000000000000000000000000000000000000000000"
     "00000000ffffffff4d04ffff001d0104455468652054696d65732030332f4a616e2f32303039"
     "204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e64206261696c6f7574"
     "20666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548271967f1a6"
     "7130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c38"
     "4df7ba0b8d578a4c702b6bf11d5fac00000000",
     NULL, "0000000000000000000000000000000000000000000000000000000000000000", "019dfca8",
     "21584579b7eb08997773e5aeff3a7f932700042d0ed2a6129012b7d7ae81b750"},
    {15007, "0000000038c44c703bae0f98cdd6bf30922326340a5996cc692aaae8bacf47ad",
     "0100000002394092aa378fe35d7e9ac79c869b975c4de4374cd75eb5484b0e1e00000000eb9b"
     "8670abd44ad6c55cee18e3020fb0c6519e7004b01a16e9164867531b67afc33bc94fffff001d"
     "123f100501010000000100000000000000000000000000000000000000000000000000000000"
     "00000000ffffffff0e04c33bc94f0115062f503253482fffffffff0100f2052a010000002321"
     "03f268e9ae07e0f8cb2f6e901d87c510d650b97230c0365b021df8f467363cafb1ac00000000",
     NULL, "18b5c2b0146d2d09d24fb00ff5b52bd0742f36c9e65527abdb9de30c027a4748", "013c3710",
     "07384b01311867949e0c046607c66b7a766d338474bb67f66c8ae9dbd454b20e"},
    {1263442, "000000006f27ddfe1dd680044a34548f41bed47eba9e6f0b310da21423bc5f33",
     "000000201c8d1a529c39a396db2db234d5ec152fa651a2872966daccbde028b400000000083f"
     "14492679151dbfaa1a825ef4c18518e780c1f91044180280a7d33f4a98ff5f45765aaddc001d"
     "38333b9a02010000000001010000000000000000000000000000000000000000000000000000"
     "000000000000ffffffff230352471300fe5f45765afe94690a000963676d696e657234320800"
     "0000000000000000ffffffff024423a804000000001976a914f2c25ac3d59f3d674b1d1d0a25"
     "c27339aaac0ba688ac0000000000000000266a24aa21a9edcb26cb3052426b9ebb4d19c819ef"
     "87c19677bbf3a7c46ef0855bd1b2abe834910120000000000000000000000000000000000000"
     "00000000000000000000000000000000000002000000000101d20978463906ba4ff5e7192494"
     "b88dd5eb0de85d900ab253af909106faa22cc5010000000004000000014777ff000000000016"
     "001446c29eabe8208a33aa1023c741fa79aa92e881ff0347304402207d7ca96134f2bcfdd6b5"
     "36536fdd39ad17793632016936f777ebb32c22943fda02206014d2fb8a6aa58279797f861042"
     "ba604ebd2f8f61e5bddbd9d3be5a245047b201004b632103eeaeba7ce5dc2470221e9517fb49"
     "8e8d6bd4e73b85b8be655196972eb9ccd5566754b2752103a40b74d43df244799d041f32ce1a"
     "d515a6cd99501701540e38750d883ae21d3a68ac00000000",
     "002027a5000c7917f785d8fc6e5a55adfca8717ecb973ebb7743849ff956d896a7ed",
     "31d66d516a9eda7de865df29f6ef6cb8e4bf9309e5dac899968a9a62a5df61e3",
     "0385acb4f0fe889ef0",
     "4e6d564c2a2452065c205dd7eb2791124e0c4e0dbb064c410c24968572589dec"},
    {1414221, "0000000000000027b2b3b3381f114f674f481544ff2be37ae3788d7e078383b1",
     "000000204ea88307a7959d8207968f152bedca5a93aefab253f1fb2cfb032a400000000070ce"
     "bb14ec6dbc27a9dfd066d9849a4d3bac5f674665f73a5fe1de01a022a0c851fda85bf05f4c19"
     "a779d14501020000000100000000000000000000000000000000000000000000000000000000"
     "00000000ffffffff18034d94154d696e6572476174653030310d000000f238f401ffffffff01"
     "c817a804000000000000000000",
     NULL, "5e5e12d90693c8e936f01847859404c67482439681928353ca1296982042864e", "00",
     "021e8882ef5a0ed932edeebbecfeda1d7ce528ec7b3daa27641acf1189d7b5dc"},
};

static struct bytes bytes_of_hex(const char *hex)
{
    size_t len = strlen(hex) / 2;
    uint8_t *data = mem_alloc(len);

    assert_true(hex_decode(data, len, hex, len * 2, NULL));
    return (struct bytes){data, len};
}

static void bytes_free(struct bytes bytes)
{
    free((void *)(uintptr_t)bytes.data);
}

/* What gcs_match_any() says, and each of the kernels. */
static enum gcs_result match_any(struct bytes filter, const struct block_hash *hash,
                                 const struct script_set *set)
{
    enum gcs_result result = gcs_match_any(filter, hash, set);

    for (size_t i = 0; gcs_kernels()[i] != NULL; i++) {
        assert_int_equal(gcs_match_any_with(filter, hash, set, gcs_kernels()[i]), result);
    }
    return result;
}

static enum gcs_result holds_outputs(struct bytes filter, const struct block *block)
{
    enum gcs_result result = gcs_holds_outputs(filter, block);

    for (size_t i = 0; gcs_kernels()[i] != NULL; i++) {
        assert_int_equal(gcs_holds_outputs_with(filter, block, gcs_kernels()[i]), result);
    }
    return result;
}

static enum gcs_result match_one(struct bytes filter, const struct block_hash *hash,
                                 struct bytes script)
{
    uint32_t id = 0;
    struct script_set *set = script_set_new(&script, &id, 1, seed);
    enum gcs_result result = match_any(filter, hash, set);

    script_set_unref(set);
    return result;
}

static void check_filter_header(const struct vector *vector, struct bytes filter)
{
    struct filter_header previous, header, expected;
    struct filter_hash hash;

    assert_true(filter_header_parse(&previous, vector->previous_header, 64));
    assert_true(filter_header_parse(&expected, vector->header, 64));
    filter_hash_of(&hash, filter);
    filter_header_next(&header, &hash, &previous);
    assert_true(filter_header_equal(&header, &expected));
}

static void check_vector(const struct vector *vector)
{
    struct bytes raw = bytes_of_hex(vector->block), filter = bytes_of_hex(vector->filter);
    struct block_hash hash;
    struct block *block;
    struct error error;

    assert_true(block_hash_parse(&hash, vector->hash, 64));
    if (block_parse(&block, (uint8_t *)(uintptr_t)raw.data, raw.len, &testnet3, &hash,
                    vector->height, &error) != BLOCK_VALID) {
        fail_msg("%s", error.text);
    }
    assert_int_equal(holds_outputs(filter, block), GCS_MATCH);
    for (uint32_t i = 0; i < block->out_count; i++) {
        struct bytes script = block->outs[i].script;
        bool held = script.len > 0 && script.data[0] != 0x6a;
        assert_int_equal(match_one(filter, &hash, script),
                         held ? GCS_MATCH : GCS_NO_MATCH);
    }
    if (vector->previous_script != NULL && *vector->previous_script != 0) {
        struct bytes script = bytes_of_hex(vector->previous_script);
        assert_int_equal(match_one(filter, &hash, script), GCS_MATCH);
        bytes_free(script);
    }
    check_filter_header(vector, filter);
    block_free(block);
    bytes_free(filter);
}

static void small_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        check_vector(&vectors[i]);
    }
}

static void published_vectors(void **state)
{
    (void)state;
    size_t len = 0;
    uint8_t *text = shared_data("vectors/bip158-testnet-19.json", &len);

    if (text == NULL) {
        skip();
    }
    json_t *rows = json_loadb((const char *)text, len, 0, NULL);
    free(text);
    assert_int_equal(json_array_size(rows), 11);
    for (size_t r = 1; r < json_array_size(rows); r++) {
        json_t *row = json_array_get(rows, r);
        json_t *scripts = json_array_get(row, 3);
        struct vector vector = {
            (uint32_t)json_integer_value(json_array_get(row, 0)),
            json_string_value(json_array_get(row, 1)),
            json_string_value(json_array_get(row, 2)),
            NULL,
            json_string_value(json_array_get(row, 4)),
            json_string_value(json_array_get(row, 5)),
            json_string_value(json_array_get(row, 6)),
        };
        for (size_t i = 0; i == 0 || i < json_array_size(scripts); i++) {
            vector.previous_script = json_string_value(json_array_get(scripts, i));
            check_vector(&vector);
        }
    }
    json_decref(rows);
}

static struct bytes written(const struct bit_writer *writer)
{
    return (struct bytes){writer->out.data, writer->out.len};
}

#define POOL 6000

/* Different scripts of 22 bytes. */
static void make_scripts(struct bytes scripts[static POOL])
{
    static uint8_t rooms[POOL][22];

    for (uint32_t i = 0; i < POOL; i++) {
        memcpy(rooms[i], &i, 4);
        scripts[i] = (struct bytes){rooms[i], 22};
    }
}

/* Filters of the first scripts of a pool, matched against all kinds of parts of it. */
static void random_filters(void **state)
{
    (void)state;
    static struct bytes scripts[POOL];
    static uint32_t ids[POOL];
    static struct tx_out outs[POOL];
    struct random random;
    size_t false_matches = 0;

    random_init(&random, 9);
    make_scripts(scripts);
    for (size_t n = 0; n < POOL / 2; n = n * 5 / 4 + 1) {
        struct block block = {.outs = outs};
        struct bit_writer filter = {0};

        for (size_t i = 0; i < 32; i++) {
            block.hash.b[i] = (uint8_t)random_u64(&random);
        }
        write_filter(&filter, &block.hash, scripts, n);

        /* All that is in it, in any order and more than once. */
        for (size_t i = 0; i < n; i++) {
            outs[i].script = scripts[random_below(&random, n)];
        }
        block.out_count = (uint32_t)n;
        assert_int_equal(holds_outputs(written(&filter), &block), GCS_MATCH);
        outs[n].script = (struct bytes){0};
        outs[n + 1].script = (struct bytes){(const uint8_t *)"\x6a\x01\x01", 3};
        block.out_count += 2;
        assert_int_equal(holds_outputs(written(&filter), &block), GCS_MATCH);
        outs[n + 1].script = scripts[POOL - 1];
        assert_int_equal(holds_outputs(written(&filter), &block), GCS_NO_MATCH);

        struct bytes cut = {filter.out.data, filter.out.len - 1};
        assert_int_equal(holds_outputs(cut, &block), GCS_MALFORMED);
        assert_int_equal(holds_outputs((struct bytes){0}, &block), GCS_MALFORMED);

        struct script_set *all = script_set_new(scripts, ids, n, seed);
        assert_int_equal(gcs_holds_all(written(&filter), &block.hash, all), GCS_MATCH);
        assert_int_equal(gcs_holds_all(cut, &block.hash, all), GCS_MALFORMED);
        script_set_unref(all);
        struct bytes kept = scripts[n];
        scripts[n] = scripts[POOL - 1];
        all = script_set_new(scripts, ids, n + 1, seed);
        assert_int_equal(gcs_holds_all(written(&filter), &block.hash, all), GCS_NO_MATCH);
        script_set_unref(all);
        scripts[n] = kept;

        /* One that is in it among many that aren't; then these alone. */
        size_t others = random_below(&random, POOL / 2);
        struct bytes first = scripts[POOL - 1 - others];
        if (n > 0) {
            scripts[POOL - 1 - others] = scripts[random_below(&random, n)];
            struct script_set *set =
                script_set_new(scripts + POOL - 1 - others, ids, others + 1, seed);
            assert_int_equal(match_any(written(&filter), &block.hash, set), GCS_MATCH);
            script_set_unref(set);
        }
        scripts[POOL - 1 - others] = first;
        struct script_set *set =
            script_set_new(scripts + POOL - others, ids, others, seed);
        false_matches += match_any(written(&filter), &block.hash, set) != GCS_NO_MATCH;
        script_set_unref(set);
        writer_release(&filter.out);
    }
    /* One script in 784,931 is found by accident. */
    assert_true(false_matches <= 2);
}

/* A filter whose values are chosen: the count, then each difference. */
static enum gcs_result match_deltas(uint64_t count, const uint64_t *deltas, size_t len)
{
    struct bit_writer writer = {0};
    struct block_hash hash = {{1}};

    write_compact_size(&writer.out, count);
    for (size_t i = 0; i < len; i++) {
        write_golomb(&writer, deltas[i]);
    }
    enum gcs_result result = match_one(written(&writer), &hash,
                                       (struct bytes){(const uint8_t *)"\x51\x52", 2});
    writer_release(&writer.out);
    return result;
}

static void values_stay_in_range(void **state)
{
    (void)state;
    assert_int_equal(match_deltas(1, (uint64_t[]){GCS_M - 1}, 1), GCS_NO_MATCH);
    assert_int_equal(match_deltas(1, (uint64_t[]){GCS_M}, 1), GCS_MALFORMED);
    assert_int_equal(match_deltas(2, (uint64_t[]){GCS_M, GCS_M - 1}, 2), GCS_NO_MATCH);
    assert_int_equal(match_deltas(2, (uint64_t[]){GCS_M, GCS_M}, 2), GCS_MALFORMED);
    /* Two scripts may have the same hash. */
    assert_int_equal(match_deltas(3, (uint64_t[]){5, 0, 0}, 3), GCS_NO_MATCH);
    /* The quotient that would wrap if it were taken as it comes. */
    assert_int_equal(match_deltas(1, (uint64_t[]){UINT64_C(1) << 39}, 1), GCS_MALFORMED);
    assert_int_equal(
        match_deltas(GCS_ELEMENTS_MAX, (uint64_t[]){GCS_ELEMENTS_MAX * GCS_M - 1}, 1),
        GCS_MALFORMED); /* too few values */
}

static void counts_are_bounded(void **state)
{
    (void)state;
    static uint64_t zeros[GCS_ELEMENTS_MAX + 1];

    /* Zeros take 20 bits each: too many bytes long before there are too many of them. */
    assert_int_equal(match_deltas(100000, zeros, 100000), GCS_NO_MATCH);
    assert_int_equal(match_deltas(100001, zeros, 100001), GCS_MALFORMED);
    assert_int_equal(match_deltas(UINT64_MAX, zeros, 1), GCS_MALFORMED);
    assert_int_equal(match_deltas(0, NULL, 0), GCS_NO_MATCH);
    assert_int_equal(match_deltas(0, zeros, 1), GCS_MALFORMED);
    assert_int_equal(match_deltas(2, zeros, 3), GCS_MALFORMED);
}

static enum gcs_result match_bytes(const void *data, size_t len)
{
    struct block_hash hash = {{1}};

    return match_one((struct bytes){data, len}, &hash,
                     (struct bytes){(const uint8_t *)"x", 1});
}

static void odd_encodings_are_malformed(void **state)
{
    (void)state;
    static uint8_t ones[GCS_FILTER_MAX + 1];

    assert_int_equal(match_bytes("", 0), GCS_MALFORMED);
    assert_int_equal(match_bytes("\x00", 1), GCS_NO_MATCH);
    assert_int_equal(match_bytes("\x00\x00", 2), GCS_MALFORMED);
    assert_int_equal(match_bytes("\xfd\x00\x00", 3), GCS_MALFORMED);
    assert_int_equal(match_bytes("\x01", 1), GCS_MALFORMED);
    assert_int_equal(match_bytes("\x01\x00\x00\x00", 4), GCS_NO_MATCH);
    assert_int_equal(match_bytes("\x01\x00\x00\x01", 4), GCS_MALFORMED); /* padding */
    assert_int_equal(match_bytes("\x01\x00\x00\x08", 4), GCS_MALFORMED);
    assert_int_equal(match_bytes("\x01\x00\x00\x10", 4), GCS_NO_MATCH); /* a value */
    assert_int_equal(match_bytes("\x01\x00\x00\x00\x00", 5), GCS_MALFORMED);
    assert_int_equal(match_bytes("\xfd\x01\x00\x00\x00\x00", 6), GCS_MALFORMED);
    memset(ones, 0xff, sizeof(ones));
    ones[0] = 1;
    for (size_t len = 1; len < 100; len++) {
        assert_int_equal(match_bytes(ones, len), GCS_MALFORMED);
    }
    assert_int_equal(match_bytes(ones, GCS_FILTER_MAX), GCS_MALFORMED);
    assert_int_equal(match_bytes(ones, GCS_FILTER_MAX + 1), GCS_MALFORMED);
}

/* Runs of ones that start at any bit and end with the filter or before it. */
static void long_quotients(void **state)
{
    (void)state;
    for (size_t before = 0; before < 16; before++) {
        for (uint64_t run = 0; run < 200; run++) {
            uint64_t deltas[16] = {0};
            deltas[before] = run << GCS_P;
            enum gcs_result in_range =
                deltas[before] < (before + 1) * GCS_M ? GCS_NO_MATCH : GCS_MALFORMED;
            assert_int_equal(match_deltas(before + 1, deltas, before + 1), in_range);
            assert_int_equal(match_deltas(1000, deltas, before + 1), GCS_MALFORMED);

            struct bit_writer cut = {0};
            write_compact_size(&cut.out, 250);
            for (size_t i = 0; i < before; i++) {
                write_golomb(&cut, 0);
            }
            for (uint64_t i = 0; i < run; i++) {
                write_bit(&cut, 1);
            }
            assert_int_equal(match_bytes(cut.out.data, cut.out.len), GCS_MALFORMED);
            writer_release(&cut.out);
        }
    }
}

/* Whatever is cut off or added shows, also when what is watched matches early. */
static void every_length_but_one_is_malformed(void **state)
{
    (void)state;
    static struct bytes scripts[POOL];

    make_scripts(scripts);
    for (size_t n = 1; n < 60; n++) {
        struct block_hash hash = {{(uint8_t)n}};
        struct bit_writer filter = {0};

        write_filter(&filter, &hash, scripts, n);
        size_t len = filter.out.len;
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(match_one(written(&filter), &hash, scripts[i]), GCS_MATCH);
        }
        for (size_t cut = 0; cut < len; cut++) {
            assert_int_equal(
                match_one((struct bytes){filter.out.data, cut}, &hash, scripts[0]),
                GCS_MALFORMED);
        }
        write_u8(&filter.out, 0);
        assert_int_equal(match_one(written(&filter), &hash, scripts[0]), GCS_MALFORMED);
        writer_release(&filter.out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_vectors),
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(random_filters),
        cmocka_unit_test(values_stay_in_range),
        cmocka_unit_test(counts_are_bounded),
        cmocka_unit_test(odd_encodings_are_malformed),
        cmocka_unit_test(long_quotients),
        cmocka_unit_test(every_length_but_one_is_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
