#include "config_cases.h"

#include "app/config_file.h"

static void test_a_hash_inside_a_value_is_no_comment(void **state)
{
    struct config config;
    (void)state;
    parse_good(&config, "datadir=/a#b #c\n#x=1\n  # y=2\n");
    assert_string_equal(config.datadir, "/a#b");
    config_release(&config);
}

static void test_command_line_beats_environment_beats_file(void **state)
{
    static const char *const environment[] = {"PATH=/bin",
                                              "RESERVEWATCH_NETWORK=signet",
                                              "RESERVEWATCH_LOG=info",
                                              "RESERVEWATCH_CONNECT=1.1.1.1,2.2.2.2:5",
                                              "RESERVEWATCH_MIN_PEERS=",
                                              "RESERVEWATCH_SERVICE_HOST=10.0.0.1",
                                              NULL};
    static const struct config_option options[] = {{"network", "regtest"},
                                                   {"datadir", "here"}};
    struct config config;
    struct config_sources sources =
        sources_of("network=testnet4\nlog=debug\ndatadir=there\nconnect=9.9.9.9\n"
                   "connect=8.8.8.8\nconnect=7.7.7.7\nmin_peers=2\n");
    (void)state;
    sources.environment = environment;
    sources.options = options;
    sources.option_count = 2;
    parse_good_sources(&config, &sources);
    assert_string_equal(config.network->name, "regtest");
    assert_string_equal(config.datadir, "here");
    assert_string_equal(config.log, "info");
    assert_int_equal(config.connect_count, 2);
    assert_string_equal(config.connect[0].text, "1.1.1.1:18444");
    assert_string_equal(config.connect[1].text, "2.2.2.2:5");
    assert_int_equal(config.min_peers, 2);
    config_release(&config);
}

static void test_faults_name_their_source(void **state)
{
    static const char *const slip[] = {"RESERVEWATCH_NETWRK=regtest", NULL};
    static const char *const wrong[] = {"RESERVEWATCH_LOG=loud", NULL};
    static const struct config_option twice[] = {{"http", "0"}, {"http", "1"}};
    struct config_sources sources = sources_of("");
    (void)state;
    sources.environment = slip;
    expect_fault_of(&sources, "RESERVEWATCH_NETWRK: unknown key 'netwrk'; the nearest "
                              "known is 'network'");
    sources.environment = wrong;
    expect_fault_of(&sources,
                    "RESERVEWATCH_LOG: log 'loud': write error, warning, info or debug, "
                    "for one part as in net=debug; parts: net, chain, scan, store, feed, "
                    "publish, http, app");
    sources.environment = NULL;
    sources.options = twice;
    sources.option_count = 2;
    expect_fault_of(&sources, "--http: http is given already at --http; remove one");
    sources.option_count = 0;
    sources.home = NULL;
    expect_fault_of(&sources, "dir/x.conf: datadir= isn't given and HOME isn't set; give "
                              "one of them");
}

static void test_faults_of_form(void **state)
{
    (void)state;
    expect_fault("\n\nwhat\n",
                 "dir/x.conf:3: 'what': isn't key=value; a comment begins with '#'");
    expect_fault("Log=info\n",
                 "dir/x.conf:1: 'Log=info': a key is made of a-z, 0-9 and _");
    expect_fault("=x\n", "dir/x.conf:1: '=x': a key is made of a-z, 0-9 and _");
    expect_fault("log= # nothing\n", "dir/x.conf:1: 'log': has no value; leave the line "
                                     "out for the default");
    expect_fault("[list a\nfile=x\nfile=y\n",
                 "dir/x.conf:1: '[list a': a heading ends with ']'");
    expect_fault("#\n#\x1b[2J\n", "dir/x.conf:2: control characters or bytes that aren't "
                                  "UTF-8; save the file as UTF-8 text");
    expect_fault("log=\xff\n", "dir/x.conf:1: control characters or bytes that aren't "
                               "UTF-8; save the file as UTF-8 text");
}

