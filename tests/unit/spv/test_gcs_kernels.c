/* Every kernel against the plain way. RESERVEWATCH_GCS_FILTERS=5000000 has so many more
 * filters tried. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/random.h"
#include "spv/gcs_kernel.h"
#include "tests/plain_gcs.h"

static const uint64_t seed[2] = {1, 2};

static void fill(struct random *random, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)random_u64(random);
}

/* ---- scripts ---- */

struct watched {
    struct bytes *scripts;
    size_t count;
    struct script_set *set;
};

/* Different scripts, mostly of the usual lengths. */
static void watch(struct watched *out, struct random *random, size_t count)
{
    static const size_t usual[] = {22, 23, 25, 34, 35, 67};
    uint32_t *ids = mem_zalloc(count, sizeof(*ids));

    out->scripts = mem_zalloc(count, sizeof(*out->scripts));
    out->count = count;
    for (size_t i = 0; i < count; i++) {
        size_t len = random_below(random, 20) > 0 ? usual[random_below(random, 6)]
                                                  : 4 + random_below(random, 300);
        uint8_t *data = mem_alloc(len);
        fill(random, data, len);
        uint32_t number = (uint32_t)i;
        memcpy(data, &number, sizeof(number));
        out->scripts[i] = (struct bytes){data, len};
    }
    out->set = script_set_new(out->scripts, ids, count, seed);
    free(ids);
}

static void unwatch(struct watched *watched)
{
    for (size_t i = 0; i < watched->count; i++)
        free((void *)(uintptr_t)watched->scripts[i].data);
    free(watched->scripts);
    script_set_unref(watched->set);
}

static void check(struct bytes filter, const struct block_hash *hash,
                  const struct watched *watched, uint64_t number)
{
    enum gcs_result expected =
        plain_match_any(filter, hash, watched->scripts, watched->count);

    for (size_t i = 0; gcs_kernels()[i] != NULL; i++) {
        enum gcs_result result =
            gcs_match_any_with(filter, hash, watched->set, gcs_kernels()[i]);
        if (result != expected)
            fail_msg("%s says %d, not %d, to filter %llu", gcs_kernels()[i]->name, result,
                     expected, (unsigned long long)number);
    }
}

/* ---- filters ---- */

static int ascending(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void write_values(struct bit_writer *out, const uint64_t *values, size_t count)
{
    write_compact_size(&out->out, count);
    for (size_t i = 0; i < count; i++)
        write_golomb(out, values[i] - (i > 0 ? values[i - 1] : 0));
}

enum shape {
    SPREAD, /* as hashes are */
    DENSE,  /* runs of neighbours: numbers of equal length, which never fall into step */
    CLUSTERED, /* long quotients between heaps */
    LOW,       /* all near the least */
    HIGH,      /* all near the greatest */
    SHAPES
};

static void choose_values(uint64_t *values, struct random *random, size_t count,
                          enum shape shape)
{
    uint64_t range = count * GCS_M, heap = 0;

    for (size_t i = 0; i < count; i++) {
        switch (shape) {
        case SPREAD:
        case SHAPES:
            values[i] = random_below(random, range);
            break;
        case DENSE:
            values[i] = random_below(random, 500) == 0 || i == 0
                            ? random_below(random, range)
                            : values[i - 1] + random_below(random, 3);
            break;
        case CLUSTERED:
            if (i == 0 || random_below(random, 50) == 0)
                heap = random_below(random, range);
            values[i] = heap + random_below(random, GCS_M);
            break;
        case LOW:
            values[i] = random_below(random, 100);
            break;
        case HIGH:
            values[i] = range - 1 - random_below(random, GCS_M / 2);
            break;
        }
        if (values[i] >= range)
            values[i] = range - 1;
    }
}

/* A filter of `count` values, some of them watched scripts'. */
static void make_filter(struct bit_writer *out, struct random *random, size_t count,
                        const struct block_hash *hash, const struct watched *watched)
{
    uint64_t *values = mem_zalloc(count, sizeof(*values));
    enum shape shape = SPREAD;

    if (random_below(random, 2))
        shape = (enum shape)random_below(random, SHAPES);
    choose_values(values, random, count, shape);
    if (count > 0 && random_below(random, 2)) {
        struct bytes script = watched->scripts[random_below(random, watched->count)];
        values[random_below(random, count)] = plain_number(hash, count, script);
    }
    qsort(values, count, sizeof(*values), ascending);
    write_values(out, values, count);
    free(values);
}

/* What a peer might do to it. */
static void damage(struct bit_writer *filter, struct random *random)
{
    struct writer *out = &filter->out;
    size_t at = random_below(random, out->len), len;

    switch (random_below(random, 8)) {
    case 0:
        out->len = at;
        break;
    case 1:
        out->data[at] ^= (uint8_t)(1 << random_below(random, 8));
        break;
    case 2:
        out->data[0]++;
        break;
    case 3:
        out->data[0]--;
        break;
    case 4:
        write_u8(out, (uint8_t)random_below(random, 2));
        break;
    case 5: /* a long quotient, or several */
        len = random_below(random, 20);
        memset(out->data + at, 0xff, len < out->len - at ? len : out->len - at);
        break;
    case 6:
        len = random_below(random, 2000);
        memset(out->data + at, 0, len < out->len - at ? len : out->len - at);
        break;
    case 7:
        fill(random, out->data + at, out->len - at);
        break;
    default:
        break;
    }
}

/* Mostly small, for there are to be many; some long enough to be cut into segments. */
static size_t choose_count(struct random *random)
{
    uint64_t kind = random_below(random, 1000);

    if (kind < 950)
        return random_below(random, 40);
    if (kind < 995)
        return random_below(random, 600);
    return 1000 + random_below(random, 3000);
}

static void check_filter(const struct watched *watched, uint64_t number)
{
    struct random random;
    struct block_hash hash;
    struct bit_writer filter = {0};

    random_init(&random, number);
    fill(&random, hash.b, sizeof(hash.b));
    make_filter(&filter, &random, choose_count(&random), &hash, watched);
    if (random_below(&random, 2))
        damage(&filter, &random);
    check((struct bytes){filter.out.data, filter.out.len}, &hash, watched, number);
    writer_release(&filter.out);
}

static void say_as_the_plain_way(void **state)
{
    (void)state;
    static const size_t counts[] = {1, 2, 7, 8, 9, 31, 300};
    const char *more = getenv("RESERVEWATCH_GCS_FILTERS");
    uint64_t filters = more != NULL ? strtoull(more, NULL, 10) : 60000;
    struct random random;

    random_init(&random, 5);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct watched watched;
        watch(&watched, &random, counts[i]);
        for (uint64_t k = i; k < filters; k += 7)
            check_filter(&watched, k);
        unwatch(&watched);
    }
}

