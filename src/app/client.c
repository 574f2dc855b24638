#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/client.h"
#include "app/errand.h"
#include "app/rescan.h"
#include "app/seed_lookup.h"
#include "base/mem.h"
#include "io/clock.h"
#include "io/pool.h"

struct client {
    struct loop *loop;
    struct loop_timer *timer;
    struct peer_links *links;
    struct pool *workers;
    struct seed_lookup *seeds;
    struct store_thread *store;
    const struct network *network;
    struct kept_filters *kept;
    struct spv *spv;
    struct client_handler handler;
    struct spv_effects effects;
    uint64_t revision;
    bool paused;
    bool stopped;
};

static struct spv_now now(void)
{
    return (struct spv_now){now_mono(), now_wall()};
}

static void perform(struct client *client, struct spv_effect *effect);

/* Step the core and drain its effects. */
static void step_only(struct client *client, const struct spv_input *input)
{
    spv_step(client->spv, &client->effects, now(), input);
    for (size_t i = 0; i < client->effects.count; i++)
        perform(client, &client->effects.items[i]);
    client->effects.count = 0;
}

static void step(struct client *client, const struct spv_input *input)
{
    step_only(client, input);
    bool busy = spv_busy(client->spv, client->paused);
    if (busy != client->paused)
        peer_links_pause(client->links, busy);
    client->paused = busy;
    loop_timer_set(client->timer, spv_deadline(client->spv));
    if (spv_revision(client->spv) == client->revision)
        return;
    client->revision = spv_revision(client->spv);
    client->handler.changed(client->handler.context);
}

/* ---- workers ---- */

static void match_done(void *context)
{
    struct errand *errand = context;
    if (errand->client->stopped)
        free(errand->input.matched.filter);
    else
        step(errand->client, &errand->input);
    errand_free(errand);
}

static void check_done(void *context)
{
    struct errand *errand = context;
    if (errand->client->stopped)
        block_free(errand->input.checked.block);
    else
        step(errand->client, &errand->input);
    errand_free(errand);
}

/* ---- the store's thread ---- */

/* The result of work that can't fail but by damage or a dead disk; false ends the errand.
 */
static bool store_answered(struct errand *errand, enum store_result result,
                           const struct error *error)
{
    struct client *client = errand->client;
    if (!client->stopped && result != STORE_OK)
        client->handler.failed(client->handler.context, error);
    return !client->stopped && result == STORE_OK;
}

static void stored_done(void *context, enum store_result result,
                        const struct error *error)
{
    struct errand *errand = context;
    if (store_answered(errand, result, error))
        step(errand->client, &errand->input);
    errand_free(errand);
}

static void log_applied(const struct errand *errand)
{
    const struct spv_effect *effect = &errand->effect;
    const struct ledger_outcome *outcome = &errand->outcome;
    uint32_t first = outcome->base + 1;
    uint32_t last = effect->apply.base + (uint32_t)effect->apply.count;
    char blocks[40];
    if (first < last)
        snprintf(blocks, sizeof(blocks), "blocks %u to %u", first, last);
    else
        snprintf(blocks, sizeof(blocks), "block %u", last);
    if (effect->apply.retract)
        log_retraction(outcome);
    else if (outcome->rewound)
        log_line(LOG_SCAN, LOG_WARNING,
                 "reorganisation: %u blocks taken back to height %u", outcome->rewound,
                 outcome->base);
    if (outcome->credits || outcome->debits)
        log_line(LOG_SCAN, LOG_INFO, "%s: %u credits, %u debits", blocks,
                 outcome->credits, outcome->debits);
    else if (first <= last)
        log_line(LOG_SCAN, LOG_DEBUG, "%s: nothing of ours", blocks);
}

static bool apply_verdict(struct errand *errand, enum store_result result)
{
    switch (result) {
    case STORE_OK:
        errand->input.applied.verdict = APPLY_OK;
        return true;
    case STORE_STALE:
        errand->input.applied.verdict = APPLY_STALE;
        return true;
    case STORE_INVALID_BLOCK:
        errand->input.applied.verdict = APPLY_INVALID;
        return true;
    case STORE_NOT_FOUND:
    case STORE_FULL:
    case STORE_MISSING:
    case STORE_NEWER:
    case STORE_OTHER_NETWORK:
    case STORE_READERS_FULL:
    case STORE_AGAIN:
    case STORE_DENIED:
    case STORE_FAILED:
        return false;
    }
    return false;
}

