#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "app/cli.h"

#define WORDS(...)                                                                       \
    (const char *const[]){__VA_ARGS__},                                                  \
        sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)

static void expect_fault(const char *expected, const char *const *words, size_t count)
{
    struct invocation invocation;
    struct error error;
    assert_int_equal(cli_parse(&invocation, words, count, &error), CLI_FAULT);
    assert_string_equal(error.text, expected);
}

static void parse(struct invocation *out, enum cli_wish wish, const char *const *words,
                  size_t count)
{
    struct error error;
    enum cli_wish got = cli_parse(out, words, count, &error);
    if (got == CLI_FAULT)
        fail_msg("%s", error.text);
    assert_int_equal(got, wish);
}

static void test_options_stand_anywhere(void **state)
{
    struct invocation invocation;
    (void)state;
    parse(&invocation, CLI_RUN,
          WORDS("--conf", "x.conf", "--json", "reserves", "--network=regtest", "wbtc",
                "--datadir", "d"));
    assert_string_equal(invocation.command->name, "reserves");
    assert_string_equal(invocation.conf, "x.conf");
    assert_true(invocation.json);
    assert_false(invocation.csv);
    assert_int_equal(invocation.argument_count, 1);
    assert_string_equal(invocation.arguments[0], "wbtc");
    assert_int_equal(invocation.option_count, 2);
    assert_string_equal(invocation.options[0].key, "network");
    assert_string_equal(invocation.options[0].value, "regtest");
    assert_string_equal(invocation.options[1].key, "datadir");
    assert_string_equal(invocation.options[1].value, "d");
}

static void test_password_file(void **state)
{
    struct invocation invocation;
    (void)state;
    parse(&invocation, CLI_RUN, WORDS("keys", "new", "k.json", "--password-file", "p"));
    assert_string_equal(invocation.command->name, "keys");
    assert_int_equal(invocation.argument_count, 2);
    assert_string_equal(invocation.password_file, "p");
    assert_int_equal(invocation.option_count, 0);
    expect_fault("--password-file: has no value; write --password-file=VALUE",
                 WORDS("keys", "new", "k.json", "--password-file="));
}

static void test_repeated_keys_are_kept_in_order(void **state)
{
    struct invocation invocation;
    (void)state;
    parse(&invocation, CLI_RUN, WORDS("run", "--connect=a", "--connect", "b:1"));
    assert_int_equal(invocation.option_count, 2);
    assert_string_equal(invocation.options[0].value, "a");
    assert_string_equal(invocation.options[1].value, "b:1");
}

static void test_two_dashes_end_the_options(void **state)
{
    struct invocation invocation;
    (void)state;
    parse(&invocation, CLI_RUN, WORDS("coins", "--", "--json"));
    assert_false(invocation.json);
    assert_string_equal(invocation.arguments[0], "--json");
}

static void test_help_and_version(void **state)
{
    struct invocation invocation;
    (void)state;
    parse(&invocation, CLI_HELP, WORDS("--help"));
    assert_null(invocation.command);
    parse(&invocation, CLI_HELP, WORDS("-h"));
    parse(&invocation, CLI_HELP, WORDS("coins", "--help"));
    assert_string_equal(invocation.command->name, "coins");
    parse(&invocation, CLI_HELP, WORDS("--help", "audit"));
    assert_string_equal(invocation.command->name, "audit");
    parse(&invocation, CLI_VERSION, WORDS("--version"));
}

static void test_faults_name_the_remedy(void **state)
{
    struct invocation invocation;
    struct error error;
    (void)state;
    assert_int_equal(cli_parse(&invocation, NULL, 0, &error), CLI_FAULT);
    assert_string_equal(error.text, "no command; `reservewatch --help` lists them");
    expect_fault("unknown command 'statsu'; the nearest known is 'status'",
                 WORDS("statsu"));
    expect_fault("unknown option '--jsno'; the nearest known is '--json'",
                 WORDS("status", "--jsno"));
    expect_fault("unknown option '--netwrok'; the nearest known is '--network'",
                 WORDS("--netwrok=regtest", "status"));
    expect_fault("unknown option '-j'; options are written --NAME, -h is --help",
                 WORDS("status", "-j"));
    expect_fault("--network: has no value; write --network=VALUE",
                 WORDS("status", "--network"));
    expect_fault("--conf: has no value; write --conf=VALUE", WORDS("--conf=", "status"));
    expect_fault("coins: write reservewatch coins FEED [--json | --csv]", WORDS("coins"));
    expect_fault(
        "status: 'x' is an argument too many; write reservewatch status [--json]",
        WORDS("status", "x"));
    expect_fault("status: has no --csv", WORDS("status", "--csv"));
    expect_fault("run: has no --json", WORDS("run", "--json"));
    expect_fault("run: has no --password-file", WORDS("run", "--password-file=x"));
    expect_fault("run: has no --filter-headers", WORDS("run", "--filter-headers=x"));
    expect_fault("--filter-headers: has no value; write --filter-headers=VALUE",
                 WORDS("import-headers", "x", "--filter-headers="));
    expect_fault("coins: give either --json or --csv",
                 WORDS("coins", "f", "--json", "--csv"));
}

static void test_too_many_words_and_options_are_refused(void **state)
{
    const char *words[COMMAND_OPTIONS_MAX + 2];
    (void)state;
    words[0] = "status";
    for (size_t i = 1; i < COMMAND_OPTIONS_MAX + 2; i++)
        words[i] = "--connect=a";
    expect_fault("too many options: at most 128; use the configuration", words,
                 COMMAND_OPTIONS_MAX + 2);
    expect_fault("'e': too many arguments", WORDS("status", "a", "b", "c", "d", "e"));
}

static void test_each_command_says_what_it_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < command_count; i++) {
        assert_true(strlen(commands[i].summary) > 0);
        assert_non_null(strstr(commands[i].help, "\nExample:\n  reservewatch "));
        assert_non_null(strstr(commands[i].help, "\nExit status: 0 "));
        assert_true(commands[i].arguments_max <= COMMAND_ARGUMENTS_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_stand_anywhere),
        cmocka_unit_test(test_password_file),
        cmocka_unit_test(test_repeated_keys_are_kept_in_order),
        cmocka_unit_test(test_two_dashes_end_the_options),
        cmocka_unit_test(test_help_and_version),
        cmocka_unit_test(test_faults_name_the_remedy),
        cmocka_unit_test(test_too_many_words_and_options_are_refused),
        cmocka_unit_test(test_each_command_says_what_it_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
