#include "feeds/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feeds/due.h"

#define HEX_AB "abababababababababababababababababababababababababababababababab"
#define HEX_CD "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"

static void assert_json(json_t *json, const char *expected)
{
    char *text = json_dumps(json, JSON_COMPACT);
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
    json_decref(json);
}

static struct sample good_sample(void)
{
    struct sample sample = {
        .state = SAMPLE_GOOD,
        .has_statement = true,
        .statement = {.height = 95, .amount = {MAX_MONEY_SAT}, .coins = 3},
        .taken = {1700000000},
        .confirmations = 6,
        .scripts = 2,
        .peers_agreeing = 3,
        .filters_from = 1,
        .filters_to = 95,
    };
    memset(sample.statement.block.b, 0xab, 32);
    memset(sample.statement.set_hash, 0xcd, 32);
    return sample;
}

#define GOOD                                                                             \
    "\"satoshi\":2100000000000000,\"height\":95,\"block_hash\":\"" HEX_AB                \
    "\",\"confirmations\":6,\"coins\":3,\"scripts\":2,\"peers_agreeing\":3,"             \
    "\"single_peer\":false,\"trusted_peer\":false,\"filters\":{\"from\":1,\"to\":95},"   \
    "\"sampled_at\":1700000000,\"set_"                                                   \
    "hash\":\"" HEX_CD "\","
#define NONE                                                                             \
    "\"satoshi\":null,\"height\":null,\"block_hash\":null,\"confirmations\":null,"       \
    "\"coins\":null,\"scripts\":null,\"peers_agreeing\":null,\"single_peer\":null,"      \
    "\"trusted_peer\":null,\"filters\":null,\"sampled_at\":null,"                        \
    "\"set_hash\":null,"

static void test_reserves(void **state)
{
    (void)state;
    struct sample good = good_sample();
    json_t *feeds = json_array();
    json_array_append_new(feeds, json_reserves_feed("wbtc", &good, &good, false));
    assert_json(json_reserves(feeds), "{\"feeds\":[{\"name\":\"wbtc\",\"state\":\"good\","
                                      "\"stale\":false," GOOD "\"reasons\":[]}]}");
    assert_json(json_reserves_feed("wbtc", NULL, NULL, true),
                "{\"name\":\"wbtc\",\"state\":\"none\",\"stale\":true," NONE
                "\"reasons\":[]}");
}

static void test_refused_shows_the_last_good_numbers(void **state)
{
    (void)state;
    struct sample good = good_sample(), refused = good_sample();
    refused.state = SAMPLE_REFUSED;
    refused.statement.amount.sat = 1;
    refused.reason_count = 2;
    refused.reasons[0].gate = GATE_BACKFILL;
    snprintf(refused.reasons[0].text, SAMPLE_REASON_TEXT_MAX,
             "3 scripts are behind, at height 120 of 1500");
    refused.reasons[1].gate = GATE_CHAIN_SHORT;
    snprintf(refused.reasons[1].text, SAMPLE_REASON_TEXT_MAX, "x");
    assert_json(json_reserves_feed("wbtc", &refused, &good, false),
                "{\"name\":\"wbtc\",\"state\":\"refused\",\"stale\":false," GOOD
                "\"reasons\":[\"backfill: 3 scripts are behind, at height 120 of 1500\","
                "\"chain-short: x\"]}");
    assert_json(json_reserves_feed("wbtc", &refused, NULL, false),
                "{\"name\":\"wbtc\",\"state\":\"refused\",\"stale\":false," NONE
                "\"reasons\":[\"backfill: 3 scripts are behind, at height 120 of 1500\","
                "\"chain-short: x\"]}");
}

static void test_orphaned_and_retracted_are_never_good(void **state)
{
    (void)state;
    const enum sample_state states[] = {SAMPLE_ORPHANED, SAMPLE_RETRACTED};
    for (size_t i = 0; i < 2; i++) {
        struct sample sample = good_sample();
        sample.state = states[i];
        json_t *feed = json_reserves_feed("wbtc", &sample, NULL, false);
        assert_string_equal(json_string_value(json_object_get(feed, "state")), "refused");
        assert_true(json_is_null(json_object_get(feed, "satoshi")));
        assert_int_equal(json_array_size(json_object_get(feed, "reasons")), 1);
        json_decref(feed);
    }
}

