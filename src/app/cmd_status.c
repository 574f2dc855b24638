#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/command.h"
#include "app/datadir.h"
#include "app/output.h"
#include "app/reading.h"
#include "app/status_document.h"
#include "app/text_table.h"
#include "feeds/gate.h"
#include "io/clock.h"

/* The document may be of a watcher that has ended. */
enum watcher_state {
    WATCHER_RUNS,
    WATCHER_STARTS, /* one runs, but the document is still its predecessor's */
    WATCHER_STOPPED,
};

static enum exit_status parse_document(json_t **out, const uint8_t *text, size_t len)
{
    json_error_t where;
    *out = json_loadb((const char *)text, len, JSON_REJECT_DUPLICATES, &where);
    if (json_is_object(*out))
        return EXIT_DONE;
    json_decref(*out);
    *out = NULL;
    complain(
        "ledger: the status document is damaged; start the watcher to write it anew");
    return EXIT_FAILED;
}

static enum exit_status read_document(json_t **out, const struct invocation *invocation)
{
    struct reading reading;
    struct error error;
    uint8_t *text = NULL;
    size_t len = 0;
    *out = NULL;
    enum exit_status status = reading_begin(&reading, invocation->config);
    if (status != EXIT_DONE)
        goto out;
    enum store_result result =
        store_get_value(reading.txn, STATUS_VALUE, &text, &len, &error);
    if (result == STORE_NOT_FOUND)
        error_set(&error, "ledger: the watcher hasn't told its status yet; try again in "
                          "a moment");
    status = reading_result(result, &error);
out:
    reading_end(&reading);
    if (status == EXIT_DONE)
        status = parse_document(out, text, len);
    free(text);
    return status;
}

static enum exit_status find_watcher(enum watcher_state *out, pid_t *pid,
                                     const struct config *config, const json_t *document)
{
    struct error error;
    *out = WATCHER_STOPPED;
    switch (datadir_watcher(config, pid, &error)) {
    case LOCK_FREE:
        return EXIT_DONE;
    case LOCK_HELD:
        *out = json_integer_value(json_object_get(document, "pid")) == *pid
                   ? WATCHER_RUNS
                   : WATCHER_STARTS;
        return EXIT_DONE;
    case LOCK_FAILED:
        complain("%s", error.text);
        break;
    }
    return EXIT_FAILED;
}

/* Say of an old document that it is one: nothing in it holds now. */
static void overlay(json_t *document, enum watcher_state state)
{
    json_object_set_new(document, "running", json_boolean(state != WATCHER_STOPPED));
    if (state == WATCHER_RUNS)
        return;
    json_t *gate = json_object_get(json_object_get(document, "gates"),
                                   gate_name((uint8_t)GATE_SYNCED));
    json_object_set_new(document, "synced", json_false());
    json_object_set_new(gate, "ok", json_false());
    json_object_set_new(gate, "reason",
                        json_string(state == WATCHER_STOPPED
                                        ? "the watcher is stopped"
                                        : "the watcher is starting"));
}

static bool every_feed_is_good(const json_t *document)
{
    size_t at;
    json_t *feed;
    json_array_foreach(json_object_get(document, "feeds"), at, feed)
    {
        const char *state = json_string_value(json_object_get(feed, "state"));
        if (state == NULL || strcmp(state, "good") != 0)
            return false;
    }
    return true;
}

static bool every_gate_holds(json_t *document)
{
    const char *name;
    json_t *gate, *gates = json_object_get(document, "gates");
    json_object_foreach(gates, name, gate)
    {
        if (!json_is_true(json_object_get(gate, "ok")))
            return false;
    }
    return json_object_size(gates) == GATES;
}

