#include "feeds/json.h"

#include <stdio.h>

#include "base/hex.h"
#include "feeds/due.h"
#include "spv/address.h"

static json_t *json_hash(const uint8_t hash[static 32])
{
    char text[ID_TEXT_MAX];
    hex_encode(text, hash, 32);
    return json_string(text);
}

static json_t *json_block_hash(const struct block_hash *hash)
{
    char text[ID_TEXT_MAX];
    block_hash_text(text, hash);
    return json_string(text);
}

/* ---- reserves, gates ---- */

const char *sample_state_text(const struct sample *sample)
{
    if (!sample)
        return "none";
    switch (sample->state) {
    case SAMPLE_GOOD:
        return "good";
    case SAMPLE_REFUSED:
        return "refused";
    case SAMPLE_ORPHANED:
        return "orphaned";
    case SAMPLE_RETRACTED:
        return "retracted";
    }
    return "refused";
}

static json_t *json_reasons(const struct sample *newest)
{
    json_t *reasons = json_array();
    if (newest && newest->state == SAMPLE_ORPHANED)
        json_array_append_new(reasons,
                              json_string("orphaned: the sample's block left the chain"));
    if (newest && newest->state == SAMPLE_RETRACTED)
        json_array_append_new(
            reasons, json_string("retracted: a coin found later changes the sum"));
    for (size_t i = 0; newest && i < newest->reason_count; i++) {
        const struct sample_reason *reason = &newest->reasons[i];
        json_array_append_new(
            reasons, json_sprintf("%s: %s", gate_name(reason->gate), reason->text));
    }
    return reasons;
}

static void set_good(json_t *feed, const struct sample *good)
{
    const struct statement *statement = &good->statement;
    json_object_set_new(feed, "satoshi", json_integer((json_int_t)statement->amount.sat));
    json_object_set_new(feed, "height", json_integer(statement->height));
    json_object_set_new(feed, "block_hash", json_block_hash(&statement->block));
    json_object_set_new(feed, "confirmations", json_integer(good->confirmations));
    json_object_set_new(feed, "coins", json_integer((json_int_t)statement->coins));
    json_object_set_new(feed, "scripts", json_integer((json_int_t)good->scripts));
    json_object_set_new(feed, "peers_agreeing", json_integer(good->peers_agreeing));
    json_object_set_new(feed, "single_peer", json_boolean(good->single_peer));
    json_object_set_new(feed, "trusted_peer", json_boolean(good->trusted_peer));
    json_object_set_new(feed, "filters",
                        good->filters_to ? json_pack("{s:I, s:I}", "from",
                                                     (json_int_t)good->filters_from, "to",
                                                     (json_int_t)good->filters_to)
                                         : json_null());
    json_object_set_new(feed, "sampled_at", json_integer(good->taken.s));
    json_object_set_new(feed, "set_hash", json_hash(statement->set_hash));
}