static void test_gates(void **state)
{
    (void)state;
    struct gate_report gates = {0};
    for (size_t i = 0; i < GATES; i++)
        gate_pass(&gates, (enum gate)i);
    gate_fail(&gates, GATE_PEERS, "1 of 3");
    assert_json(json_gates(&gates), "{\"synced\":{\"ok\":true,\"reason\":\"\"},"
                                    "\"peers\":{\"ok\":false,\"reason\":\"1 of 3\"},"
                                    "\"fork\":{\"ok\":true,\"reason\":\"\"},"
                                    "\"identity\":{\"ok\":true,\"reason\":\"\"},"
                                    "\"list\":{\"ok\":true,\"reason\":\"\"},"
                                    "\"audit\":{\"ok\":true,\"reason\":\"\"},"
                                    "\"backfill\":{\"ok\":true,\"reason\":\"\"},"
                                    "\"clock\":{\"ok\":true,\"reason\":\"\"}}");
}

/* BIP 173's example key hash, and a script without an address. */
static void test_coins(void **state)
{
    (void)state;
    static const uint8_t wpkh[] = {0x00, 0x14, 0x75, 0x1e, 0x76, 0xe8, 0x19, 0x91,
                                   0x96, 0xd4, 0x54, 0x94, 0x1c, 0x45, 0xd1, 0xb3,
                                   0xa3, 0x23, 0xf1, 0x43, 0x3b, 0xd6};
    static const uint8_t bare[] = {0x51};
    struct coin_view view = {
        .coin = {.outpoint.vout = 1, .amount = {7}, .created = 12, .coinbase = true},
        .script = {wpkh, sizeof(wpkh)},
        .label = "cold \"1\"",
        .custodian = "BitGo",
    };
    memset(view.coin.outpoint.txid.b, 0xcd, 32);
    const struct network *network = network_find("mainnet");
    assert_json(
        json_coin(&view, network),
        "{\"txid\":\"" HEX_CD "\",\"vout\":1,\"satoshi\":7,\"height\":12,"
        "\"address\":\"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4\","
        "\"label\":\"cold \\\"1\\\"\",\"custodian\":\"BitGo\",\"coinbase\":true}");
    view.script = (struct bytes){bare, sizeof(bare)};
    view.coin.coinbase = false;
    view.label = "";
    assert_json(json_coin(&view, network),
                "{\"txid\":\"" HEX_CD "\",\"vout\":1,\"satoshi\":7,\"height\":12,"
                "\"address\":null,\"label\":\"\",\"custodian\":\"BitGo\","
                "\"coinbase\":false}");
}

static void test_publications(void **state)
{
    (void)state;
    struct publication publication = {
        .round = 4,
        .state = PUBLICATION_FINAL,
        .retracted = true,
        .due = DUE_DEVIATION_DOWN,
        .report = {.height = 95, .time = {1600}, .amount = {9}, .coins = 2},
        .created = {1700000000},
        .changed = {1700000001},
        .detail = "x",
    };
    memset(publication.report.block.b, 0xab, 32);
    memset(publication.report.set_hash, 0xcd, 32);
    json_t *list = json_array();
    json_array_append_new(list, json_publication(&publication));
    char expected[1024];
    snprintf(expected, sizeof(expected),
             "{\"feed\":\"wbtc\",\"publications\":[{\"round\":4,\"state\":\"%s\","
             "\"retracted\":true,\"reason\":\"deviation-down\",\"satoshi\":9,"
             "\"height\":95,"
             "\"block_hash\":\"" HEX_AB "\",\"observed_at\":1600,\"set_hash\":\"" HEX_CD
             "\",\"coins\":2,\"created_at\":1700000000,\"changed_at\":1700000001,"
             "\"detail\":\"x\"}]}",
             publication_state_name(PUBLICATION_FINAL));
    assert_json(json_publications("wbtc", list), expected);
}

static void test_audit(void **state)
{
    (void)state;
    char first[] = "coin x: has no event";
    struct audit audit = {.headers = 4, .coins = 3, .scripts = 2, .samples = 1};
    assert_json(json_audit(&audit), "{\"ok\":true,\"checked\":{\"headers\":4,\"coins\":3,"
                                    "\"scripts\":2,\"samples\":1},\"faults\":[]}");
    for (size_t i = 0; i < AUDIT_FAULTS_MAX; i++)
        audit.faults[i] = first;
    audit.fault_count = AUDIT_FAULTS_MAX + 7;
    json_t *json = json_audit(&audit);
    const json_t *faults = json_object_get(json, "faults");
    assert_true(json_is_false(json_object_get(json, "ok")));
    assert_int_equal(json_array_size(faults), AUDIT_FAULTS_MAX + 1);
    assert_string_equal(json_string_value(json_array_get(faults, 0)), first);
    assert_string_equal(json_string_value(json_array_get(faults, AUDIT_FAULTS_MAX)),
                        "7 more");
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reserves),
        cmocka_unit_test(test_refused_shows_the_last_good_numbers),
        cmocka_unit_test(test_orphaned_and_retracted_are_never_good),
        cmocka_unit_test(test_gates),
        cmocka_unit_test(test_coins),
        cmocka_unit_test(test_publications),
        cmocka_unit_test(test_audit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
