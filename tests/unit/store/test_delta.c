#include "fixture.h"
#include "store/delta.h"

static bool known_vout_7(void *context, const struct outpoint *outpoint)
{
    ++*(size_t *)context;
    return outpoint->vout == 7;
}

static void test_items_in_chain_order(void **state)
{
    (void)state;
    uint8_t ours[2][SCRIPT_LEN], other[SCRIPT_LEN];
    make_script(ours[0], 0);
    make_script(ours[1], 1);
    make_script(other, 9);
    struct bytes scripts[2] = {{ours[0], SCRIPT_LEN}, {ours[1], SCRIPT_LEN}};
    struct script_set *set =
        script_set_new(scripts, (uint32_t[]){40, 41}, 2, FIXTURE_SEED);
    struct tx_in ins[] = {
        {.previous = {.vout = 7}}, /* the coinbase's: never a debit */
        {.previous = {{{9}}, 7}},  /* known */
        {.previous = {{{9}}, 8}},  /* not known */
        {.previous = {{{1}}, 0}},  /* of this block, ours */
        {.previous = {{{1}}, 1}},  /* of this block, not ours */
    };
    struct tx_out outs[] = {{{50}, scripts[0]},
                            {{60}, {other, SCRIPT_LEN}},
                            {{70}, scripts[1]},
                            {{80}, scripts[1]},
                            {{90}, {NULL, 0}}};
    struct tx txs[] = {
        {.txid = {{1}}, .first_in = 0, .in_count = 1, .first_out = 0, .out_count = 2},
        {.txid = {{2}}, .first_in = 1, .in_count = 4, .first_out = 2, .out_count = 3},
    };
    struct block block = {.txs = txs,
                          .ins = ins,
                          .outs = outs,
                          .tx_count = 2,
                          .in_count = 5,
                          .out_count = 5};
    struct delta delta = {0};
    size_t asked = 0;
    delta_scan(&delta, &block, set, FIXTURE_SEED, known_vout_7, &asked);
    assert_int_equal(asked, 3);
    assert_int_equal(delta.count, 5);
    assert_true(delta.items[0].credit && delta.items[0].coinbase);
    assert_int_equal(delta.items[0].script, 40);
    assert_int_equal(delta.items[0].amount.sat, 50);
    assert_false(delta.items[1].credit);
    assert_int_equal(delta.items[1].index, 0);
    assert_int_equal(delta.items[1].previous.vout, 7);
    assert_false(delta.items[2].credit);
    assert_int_equal(delta.items[2].index, 2);
    assert_true(delta.items[3].credit && !delta.items[3].coinbase);
    assert_int_equal(delta.items[4].amount.sat, 80);
    assert_int_equal(delta.items[4].tx_index, 1);
    assert_int_equal(delta.items[4].index, 1);
    delta_release(&delta);
    script_set_unref(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_items_in_chain_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
