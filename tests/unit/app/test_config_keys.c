#include "config_cases.h"

#define HASH "000000000000000000000000000000000000000000000000000000000000abcd"

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
                        "keep_filters=0\n"
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
    assert_false(config.keep_filters);
    assert_null(config.http_bind);
    config_release(&config);
    parse_good(&config, "connect=127.0.0.1\nkeep_filters=1\n");
    assert_true(config.keep_filters);
    config_release(&config);
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
    expect_fault("outbound=2\n",
                 "dir/x.conf:1: outbound=2 can't meet min_peers, which is "
                 "3; raise it, or lower min_peers=");
    expect_fault("outbound=4\nmin_peers=5\n",
                 "dir/x.conf:2: min_peers '5': can't be met by outbound=4; lower it or "
                 "raise outbound=");
    expect_fault("proxy=a b\n", "dir/x.conf:1: proxy 'a b': isn't a host; write "
                                "host:port, address:port or [IPv6]:port");
    expect_fault("proxy=socks5://h:9050\n",
                 "dir/x.conf:1: proxy 'socks5://h:9050': isn't a host; write "
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
    expect_fault("keep_filters=yes\n",
                 "dir/x.conf:1: keep_filters 'yes': write 1 to keep "
                 "filters on the disk or 0 not to");
    expect_fault("scan=blocks\nkeep_filters=1\n",
                 "dir/x.conf:2: keep_filters=1: with scan=blocks there are no filters to "
                 "keep; remove one of the two");
    expect_fault("mempool=yes\n", "dir/x.conf:1: mempool 'yes': write 1 to show "
                                  "unconfirmed transactions or 0 not to");
    expect_fault("node_rpc=127.0.0.1:8332\nnode_cookie_file=c\n",
                 "dir/x.conf:1: node_rpc is no address of a node: isn't a URL; write "
                 "https://host/path");
    expect_fault(
        "node_rpc=http://127.0.0.1:8332\n",
        "dir/x.conf:1: node_rpc= and node_cookie_file= belong together; give both "
        "or neither");
    expect_fault("\nnode_cookie_file=c\n",
                 "dir/x.conf:2: node_rpc= and node_cookie_file= belong together; give "
                 "both or neither");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_gives_defaults),
        cmocka_unit_test(test_every_global_key),
        cmocka_unit_test(test_custom_signet),
        cmocka_unit_test(test_peers_and_proxy),
        cmocka_unit_test(test_one_connect_needs_one_peer),
        cmocka_unit_test(test_faults_of_global_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
