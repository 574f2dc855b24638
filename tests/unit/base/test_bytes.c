#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/random.h"

static void test_reads_in_order(void **state)
{
    (void)state;
    static const uint8_t in[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
                                 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10,
                                 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18,
                                 0x19, 0x1a, 0x1b, 0x1c, 0x1d};
    struct reader reader;
    reader_init(&reader, in, sizeof(in));
    assert_int_equal(read_u8(&reader), 0x01);
    assert_int_equal(read_u16le(&reader), 0x0302);
    assert_int_equal(read_u16be(&reader), 0x0405);
    assert_int_equal(read_u32le(&reader), 0x09080706);
    assert_int_equal(read_u32be(&reader), 0x0a0b0c0d);
    assert_int_equal(read_u64le(&reader), UINT64_C(0x1514131211100f0e));
    assert_false(reader_done(&reader));
    assert_int_equal(read_u64be(&reader), UINT64_C(0x161718191a1b1c1d));
    assert_true(reader_done(&reader));
}

/* Each read, one byte short. */
static void test_short_reads_fail(void **state)
{
    (void)state;
    static const uint8_t in[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct reader reader;
#define ASSERT_FAILS_SHORT(READ, LEN)                                                    \
    do {                                                                                 \
        reader_init(&reader, in, (LEN)-1);                                               \
        assert_int_equal(READ(&reader), 0);                                              \
        assert_true(reader.failed);                                                      \
        assert_false(reader_done(&reader));                                              \
    } while (0)
    ASSERT_FAILS_SHORT(read_u8, 1);
    ASSERT_FAILS_SHORT(read_u16le, 2);
    ASSERT_FAILS_SHORT(read_u16be, 2);
    ASSERT_FAILS_SHORT(read_u32le, 4);
    ASSERT_FAILS_SHORT(read_u32be, 4);
    ASSERT_FAILS_SHORT(read_u64le, 8);
    ASSERT_FAILS_SHORT(read_u64be, 8);
#undef ASSERT_FAILS_SHORT
}

static void test_failure_sticks(void **state)
{
    (void)state;
    static const uint8_t in[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct reader reader;
    reader_init(&reader, in, sizeof(in));
    assert_int_equal(read_u16le(&reader), 0x0201);
    assert_int_equal(read_u64le(&reader), 0);
    assert_true(reader.failed);
    /* Six bytes were there for these. */
    assert_int_equal(read_u8(&reader), 0);
    assert_int_equal(read_u32be(&reader), 0);
    assert_int_equal(read_compact_size(&reader, UINT64_MAX), 0);
    uint8_t out[4] = {9, 9, 9, 9};
    read_bytes(&reader, out, sizeof(out));
    assert_memory_equal(out, ((const uint8_t[4]){0}), 4);
    assert_int_equal(read_view(&reader, 1).len, 0);
    assert_int_equal(read_view(&reader, 0).len, 0);
    assert_int_equal(read_var_bytes(&reader, 100).len, 0);
    assert_int_equal(reader.left, 0);
    assert_false(reader_done(&reader));
    /* The place of the failure stays known. */
    assert_ptr_equal(reader.at, in + 2);
}

static void test_empty_input(void **state)
{
    (void)state;
    struct reader reader;
    reader_init(&reader, NULL, 0);
    assert_true(reader_done(&reader));
    read_bytes(&reader, NULL, 0);
    assert_int_equal(read_view(&reader, 0).len, 0);
    assert_true(reader_done(&reader));
    assert_int_equal(read_u8(&reader), 0);
    assert_false(reader_done(&reader));
}

static void test_views(void **state)
{
    (void)state;
    static const uint8_t in[] = {'a', 'b', 'c', 2, 'd', 'e', 3, 'f', 'g', 'h', 5, 'i'};
    struct reader reader;
    reader_init(&reader, in, sizeof(in));
    assert_true(bytes_equal(read_view(&reader, 3), (struct bytes){in, 3}));
    assert_true(bytes_equal(read_var_bytes(&reader, 2), (struct bytes){in + 4, 2}));

    struct reader longer_than_max = reader;
    assert_int_equal(read_var_bytes(&longer_than_max, 2).len, 0);
    assert_true(longer_than_max.failed);

    assert_int_equal(read_var_bytes(&reader, 3).len, 3);
    assert_false(reader.failed);
    struct bytes beyond = read_var_bytes(&reader, 100);
    assert_null(beyond.data);
    assert_int_equal(beyond.len, 0);
    assert_true(reader.failed);

    /* A length that overflows any sum. */
    reader_init(&reader, in, sizeof(in));
    assert_null(read_view(&reader, UINT64_MAX).data);
    assert_true(reader.failed);
}

static void test_bytes_equal(void **state)
{
    (void)state;
    const uint8_t a[] = {1, 2, 3}, b[] = {1, 2, 4};
    assert_true(bytes_equal((struct bytes){a, 2}, (struct bytes){b, 2}));
    assert_false(bytes_equal((struct bytes){a, 3}, (struct bytes){b, 3}));
    assert_false(bytes_equal((struct bytes){a, 2}, (struct bytes){a, 3}));
    assert_true(bytes_equal((struct bytes){NULL, 0}, (struct bytes){a, 0}));
}

struct compact_size_case {
    uint8_t bytes[9];
    size_t len;
    uint64_t value;
};

static const struct compact_size_case canonical[] = {
    {{0x00}, 1, 0},
    {{0x01}, 1, 1},
    {{0xfc}, 1, 0xfc},
    {{0xfd, 0xfd, 0x00}, 3, 0xfd},
    {{0xfd, 0xfe, 0x00}, 3, 0xfe},
    {{0xfd, 0xff, 0x00}, 3, 0xff},
    {{0xfd, 0x00, 0x01}, 3, 0x100},
    {{0xfd, 0xff, 0xff}, 3, 0xffff},
    {{0xfe, 0x00, 0x00, 0x01, 0x00}, 5, 0x10000},
    {{0xfe, 0xff, 0xff, 0xff, 0xff}, 5, 0xffffffff},
    {{0xff, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00}, 9, UINT64_C(0x100000000)},
    {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 9, UINT64_MAX},
};

static void test_compact_size_canonical(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(canonical) / sizeof(canonical[0]); i++) {
        const struct compact_size_case *c = &canonical[i];
        struct reader reader;
        reader_init(&reader, c->bytes, c->len);
        assert_int_equal(read_compact_size(&reader, UINT64_MAX), c->value);
        assert_true(reader_done(&reader));

        reader_init(&reader, c->bytes, c->len);
        assert_int_equal(read_compact_size(&reader, c->value), c->value);
        assert_true(reader_done(&reader));

        if (c->value > 0) {
            reader_init(&reader, c->bytes, c->len);
            assert_int_equal(read_compact_size(&reader, c->value - 1), 0);
            assert_true(reader.failed);
        }
        for (size_t len = 0; len < c->len; len++) {
            reader_init(&reader, c->bytes, len);
            assert_int_equal(read_compact_size(&reader, UINT64_MAX), 0);
            assert_true(reader.failed);
        }

        struct writer writer;
        writer_init(&writer);
        write_compact_size(&writer, c->value);
        assert_int_equal(writer.len, c->len);
        assert_memory_equal(writer.data, c->bytes, c->len);
        writer_release(&writer);
    }
}

static void test_compact_size_longer_than_needed(void **state)
{
    (void)state;
    static const struct compact_size_case cases[] = {
        {{0xfd, 0x00, 0x00}, 3, 0},
        {{0xfd, 0xfc, 0x00}, 3, 0xfc},
        {{0xfe, 0x00, 0x00, 0x00, 0x00}, 5, 0},
        {{0xfe, 0xff, 0xff, 0x00, 0x00}, 5, 0xffff},
        {{0xff, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00}, 9, 0},
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00}, 9, 0xffffffff},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct reader reader;
        reader_init(&reader, cases[i].bytes, cases[i].len);
        assert_int_equal(read_compact_size(&reader, UINT64_MAX), 0);
        assert_true(reader.failed);
        assert_false(reader_done(&reader));
    }
}

