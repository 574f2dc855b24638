/* The ledger's coins against a node's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "feeds/node_check.h"
#include "tests/unit/store/one_feed.h"

#define TIP 20

struct rig {
    struct one_feed one;
    struct store_txn *txn;
    struct node_batch batch;
    struct node_scan scan;
    struct node_check check;
};

static bool copy_coin(void *context, const struct coin *coin)
{
    struct rig *rig = context;
    uint32_t place = 0;
    while (rig->batch.ids[place] != coin->script)
        place++;
    rig->scan.coins[rig->scan.count++] = (struct node_coin){
        coin->outpoint, place, coin->amount, coin->created, coin->coinbase};
    return true;
}

/* A node that says what the ledger says. */
static void rig_open(struct rig *rig)
{
    struct error error;
    memset(rig, 0, sizeof *rig);
    one_feed_open(&rig->one, 2, TIP);
    expect(store_begin(rig->one.fixture.store, &rig->txn, STORE_READ, &error), STORE_OK);
    expect(node_batch_read(rig->txn, &rig->batch, 0, FIXTURE_SEED, &error), STORE_OK);
    assert_int_equal(rig->batch.count, 2);
    rig->scan.height = TIP - 3;
    rig->scan.block = rig->one.rows[TIP - 3].hash;
    rig->scan.coins = mem_zalloc(3 * TIP + 1, sizeof *rig->scan.coins);
    expect(ledger_each_alive(rig->txn, TIP - 3, copy_coin, rig, &error), STORE_OK);
    assert_int_equal(rig->scan.count, 3 * (TIP - 3));
}

static void rig_close(struct rig *rig)
{
    node_check_release(&rig->check);
    node_scan_release(&rig->scan);
    node_batch_release(&rig->batch);
    store_abort(rig->txn);
    one_feed_close(&rig->one);
}

static const struct node_check *compare(struct rig *rig)
{
    struct error error;
    node_check_release(&rig->check);
    expect(node_check_compare(rig->txn, &rig->check, &rig->batch, &rig->scan, &error),
           STORE_OK);
    return &rig->check;
}

static void expect_finding(struct rig *rig, uint64_t differences, const char *text)
{
    const struct node_check *check = compare(rig);
    assert_int_equal(check->verdict, NODE_DIFFERS);
    assert_int_equal(check->count, 1);
    assert_string_equal(check->findings[0].feed, "wbtc");
    assert_int_equal(check->findings[0].differences, differences);
    if (!strstr(check->findings[0].text, text))
        fail_msg("\"%s\" doesn't say \"%s\"", check->findings[0].text, text);
}

static void test_agrees(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    assert_int_equal(compare(&rig)->verdict, NODE_AGREES);
    assert_int_equal(rig.check.count, 0);
    rig_close(&rig);
}

static void test_differences(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct node_coin *coins = rig.scan.coins;
    size_t last = rig.scan.count - 1;
    char outpoint[OUTPOINT_TEXT_MAX];
    coins[5].amount.sat += 7;
    outpoint_text(outpoint, &coins[5].outpoint);
    expect_finding(&rig, 1, outpoint);
    expect_finding(&rig, 1, "1000 sat of 2 here, 1007 sat of 2 there");
    coins[5].amount.sat -= 7;
    coins[5].height++;
    expect_finding(&rig, 1, "of 2 here, 1000 sat of 3 there");
    coins[5].height--;
    coins[5].script ^= 1;
    expect_finding(&rig, 1, outpoint);
    coins[5].script ^= 1;
    /* The last one is unknown to the node. */
    rig.scan.count--;
    expect_finding(&rig, 1, "here, none there");
    rig.scan.count++;
    /* The first one is unknown to us, and ours to the node. */
    coins[0].outpoint.vout = 99;
    expect_finding(&rig, 2, "here, none there");
    coins[0].outpoint.vout = 0;
    coins[last].outpoint.vout = 99;
    expect_finding(&rig, 2, "here, none there");
    rig_close(&rig);
}

static void test_only_the_node_has_it(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct node_coin *coin = &rig.scan.coins[rig.scan.count++];
    *coin = rig.scan.coins[0];
    memset(coin->outpoint.txid.b, 0xff, 32);
    expect_finding(&rig, 1, "none here, 5000 sat of 1 there");
    /* Paid before the script's birth: nobody's. */
    coin->height = 0;
    assert_int_equal(compare(&rig)->verdict, NODE_AGREES);
    rig_close(&rig);
}

static void test_not_there(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig.scan.height = TIP + 1;
    assert_int_equal(compare(&rig)->verdict, NODE_NOT_THERE);
    assert_non_null(strstr(rig.check.reason.text, "the ledger is at height 20"));
    rig.scan.height = TIP;
    assert_int_equal(compare(&rig)->verdict, NODE_NOT_THERE);
    assert_non_null(strstr(rig.check.reason.text, "another block"));
    assert_int_equal(rig.check.count, 0);
    rig_close(&rig);
}

/* Between asking and comparing the lists may be reloaded. */
static void test_scripts_that_went_meanwhile(void **state)
{
    (void)state;
    struct rig rig;
    struct error error;
    rig_open(&rig);
    store_abort(rig.txn);
    expect(one_feed_define(&rig.one, 1, 1, &error), STORE_OK);
    expect(store_begin(rig.one.fixture.store, &rig.txn, STORE_READ, &error), STORE_OK);
    assert_int_equal(compare(&rig)->verdict, NODE_AGREES);
    rig.scan.coins[0].amount.sat++;
    expect_finding(&rig, 1, "5000 sat");
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agrees),
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_only_the_node_has_it),
        cmocka_unit_test(test_not_there),
        cmocka_unit_test(test_scripts_that_went_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