static void hand_up_blocks(const struct errand *errand)
{
    const struct client_handler *handler = &errand->client->handler;
    const struct spv_effect *effect = &errand->effect;
    for (size_t i = 0; effect->apply.cohort == 0 && i < effect->apply.count; i++)
        if (effect->apply.blocks[i])
            handler->block(handler->context, effect->apply.blocks[i]);
}

static void apply_done(void *context, enum store_result result, const struct error *error)
{
    struct errand *errand = context;
    struct client *client = errand->client;
    if (!apply_verdict(errand, result)) {
        if (store_answered(errand, result, error))
            abort(); /* not reached: the result isn't STORE_OK */
    } else if (!client->stopped) {
        if (result == STORE_OK && errand->effect.apply.commit)
            log_applied(errand);
        if (result == STORE_OK)
            hand_up_blocks(errand);
        errand->input.applied.reason = error->text;
        errand->input.applied.cohorts = &errand->cohorts;
        step(client, &errand->input);
        if (errand->effect.apply.commit)
            client->handler.moved(client->handler.context);
    }
    errand_free(errand);
}

static void unstage_done(void *context, enum store_result result,
                         const struct error *error)
{
    (void)result;
    (void)error;
    errand_free(context);
}

static void look_up_done(void *context, enum store_result result,
                         const struct error *error)
{
    struct errand *errand = context;
    struct client *client = errand->client;
    if (store_answered(errand, result, error)) {
        client->handler.foreseen(client->handler.context,
                                 errand->effect.look_up.transaction, &errand->foreseen);
        step(client, &errand->input);
    }
    errand_free(errand);
}

static void peers_done(void *context, enum store_result result, const struct error *error)
{
    struct errand *errand = context;
    (void)store_answered(errand, result, error);
    errand_free(errand);
}

/* ---- seeds ---- */

static void on_seed(const struct net_address *addresses, size_t count, uint64_t ticket,
                    void *context)
{
    const struct spv_input input = {
        .kind = SPV_RESOLVED, .ticket = ticket, .resolved = {addresses, count}};
    step(context, &input);
}

/* ---- effects ---- */

static void send_to_store(struct client *client, struct spv_effect *effect,
                          enum spv_input_kind answer, store_work work, store_done done)
{
    store_thread_submit(client->store, work, done,
                        errand_new(client, client->network, effect, answer));
}

static void send_to_match(struct client *client, struct spv_effect *effect)
{
    struct errand *errand = errand_new(client, client->network, effect, SPV_MATCHED);
    errand->kept = client->kept;
    pool_submit(client->workers, errand_match, match_done, errand);
}

/* Takes over what the effect owns. */
static void perform(struct client *client, struct spv_effect *effect)
{
    switch (effect->kind) {
    case SPV_DIAL:
        peer_links_dial(client->links, effect->peer, effect->dial.address);
        break;
    case SPV_SEND:
        peer_links_send(client->links, effect->peer, effect->send.data, effect->send.len);
        break;
    case SPV_DROP:
        peer_links_drop(client->links, effect->peer);
        break;
    case SPV_LOAD_ROWS:
        send_to_store(client, effect, SPV_ROWS, errand_load, stored_done);
        break;
    case SPV_STORE_HEADERS:
    case SPV_STORE_FILTER_HEADERS:
    case SPV_CUT_FILTER_HEADERS:
    case SPV_STORE_WHOLE:
        send_to_store(client, effect, SPV_STORED, errand_store_chain, stored_done);
        break;
    case SPV_MATCH:
        send_to_match(client, effect);
        break;
    case SPV_CHECK:
        pool_submit(client->workers, errand_check, check_done,
                    errand_new(client, client->network, effect, SPV_CHECKED));
        break;
    case SPV_APPLY:
        send_to_store(client, effect, SPV_APPLIED, errand_apply, apply_done);
        break;
    case SPV_REVIEW:
        send_to_store(client, effect, SPV_REVIEWED, errand_review, stored_done);
        break;
    case SPV_UNSTAGE:
        send_to_store(client, effect, SPV_STORED, errand_unstage, unstage_done);
        break;
    case SPV_BAN:
    case SPV_UNBAN:
    case SPV_STORE_BOOK:
        send_to_store(client, effect, SPV_STORED, errand_store_peers, peers_done);
        break;
    case SPV_RESOLVE:
        seed_lookup_ask(client->seeds, effect->resolve.name, effect->ticket);
        break;
    case SPV_NOTE:
        log_line(effect->note.part, effect->note.level, "%s", effect->note.text);
        spv_effect_release(effect);
        break;
    case SPV_LOOK_UP:
        send_to_store(client, effect, SPV_LOOKED_UP, errand_look_up, look_up_done);
        break;
    }
}