/* ---- for people ---- */

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static json_int_t number_at(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void print_state(const json_t *document, enum watcher_state state, pid_t pid)
{
    char when[TIME_TEXT_MAX], ago[TIME_TEXT_MAX];
    const json_int_t updated_at = number_at(document, "updated_at");
    time_format_utc(when, updated_at);
    duration_format(ago, now_wall().s - updated_at);
    switch (state) {
    case WATCHER_RUNS:
        printf("state           %s\n", text_at(document, "phase"));
        printf("watcher         process %ld, version %s\n", (long)pid,
               text_at(document, "version"));
        break;
    case WATCHER_STARTS:
        printf("state           starting, process %ld; what follows is of the one "
               "before\n",
               (long)pid);
        break;
    case WATCHER_STOPPED:
        printf("state           stopped; what follows is what was known last\n");
        break;
    }
    printf("network         %s\n", text_at(document, "network"));
    printf("as of           %s, %s ago\n", when, ago);
    if (json_is_true(json_object_get(document, "disk_full")))
        printf("disk            full: the ledger waits for room; free some space\n");
}

static void print_progress(const json_t *document)
{
    const json_t *progress = json_object_get(document, "progress");
    const json_t *left = json_object_get(progress, "seconds_left");
    const json_int_t done = number_at(progress, "done");
    const json_int_t total = number_at(progress, "total");
    if (json_is_true(json_object_get(document, "synced")) || total <= 0 || done >= total)
        return;
    printf("progress        %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT
           " blocks, %" JSON_INTEGER_FORMAT " a second",
           done, total, number_at(progress, "per_second"));
    if (json_is_integer(left)) {
        char text[TIME_TEXT_MAX];
        duration_format(text, json_integer_value(left));
        printf(", about %s left", text);
    }
    printf("\n");
}

static void print_heights(const json_t *document)
{
    const json_t *headers = json_object_get(document, "headers");
    char time[TIME_TEXT_MAX];
    time_format_utc(time, number_at(headers, "time"));
    printf("headers         %" JSON_INTEGER_FORMAT "  %s  %s\n",
           number_at(headers, "height"), time, text_at(headers, "hash"));
    printf("filter headers  %" JSON_INTEGER_FORMAT "\n",
           number_at(json_object_get(document, "filter_headers"), "height"));
    printf("scanned         %" JSON_INTEGER_FORMAT "\n",
           number_at(json_object_get(document, "scan"), "height"));
}

static void print_kept_filters(const json_t *document)
{
    const json_t *kept = json_object_get(document, "kept_filters");
    if (json_is_object(kept))
        printf("kept filters    %" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT " MB\n",
               number_at(kept, "count"), (number_at(kept, "bytes") + 999999) / 1000000);
}

static void print_gates(json_t *document)
{
    const char *name;
    json_t *gate;
    printf("\ngates\n");
    json_object_foreach(json_object_get(document, "gates"), name, gate)
    {
        bool ok = json_is_true(json_object_get(gate, "ok"));
        printf("  %-12s  %s%s\n", name,
               ok ? "holds" : "FAILS: ", ok ? "" : text_at(gate, "reason"));
    }
}

/* A table of an array's objects: a column for each key. */
static void print_array(const json_t *document, const char *name,
                        const struct table_column *columns, const char *const *keys,
                        size_t count)
{
    const json_t *array = json_object_get(document, name);
    struct text_table table;
    if (json_array_size(array) == 0)
        return;
    text_table_init(&table, columns, count);
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);
        for (size_t column = 0; column < count; column++) {
            if (columns[column].align == ALIGN_RIGHT)
                text_table_cell(&table, "%" JSON_INTEGER_FORMAT,
                                number_at(item, keys[column]));
            else
                text_table_cell(&table, "%s", text_at(item, keys[column]));
        }
    }
    printf("\n");
    text_table_print(&table, stdout);
    text_table_release(&table);
}

