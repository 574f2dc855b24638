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
    if (load)
        step(asking, &nothing);
    else if (!called)
        loop_stop(asking->loop);
}

static void on_start(void *context)
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
    struct loop_timer *start = loop_timer_new(asking.loop, on_start, &asking);
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
        loop_timer_set(start, now_mono());
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
    loop_timer_free(start);
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

static const char *result_word(const struct evaluation *evaluation)
{
    switch (evaluation->result) {
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

static void explain(const struct evaluation *evaluation,
                    const struct statement *candidate, const char *feed)
{
    char btc[AMOUNT_TEXT_MAX];
    amount_format_btc(btc, candidate->amount);
    switch (evaluation->result) {
    case EVALUATION_DUE:
        printf("%s: would publish %s BTC at height %" PRIu32 ": %s\n", feed, btc,
               candidate->height, due_name((uint8_t)evaluation->due));
        return;
    case EVALUATION_WAITING:
        printf("%s: WAITING: %s is due at height %" PRIu32
               ", which isn't above what is published\n",
               feed, due_name((uint8_t)evaluation->due), candidate->height);
        return;
    case EVALUATION_NOT_DUE:
        printf("%s: nothing is due: %s BTC at height %" PRIu32 "\n", feed, btc,
               candidate->height);
        return;
    case EVALUATION_IN_FLIGHT:
        printf("%s: suppressed: round %" PRIu64 " is on its way: %s\n", feed,
               evaluation->round, evaluation->reason);
        return;
    case EVALUATION_NOT_GOOD:
    case EVALUATION_SINGLE_PEER:
    case EVALUATION_UNREADABLE:
        printf("%s: refused: %s\n", feed, evaluation->reason);
        return;
    }
}

static void print(const struct invocation *invocation,
                  const struct evaluation *evaluation, const struct statement *candidate,
                  const struct published *published)
{
    bool about = evaluation->result == EVALUATION_DUE ||
                 evaluation->result == EVALUATION_WAITING ||
                 evaluation->result == EVALUATION_NOT_DUE;
    bool known = published->state == PUBLISHED;
    if (!invocation->json) {
        explain(evaluation, candidate, invocation->arguments[0]);
        return;
    }
    output_json(json_pack(
        "{s:s, s:s, s:s, s:s, s:o, s:o}", "feed", invocation->arguments[0], "result",
        result_word(evaluation), "reason", evaluation->reason, "due",
        due_name((uint8_t)evaluation->due), "report",
        about ? statement_json(candidate) : json_null(), "published",
        known ? json_pack("{s:I, s:I, s:I}", "round", (json_int_t)published->round,
                          "height", (json_int_t)published->height, "satoshi",
                          (json_int_t)published->amount.sat)
              : json_null()));
}

enum exit_status cmd_publish(const struct invocation *invocation)
{
    const struct feed *feed = find_feed(invocation->config, invocation->arguments[0]);
    if (!feed || !feed->publisher[0]) {
        complain("feed '%.64s': %s", invocation->arguments[0],
                 feed ? "it has no publisher=; name one" : "there is none of this name");
        return EXIT_USAGE;
    }
    struct published published = {0};
    struct evaluation evaluation;
    struct statement candidate;
    struct reading reading;
    struct error error;
    read_published(&published, invocation->config, feed);
    enum exit_status status = reading_begin(&reading, invocation->config);
    if (status == EXIT_DONE)
        status = reading_result(publication_preview(reading.txn, &evaluation, &candidate,
                                                    feed->name, &feed->policy, &published,
                                                    &error),
                                &error);
    reading_end(&reading);
    if (status != EXIT_DONE)
        return status;
    print(invocation, &evaluation, &candidate, &published);
    bool refused = evaluation.result == EVALUATION_NOT_GOOD ||
                   evaluation.result == EVALUATION_SINGLE_PEER ||
                   evaluation.result == EVALUATION_UNREADABLE;
    return refused ? EXIT_GATE : EXIT_DONE;
}