static void test_writes(void **state)
{
    (void)state;
    static const uint8_t expected[] = {
        0x01, 0x03, 0x02, 0x04, 0x05, 0x09, 0x08, 0x07, 0x06, 0x0a, 0x0b, 0x0c,
        0x0d, 0x15, 0x14, 0x13, 0x12, 0x11, 0x10, 0x0f, 0x0e, 0x16, 0x17, 0x18,
        0x19, 0x1a, 0x1b, 0x1c, 0x1d, 'x',  0x02, 'y',  'z',  0x00};
    struct writer writer = {0};
    write_u8(&writer, 0x01);
    write_u16le(&writer, 0x0203);
    write_u16be(&writer, 0x0405);
    write_u32le(&writer, 0x06070809);
    write_u32be(&writer, 0x0a0b0c0d);
    write_u64le(&writer, UINT64_C(0x0e0f101112131415));
    write_u64be(&writer, UINT64_C(0x161718191a1b1c1d));
    write_bytes(&writer, "x", 1);
    write_bytes(&writer, NULL, 0);
    write_var_bytes(&writer, (struct bytes){(const uint8_t *)"yz", 2});
    write_var_bytes(&writer, (struct bytes){NULL, 0});
    size_t len;
    uint8_t *data = writer_take(&writer, &len);
    assert_int_equal(len, sizeof(expected));
    assert_memory_equal(data, expected, len);
    free(data);

    assert_int_equal(writer.len, 0);
    write_u8(&writer, 7);
    assert_int_equal(writer.data[0], 7);
    writer_release(&writer);
    writer_release(&writer);
}

