#include "feeds/due.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/random.h"

static bool parse(struct deviation *out, const char *text)
{
    struct error error;
    return deviation_parse(out, text, strlen(text), &error);
}

static void test_deviation_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum deviation_kind kind;
        uint64_t value;
        const char *shown;
    } good[] = {
        {"0.5%", DEVIATION_PPM, 5000, "0.5%"},
        {"0.0001%", DEVIATION_PPM, 1, "0.0001%"},
        {"100%", DEVIATION_PPM, 1000000, "100%"},
        {"100.0000%", DEVIATION_PPM, 1000000, "100%"},
        {"1 %", DEVIATION_PPM, 10000, "1%"},
        {"12.3456%", DEVIATION_PPM, 123456, "12.3456%"},
        {"007%", DEVIATION_PPM, 70000, "7%"},
        {"10 BTC", DEVIATION_SATOSHI, 1000000000, "10.00000000 BTC"},
        {"0.00000001BTC", DEVIATION_SATOSHI, 1, "0.00000001 BTC"},
        {"21000000 BTC", DEVIATION_SATOSHI, MAX_MONEY_SAT, "21000000.00000000 BTC"},
    };
    static const char *const bad[] = {
        "",
        "%",
        "0%",
        "0.0000%",
        "0.00001%",
        "100.0001%",
        "101%",
        "-1%",
        "+1%",
        "1e2%",
        ".5%",
        "5.%",
        "0.5",
        "10",
        "10 btc",
        "0 BTC",
        "BTC",
        "1.123456789 BTC",
        "-1 BTC",
        "21000000.00000001 BTC",
        "0.5%%",
        " 0.5%",
        "0.5% BTC",
        "1\xc2\xa0%",
        "99999999999999999999999%",
        "0,5%",
        "1..0%",
        "0.5 percent",
    };
    struct deviation out;
    char shown[DEVIATION_TEXT_MAX];
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        assert_true(parse(&out, good[i].text));
        assert_int_equal(out.kind, good[i].kind);
        assert_int_equal(out.value, good[i].value);
        deviation_format(shown, &out);
        assert_string_equal(shown, good[i].shown);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        if (parse(&out, bad[i]))
            fail_msg("'%s' was read", bad[i]);
    }
    deviation_format(shown, &(struct deviation){DEVIATION_NONE, 0});
    assert_string_equal(shown, "none");
}

static void test_every_percentage_reads_back(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, 1);
    for (int i = 0; i < 2000; i++) {
        struct deviation out, in = {DEVIATION_PPM, 1 + random_below(&random, 1000000)};
        char text[DEVIATION_TEXT_MAX];
        deviation_format(text, &in);
        assert_true(parse(&out, text));
        assert_int_equal(out.value, in.value);
    }
}

static void test_names(void **state)
{
    (void)state;
    for (uint8_t i = DUE_FIRST; i <= DUE_HEARTBEAT; i++) {
        enum due due;
        assert_true(due_parse(&due, due_name(i), strlen(due_name(i))));
        assert_int_equal(due, i);
    }
    enum due due;
    assert_false(due_parse(&due, "not-due", 7));
    assert_false(due_parse(&due, "", 0));
    assert_false(due_parse(&due, "heartbeats", 10));
    assert_string_equal(due_name(DUE_HEARTBEAT + 1), "unknown");
}

/* What is published: at height 100 and time 1000, on our chain. */
static struct published at(uint64_t sat)
{
    return (struct published){
        .state = PUBLISHED,
        .round = 1,
        .height = 100,
        .time = {1000},
        .amount = {sat},
        .on_chain = true,
    };
}

static struct statement now(uint64_t sat)
{
    return (struct statement){.height = 101, .time = {1600}, .amount = {sat}};
}

static enum due due(const struct due_policy *policy, uint64_t old, uint64_t new)
{
    struct published published = at(old);
    struct statement candidate = now(new);
    struct due_verdict verdict = due_decide(policy, &published, &candidate);
    assert_false(verdict.waiting);
    return verdict.due;
}