/* ---- values ---- */

static uint64_t value_at(const struct gcs_values *values, size_t lane, size_t row)
{
    return (values->rows[row * values->lanes + lane] & GCS_SUM_MASK) +
           values->lane[lane].base;
}

/* The values in their order, lane by lane. */
static void check_values(const struct gcs_values *values, const uint64_t *expected,
                         size_t count)
{
    size_t at = 0;

    for (size_t k = 0; k < values->lanes; k++) {
        for (size_t i = values->lane[k].first; i < values->lane[k].last; i++, at++) {
            assert_true(at < count);
            assert_int_equal(value_at(values, k, i), expected[at]);
        }
    }
    assert_int_equal(at, count);
}

/* All are found, also through a Bloom filter, and what lies between isn't. */
static void check_finds(const struct gcs_values *values, const struct gcs_kernel *kernel,
                        const uint64_t *expected, size_t count)
{
    uint64_t *numbers = mem_zalloc(2 * count + 1, sizeof(*numbers));
    struct gcs_bloom bloom = {mem_zalloc(1024, sizeof(uint64_t)), 1023};
    size_t others = 0;

    assert_int_equal(kernel->find(values, expected, count), count);
    for (size_t i = 0; i < count; i++) {
        if (i + 1 == count || expected[i] + 1 < expected[i + 1])
            numbers[others++] = expected[i] + 1;
    }
    if (expected[0] > 0)
        numbers[others++] = expected[0] - 1;
    assert_int_equal(kernel->find(values, numbers, others), 0);

    kernel->bloom_add(&bloom, values);
    memcpy(numbers + others, expected, count * sizeof(*numbers));
    size_t kept = kernel->bloom_sift(&bloom, numbers, others + count);
    assert_true(kept >= count);
    assert_int_equal(kernel->find(values, numbers, kept), count);
    free(bloom.words);
    free(numbers);
}

static void check_decoding(const uint64_t *expected, size_t count)
{
    struct bit_writer filter = {0};

    write_values(&filter, expected, count);
    size_t head = count < 0xfd ? 1 : count <= 0xffff ? 3 : 5;
    const struct bytes data = {filter.out.data + head, filter.out.len - head};
    for (size_t i = 0; gcs_kernels()[i] != NULL; i++) {
        struct gcs_values values;
        assert_true(gcs_values_init(&values, data, count, gcs_kernels()[i]));
        check_values(&values, expected, count);
        check_finds(&values, gcs_kernels()[i], expected, count);
        gcs_values_release(&values);
    }
    writer_release(&filter.out);
}