/* What random writes wrote, the same reads give back. */
static void test_round_trip(void **state)
{
    (void)state;
    struct writer writer;
    writer_init(&writer);
    struct random random;
    random_init(&random, 1);
    for (int i = 0; i < 5000; i++) {
        uint64_t value = random_u64(&random) >> random_below(&random, 64);
        uint8_t blob[300];
        size_t len = (size_t)random_below(&random, sizeof(blob));
        memset(blob, (int)(value & 0xff), sizeof(blob));
        write_compact_size(&writer, value);
        write_var_bytes(&writer, (struct bytes){blob, len});
        write_u32be(&writer, (uint32_t)value);
    }

    struct reader reader;
    reader_init(&reader, writer.data, writer.len);
    random_init(&random, 1);
    for (int i = 0; i < 5000; i++) {
        uint64_t value = random_u64(&random) >> random_below(&random, 64);
        uint8_t blob[300];
        size_t len = (size_t)random_below(&random, sizeof(blob));
        memset(blob, (int)(value & 0xff), sizeof(blob));
        assert_int_equal(read_compact_size(&reader, UINT64_MAX), value);
        assert_true(bytes_equal(read_var_bytes(&reader, sizeof(blob)),
                                (struct bytes){blob, len}));
        assert_int_equal(read_u32be(&reader), (uint32_t)value);
    }
    assert_true(reader_done(&reader));
    writer_release(&writer);
}

static void test_fixed_places(void **state)
{
    (void)state;
    uint8_t room[8];
    put_u32be(room, 0xf1020304);
    assert_memory_equal(room, ((const uint8_t[]){0xf1, 2, 3, 4}), 4);
    assert_int_equal(get_u32be(room), 0xf1020304);
    assert_int_equal(get_u32le(room), 0x040302f1);
    put_u32le(room, 0xf1020304);
    assert_memory_equal(room, ((const uint8_t[]){4, 3, 2, 0xf1}), 4);
    put_u64be(room, UINT64_C(0xf102030405060708));
    assert_memory_equal(room, ((const uint8_t[]){0xf1, 2, 3, 4, 5, 6, 7, 8}), 8);
    assert_int_equal(get_u64be(room), UINT64_C(0xf102030405060708));
    assert_int_equal(get_u64le(room), UINT64_C(0x08070605040302f1));
    put_u64le(room, UINT64_C(0xf102030405060708));
    assert_memory_equal(room, ((const uint8_t[]){8, 7, 6, 5, 4, 3, 2, 0xf1}), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_in_order),
        cmocka_unit_test(test_short_reads_fail),
        cmocka_unit_test(test_failure_sticks),
        cmocka_unit_test(test_empty_input),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_bytes_equal),
        cmocka_unit_test(test_compact_size_canonical),
        cmocka_unit_test(test_compact_size_longer_than_needed),
        cmocka_unit_test(test_writes),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_fixed_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
