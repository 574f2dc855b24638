#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/config.h"
#include "app/config_file.h"
#include "base/mem.h"

#define LISTS "[list a]\nfile=a.csv\n[list b]\nfile=b.csv\n"
#define HASH "000000000000000000000000000000000000000000000000000000000000abcd"

static bool parse_sources(struct config *config, struct faults *faults,
                          const struct config_sources *sources)
{
    /* On the heap and of exactly that size, so that a sanitizer sees a byte too far. */
    struct config_sources copy = *sources;
    char *text = mem_alloc(copy.len);
    memcpy(text, copy.text, copy.len);
    copy.text = text;
    bool good = config_parse(config, faults, &copy);
    free(text);
    return good;
}

static struct config_sources sources_of(const char *text)
{
    return (struct config_sources){
        .path = "dir/x.conf", .text = text, .len = strlen(text), .home = "/home/u"};
}

static void parse_good_sources(struct config *config,
                               const struct config_sources *sources)
{
    struct faults faults = {0};
    if (!parse_sources(config, &faults, sources))
        fail_msg("%s\n%s", sources->text, faults.items[0].text);
    assert_int_equal(faults.count, 0);
}

static void parse_good(struct config *config, const char *text)
{
    struct config_sources sources = sources_of(text);
    parse_good_sources(config, &sources);
}

/* The only fault's whole text. */
static void expect_fault_of(const struct config_sources *sources, const char *expected)
{
    struct config config;
    struct faults faults = {0};
    assert_false(parse_sources(&config, &faults, sources));
    if (faults.count != 1 || strcmp(faults.items[0].text, expected) != 0)
        fail_msg("%s\nis (%zu): %s\nnot: %s", sources->text, faults.count,
                 faults.count > 0 ? faults.items[0].text : "", expected);
    faults_release(&faults);
    config_release(&config);
}

static void expect_fault(const char *text, const char *expected)
{
    struct config_sources sources = sources_of(text);
    expect_fault_of(&sources, expected);
}

static void test_empty_gives_defaults(void **state)
{
    struct config config;
    (void)state;
    parse_good(&config, "");
    assert_string_equal(config.network->name, "mainnet");
    assert_string_equal(config.datadir, "/home/u/.reservewatch/mainnet");
    assert_int_equal(config.connect_count, 0);
    assert_int_equal(config.min_peers, 3);
    assert_int_equal(config.sample_interval, 600);
    assert_string_equal(config.http_bind, "127.0.0.1:8350");
    assert_null(config.log);
    assert_int_equal(config.list_count + config.feed_count + config.publisher_count, 0);
    config_release(&config);
}

static void test_every_global_key(void **state)
{
    struct config config;
    (void)state;
    parse_good(&config, "\xef\xbb\xbf# everything\r\n"
                        "\tnetwork = regtest # a comment\r\n"
                        "datadir=data\n"
                        "connect=127.0.0.1\nconnect=node.example:1234\nconnect=[::1]\n"
                        "min_peers=2\n"
                        "sample_interval=10m\n"
                        "checkpoint=7:" HASH "\ncheckpoint=5:" HASH "\n"
                        "filter_checkpoint=9:" HASH "\nfilter_checkpoint=8:" HASH "\n"
                        "scan=blocks\naudit_blocks=50\n"
                        "http_bind=localhost\nhttp_host=watch.example\n"
                        "mempool=1\n"
                        "node_rpc=http://127.0.0.1:18443/\nnode_cookie_file=.cookie\n"
                        "node_check_interval=2h\n"
                        "log=net=debug,info");
    assert_true(config.mempool);
    assert_string_equal(config.node_rpc, "http://127.0.0.1:18443/");
    assert_string_equal(config.node_cookie_file, "dir/.cookie");
    assert_int_equal(config.node_check_interval, 7200);
    assert_string_equal(config.network->name, "regtest");
    assert_string_equal(config.datadir, "dir/data");
    assert_int_equal(config.connect_count, 3);
    assert_string_equal(config.connect[0].text, "127.0.0.1:18444");
    assert_string_equal(config.connect[1].text, "node.example:1234");
    assert_string_equal(config.connect[2].text, "[::1]:18444");
    assert_int_equal(config.min_peers, 2);
    assert_int_equal(config.sample_interval, 600);
    assert_int_equal(config.checkpoint_count, 2);
    assert_int_equal(config.checkpoints[0].height, 5);
    assert_int_equal(config.checkpoints[1].height, 7);
    assert_int_equal(config.checkpoints[0].hash.b[0], 0xcd);
    assert_int_equal(config.filter_checkpoint_count, 2);
    assert_int_equal(config.filter_checkpoints[0].height, 8);
    assert_int_equal(config.filter_checkpoints[1].height, 9);
    assert_true(config.scan_blocks);
    assert_int_equal(config.audit_blocks, 50);
    assert_string_equal(config.http_bind, "localhost:18450");
    assert_int_equal(config.http_host_count, 1);
    assert_string_equal(config.http_hosts[0], "watch.example");
    assert_string_equal(config.log, "net=debug,info");
    config_release(&config);
}