static void decode_every_value(void **state)
{
    (void)state;
    static uint64_t values[GCS_ELEMENTS_MAX];
    static const size_t counts[] = {1,    2,    50,   255,  256,   257,   1000,
                                    1023, 1024, 1025, 3000, 11000, 40000, 88800};
    struct random random;

    random_init(&random, 11);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        for (enum shape shape = SPREAD; shape < SHAPES; shape++) {
            choose_values(values, &random, counts[i], shape);
            qsort(values, counts[i], sizeof(values[0]), ascending);
            check_decoding(values, counts[i]);
        }
    }
    for (size_t count = 1000; count < 1400; count++) {
        choose_values(values, &random, count, SPREAD);
        qsort(values, count, sizeof(values[0]), ascending);
        check_decoding(values, count);
    }
}

/* Lanes that fall into step late, in another lane's segment, or never. */
static void runs_of_equal_length(void **state)
{
    (void)state;
    static uint64_t values[12000];
    struct random random;

    random_init(&random, 12);
    for (size_t run = 50; run < 12000; run = run * 3 / 2) {
        uint64_t last = 0;
        for (size_t i = 0; i < 12000; i++) {
            last += i / run % 2 ? 0 : random_below(&random, GCS_M);
            values[i] = last;
        }
        check_decoding(values, 12000);
    }
}

/* One number, anywhere, too long for a word, or only just not. */
static void one_long_quotient(void **state)
{
    (void)state;
    static uint64_t values[1500];
    struct random random;

    random_init(&random, 15);
    for (uint64_t quotient = 10; quotient < 80; quotient++) {
        for (size_t k = 0; k < 12; k++) {
            size_t at = random_below(&random, 1500);
            for (size_t i = 0; i < 1500; i++)
                values[i] = random_below(&random, 1300 * GCS_M);
            qsort(values, 1500, sizeof(values[0]), ascending);
            uint64_t before = at > 0 ? values[at - 1] : 0;
            uint64_t shift = before + (quotient << GCS_P) - values[at];
            for (size_t i = at; i < 1500; i++)
                values[i] += shift + random_below(&random, 2);
            qsort(values + at, 1500 - at, sizeof(values[0]), ascending);
            check_decoding(values, 1500);
        }
    }
}

/* ---- scripts of every length ---- */

static void scripts_of_every_length(void **state)
{
    (void)state;
    static uint8_t room[10000];
    struct random random;
    const struct block_hash hash = {{7}};

    random_init(&random, 13);
    fill(&random, room, sizeof(room));
    for (size_t len = 1; len <= sizeof(room); len += len < 600 ? 1 : 97) {
        struct bytes script = {room + sizeof(room) - len, len};
        struct watched watched = {&script, 1, NULL};
        uint32_t id = 0;
        watched.set = script_set_new(&script, &id, 1, seed);
        uint64_t value = plain_number(&hash, 1, script);
        for (uint64_t i = 0; i < 2; i++) {
            struct bit_writer filter = {0};
            uint64_t held = value ^ i;
            write_values(&filter, &held, 1);
            const struct bytes bytes = {filter.out.data, filter.out.len};
            assert_int_equal(plain_match_any(bytes, &hash, &script, 1),
                             i ? GCS_NO_MATCH : GCS_MATCH);
            check(bytes, &hash, &watched, len);
            writer_release(&filter.out);
        }
        script_set_unref(watched.set);
    }
}

/* Many scripts, so that groups, batches and the Bloom filter come into play: each of them
 * alone is found among all. */
static void any_of_many_scripts(void **state)
{
    (void)state;
    static uint64_t values[12000];
    struct watched watched;
    struct random random;

    random_init(&random, 14);
    watch(&watched, &random, 3000);
    for (size_t i = 0; i < 300; i++) {
        const struct block_hash hash = {{(uint8_t)i, (uint8_t)(i >> 8)}};
        size_t count = 300 + random_below(&random, 11000);
        struct bit_writer filter = {0};
        choose_values(values, &random, count, SPREAD);
        values[0] = plain_number(&hash, count, watched.scripts[i * 10]);
        qsort(values, count, sizeof(values[0]), ascending);
        write_values(&filter, values, count);
        check((struct bytes){filter.out.data, filter.out.len}, &hash, &watched, i);
        writer_release(&filter.out);
    }
    unwatch(&watched);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(say_as_the_plain_way),    cmocka_unit_test(decode_every_value),
        cmocka_unit_test(runs_of_equal_length),    cmocka_unit_test(one_long_quotient),
        cmocka_unit_test(scripts_of_every_length), cmocka_unit_test(any_of_many_scripts),
    };
    for (size_t i = 0; gcs_kernels()[i] != NULL; i++)
        printf("kernel: %s\n", gcs_kernels()[i]->name);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
