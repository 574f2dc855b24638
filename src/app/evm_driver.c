#include "app/evm_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/evm_key.h"
#include "base/mem.h"
#include "feeds/statement.h"
#include "io/clock.h"
#include "io/http_client.h"
#include "io/resolver.h"

#define CALL_TIMEOUT_MS 20000

struct evm_driver {
    struct evm_drivers *all;
    const struct feed *feed;
    const struct config_publisher *publisher;
    struct evm_signer *signer;
    struct evm_publisher *core;
    struct http_client *client;
    struct loop_timer *timer;
    struct evm_effects effects;
};

struct evm_drivers {
    struct evm_drivers_settings settings;
    struct resolver *resolver;
    struct evm_driver *items;
    size_t count;
    bool stopped;
};

static void perform(struct evm_driver *driver, struct evm_effect *effect);

/* One transaction in flight for each chain and key. */
static bool held(const struct evm_driver *driver)
{
    const struct evm_drivers *all = driver->all;
    for (size_t i = 0; i < all->count; i++) {
        const struct evm_driver *other = &all->items[i];
        if (other != driver && other->core && evm_publisher_sending(other->core) &&
            other->publisher->evm.chain_id == driver->publisher->evm.chain_id &&
            evm_address_equal(evm_signer_address(other->signer),
                              evm_signer_address(driver->signer)))
            return true;
    }
    return false;
}

static void step(struct evm_driver *driver, const struct evm_input *input)
{
    if (driver->all->stopped)
        return;
    evm_publisher_step(driver->core, &driver->effects, now_mono(), now_wall(), input);
    for (size_t i = 0; i < driver->effects.count; i++) {
        perform(driver, &driver->effects.items[i]);
        evm_effect_release(&driver->effects.items[i]);
    }
    driver->effects.count = 0;
    loop_timer_set(driver->timer, evm_publisher_deadline(driver->core));
    for (size_t i = 0; i < driver->all->count; i++) {
        const struct evm_driver *other = &driver->all->items[i];
        evm_publisher_hold(other->core, held(other));
    }
    driver->all->settings.changed(driver->all->settings.context);
}

/* ---- the store's thread ---- */

struct errand {
    struct evm_driver *driver;
    enum evm_effect_kind kind;
    struct published published;
    struct wall_time now;
    struct evaluation evaluation;
    struct publication publication; /* COMMIT: to put; else the newest read */
    bool has_newest;
};

