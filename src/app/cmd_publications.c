#include <inttypes.h>
#include <stdlib.h>

#include "app/command.h"
#include "app/output.h"
#include "app/reading.h"
#include "app/text_table.h"
#include "base/mem.h"
#include "feeds/due.h"
#include "feeds/json.h"

/* The outbox, copied out without the bytes that were sent. */
struct outbox_copy {
    struct publication *items;
    size_t count;
    size_t capacity;
};

static bool copy_one(void *context, const struct publication *publication)
{
    struct outbox_copy *copy = context;
    copy->items =
        mem_grow(copy->items, &copy->capacity, copy->count + 1, sizeof(*copy->items));
    copy->items[copy->count] = *publication;
    copy->items[copy->count].payload = NULL;
    copy->items[copy->count].payload_len = 0;
    copy->count++;
    return true;
}

static enum exit_status copy_outbox(struct outbox_copy *out,
                                    const struct invocation *invocation)
{
    struct reading reading;
    struct feed_row feed;
    struct error error;
    enum exit_status status = reading_begin(&reading, invocation->config);
    if (status == EXIT_DONE)
        status = reading_feed(&reading, &feed, invocation->arguments[0]);
    if (status == EXIT_DONE)
        status = reading_result(outbox_each(reading.txn, feed.id, copy_one, out, &error),
                                &error);
    reading_end(&reading);
    return status;
}

static void print_table(const struct outbox_copy *outbox)
{
    static const struct table_column columns[] = {
        {"ROUND", ALIGN_RIGHT},  {"STATE", ALIGN_LEFT},   {"WHY", ALIGN_LEFT},
        {"BTC", ALIGN_RIGHT},    {"HEIGHT", ALIGN_RIGHT}, {"DUE AT", ALIGN_LEFT},
        {"CHANGED", ALIGN_LEFT}, {"DETAIL", ALIGN_LEFT}};
    struct text_table table;
    text_table_init(&table, columns, sizeof(columns) / sizeof(*columns));
    for (size_t i = 0; i < outbox->count; i++) {
        const struct publication *publication = &outbox->items[i];
        char btc[AMOUNT_TEXT_MAX], created[TIME_TEXT_MAX], changed[TIME_TEXT_MAX];
        amount_format_btc(btc, publication->report.amount);
        time_format_utc(created, publication->created.s);
        time_format_utc(changed, publication->changed.s);
        text_table_cell(&table, "%" PRIu64, publication->round);
        text_table_cell(&table, "%s%s", publication_state_name(publication->state),
                        publication->retracted ? ", retracted" : "");
        text_table_cell(&table, "%s", due_name(publication->due));
        text_table_cell(&table, "%s", btc);
        text_table_cell(&table, "%" PRIu32, publication->report.height);
        text_table_cell(&table, "%s", created);
        text_table_cell(&table, "%s", changed);
        text_table_cell(&table, "%s", publication->detail);
    }
    text_table_print(&table, stdout);
    text_table_release(&table);
}

enum exit_status cmd_publications(const struct invocation *invocation)
{
    struct outbox_copy outbox = {0};
    enum exit_status status = copy_outbox(&outbox, invocation);
    if (status == EXIT_DONE && invocation->json) {
        json_t *list = json_array();
        for (size_t i = 0; i < outbox.count; i++)
            json_array_append_new(list, json_publication(&outbox.items[i]));
        output_json(json_publications(invocation->arguments[0], list));
    } else if (status == EXIT_DONE && outbox.count == 0) {
        printf("nothing has been published for %s yet\n", invocation->arguments[0]);
    } else if (status == EXIT_DONE) {
        print_table(&outbox);
    }
    free(outbox.items);
    return status;
}
