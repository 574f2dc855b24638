#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/ask.h"
#include "app/datadir.h"
#include "app/output.h"
#include "app/reading.h"
#include "app/status_document.h"
#include "app/text_table.h"
#include "base/mem.h"
#include "io/clock.h"
#include "store/peer_rows.h"

#define CALL_LIMIT_MS 10000

/* What the ledger knows of peers, running or not. */
struct known {
    struct book_row *rows;
    size_t row_count;
    struct spv_ban *bans;
    size_t ban_count;
    json_t *peers; /* of the running watcher; NULL: none runs */
};

static void known_release(struct known *known)
{
    free(known->rows);
    free(known->bans);
    json_decref(known->peers);
}

static enum store_result read_peers(struct known *out, struct store_txn *txn,
                                    struct error *error)
{
    uint8_t *text = NULL;
    size_t len = 0;
    json_error_t where;
    enum store_result result = store_get_value(txn, STATUS_VALUE, &text, &len, error);
    if (result == STORE_NOT_FOUND)
        return STORE_OK;
    if (result != STORE_OK)
        return result;
    json_t *document =
        json_loadb((const char *)text, len, JSON_REJECT_DUPLICATES, &where);
    out->peers = json_incref(json_object_get(document, "peers"));
    json_decref(document);
    free(text);
    return STORE_OK;
}

static enum exit_status read_known(struct known *out, const struct invocation *invocation)
{
    struct reading reading;
    struct error error;
    pid_t pid;
    memset(out, 0, sizeof *out);
    enum exit_status status = reading_begin(&reading, invocation->config);
    if (status == EXIT_DONE) {
        enum store_result result =
            peer_rows_book(reading.txn, &out->rows, &out->row_count, &error);
        if (result == STORE_OK)
            result = peer_rows_bans(reading.txn, &out->bans, &out->ban_count, &error);
        if (result == STORE_OK &&
            datadir_watcher(invocation->config, &pid, &error) == LOCK_HELD)
            result = read_peers(out, reading.txn, &error);
        status = reading_result(result, &error);
    }
    reading_end(&reading);
    return status;
}

static size_t count_answered(const struct known *known)
{
    size_t count = 0;
    for (size_t i = 0; i < known->row_count; i++)
        count += known->rows[i].place >= BOOK_NEW_PLACES;
    return count;
}

static bool in_force(const struct spv_ban *ban)
{
    return ban->until.s > now_wall().s;
}

static void show_json(const struct known *known)
{
    json_t *bans = json_array();
    for (size_t i = 0; i < known->ban_count; i++)
        if (in_force(&known->bans[i]))
            json_array_append_new(bans, json_ban(&known->bans[i]));
    json_t *peers = known->peers ? json_incref(known->peers) : json_array();
    output_json(
        json_pack("{s:b, s:{s:I, s:I}, s:o, s:o}", "running", (int)(known->peers != NULL),
                  "addresses", "known", (json_int_t)known->row_count, "tried",
                  (json_int_t)count_answered(known), "peers", peers, "bans", bans));
}

/* ---- for people ---- */

static void size_cell(struct text_table *table, const json_t *peer, const char *key)
{
    json_int_t bytes = json_integer_value(json_object_get(peer, key));
    if (bytes < 10000)
        text_table_cell(table, "%" JSON_INTEGER_FORMAT " B", bytes);
    else if (bytes < 10000000)
        text_table_cell(table, "%" JSON_INTEGER_FORMAT " kB", bytes / 1000);
    else
        text_table_cell(table, "%" JSON_INTEGER_FORMAT " MB", bytes / 1000000);
}

static const char *text_of(const json_t *peer, const char *key)
{
    const char *text = json_string_value(json_object_get(peer, key));
    return text ? text : "";
}

static void print_peers(const json_t *peers)
{
    static const struct table_column columns[] = {
        {"PEER", ALIGN_LEFT},      {"GROUP", ALIGN_LEFT}, {"STATE", ALIGN_LEFT},
        {"HEIGHT", ALIGN_RIGHT},   {"IN", ALIGN_RIGHT},   {"OUT", ALIGN_RIGHT},
        {"MESSAGES", ALIGN_RIGHT}, {"AGENT", ALIGN_LEFT}};
    struct text_table table;
    text_table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < json_array_size(peers); i++) {
        const json_t *peer = json_array_get(peers, i);
        bool trusted = json_is_true(json_object_get(peer, "trusted"));
        text_table_cell(&table, "%s", text_of(peer, "address"));
        text_table_cell(&table, "%s", trusted ? "trusted" : text_of(peer, "group"));
        text_table_cell(&table, "%s", text_of(peer, "state"));
        text_table_cell(&table, "%" JSON_INTEGER_FORMAT,
                        json_integer_value(json_object_get(peer, "height")));
        size_cell(&table, peer, "bytes_in");
        size_cell(&table, peer, "bytes_out");
        text_table_cell(&table, "%" JSON_INTEGER_FORMAT,
                        json_integer_value(json_object_get(peer, "messages")));
        text_table_cell(&table, "%s", text_of(peer, "agent"));
    }
    text_table_print(&table, stdout);
    text_table_release(&table);
}

static void print_bans(const struct known *known)
{
    static const struct table_column columns[] = {
        {"BANNED", ALIGN_LEFT}, {"UNTIL", ALIGN_LEFT}, {"BECAUSE", ALIGN_LEFT}};
    struct text_table table;
    size_t count = 0;
    text_table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < known->ban_count; i++) {
        char until[TIME_TEXT_MAX];
        if (!in_force(&known->bans[i]))
            continue;
        time_format_utc(until, known->bans[i].until.s);
        text_table_cell(&table, "%s", known->bans[i].address);
        text_table_cell(&table, "%s", until);
        text_table_cell(&table, "%s", known->bans[i].reason);
        count++;
    }
    if (count > 0) {
        printf("\n");
        text_table_print(&table, stdout);
    }
    text_table_release(&table);
}

static enum exit_status show(const struct invocation *invocation)
{
    struct known known;
    enum exit_status status = read_known(&known, invocation);
    if (status == EXIT_DONE && invocation->json) {
        show_json(&known);
    } else if (status == EXIT_DONE) {
        printf("%zu address%s known, %zu of them tried\n", known.row_count,
               known.row_count == 1 ? "" : "es", count_answered(&known));
        if (known.peers == NULL)
            printf("no watcher runs\n");
        else if (json_array_size(known.peers) == 0)
            printf("no peer yet\n");
        else
            print_peers(known.peers);
        print_bans(&known);
    }
    known_release(&known);
    return status;
}

enum exit_status cmd_peers(const struct invocation *invocation)
{
    if (invocation->argument_count == 0)
        return show(invocation);
    const char *method = invocation->arguments[0];
    bool unban = strcmp(method, "unban") == 0;
    if (!unban && strcmp(method, "distrust") != 0) {
        complain("peers: '%s': there is unban and distrust", method);
        return EXIT_USAGE;
    }
    if (invocation->argument_count != 2) {
        complain("peers %s: which peer? `reservewatch peers` lists them", method);
        return EXIT_USAGE;
    }
    json_t *request =
        json_pack("{s:s, s:s}", "method", method, "address", invocation->arguments[1]);
    if (request == NULL) {
        complain("peers %s: the address isn't UTF-8 text", method);
        return EXIT_USAGE;
    }
    char *line = json_dumps(request, JSON_COMPACT);
    enum exit_status status =
        ask_watcher(invocation, line, CALL_LIMIT_MS, "bans are the running watcher's",
                    "`reservewatch peers` lists peers and bans");
    free(line);
    json_decref(request);
    return status;
}
