#include <inttypes.h>
#include <stdlib.h>

#include "app/command.h"
#include "app/output.h"
#include "app/reading.h"
#include "app/text_table.h"
#include "base/mem.h"
#include "feeds/json.h"
#include "feeds/sampling.h"
#include "io/clock.h"

/* A feed with its newest sample and its newest good one. */
struct reserve_row {
    struct feed_row feed;
    struct sample newest, good;
    bool has_newest, has_good;
    bool stale;
};

/* STORE_NOT_FOUND is an answer as well. */
static enum store_result found(enum store_result result, bool *out)
{
    *out = result == STORE_OK;
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

static enum store_result read_row(struct reading *reading, struct reserve_row *row,
                                  struct wall_time now, int64_t interval,
                                  struct error *error)
{
    uint32_t feed = row->feed.id;
    enum store_result result =
        found(sample_newest(reading->txn, &row->newest, feed, error), &row->has_newest);
    if (result == STORE_OK)
        result = found(sample_newest_good(reading->txn, &row->good, feed, error),
                       &row->has_good);
    row->stale = sample_stale(row->has_newest ? &row->newest : NULL, now, interval);
    return result;
}

struct reserve_rows {
    struct reserve_row *items;
    size_t count;
};

/* The feeds to show: the one named, or all. */
static enum exit_status read_feeds(struct reading *reading, struct reserve_rows *out,
                                   const struct invocation *invocation)
{
    struct error error;
    if (invocation->argument_count > 0) {
        *out = (struct reserve_rows){mem_zalloc(1, sizeof(*out->items)), 1};
        return reading_feed(reading, &out->items[0].feed, invocation->arguments[0]);
    }
    struct feed_row *feeds;
    size_t count;
    enum store_result result = ledger_feeds(reading->txn, &feeds, &count, &error);
    if (result != STORE_OK)
        return reading_result(result, &error);
    *out = (struct reserve_rows){mem_zalloc(count, sizeof(*out->items)), count};
    for (size_t i = 0; i < count; i++)
        out->items[i].feed = feeds[i];
    free(feeds);
    return EXIT_DONE;
}

static enum exit_status read_rows(struct reserve_rows *out,
                                  const struct invocation *invocation)
{
    struct reading reading;
    struct error error;
    const struct wall_time now = now_wall();
    const int64_t interval = invocation->config->sample_interval;
    enum exit_status status = reading_begin(&reading, invocation->config);
    if (status == EXIT_DONE)
        status = read_feeds(&reading, out, invocation);
    for (size_t i = 0; i < out->count && status == EXIT_DONE; i++)
        status = reading_result(read_row(&reading, &out->items[i], now, interval, &error),
                                &error);
    reading_end(&reading);
    return status;
}

static bool row_holds(const struct reserve_row *row)
{
    return row->has_newest && row->newest.state == SAMPLE_GOOD && !row->stale;
}

static json_t *rows_json(const struct reserve_row *rows, size_t count)
{
    json_t *feeds = json_array();
    for (size_t i = 0; i < count; i++) {
        const struct reserve_row *row = &rows[i];
        json_array_append_new(
            feeds,
            json_reserves_feed(row->feed.name, row->has_newest ? &row->newest : NULL,
                               row->has_good ? &row->good : NULL, row->stale));
    }
    return json_reserves(feeds);
}

static void add_good(struct text_table *table, const struct sample *good)
{
    char btc[AMOUNT_TEXT_MAX], taken[TIME_TEXT_MAX];
    amount_format_btc(btc, good->statement.amount);
    time_format_utc(taken, good->taken.s);
    text_table_cell(table, "%s", btc);
    text_table_cell(table, "%" PRIu32, good->statement.height);
    text_table_cell(table, "%" PRIu64, good->statement.coins);
    text_table_cell(table, "%" PRIu32 "%s", good->peers_agreeing,
                    good->trusted_peer ? " trusted" : "");
    text_table_cell(table, "%s", taken);
}

static void print_table(const struct reserve_row *rows, size_t count)
{
    static const struct table_column columns[] = {
        {"FEED", ALIGN_LEFT},      {"STATE", ALIGN_LEFT},  {"BTC", ALIGN_RIGHT},
        {"HEIGHT", ALIGN_RIGHT},   {"COINS", ALIGN_RIGHT}, {"PEERS", ALIGN_RIGHT},
        {"SAMPLED AT", ALIGN_LEFT}};
    struct text_table table;
    text_table_init(&table, columns, sizeof(columns) / sizeof(*columns));
    for (size_t i = 0; i < count; i++) {
        const struct reserve_row *row = &rows[i];
        text_table_cell(&table, "%s", row->feed.name);
        text_table_cell(&table, "%s%s",
                        sample_state_text(row->has_newest ? &row->newest : NULL),
                        row->stale && row->has_newest ? ", stale" : "");
        if (row->has_good) {
            add_good(&table, &row->good);
            continue;
        }
        for (size_t column = 2; column < sizeof(columns) / sizeof(*columns); column++)
            text_table_cell(&table, "-");
    }
    text_table_print(&table, stdout);
    text_table_release(&table);
}

static void print_reasons(const struct reserve_row *row)
{
    if (!row->has_newest) {
        printf("\n%s: no sample yet\n", row->feed.name);
        return;
    }
    if (row_holds(row))
        return;
    char taken[TIME_TEXT_MAX];
    time_format_utc(taken, row->newest.taken.s);
    printf("\n%s: newest sample of %s is %s%s%s\n", row->feed.name, taken,
           sample_state_text(&row->newest),
           row->stale ? " and stale: none for two intervals" : "",
           row->has_good ? "; the numbers are of the newest good one" : "");
    for (size_t i = 0; i < row->newest.reason_count; i++)
        printf("  %s: %s\n", gate_name(row->newest.reasons[i].gate),
               row->newest.reasons[i].text);
}

enum exit_status cmd_reserves(const struct invocation *invocation)
{
    struct reserve_rows rows = {0};
    enum exit_status status = read_rows(&rows, invocation);
    if (status != EXIT_DONE)
        goto out;
    for (size_t i = 0; i < rows.count; i++) {
        if (!row_holds(&rows.items[i]))
            status = EXIT_GATE;
    }
    if (invocation->json) {
        output_json(rows_json(rows.items, rows.count));
    } else if (rows.count == 0) {
        printf(
            "the ledger has no feeds yet; start the watcher with `reservewatch run`\n");
    } else {
        print_table(rows.items, rows.count);
        for (size_t i = 0; i < rows.count; i++)
            print_reasons(&rows.items[i]);
    }
out:
    free(rows.items);
    return status;
}
