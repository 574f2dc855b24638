/* What would be published now, and why, or why not; sends nothing. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app/command.h"
#include "app/output.h"
#include "app/publish.h"
#include "app/reading.h"
#include "feeds/evm/evm_publisher.h"
#include "feeds/json.h"
#include "feeds/statement.h"
#include "io/clock.h"
#include "io/http_client.h"
#include "io/resolver.h"

/* The endpoint gets this long for everything that is asked of it. */
#define ASK_TIMEOUT_MS 30000

static const struct feed *find_feed(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->feed_count; i++)
        if (strcmp(config->feeds[i].name, name) == 0)
            return &config->feeds[i];
    return NULL;
}

/* ---- what stands on the chain ---- */

struct asking {
    struct loop *loop;
    struct loop_timer *wake;
    struct http_client *client;
    struct evm_publisher *core;
    struct evm_effects effects;
    struct published published;
    bool known;
};

static void step(struct asking *asking, const struct evm_input *input);

static void answered(uint64_t ticket, const struct http_answer *answer, void *context)
{
    (void)ticket;
    const struct evm_input input = {.kind = EVM_REPLIED,
                                    .reply = {.body = (const char *)answer->body.data,
                                              .len = answer->body.len,
                                              .status = answer->status,
                                              .fault = answer->failure}};
    step(context, &input);
}

/* The publisher's own way to the contract's state; where it would evaluate, it is known.
 */
static void step(struct asking *asking, const struct evm_input *input)
{
    struct evm_effects *effects = &asking->effects;
    bool load = false, called = false;
    evm_publisher_step(asking->core, effects, now_mono(), now_wall(), input);
    for (size_t i = 0; i < effects->count; i++) {
        struct evm_effect *effect = &effects->items[i];
        load |= effect->kind == EVM_LOAD;
        if (effect->kind == EVM_EVALUATE) {
            asking->published = effect->published;
            asking->known = true;
        } else if (effect->kind == EVM_CALL) {
            called = http_client_post(asking->client, 0,
                                      (struct bytes){effect->body, effect->len},
                                      ASK_TIMEOUT_MS, answered, asking);
        }
    }
    evm_effects_clear(effects);
    const struct evm_input nothing = {.kind = EVM_LOADED};
    struct evm_status status;
    evm_publisher_status(asking->core, &status);
    if (load)
        step(asking, &nothing);
    else if (asking->known || status.condition != EVM_WORKING)
        loop_stop(asking->loop);
    else if (!called) /* it goes on after a pause */
        loop_timer_set(asking->wake, evm_publisher_deadline(asking->core));
}

static void on_wake(void *context)
{
    const struct evm_input input = {.kind = EVM_WAKE, .new_sample = true};
    step(context, &input);
}

static void on_timeout(void *context)
{
    loop_stop(context);
}

static void ask_contract(struct published *out, const struct config *config,
                         const struct feed *feed,
                         const struct config_publisher *publisher)
{
    struct asking asking = {.loop = loop_new()};
    struct resolver *resolver = resolver_new(asking.loop, NULL);
    asking.wake = loop_timer_new(asking.loop, on_wake, &asking);
    struct loop_timer *limit = loop_timer_new(asking.loop, on_timeout, asking.loop);
    struct error error = {.text = "the endpoint doesn't answer"};
    struct evm_status status = {.condition = EVM_WORKING};
    const struct http_client_settings client = {.url = publisher->evm.rpc,
                                                .resolver = resolver};
    asking.client = http_client_new(asking.loop, &client, &error);
    if (asking.client) {
        const struct evm_publisher_settings core = {
            .feed = feed->name,
            .chain_id = publisher->evm.chain_id,
            .contract = publisher->evm.contract,
            .finality = publisher->evm.finality,
            .confirmations = feed->confirmations,
            .regtest = config->network->retarget == RETARGET_NEVER};
        asking.core = evm_publisher_new(&core);
        loop_timer_set(asking.wake, now_mono());
        loop_timer_set(limit, mono_add(now_mono(), ASK_TIMEOUT_MS));
        loop_run(asking.loop);
        evm_publisher_status(asking.core, &status);
    }
    *out = asking.published;
    if (!asking.known) {
        out->state = PUBLISHED_UNKNOWN;
        snprintf(out->reason, sizeof out->reason, "%.*s", (int)sizeof out->reason - 1,
                 status.detail[0] ? status.detail : error.text);
    }
    loop_timer_free(asking.wake);
    loop_timer_free(limit);
    http_client_free(asking.client);
    resolver_free(resolver);
    evm_publisher_free(asking.core);
    loop_free(asking.loop);
}

static void read_published(struct published *out, const struct config *config,
                           const struct feed *feed)
{
    const struct config_publisher *publisher =
        config_publisher_find(config, feed->publisher);
    if (publisher->kind == PUBLISHER_EVM)
        ask_contract(out, config, feed, publisher);
    else
        publish_read(out, feed->name, publisher->file, &config->network->genesis_hash);
}

/* ---- saying it ---- */

/* All that there is to say. */
struct preview {
    const struct feed *feed;
    struct published published;
    struct evaluation evaluation;
    struct statement candidate;
    bool has_newest;
    struct publication newest; /* of the outbox */
};