static void test_custom_signet(void **state)
{
    struct config config;
    (void)state;
    parse_good(&config, "signet_challenge=51\nnetwork=signet\nconnect=h\n");
    assert_string_equal(config.network->name, "signet_54d26fbd");
    assert_string_equal(config.connect[0].text, "h:38333");
    config_release(&config);
    parse_good(&config, "network=signet\n");
    assert_string_equal(config.network->name, "signet");
    config_release(&config);
}

static void test_peers_and_proxy(void **state)
{
    (void)state;
    struct config config;
    parse_good(&config, "connect=127.0.0.1 trusted=1\nconnect=two.example\n");
    assert_true(config.connect[0].trusted);
    assert_string_equal(config.connect[0].text, "127.0.0.1:8333");
    assert_false(config.connect[1].trusted);
    assert_null(config.proxy);
    config_release(&config);
    parse_good(&config, "outbound=12\nproxy=127.0.0.1\nmin_peers=12\n");
    assert_int_equal(config.outbound, 12);
    assert_string_equal(config.proxy, "127.0.0.1:9050");
    config_release(&config);
    parse_good(&config, "\n");
    assert_int_equal(config.outbound, 8);
    assert_int_equal(config.min_peers, 3);
    config_release(&config);
}

static void test_one_connect_needs_one_peer(void **state)
{
    struct config config;
    (void)state;
    parse_good(&config, "connect=127.0.0.1\nhttp=0\n");
    assert_int_equal(config.min_peers, 1);
    assert_int_equal(config.audit_blocks, AUDIT_BLOCKS_DEFAULT);
    assert_false(config.scan_blocks);
    assert_null(config.http_bind);
    config_release(&config);
}

static void test_a_hash_inside_a_value_is_no_comment(void **state)
{
    struct config config;
    (void)state;
    parse_good(&config, "datadir=/a#b #c\n#x=1\n  # y=2\n");
    assert_string_equal(config.datadir, "/a#b");
    config_release(&config);
}

static void test_sections(void **state)
{
    struct config config;
    (void)state;
    parse_good(&config, "datadir=/d\n"
                        "[feed wbtc]\n"
                        "lists = a , b\nconfirmations=3\nimmature=include\n"
                        "deviation=0.5%\ndeviation_down=10 BTC\nheartbeat=24h\n"
                        "publisher=out\n"
                        "[ list  a ]\ncustodian=Bit Go\nfile=/abs/a.csv\n"
                        "[list b]\nfile=~/b.csv\n"
                        "[feed other]\nlists=b\npublisher=here\n"
                        "[publisher out]\n"
                        "[publisher here]\ntype=file\nfile=here.jsonl\n");
    assert_int_equal(config.list_count, 2);
    assert_string_equal(config.lists[0].custodian, "Bit Go");
    assert_string_equal(config.lists[0].file, "/abs/a.csv");
    assert_string_equal(config.lists[1].custodian, "b");
    assert_string_equal(config.lists[1].file, "/home/u/b.csv");
    assert_int_equal(config.publisher_count, 2);
    assert_string_equal(config.publishers[0].file, "/d/out.jsonl");
    assert_string_equal(config.publishers[1].file, "dir/here.jsonl");
    assert_int_equal(config.feed_count, 2);
    const struct feed *feed = &config.feeds[0];
    assert_string_equal(feed->name, "wbtc");
    assert_int_equal(feed->list_count, 2);
    assert_string_equal(feed->lists[1], "b");
    assert_int_equal(feed->confirmations, 3);
    assert_true(feed->count_immature);
    assert_int_equal(feed->policy.up.kind, DEVIATION_PPM);
    assert_int_equal(feed->policy.up.value, 5000);
    assert_int_equal(feed->policy.down.kind, DEVIATION_SATOSHI);
    assert_int_equal(feed->policy.down.value, 10 * SATOSHI_PER_BTC);
    assert_int_equal(feed->policy.heartbeat, 86400);
    assert_string_equal(feed->publisher, "out");
    assert_int_equal(config.feeds[1].confirmations, 6);
    assert_int_equal(config.feeds[1].policy.up.kind, DEVIATION_NONE);
    config_release(&config);
}