static void test_percent_edges(void **state)
{
    (void)state;
    const struct due_policy half = {{DEVIATION_PPM, 5000}, {DEVIATION_PPM, 5000}, 0};
    const uint64_t old = 1000000;
    assert_int_equal(due(&half, old, old), DUE_NOT);
    assert_int_equal(due(&half, old, old + 4999), DUE_NOT);
    assert_int_equal(due(&half, old, old + 5000), DUE_DEVIATION_UP);
    assert_int_equal(due(&half, old, old - 4999), DUE_NOT);
    assert_int_equal(due(&half, old, old - 5000), DUE_DEVIATION_DOWN);
    /* 0.5 % of 999,999 is 4,999.995: 4,999 doesn't reach it. */
    assert_int_equal(due(&half, old - 1, old - 1 + 4999), DUE_NOT);
    assert_int_equal(due(&half, old - 1, old - 1 + 5000), DUE_DEVIATION_UP);
    /* 0.5 % of 1 satoshi. */
    assert_int_equal(due(&half, 1, 2), DUE_DEVIATION_UP);
    assert_int_equal(due(&half, 1, 0), DUE_DEVIATION_DOWN);
    assert_int_equal(due(&half, 1, 1), DUE_NOT);
    assert_int_equal(due(&half, 0, 0), DUE_NOT);

    const struct due_policy all = {{DEVIATION_PPM, 1000000}, {DEVIATION_PPM, 1000000}, 0};
    assert_int_equal(due(&all, MAX_MONEY_SAT / 2, MAX_MONEY_SAT), DUE_DEVIATION_UP);
    assert_int_equal(due(&all, MAX_MONEY_SAT / 2, MAX_MONEY_SAT - 1), DUE_NOT);
    assert_int_equal(due(&all, MAX_MONEY_SAT, 1), DUE_NOT);
    assert_int_equal(due(&all, MAX_MONEY_SAT, 0), DUE_DEVIATION_DOWN);
    const struct due_policy least = {{DEVIATION_PPM, 1}, {DEVIATION_PPM, 1}, 0};
    assert_int_equal(due(&least, MAX_MONEY_SAT, MAX_MONEY_SAT - 2099999999), DUE_NOT);
    assert_int_equal(due(&least, MAX_MONEY_SAT, MAX_MONEY_SAT - 2100000000),
                     DUE_DEVIATION_DOWN);
}

static void test_satoshi_and_sides(void **state)
{
    (void)state;
    const struct due_policy policy = {{DEVIATION_SATOSHI, 10}, {DEVIATION_PPM, 1000}, 0};
    assert_int_equal(due(&policy, 5000, 5009), DUE_NOT);
    assert_int_equal(due(&policy, 5000, 5010), DUE_DEVIATION_UP);
    assert_int_equal(due(&policy, 5000, 4996), DUE_NOT);
    assert_int_equal(due(&policy, 5000, 4995), DUE_DEVIATION_DOWN);
    const struct due_policy none = {0};
    assert_int_equal(due(&none, 1, MAX_MONEY_SAT), DUE_NOT);
    assert_int_equal(due(&none, MAX_MONEY_SAT, 0), DUE_NOT);
    assert_int_equal(due(&none, 0, 1), DUE_FROM_ZERO);
}

static void test_heartbeat(void **state)
{
    (void)state;
    struct due_policy policy = {.heartbeat = 600};
    assert_int_equal(due(&policy, 5, 5), DUE_HEARTBEAT);
    policy.heartbeat = 601;
    assert_int_equal(due(&policy, 5, 5), DUE_NOT);
    policy.heartbeat = 0;
    assert_int_equal(due(&policy, 5, 5), DUE_NOT);
}

static void test_other_reasons(void **state)
{
    (void)state;
    const struct due_policy policy = {.heartbeat = 600};
    struct statement candidate = now(5);
    struct published published = {.state = PUBLISHED_NONE};
    assert_int_equal(due_decide(&policy, &published, &candidate).due, DUE_FIRST);
    /* Zero is a reserve that can be reported. */
    candidate.amount.sat = 0;
    assert_int_equal(due_decide(&policy, &published, &candidate).due, DUE_FIRST);

    published = at(0);
    candidate = now(5);
    candidate.set_hash[31] = 1;
    assert_int_equal(due_decide(&policy, &published, &candidate).due, DUE_SET_CHANGED);
    published.on_chain = false;
    assert_int_equal(due_decide(&policy, &published, &candidate).due, DUE_ORPHANED);
}

static void test_waiting(void **state)
{
    (void)state;
    const struct due_policy policy = {.up = {DEVIATION_SATOSHI, 1}};
    struct published published = at(5);
    struct statement candidate = now(6);
    candidate.height = published.height;
    assert_true(due_decide(&policy, &published, &candidate).waiting);
    candidate.height = published.height - 1;
    assert_true(due_decide(&policy, &published, &candidate).waiting);
    candidate.height = published.height + 1;
    assert_false(due_decide(&policy, &published, &candidate).waiting);
    candidate.time.s = published.time.s;
    assert_false(due_decide(&policy, &published, &candidate).waiting);
    candidate.time.s = published.time.s - 1;
    assert_true(due_decide(&policy, &published, &candidate).waiting);
    assert_int_equal(due_decide(&policy, &published, &candidate).due, DUE_DEVIATION_UP);
    candidate.amount.sat = 5;
    assert_false(due_decide(&policy, &published, &candidate).waiting);
    published.state = PUBLISHED_NONE;
    assert_false(due_decide(&policy, &published, &candidate).waiting);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deviation_text),
        cmocka_unit_test(test_every_percentage_reads_back),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_percent_edges),
        cmocka_unit_test(test_satoshi_and_sides),
        cmocka_unit_test(test_heartbeat),
        cmocka_unit_test(test_other_reasons),
        cmocka_unit_test(test_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