static void test_a_file_is_bounded(void **state)
{
    struct config config;
    struct faults faults = {0};
    char *text = mem_alloc(CONFIG_FILE_MAX + 1);
    (void)state;
    memset(text, '\n', CONFIG_FILE_MAX + 1);
    struct config_sources sources = {
        .path = "x", .text = text, .len = CONFIG_FILE_MAX + 1, .home = "/h"};
    assert_false(config_parse(&config, &faults, &sources));
    assert_string_equal(faults.items[0].text,
                        "x: has 1048577 bytes; a configuration has at most 1048576");
    faults_release(&faults);
    config_release(&config);
    free(text);
}

static void test_unknown_keys_name_their_neighbour(void **state)
{
    (void)state;
    expect_fault("log=info\nconect=1.2.3.4\n",
                 "dir/x.conf:2: unknown key 'conect' outside of sections; the nearest "
                 "known is 'connect'");
    expect_fault("netwrok=regtest\n", "dir/x.conf:1: unknown key 'netwrok' outside of "
                                      "sections; the nearest known is 'network'");
    expect_fault(
        "[list a]\nfile=x\ncustodain=y\n",
        "dir/x.conf:3: unknown key 'custodain' in [list a]; the nearest known is "
        "'custodian'");
    expect_fault("[list a]\nfile=x\nnetwork=regtest\n",
                 "dir/x.conf:3: unknown key 'network' in [list a]; it stands above the "
                 "first heading");
    expect_fault("heartbeat=1h\n", "dir/x.conf:1: unknown key 'heartbeat' outside of "
                                   "sections; it stands under a heading [feed NAME]");
    expect_fault(
        "[lists a]\nfile=x\n",
        "dir/x.conf:1: unknown heading 'lists'; the nearest known is [list NAME]");
}

static void test_every_fault_is_found(void **state)
{
    struct config config;
    struct faults faults = {0};
    struct config_sources sources =
        sources_of("network=x\nmin_peers=x\n?\n[feed f]\nlists=q\nheartbeat=x\n[list]\n");
    (void)state;
    assert_false(parse_sources(&config, &faults, &sources));
    assert_int_equal(faults.count, 6);
    assert_null(config.network);
    faults_release(&faults);
    config_release(&config);
}

static void test_changes_that_take_a_restart(void **state)
{
    struct config now, then;
    struct faults changes = {0};
    (void)state;
    parse_good(&now,
               "log=info\nconnect=a\nconnect=b\nhttp=1\n" LISTS "[feed f]\nlists=a\n");
    parse_good(&then, "log=info\nconnect=b\nconnect=a\nsample_interval=60\n"
                      "[list a]\nfile=elsewhere\n[list b]\nfile=b.csv\n"
                      "[feed f]\nlists=a\nconfirmations=2\n");
    config_changes(&changes, &now, &then);
    assert_int_equal(changes.count, 4);
    assert_string_equal(changes.items[0].text,
                        "connect: has changed; restart to apply it");
    assert_string_equal(changes.items[1].text, "http: is gone; restart to apply it");
    assert_string_equal(changes.items[2].text,
                        "sample_interval: is new; restart to apply it");
    assert_string_equal(changes.items[3].text,
                        "[feed f] confirmations: is new; restart to apply it");
    faults_release(&changes);
    config_release(&now);
    config_release(&then);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_hash_inside_a_value_is_no_comment),
        cmocka_unit_test(test_command_line_beats_environment_beats_file),
        cmocka_unit_test(test_faults_name_their_source),
        cmocka_unit_test(test_faults_of_form),
        cmocka_unit_test(test_a_file_is_bounded),
        cmocka_unit_test(test_unknown_keys_name_their_neighbour),
        cmocka_unit_test(test_every_fault_is_found),
        cmocka_unit_test(test_changes_that_take_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
