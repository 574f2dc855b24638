/* What unconfirmed transactions would do to a feed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "one_feed.h"
#include "store/foresee.h"

#define TIP 20

struct unconfirmed {
    struct block block;
    struct tx tx;
    struct tx_in ins[2];
    struct tx_out outs[3];
};

/* Pays script 0 and, beside a stranger, script 1. */
static struct block *unconfirmed(struct unconfirmed *out, struct one_feed *one)
{
    static const uint8_t stranger[1] = {0x51};
    *out = (struct unconfirmed){.tx = {.in_count = 2, .out_count = 3}};
    out->tx.txid.b[0] = 0xee;
    out->outs[0] = (struct tx_out){{10}, {one->scripts[0], SCRIPT_LEN}};
    out->outs[1] = (struct tx_out){{200}, {stranger, 1}};
    out->outs[2] = (struct tx_out){{3000}, {one->scripts[1], SCRIPT_LEN}};
    out->ins[0].previous.txid.b[0] = 0xaa;
    out->ins[1].previous.txid.b[0] = 0xbb;
    out->block = (struct block){.txs = &out->tx,
                                .ins = out->ins,
                                .outs = out->outs,
                                .tx_count = 1,
                                .in_count = 2,
                                .out_count = 3};
    return &out->block;
}

static void foresee(struct one_feed *one, struct foreseen *out, const struct block *block)
{
    struct error error;
    struct store_txn *txn;
    expect(store_begin(one->fixture.store, &txn, STORE_READ, &error), STORE_OK);
    expect(ledger_foresee(one->ledger, txn, out, block, &error), STORE_OK);
    store_abort(txn);
}

static void expect_sums(struct one_feed *one, const struct block *block,
                        uint64_t credited, uint64_t debited)
{
    struct foreseen foreseen;
    foresee(one, &foreseen, block);
    assert_int_equal(foreseen.count, 1);
    assert_string_equal(foreseen.feeds[0].name, "wbtc");
    assert_int_equal(foreseen.feeds[0].credited.sat, credited);
    assert_int_equal(foreseen.feeds[0].debited.sat, debited);
    foreseen_release(&foreseen);
}

static void expect_nobody(struct one_feed *one, const struct block *block)
{
    struct foreseen foreseen;
    foresee(one, &foreseen, block);
    assert_int_equal(foreseen.count, 0);
    foreseen_release(&foreseen);
}

static void test_credits_and_debits(void **state)
{
    (void)state;
    struct one_feed one;
    struct unconfirmed made;
    one_feed_open(&one, 2, TIP);
    struct block *block = unconfirmed(&made, &one);
    expect_sums(&one, block, 3010, 0);
    made.ins[1].previous = one_feed_paid(5);
    expect_sums(&one, block, 3010, 1000);
    made.outs[0].script = made.outs[2].script = made.outs[1].script;
    expect_sums(&one, block, 0, 1000);
    made.ins[1].previous.vout = 7; /* no such output */
    expect_nobody(&one, block);
    one_feed_close(&one);
}

static void test_births_count(void **state)
{
    (void)state;
    struct one_feed one;
    struct unconfirmed made;
    struct error error;
    one_feed_open(&one, 2, TIP);
    struct block *block = unconfirmed(&made, &one);
    expect(one_feed_define(&one, 2, TIP + 1, &error), STORE_OK);
    expect_sums(&one, block, 3010, 0);
    expect(one_feed_define(&one, 2, TIP + 2, &error), STORE_OK);
    expect_sums(&one, block, 10, 0);
    one_feed_close(&one);
}

static void test_what_is_in_the_ledger_concerns_nobody(void **state)
{
    (void)state;
    struct one_feed one;
    struct unconfirmed made;
    struct error error;
    struct ledger_outcome outcome;
    one_feed_open(&one, 2, TIP);
    struct block *block = unconfirmed(&made, &one);
    struct outpoint coin = one_feed_paid(5);
    made.ins[1].previous = coin;
    expect_sums(&one, block, 3010, 1000);
    /* Another transaction spends the coin. */
    expect(one_feed_apply(&one, 0, TIP, 1, &coin, false, &outcome, &error), STORE_OK);
    expect_nobody(&one, block);
    /* It is confirmed itself. */
    made.ins[1].previous = (struct outpoint){0};
    made.tx.txid = one_feed_paid(TIP).txid;
    expect_nobody(&one, block);
    one_feed_close(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_credits_and_debits),
        cmocka_unit_test(test_births_count),
        cmocka_unit_test(test_what_is_in_the_ledger_concerns_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