static void test_deviation_up_beats_deviation_for_up_only(void **state)
{
    struct config config;
    (void)state;
    parse_good(&config, LISTS "[feed f]\nlists=a\ndeviation_up=2%\ndeviation=1%\n");
    assert_int_equal(config.feeds[0].policy.up.value, 20000);
    assert_int_equal(config.feeds[0].policy.down.value, 10000);
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

static void test_faults_of_global_values(void **state)
{
    (void)state;
    expect_fault("network=test\n", "dir/x.conf:1: network 'test': there is mainnet, "
                                   "testnet3, testnet4, signet and regtest");
    expect_fault("connect=a b\n",
                 "dir/x.conf:1: connect 'a b': behind the address there is only "
                 "trusted=1, for a node of one's own");
    expect_fault("connect=a/ trusted=1\n",
                 "dir/x.conf:1: connect 'a/': isn't a host; write host:port, "
                 "address:port or [IPv6]:port");
    expect_fault("connect=a trusted=2\n",
                 "dir/x.conf:1: connect 'a trusted=2': behind the address there is only "
                 "trusted=1, for a node of one's own");
    expect_fault("outbound=0\n",
                 "dir/x.conf:1: outbound '0': write a number from 1 to 32");
    expect_fault("outbound=33\n",
                 "dir/x.conf:1: outbound '33': write a number from 1 to 32");
    expect_fault("outbound=2\n", "dir/x.conf: outbound=2 can't meet min_peers, which is "
                                 "3; raise it, or lower min_peers=");
    expect_fault("outbound=4\nmin_peers=5\n",
                 "dir/x.conf:2: min_peers '5': can't be met by outbound=4; lower it or "
                 "raise outbound=");
    expect_fault("proxy=a b\n", "dir/x.conf:1: proxy 'a b': isn't a host; write "
                                "host:port, address:port or [IPv6]:port");
    expect_fault("connect=h:8333\nconnect=h\n",
                 "dir/x.conf:2: connect 'h:8333': is given twice; remove one");
    expect_fault("min_peers=0\n", "dir/x.conf:1: min_peers '0': write a number from 1 to "
                                  "64");
    expect_fault("connect=h\nmin_peers=2\n",
                 "dir/x.conf:2: min_peers '2': can't be met by 1 connect=; lower it or "
                 "add peers");
    expect_fault("sample_interval=0\n", "dir/x.conf:1: sample_interval '0': write a "
                                        "duration such as 600, 10m or 1h");
    expect_fault("signet_challenge=51\n",
                 "dir/x.conf:1: signet_challenge is for network=signet");
    expect_fault("network=signet\nsignet_challenge=5\n",
                 "dir/x.conf:2: signet_challenge '5': write the challenge's script as 2 "
                 "to 20000 hex digits");
    expect_fault("checkpoint=5:abc\n", "dir/x.conf:1: checkpoint '5:abc': write "
                                       "HEIGHT:HASH, the hash as 64 hex digits");
    expect_fault("checkpoint=5:" HASH "\ncheckpoint=5:" HASH "\n",
                 "dir/x.conf:2: checkpoint '5:" HASH "': there is another one of this "
                 "height; remove one");
    expect_fault("filter_checkpoint=5\n",
                 "dir/x.conf:1: filter_checkpoint '5': write HEIGHT:HEADER, the filter "
                 "header as 64 hex digits");
    expect_fault("filter_checkpoint=5:" HASH "\nfilter_checkpoint=5:" HASH "\n",
                 "dir/x.conf:2: filter_checkpoint '5:" HASH "': there is another one of "
                 "this height; remove one");
    expect_fault("scan=all\n", "dir/x.conf:1: scan 'all': write filters or blocks");
    expect_fault("audit_blocks=x\n",
                 "dir/x.conf:1: audit_blocks 'x': write a number: one "
                 "block in so many is fetched whole to check its "
                 "filter; 0 for none");
    expect_fault("mempool=yes\n", "dir/x.conf:1: mempool 'yes': write 1 to show "
                                  "unconfirmed transactions or 0 not to");
    expect_fault("node_rpc=127.0.0.1:8332\nnode_cookie_file=c\n",
                 "dir/x.conf:1: node_rpc is no address of a node: isn't a URL; write "
                 "https://host/path");
    expect_fault("node_rpc=http://127.0.0.1:8332\n",
                 "dir/x.conf: node_rpc= and node_cookie_file= belong together; give both "
                 "or neither");
    expect_fault("node_check_interval=1x\n",
                 "dir/x.conf:1: node_check_interval '1x': write a duration such as 600, "
                 "10m or 1h");
    expect_fault("http=no\n",
                 "dir/x.conf:1: http 'no': write 1 to serve HTTP or 0 not to");
    expect_fault("http_bind=127.0.0.1:99999\n",
                 "dir/x.conf:1: http_bind '127.0.0.1:99999': the port is a number from 1 "
                 "to 65535");
    expect_fault(
        "http_bind=0.0.0.0\n",
        "dir/x.conf:1: http_bind '0.0.0.0:8350': isn't a loopback address; write "
        "127.0.0.1:8350, and put a TLS proxy in front for others");
    expect_fault("http_host=x:1\n", "dir/x.conf:1: http_host 'x:1': write a host's name "
                                    "without port");
    expect_fault("log=info\nlog=debug\n",
                 "dir/x.conf:2: log is given already at dir/x.conf:1; remove one");
}

static void test_faults_of_sections(void **state)
{
    (void)state;
    expect_fault("[list]\nfile=x\n",
                 "dir/x.conf:1: [list] has no name; write [list NAME]");
    expect_fault("[list a/b]\nfile=x\n",
                 "dir/x.conf:1: list name 'a/b': use letters, digits and . _ - with a "
                 "letter or a digit first");
    expect_fault("[list a]\n", "dir/x.conf:1: [list a] has no file=; name the file with "
                               "its addresses");
    expect_fault(LISTS "[list a]\nfile=x\n",
                 "dir/x.conf:5: [list a] is there already at dir/x.conf:1; rename or "
                 "remove one");
    expect_fault("[list a]\nfile=x\nfile=y\n",
                 "dir/x.conf:3: file is given already at dir/x.conf:2; remove one");
    expect_fault("[feed f]\n",
                 "dir/x.conf:1: [feed f] has no lists=; name the lists that it sums");
    expect_fault(LISTS "[feed f]\nlists=a,c\n",
                 "dir/x.conf:6: lists: there is no [list c]; add it or correct the name");
    expect_fault(LISTS "[feed f]\nlists=a, a\n",
                 "dir/x.conf:6: lists: names a twice; remove one");
    expect_fault(LISTS "[feed f]\nlists=a,\n",
                 "dir/x.conf:6: lists: name: has 0 characters; give it 1 to 64");
    expect_fault(LISTS "[feed f]\nlists=a\nheartbeat=0\n",
                 "dir/x.conf:7: heartbeat '0': write a duration such as 24h or 90m");
    expect_fault(LISTS "[feed f]\nlists=a\nconfirmations=0\n",
                 "dir/x.conf:7: confirmations '0': write a whole number from 1 to 2016");
    expect_fault(LISTS "[feed f]\nlists=a\nimmature=maybe\n",
                 "dir/x.conf:7: immature 'maybe': write include or exclude");
    expect_fault(LISTS "[feed f]\nlists=a\ndeviation_up=5\n",
                 "dir/x.conf:7: deviation '5': has no unit; write a percentage such as "
                 "0.5% or an amount such as 10 BTC");
}

static void test_faults_of_publishers(void **state)
{
    (void)state;
    expect_fault(LISTS "[feed f]\nlists=a\npublisher=p\n",
                 "dir/x.conf:7: publisher: there is no [publisher p]; add it or correct "
                 "the name");
    expect_fault(
        LISTS "[feed f]\nlists=a\npublisher=p\n[feed g]\nlists=b\npublisher=p\n"
              "[publisher p]\n",
        "dir/x.conf:10: publisher: p is that of [feed f] already; give each feed "
        "its own");
    expect_fault("[publisher p]\ntype=fax\n",
                 "dir/x.conf:2: type 'fax': write file or evm");
    expect_fault(
        "[publisher p]\nfile=x\n[publisher q]\nfile=x\n",
        "dir/x.conf:3: [publisher q] writes to the same file as [publisher p] at "
        "dir/x.conf:1; give each its own");
}

#define EVM                                                                              \
    "[publisher e]\ntype=evm\nrpc=http://127.0.0.1:8545\nkey_file=k\npassword_file=p\n"  \
    "contract=0x5FbDB2315678afecb367f032d93F642f64180aa3\n"

static void test_evm_publisher(void **state)
{
    struct config config;
    struct faults faults = {0};
    struct config_sources sources = sources_of(EVM "chain_id=31337\nfinality=12\n");
    (void)state;
    assert_true(parse_sources(&config, &faults, &sources));
    const struct config_publisher *publisher = config_publisher_find(&config, "e");
    assert_int_equal(publisher->kind, PUBLISHER_EVM);
    assert_string_equal(publisher->evm.rpc, "http://127.0.0.1:8545");
    assert_true(publisher->evm.chain_id == 31337);
    assert_int_equal(publisher->evm.finality, 12);
    assert_int_equal(wei_compare(publisher->evm.max_fee, wei_from_u64(50 * WEI_PER_GWEI)),
                     0);
    assert_string_equal(publisher->evm.key_file, "dir/k");
    assert_string_equal(publisher->evm.password_file, "dir/p");
    assert_null(publisher->file);
    faults_release(&faults);
    config_release(&config);
}

static void test_max_fee(void **state)
{
    struct config config;
    struct faults faults = {0};
    struct config_sources sources = sources_of(EVM "chain_id=1\nmax_fee=2.5 gwei\n");
    (void)state;
    assert_true(parse_sources(&config, &faults, &sources));
    assert_int_equal(wei_compare(config_publisher_find(&config, "e")->evm.max_fee,
                                 wei_from_u64(2500000000)),
                     0);
    faults_release(&faults);
    config_release(&config);
    expect_fault(
        EVM "chain_id=1\nmax_fee=50\n",
        "dir/x.conf:8: max_fee '50': write what a gas may cost, such as 50 gwei");
    expect_fault(
        EVM "chain_id=1\nmax_fee=0 gwei\n",
        "dir/x.conf:8: max_fee '0 gwei': write what a gas may cost, such as 50 gwei");
}

static void test_faults_of_evm_publishers(void **state)
{
    (void)state;
    expect_fault(EVM, "dir/x.conf:1: [publisher e] has no chain_id=; write chain_id=1");
    expect_fault(EVM "chain_id=0\n",
                 "dir/x.conf:7: chain_id '0': write a number such as 1");
    expect_fault(
        EVM "chain_id=1\nfinality=soon\n",
        "dir/x.conf:8: finality 'soon': write `finalized`, or a number of blocks");
    expect_fault(EVM "chain_id=1\nfile=x\n",
                 "dir/x.conf:8: unknown key 'file' in [publisher e]; it stands under a "
                 "heading [list NAME]");
    expect_fault(EVM "chain_id=1\n[publisher f]\ntype=evm\nrpc=https://node.example/key\n"
                     "key_file=k\npassword_file=p\nchain_id=1\n"
                     "contract=0x5FbDB2315678afecb367f032d93F642f64180aa3\n",
                 "dir/x.conf:8: [publisher f] has the contract of [publisher e] at "
                 "dir/x.conf:1; a contract holds one feed");
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
        cmocka_unit_test(test_empty_gives_defaults),
        cmocka_unit_test(test_every_global_key),
        cmocka_unit_test(test_custom_signet),
        cmocka_unit_test(test_peers_and_proxy),
        cmocka_unit_test(test_one_connect_needs_one_peer),
        cmocka_unit_test(test_a_hash_inside_a_value_is_no_comment),
        cmocka_unit_test(test_sections),
        cmocka_unit_test(test_deviation_up_beats_deviation_for_up_only),
        cmocka_unit_test(test_command_line_beats_environment_beats_file),
        cmocka_unit_test(test_faults_name_their_source),
        cmocka_unit_test(test_faults_of_form),
        cmocka_unit_test(test_a_file_is_bounded),
        cmocka_unit_test(test_unknown_keys_name_their_neighbour),
        cmocka_unit_test(test_faults_of_global_values),
        cmocka_unit_test(test_faults_of_sections),
        cmocka_unit_test(test_faults_of_publishers),
        cmocka_unit_test(test_evm_publisher),
        cmocka_unit_test(test_max_fee),
        cmocka_unit_test(test_faults_of_evm_publishers),
        cmocka_unit_test(test_every_fault_is_found),
        cmocka_unit_test(test_changes_that_take_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