static enum store_result read_newest(struct errand *errand, struct store_txn *txn,
                                     struct error *error)
{
    struct feed_row feed;
    enum store_result result = ledger_feed(txn, &feed, errand->driver->feed->name, error);
    if (result == STORE_OK)
        result = outbox_newest(txn, &errand->publication, feed.id, error);
    errand->has_newest = result == STORE_OK;
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

static enum store_result evaluate(struct errand *errand, struct store_txn *txn,
                                  struct error *error)
{
    enum store_result result = publication_evaluate(
        txn, &errand->evaluation, errand->driver->feed->name,
        &errand->driver->feed->policy, &errand->published, errand->now, error);
    if (result == STORE_NOT_FOUND)
        errand->evaluation = (struct evaluation){.result = EVALUATION_NOT_GOOD};
    else if (result != STORE_OK)
        return result;
    return read_newest(errand, txn, error);
}

/* What was taken back meanwhile stays so, whatever the publisher remembers of it. */
static enum store_result keep_retraction(struct store_txn *txn, uint32_t feed,
                                         struct publication *publication, bool unseen,
                                         struct error *error)
{
    struct publication stored;
    enum store_result result = outbox_get(txn, &stored, feed, publication->round, error);
    if (result != STORE_OK)
        return result == STORE_NOT_FOUND ? STORE_OK : result;
    if (statement_equal(&stored.report, &publication->report)) {
        publication->retracted = stored.retracted;
        if (unseen && stored.state == PUBLICATION_SUPERSEDED) {
            publication->state = stored.state;
            memcpy(publication->detail, stored.detail, sizeof stored.detail);
        }
    }
    publication_release(&stored);
    return STORE_OK;
}

/* Put it, unless nobody has seen it yet and nobody should. */
static enum store_result commit(struct errand *errand, struct store_txn *txn,
                                struct error *error)
{
    struct feed_row feed;
    struct publication *publication = &errand->publication;
    bool unseen = publication->state == PUBLICATION_SIGNED ||
                  publication->state == PUBLICATION_QUORUM ||
                  publication->state == PUBLICATION_PERSISTED;
    bool holds = true;
    struct error reason;
    errand->has_newest = true;
    enum store_result result = ledger_feed(txn, &feed, errand->driver->feed->name, error);
    if (result == STORE_OK && unseen)
        result =
            publication_holds(txn, &holds, &reason, &feed, &publication->report, error);
    if (result == STORE_OK)
        result = keep_retraction(txn, feed.id, publication, unseen, error);
    if (result != STORE_OK)
        return result;
    return holds ? outbox_put(txn, feed.id, publication, error)
                 : publication_drop(txn, publication, &feed, reason.text, errand->now,
                                    error);
}

static enum store_result change(void *context, struct store_txn *txn, struct error *error)
{
    struct errand *errand = context;
    if (errand->kind == EVM_COMMIT)
        return commit(errand, txn, error);
    publication_release(&errand->publication);
    memset(&errand->publication, 0, sizeof errand->publication);
    return errand->kind == EVM_LOAD ? read_newest(errand, txn, error)
                                    : evaluate(errand, txn, error);
}

static enum store_result work(void *context, struct store *store, struct ledger *ledger,
                              struct error *error)
{
    (void)ledger;
    return store_update(store, change, context, error);
}

static void done(void *context, enum store_result result, const struct error *error)
{
    struct errand *errand = context;
    struct evm_drivers *all = errand->driver->all;
    struct evm_input input = {.kind = EVM_COMMITTED};
    if (errand->kind == EVM_LOAD)
        input.kind = EVM_LOADED;
    else if (errand->kind == EVM_EVALUATE)
        input.kind = EVM_EVALUATED;
    input.newest = errand->has_newest ? &errand->publication : NULL;
    input.evaluation = &errand->evaluation;
    if (result == STORE_OK)
        step(errand->driver, &input);
    else if (!all->stopped)
        all->settings.failed(all->settings.context, error);
    publication_release(&errand->publication);
    free(errand);
}

static void to_store(struct evm_driver *driver, struct evm_effect *effect)
{
    struct errand *errand = mem_zalloc(1, sizeof *errand);
    errand->driver = driver;
    errand->kind = effect->kind;
    errand->published = effect->published;
    errand->now = now_wall();
    errand->publication = effect->publication;
    memset(&effect->publication, 0, sizeof effect->publication);
    store_thread_submit(driver->all->settings.store, work, done, errand);
}

/* ---- the endpoint ---- */

static void answered(uint64_t ticket, const struct http_answer *answer, void *context)
{
    (void)ticket; /* there is one call at a time */
    struct evm_input input = {.kind = EVM_REPLIED};
    input.reply.body = (const char *)answer->body.data;
    input.reply.len = answer->body.len;
    input.reply.status = answer->status;
    input.reply.retry_after = answer->retry_after;
    input.reply.fault = answer->failure;
    step(context, &input);
}

static void perform(struct evm_driver *driver, struct evm_effect *effect)
{
    switch (effect->kind) {
    case EVM_LOAD:
    case EVM_EVALUATE:
    case EVM_COMMIT:
        to_store(driver, effect);
        break;
    case EVM_CALL:
        if (!http_client_post(driver->client, 0,
                              (struct bytes){effect->body, effect->len}, CALL_TIMEOUT_MS,
                              answered, driver))
            abort(); /* not reached: there is one call at a time */
        break;
    case EVM_NOTE:
        log_line(LOG_PUBLISH, effect->level, "feed %s: %s", driver->feed->name,
                 effect->text);
        break;
    }
}

static void on_timer(void *context)
{
    const struct evm_input input = {.kind = EVM_WAKE};
    step(context, &input);
}

void evm_drivers_sampled(struct evm_drivers *drivers)
{
    const struct evm_input input = {.kind = EVM_WAKE, .new_sample = true};
    for (size_t i = 0; i < drivers->count; i++)
        step(&drivers->items[i], &input);
}

bool evm_drivers_status(const struct evm_drivers *drivers, const char *feed,
                        struct evm_status *out)
{
    for (size_t i = 0; i < drivers->count; i++)
        if (strcmp(drivers->items[i].feed->name, feed) == 0) {
            evm_publisher_status(drivers->items[i].core, out);
            return true;
        }
    return false;
}

/* ---- life ---- */

static bool start(struct evm_driver *driver, struct error *error)
{
    const struct evm_drivers_settings *settings = &driver->all->settings;
    const struct config_publisher *publisher = driver->publisher;
    driver->signer =
        evm_key_open(publisher->evm.key_file, publisher->evm.password_file, error);
    if (!driver->signer)
        return false;
    const struct http_client_settings client = {.url = publisher->evm.rpc,
                                                .resolver = driver->all->resolver};
    driver->client = http_client_new(settings->loop, &client, error);
    if (!driver->client)
        return false;
    const struct evm_publisher_settings core = {
        .feed = driver->feed->name,
        .chain_id = publisher->evm.chain_id,
        .contract = publisher->evm.contract,
        .finality = publisher->evm.finality,
        .max_fee = publisher->evm.max_fee,
        .confirmations = driver->feed->confirmations,
        .regtest = settings->config->network->retarget == RETARGET_NEVER,
        .signer = driver->signer};
    driver->core = evm_publisher_new(&core);
    driver->timer = loop_timer_new(settings->loop, on_timer, driver);
    loop_timer_set(driver->timer, now_mono());
    char address[EVM_ADDRESS_TEXT_MAX];
    evm_address_text(address, evm_signer_address(driver->signer));
    log_line(LOG_PUBLISH, LOG_INFO, "feed %s: publishing as %s through %s",
             driver->feed->name, address, http_client_name(driver->client));
    return true;
}

struct evm_drivers *evm_drivers_new(const struct evm_drivers_settings *settings,
                                    struct error *error)
{
    struct evm_drivers *drivers = mem_zalloc(1, sizeof *drivers);
    const struct config *config = settings->config;
    drivers->settings = *settings;
    drivers->resolver = resolver_new(settings->loop, NULL);
    drivers->items = mem_zalloc(config->feed_count, sizeof *drivers->items);
    for (size_t i = 0; i < config->feed_count; i++) {
        const struct feed *feed = &config->feeds[i];
        const struct config_publisher *publisher =
            config_publisher_find(config, feed->publisher);
        if (!publisher || publisher->kind != PUBLISHER_EVM)
            continue;
        struct evm_driver *driver = &drivers->items[drivers->count++];
        driver->all = drivers;
        driver->feed = feed;
        driver->publisher = publisher;
        if (!start(driver, error)) {
            error_prefix(error, "[publisher %s]", publisher->name);
            evm_drivers_free(drivers);
            return NULL;
        }
    }
    return drivers;
}

void evm_drivers_stop(struct evm_drivers *drivers)
{
    if (!drivers || drivers->stopped)
        return;
    drivers->stopped = true;
    for (size_t i = 0; i < drivers->count; i++) {
        if (drivers->items[i].timer)
            loop_timer_free(drivers->items[i].timer);
        http_client_free(drivers->items[i].client);
    }
    resolver_free(drivers->resolver);
}

void evm_drivers_free(struct evm_drivers *drivers)
{
    if (!drivers)
        return;
    evm_drivers_stop(drivers);
    for (size_t i = 0; i < drivers->count; i++) {
        struct evm_driver *driver = &drivers->items[i];
        evm_effects_clear(&driver->effects);
        evm_publisher_free(driver->core);
        evm_signer_free(driver->signer);
    }
    free(drivers->items);
    free(drivers);
}