static const char *result_word(enum evaluation_result result)
{
    switch (result) {
    case EVALUATION_NOT_DUE:
        return "not-due";
    case EVALUATION_DUE:
        return "due";
    case EVALUATION_WAITING:
        return "waiting";
    case EVALUATION_IN_FLIGHT:
        return "suppressed";
    case EVALUATION_NOT_GOOD:
    case EVALUATION_SINGLE_PEER:
        return "refused";
    case EVALUATION_UNREADABLE:
        return "unreadable";
    }
    return "";
}

/* Whether the newest publication was refused where it was to go; it is tried again. */
static bool was_refused(const struct preview *preview)
{
    return preview->evaluation.result == EVALUATION_DUE && preview->has_newest &&
           preview->newest.state == PUBLICATION_REFUSED;
}

static void explain_due(const struct preview *preview, const char *btc)
{
    char old[AMOUNT_TEXT_MAX];
    const struct published *published = &preview->published;
    printf("%s: would publish %s BTC at height %" PRIu32 " to %s: %s",
           preview->feed->name, btc, preview->candidate.height, preview->feed->publisher,
           due_name((uint8_t)preview->evaluation.due));
    if (published->state == PUBLISHED) {
        amount_format_btc(old, published->amount);
        printf("; published are %s BTC at height %" PRIu32, old, published->height);
    }
    if (was_refused(preview))
        printf("; refused the last time: %s", preview->newest.detail);
    printf("\n");
}

static void explain(const struct preview *preview)
{
    const struct evaluation *evaluation = &preview->evaluation;
    const char *feed = preview->feed->name;
    char btc[AMOUNT_TEXT_MAX];
    amount_format_btc(btc, preview->candidate.amount);
    switch (evaluation->result) {
    case EVALUATION_DUE:
        explain_due(preview, btc);
        return;
    case EVALUATION_WAITING:
        printf("%s: WAITING: %s is due, but %s\n", feed,
               due_name((uint8_t)evaluation->due), evaluation->reason);
        return;
    case EVALUATION_NOT_DUE:
        printf("%s: nothing is due: %s BTC at height %" PRIu32 "\n", feed, btc,
               preview->candidate.height);
        return;
    case EVALUATION_IN_FLIGHT:
        printf("%s: suppressed: round %" PRIu64 " is on its way, %s: %s\n", feed,
               evaluation->round, publication_state_name(preview->newest.state),
               evaluation->reason);
        return;
    case EVALUATION_NOT_GOOD:
    case EVALUATION_SINGLE_PEER:
        printf("%s: refused: %s\n", feed, evaluation->reason);
        return;
    case EVALUATION_UNREADABLE:
        printf("%s: unreadable, what is published: %s\n", feed, evaluation->reason);
        return;
    }
}

static json_t *published_json(const struct published *published)
{
    if (published->state != PUBLISHED)
        return json_null();
    return json_pack("{s:I, s:I, s:I}", "round", (json_int_t)published->round, "height",
                     (json_int_t)published->height, "satoshi",
                     (json_int_t)published->amount.sat);
}

static void print_json(const struct preview *preview)
{
    const struct evaluation *evaluation = &preview->evaluation;
    bool about = evaluation->result == EVALUATION_DUE ||
                 evaluation->result == EVALUATION_WAITING ||
                 evaluation->result == EVALUATION_NOT_DUE;
    output_json(json_pack(
        "{s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "feed", preview->feed->name, "result",
        result_word(evaluation->result), "reason", evaluation->reason, "due",
        due_name((uint8_t)evaluation->due), "report",
        about ? statement_json(&preview->candidate) : json_null(), "published",
        published_json(&preview->published), "refused_before",
        was_refused(preview) ? json_string(preview->newest.detail) : json_null()));
}

static enum exit_status look(struct preview *preview, const struct config *config)
{
    struct reading reading;
    struct feed_row row;
    struct error error;
    enum exit_status status = reading_begin(&reading, config);
    if (status == EXIT_DONE)
        status = reading_feed(&reading, &row, preview->feed->name);
    if (status == EXIT_DONE)
        status = reading_result(
            publication_preview(reading.txn, &preview->evaluation, &preview->candidate,
                                preview->feed->name, &preview->feed->policy,
                                &preview->published, &error),
            &error);
    if (status == EXIT_DONE)
        preview->has_newest =
            outbox_newest(reading.txn, &preview->newest, row.id, &error) == STORE_OK;
    reading_end(&reading);
    return status;
}

enum exit_status cmd_publish(const struct invocation *invocation)
{
    struct preview preview = {
        .feed = find_feed(invocation->config, invocation->arguments[0])};
    if (!preview.feed || !preview.feed->publisher[0]) {
        complain("feed '%.64s': %s", invocation->arguments[0],
                 preview.feed ? "it has no publisher=; name one"
                              : "there is none of this name");
        return EXIT_USAGE;
    }
    read_published(&preview.published, invocation->config, preview.feed);
    enum exit_status status = look(&preview, invocation->config);
    if (status == EXIT_DONE && invocation->json)
        print_json(&preview);
    else if (status == EXIT_DONE)
        explain(&preview);
    if (preview.has_newest)
        publication_release(&preview.newest);
    bool refused = preview.evaluation.result == EVALUATION_NOT_GOOD ||
                   preview.evaluation.result == EVALUATION_SINGLE_PEER ||
                   preview.evaluation.result == EVALUATION_UNREADABLE;
    return status == EXIT_DONE && refused ? EXIT_GATE : status;
}
