#include "config_cases.h"

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
    expect_fault("[publisher p]\nmax_fee=1 gwei\n",
                 "dir/x.conf:2: max_fee in [publisher p]: is for another type=");
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
                 "dir/x.conf:8: file in [publisher e]: is for another type=");
    expect_fault(EVM "chain_id=1\n[publisher f]\ntype=evm\nrpc=https://node.example/key\n"
                     "key_file=k\npassword_file=p\nchain_id=1\n"
                     "contract=0x5FbDB2315678afecb367f032d93F642f64180aa3\n",
                 "dir/x.conf:8: [publisher f] has the contract of [publisher e] at "
                 "dir/x.conf:1; a contract holds one feed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sections),
        cmocka_unit_test(test_deviation_up_beats_deviation_for_up_only),
        cmocka_unit_test(test_faults_of_sections),
        cmocka_unit_test(test_faults_of_publishers),
        cmocka_unit_test(test_evm_publisher),
        cmocka_unit_test(test_max_fee),
        cmocka_unit_test(test_faults_of_evm_publishers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
