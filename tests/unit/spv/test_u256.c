#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "base/random.h"
#include "spv/u256.h"

static struct u256 from_hex(const char *hex)
{
    uint8_t raw[32];
    assert_true(hex_decode(raw, sizeof(raw), hex, strlen(hex), NULL));
    return u256_from_be(raw);
}

static void assert_u256_equal(const struct u256 *a, const struct u256 *b)
{
    assert_memory_equal(a->limb, b->limb, sizeof(a->limb));
}

/* Any width is as likely as any other, so that carries and short divisors turn up. */
static struct u256 random_u256(struct random *random)
{
    struct u256 value;
    for (size_t i = 0; i < 4; i++) {
        value.limb[i] = random_below(random, 4) == 0 ? UINT64_MAX : random_u64(random);
    }
    return u256_shift_right(&value, (unsigned)random_below(random, 256));
}

static void test_bytes(void **state)
{
    (void)state;
    uint8_t raw[32];
    uint8_t reversed[32];
    for (size_t i = 0; i < sizeof(raw); i++) {
        raw[i] = (uint8_t)(i + 1);
        reversed[31 - i] = raw[i];
    }
    struct u256 be = u256_from_be(raw);
    struct u256 le = u256_from_le(reversed);
    assert_u256_equal(&be, &le);
    assert_true(be.limb[0] == UINT64_C(0x191a1b1c1d1e1f20));
    uint8_t back[32];
    u256_to_be(back, &be);
    assert_memory_equal(back, raw, sizeof(raw));
}

static void test_compare(void **state)
{
    (void)state;
    struct u256 zero = {{0}};
    struct u256 one = u256_from_u64(1);
    struct u256 high = {{0, 0, 0, 1}};
    assert_true(u256_is_zero(&zero));
    assert_false(u256_is_zero(&high));
    assert_true(u256_compare(&zero, &zero) == 0);
    assert_true(u256_compare(&one, &high) < 0);
    assert_true(u256_compare(&high, &one) > 0);
    assert_int_equal(u256_bits(&zero), 0);
    assert_int_equal(u256_bits(&one), 1);
    assert_int_equal(u256_bits(&high), 193);
}

static void test_wraps_around(void **state)
{
    (void)state;
    struct u256 zero = {{0}};
    struct u256 one = u256_from_u64(1);
    struct u256 all = u256_not(&zero);
    struct u256 sum = u256_add(&all, &one);
    assert_u256_equal(&sum, &zero);
    struct u256 difference = u256_sub(&zero, &one);
    assert_u256_equal(&difference, &all);
    assert_int_equal(u256_bits(&all), 256);
}

static void test_shifts(void **state)
{
    (void)state;
    struct u256 value =
        from_hex("0123456789abcdef0123456789abcdeffedcba9876543210fedcba9876543210");
    struct u256 left = u256_shift_left(&value, 36);
    struct u256 expected =
        from_hex("9abcdef0123456789abcdeffedcba9876543210fedcba9876543210000000000");
    assert_u256_equal(&left, &expected);
    struct u256 right = u256_shift_right(&value, 100);
    expected =
        from_hex("00000000000000000000000000123456789abcdef0123456789abcdeffedcba9");
    assert_u256_equal(&right, &expected);
    right = u256_shift_right(&value, 0);
    assert_u256_equal(&right, &value);
    right = u256_shift_right(&value, 256);
    assert_true(u256_is_zero(&right));
    left = u256_shift_left(&value, 256);
    assert_true(u256_is_zero(&left));
}

static void test_sum_and_difference(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, 1);
    for (int i = 0; i < 10000; i++) {
        struct u256 a = random_u256(&random);
        struct u256 b = random_u256(&random);
        struct u256 sum = u256_add(&a, &b);
        struct u256 back = u256_sub(&sum, &b);
        assert_u256_equal(&back, &a);
    }
}

/* quotient * b + rest == a and rest < b, with a 32-bit quotient or a 32-bit divisor. */
static void test_division(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, 2);
    for (int i = 0; i < 10000; i++) {
        struct u256 a = random_u256(&random);
        uint32_t small = (uint32_t)random_below(&random, UINT32_MAX) + 1;
        struct u256 divisor = u256_from_u64(small);
        struct u256 quotient = u256_div(&a, &divisor);
        struct u256 product = u256_mul_u32(&quotient, small);
        struct u256 rest = u256_sub(&a, &product);
        assert_true(u256_compare(&rest, &divisor) < 0);

        struct u256 b = u256_shift_right(&a, 32);
        if (u256_is_zero(&b)) {
            continue;
        }
        struct u256 whole = u256_mul_u32(&b, small);
        quotient = u256_div(&whole, &b);
        divisor = u256_from_u64(small);
        assert_u256_equal(&quotient, &divisor);
    }
}

static void test_division_known(void **state)
{
    (void)state;
    struct u256 a = u256_not(&(struct u256){{0}});
    struct u256 b =
        from_hex("00000000ffff0000000000000000000000000000000000000000000000000001");
    struct u256 quotient = u256_div(&a, &b);
    struct u256 expected = u256_from_u64(UINT64_C(0x100010001));
    assert_u256_equal(&quotient, &expected);
    quotient = u256_div(&b, &a);
    assert_true(u256_is_zero(&quotient));
    quotient = u256_div(&a, &a);
    expected = u256_from_u64(1);
    assert_u256_equal(&quotient, &expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_wraps_around),
        cmocka_unit_test(test_shifts),
        cmocka_unit_test(test_sum_and_difference),
        cmocka_unit_test(test_division),
        cmocka_unit_test(test_division_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