static void set_none(json_t *feed)
{
    static const char *const keys[] = {"satoshi",        "height",      "block_hash",
                                       "confirmations",  "coins",       "scripts",
                                       "peers_agreeing", "single_peer", "trusted_peer",
                                       "filters",        "sampled_at",  "set_hash"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
        json_object_set_new(feed, keys[i], json_null());
}

json_t *json_reserves_feed(const char *name, const struct sample *newest,
                           const struct sample *good, bool stale)
{
    const char *state = "none";
    if (newest)
        state = newest->state == SAMPLE_GOOD ? "good" : "refused";
    json_t *feed = json_object();
    json_object_set_new(feed, "name", json_string(name));
    json_object_set_new(feed, "state", json_string(state));
    json_object_set_new(feed, "stale", json_boolean(stale));
    if (good)
        set_good(feed, good);
    else
        set_none(feed);
    json_object_set_new(feed, "reasons", json_reasons(newest));
    return feed;
}

json_t *json_reserves(json_t *feeds)
{
    json_t *object = json_object();
    json_object_set_new(object, "feeds", feeds);
    return object;
}

json_t *json_gates(const struct gate_report *gates)
{
    json_t *object = json_object();
    for (uint8_t i = 0; i < GATES; i++) {
        json_t *gate = json_object();
        json_object_set_new(gate, "ok", json_boolean(gates->at[i].ok));
        json_object_set_new(gate, "reason", json_string(gates->at[i].reason));
        json_object_set_new(object, gate_name(i), gate);
    }
    return object;
}

/* ---- coins ---- */

json_t *json_coin(const struct coin_view *view, const struct network *network)
{
    const struct coin *coin = &view->coin;
    char txid[ID_TEXT_MAX], address[ADDRESS_TEXT_MAX];
    txid_text(txid, &coin->outpoint.txid);
    bool has_address = address_encode(address, network, view->script);
    json_t *object = json_object();
    json_object_set_new(object, "txid", json_string(txid));
    json_object_set_new(object, "vout", json_integer(coin->outpoint.vout));
    json_object_set_new(object, "satoshi", json_integer((json_int_t)coin->amount.sat));
    json_object_set_new(object, "height", json_integer(coin->created));
    json_object_set_new(object, "address",
                        has_address ? json_string(address) : json_null());
    json_object_set_new(object, "label", json_string(view->label));
    json_object_set_new(object, "custodian", json_string(view->custodian));
    json_object_set_new(object, "coinbase", json_boolean(coin->coinbase));
    return object;
}

/* ---- publications ---- */

json_t *json_publication(const struct publication *publication)
{
    const struct statement *report = &publication->report;
    json_t *object = json_object();
    json_object_set_new(object, "round", json_integer((json_int_t)publication->round));
    json_object_set_new(object, "state",
                        json_string(publication_state_name(publication->state)));
    json_object_set_new(object, "retracted", json_boolean(publication->retracted));
    json_object_set_new(object, "reason", json_string(due_name(publication->due)));
    json_object_set_new(object, "satoshi", json_integer((json_int_t)report->amount.sat));
    json_object_set_new(object, "height", json_integer(report->height));
    json_object_set_new(object, "block_hash", json_block_hash(&report->block));
    json_object_set_new(object, "observed_at", json_integer(report->time.s));
    json_object_set_new(object, "set_hash", json_hash(report->set_hash));
    json_object_set_new(object, "coins", json_integer((json_int_t)report->coins));
    json_object_set_new(object, "created_at", json_integer(publication->created.s));
    json_object_set_new(object, "changed_at", json_integer(publication->changed.s));
    json_object_set_new(object, "detail", json_string(publication->detail));
    return object;
}

json_t *json_publications(const char *feed, json_t *publications)
{
    json_t *object = json_object();
    json_object_set_new(object, "feed", json_string(feed));
    json_object_set_new(object, "publications", publications);
    return object;
}

/* ---- audit ---- */

static json_t *json_faults(const struct audit *audit)
{
    json_t *faults = json_array();
    size_t kept =
        audit->fault_count < AUDIT_FAULTS_MAX ? audit->fault_count : AUDIT_FAULTS_MAX;
    for (size_t i = 0; i < kept; i++)
        json_array_append_new(faults, json_string(audit->faults[i]));
    if (audit->fault_count > kept)
        json_array_append_new(faults,
                              json_sprintf("%zu more", audit->fault_count - kept));
    return faults;
}

json_t *json_audit(const struct audit *audit)
{
    json_t *checked = json_object();
    json_object_set_new(checked, "headers", json_integer((json_int_t)audit->headers));
    json_object_set_new(checked, "coins", json_integer((json_int_t)audit->coins));
    json_object_set_new(checked, "scripts", json_integer((json_int_t)audit->scripts));
    json_object_set_new(checked, "samples", json_integer((json_int_t)audit->samples));
    json_t *object = json_object();
    json_object_set_new(object, "ok", json_boolean(audit->fault_count == 0));
    json_object_set_new(object, "checked", checked);
    json_object_set_new(object, "faults", json_faults(audit));
    return object;
}