static void print_tables(const json_t *document)
{
    static const struct table_column feeds[] = {{"FEED", ALIGN_LEFT},
                                                {"SAMPLE", ALIGN_LEFT}};
    static const struct table_column publishers[] = {{"FEED", ALIGN_LEFT},
                                                     {"PUBLISHER", ALIGN_LEFT},
                                                     {"STATE", ALIGN_LEFT},
                                                     {"DETAIL", ALIGN_LEFT}};
    static const struct table_column peers[] = {{"PEER", ALIGN_LEFT},
                                                {"STATE", ALIGN_LEFT},
                                                {"HEIGHT", ALIGN_RIGHT},
                                                {"AGENT", ALIGN_LEFT}};
    print_array(document, "feeds", feeds, (const char *const[]){"name", "state"}, 2);
    print_array(document, "publishers", publishers,
                (const char *const[]){"feed", "publisher", "state", "detail"}, 4);
    print_array(document, "peers", peers,
                (const char *const[]){"address", "state", "height", "agent"}, 4);
}

static void print_node_check(const json_t *document)
{
    const json_t *check = json_object_get(document, "node_check");
    const json_t *height = json_object_get(check, "height");
    char ago[TIME_TEXT_MAX];
    if (!json_is_object(check))
        return;
    if (!json_is_integer(json_object_get(check, "at"))) {
        printf("own node        not asked yet\n");
        return;
    }
    duration_format(ago, now_wall().s - number_at(check, "at"));
    if (json_is_true(json_object_get(check, "ok")))
        printf("own node        agrees at height %" JSON_INTEGER_FORMAT ", %s ago\n",
               json_integer_value(height), ago);
    else
        printf("own node        %s, %s ago\n", text_at(check, "reason"), ago);
}

static void print_pending(const json_t *document)
{
    static const struct table_column columns[] = {
        {"FEED", ALIGN_LEFT},        {"CREDITS BTC", ALIGN_RIGHT},
        {"DEBITS BTC", ALIGN_RIGHT}, {"PEERS", ALIGN_RIGHT},
        {"FIRST SEEN", ALIGN_LEFT},  {"TRANSACTION", ALIGN_LEFT}};
    const json_t *array = json_object_get(document, "pending");
    struct text_table table;
    if (json_array_size(array) == 0)
        return;
    printf("\npending: announced by peers, not confirmed and not verified; no sum counts "
           "it\n");
    text_table_init(&table, columns, sizeof(columns) / sizeof(*columns));
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);
        char credited[AMOUNT_TEXT_MAX], debited[AMOUNT_TEXT_MAX], seen[TIME_TEXT_MAX];
        amount_format_btc(credited,
                          (struct amount){(uint64_t)number_at(item, "credited")});
        amount_format_btc(debited, (struct amount){(uint64_t)number_at(item, "debited")});
        time_format_utc(seen, number_at(item, "first_seen"));
        text_table_cell(&table, "%s", text_at(item, "feed"));
        text_table_cell(&table, "%s", credited);
        text_table_cell(&table, "%s", debited);
        text_table_cell(&table, "%" JSON_INTEGER_FORMAT, number_at(item, "peers"));
        text_table_cell(&table, "%s", seen);
        text_table_cell(&table, "%s", text_at(item, "txid"));
    }
    text_table_print(&table, stdout);
    text_table_release(&table);
}

enum exit_status cmd_status(const struct invocation *invocation)
{
    enum watcher_state state;
    pid_t pid;
    json_t *document;
    enum exit_status status = read_document(&document, invocation);
    if (status == EXIT_DONE)
        status = find_watcher(&state, &pid, invocation->config, document);
    if (status != EXIT_DONE)
        goto out;
    overlay(document, state);
    if (!every_gate_holds(document) || !every_feed_is_good(document))
        status = EXIT_GATE;
    if (invocation->json) {
        output_json(json_incref(document));
        goto out;
    }
    print_state(document, state, pid);
    print_progress(document);
    print_heights(document);
    print_kept_filters(document);
    print_node_check(document);
    print_gates(document);
    print_tables(document);
    print_pending(document);
out:
    json_decref(document);
    return status;
}