/* ---- inputs from sockets and the clock ---- */

static void on_tick(void *context)
{
    const struct spv_input input = {.kind = SPV_TICK};
    step(context, &input);
}

static void on_connected(uint32_t peer, void *context)
{
    const struct spv_input input = {.kind = SPV_PEER_CONNECTED, .peer = peer};
    step(context, &input);
}

static void on_message(uint32_t peer, const struct frame *frame, struct bytes payload,
                       void *context)
{
    const struct spv_input input = {
        .kind = SPV_MESSAGE, .peer = peer, .message = {*frame, payload}};
    step(context, &input);
}

static void on_lost(uint32_t peer, const char *reason, bool malformed, void *context)
{
    log_line(LOG_NET, LOG_DEBUG, "connection %u ended: %s", peer, reason);
    const struct spv_input input = {
        .kind = SPV_PEER_LOST, .peer = peer, .lost = {malformed ? reason : NULL}};
    step(context, &input);
}

struct client *client_new(struct loop *loop, struct store_thread *store,
                          const struct client_settings *settings,
                          const struct spv_start *start,
                          const struct client_handler *handler)
{
    struct client *client = mem_zalloc(1, sizeof *client);
    client->loop = loop;
    client->store = store;
    client->handler = *handler;
    client->network = settings->spv.network;
    client->kept = settings->kept;
    client->timer = loop_timer_new(loop, on_tick, client);
    client->workers = pool_new(loop, settings->workers, "worker");
    client->seeds = seed_lookup_new(loop, client->network, on_seed, client);
    const struct peer_links_settings links = {.network = client->network,
                                              .proxy = settings->proxy};
    const struct peer_links_handler on_link = {on_connected, on_message, on_lost, client};
    client->links = peer_links_new(loop, &links, &on_link);
    client->spv = spv_new(&settings->spv, start, now());
    loop_timer_set(client->timer, now_mono());
    return client;
}

void client_stop(struct client *client)
{
    if (!client || client->stopped)
        return;
    /* What of the address book isn't in the store yet. Nobody is told of changes: a start
     * that failed has no rooms yet that could look. */
    const struct spv_input last = {.kind = SPV_STOP};
    step_only(client, &last);
    client->stopped = true;
    loop_timer_free(client->timer);
    peer_links_free(client->links);
    seed_lookup_free(client->seeds);
    pool_free(client->workers);
}

void client_free(struct client *client)
{
    if (!client)
        return;
    client_stop(client);
    spv_effects_clear(&client->effects);
    spv_free(client->spv);
    free(client);
}

const struct spv *client_core(const struct client *client)
{
    return client->spv;
}

void client_cohorts(struct client *client, const struct cohort_table *cohorts)
{
    const struct spv_input input = {.kind = SPV_COHORTS, .cohorts = cohorts};
    step(client, &input);
}

bool client_counters(const struct client *client, struct peer_link_counters *out,
                     uint32_t peer)
{
    return !client->stopped && peer_links_counters(client->links, out, peer);
}

bool client_lift_ban(struct client *client, const char *address)
{
    const struct spv_input input = {.kind = SPV_LIFT_BAN, .address = address};
    bool banned = spv_is_banned(client->spv, address);
    if (banned)
        step(client, &input);
    return banned;
}

bool client_distrust(struct client *client, const char *address)
{
    const struct spv_input input = {.kind = SPV_DISTRUST, .address = address};
    bool could = spv_could_ban(client->spv, address);
    if (could)
        step(client, &input);
    return could;
}
