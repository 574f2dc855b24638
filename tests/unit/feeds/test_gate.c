#include "feeds/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(gate_name(GATE_SYNCED), "synced");
    assert_string_equal(gate_name(GATE_CLOCK), "clock");
    assert_string_equal(gate_name(GATE_CHAIN_SHORT), "chain-short");
    assert_string_equal(gate_name(GATE_CHAIN_SHORT + 1), "unknown");
    assert_string_equal(gate_name(UINT8_MAX), "unknown");
}

static void test_nothing_holds_unless_said(void **state)
{
    (void)state;
    struct gate_report report = {0};
    for (size_t i = 0; i < GATES; i++) {
        assert_false(gates_hold(&report));
        gate_pass(&report, (enum gate)i);
    }
    assert_true(gates_hold(&report));
    for (size_t i = 0; i < GATES; i++) {
        gate_fail(&report, (enum gate)i, "no %zu", i);
        assert_false(gates_hold(&report));
        gate_pass(&report, (enum gate)i);
        assert_string_equal(report.at[i].reason, "");
    }
}

static void test_reason_is_cut_and_printable(void **state)
{
    (void)state;
    struct gate_report report = {0};
    char longer[4 * SAMPLE_REASON_TEXT_MAX];
    for (size_t i = 0; i + 1 < sizeof(longer); i += 2)
        memcpy(longer + i, "\xc3\xa4", 2); /* cut in the middle of one */
    longer[sizeof(longer) - 2] = '\0';
    gate_fail(&report, GATE_PEERS, "%s", longer);
    const char *reason = report.at[GATE_PEERS].reason;
    assert_int_equal(strlen(reason), SAMPLE_REASON_TEXT_MAX - 1);
    assert_int_equal(reason[SAMPLE_REASON_TEXT_MAX - 2], '?');
    gate_fail(&report, GATE_PEERS, "a\x1b[31mb");
    assert_string_equal(reason, "a?[31mb");
}

static void test_join(void **state)
{
    (void)state;
    struct gate_report all = {0}, one = {0};
    for (size_t i = 0; i < GATES; i++) {
        gate_pass(&all, (enum gate)i);
        gate_pass(&one, (enum gate)i);
    }
    gates_join(&all, &one);
    assert_true(gates_hold(&all));
    gate_fail(&one, GATE_FORK, "first");
    gates_join(&all, &one);
    gate_fail(&one, GATE_FORK, "second");
    gate_fail(&one, GATE_LIST, "also");
    gates_join(&all, &one);
    assert_string_equal(all.at[GATE_FORK].reason, "first");
    assert_string_equal(all.at[GATE_LIST].reason, "also");
    assert_true(all.at[GATE_PEERS].ok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_nothing_holds_unless_said),
        cmocka_unit_test(test_reason_is_cut_and_printable),
        cmocka_unit_test(test_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
