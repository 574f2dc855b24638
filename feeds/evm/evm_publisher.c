/* Its life: inputs, effects, deadlines, what stands in the way. */
#include "feeds/evm/evm_publisher.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "feeds/evm/eip712.h"
#include "feeds/evm/evm_publisher_state.h"

#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 60000
/* An endpoint may ask for more patience, but not for ever. */
#define RETRY_AFTER_MAX_S 600

struct evm_publisher *evm_publisher_new(const struct evm_publisher_settings *settings)
{
    struct evm_publisher *publisher = mem_zalloc(1, sizeof *publisher);
    publisher->settings = *settings;
    snprintf(publisher->feed, sizeof publisher->feed, "%s", settings->feed);
    publisher->settings.feed = publisher->feed;
    reserve_feed_id(&publisher->feed_id, publisher->feed);
    eip712_domain_separator(&publisher->separator, settings->chain_id,
                            &settings->contract);
    publisher->backoff_ms = BACKOFF_MIN_MS;
    return publisher;
}

void evm_publisher_free(struct evm_publisher *publisher)
{
    if (!publisher)
        return;
    publication_release(&publisher->current);
    free(publisher);
}

void evm_effect_release(struct evm_effect *effect)
{
    free(effect->body);
    publication_release(&effect->publication);
}

void evm_effects_clear(struct evm_effects *effects)
{
    for (size_t i = 0; i < effects->count; i++)
        evm_effect_release(&effects->items[i]);
    free(effects->items);
    memset(effects, 0, sizeof *effects);
}

struct evm_effect *evm_effect_add(struct evm_publisher *publisher,
                                  enum evm_effect_kind kind)
{
    struct evm_effects *out = publisher->out;
    out->items = mem_grow(out->items, &out->capacity, out->count + 1, sizeof *out->items);
    struct evm_effect *effect = &out->items[out->count++];
    memset(effect, 0, sizeof *effect);
    effect->kind = kind;
    return effect;
}

void evm_note(struct evm_publisher *publisher, enum log_level level, const char *format,
              ...)
{
    struct evm_effect *effect = evm_effect_add(publisher, EVM_NOTE);
    effect->level = level;
    va_list args;
    va_start(args, format);
    vsnprintf(effect->text, sizeof effect->text, format, args);
    va_end(args);
}

void evm_await(struct evm_publisher *publisher, enum evm_step step)
{
    publisher->step = step;
    publisher->deadline = MONO_NEVER;
}

void evm_rest(struct evm_publisher *publisher, int64_t ms)
{
    publisher->step = STEP_REST;
    publisher->deadline = mono_add(publisher->now, ms);
}

void evm_condition_set(struct evm_publisher *publisher, enum evm_condition condition,
                       const char *detail)
{
    struct evm_status *status = &publisher->status;
    bool same = status->condition == condition && strcmp(status->detail, detail) == 0;
    status->condition = condition;
    snprintf(status->detail, sizeof status->detail, "%s", detail);
    if (!same && condition != EVM_WORKING)
        evm_note(publisher, LOG_WARNING, "%s: %s", evm_condition_name(condition), detail);
}

void evm_rest_well(struct evm_publisher *publisher, int64_t ms)
{
    evm_condition_set(publisher, EVM_WORKING, "");
    publisher->backoff_ms = BACKOFF_MIN_MS;
    evm_rest(publisher, ms);
}

void evm_obstacle(struct evm_publisher *publisher, enum evm_condition condition,
                  const char *format, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    evm_condition_set(publisher, condition, text);
    publisher->step = STEP_REST;
    publisher->deadline = mono_add(publisher->now, publisher->backoff_ms);
    publisher->backoff_ms = publisher->backoff_ms * 2 > BACKOFF_MAX_MS
                                ? BACKOFF_MAX_MS
                                : publisher->backoff_ms * 2;
}

void evm_commit(struct evm_publisher *publisher, enum publication_state state,
                const char *format, ...)
{
    struct publication *current = &publisher->current;
    char detail[sizeof current->detail]; /* what stands there may be a value */
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    memcpy(current->detail, detail, sizeof detail);
    current->state = state;
    current->changed = publisher->wall;
    struct evm_effect *effect = evm_effect_add(publisher, EVM_COMMIT);
    effect->publication = *current;
    effect->publication.payload = mem_dup(current->payload, current->payload_len);
    evm_await(publisher, STEP_COMMIT);
}

/* `current` is done with. The blocks above it are looked at next: at once if it became
 * final, a moment later if the contract was ahead of us, with the next sample if the
 * contract refused. */
static void settled(struct evm_publisher *publisher)
{
    enum publication_state state = publisher->current.state;
    publication_release(&publisher->current);
    memset(&publisher->current, 0, sizeof publisher->current);
    publisher->has_current = false;
    publisher->new_sample |= state != PUBLICATION_REFUSED;
    publisher->not_before = publisher->now;
    if (state != PUBLICATION_FINAL)
        publisher->not_before = mono_add(publisher->now, BACKOFF_MIN_MS);
    evm_rest(publisher, EVM_IDLE_MS);
}

static void note_state(struct evm_publisher *publisher)
{
    const struct publication *current = &publisher->current;
    const char *before = current->detail[0] ? ": " : "";
    unsigned long long round = current->round;
    char btc[AMOUNT_TEXT_MAX];
    amount_format_btc(btc, current->report.amount);
    if (current->state == PUBLICATION_FINAL)
        evm_note(publisher, LOG_INFO, "published round %llu: %s BTC at height %u%s%s",
                 round, btc, current->report.height, before, current->detail);
    else
        evm_note(publisher, LOG_INFO, "round %llu: %s%s%s", round,
                 publication_state_name(current->state), before, current->detail);
}

static void committed(struct evm_publisher *publisher, const struct evm_input *input)
{
    struct publication *current = &publisher->current;
    current->state = input->newest->state;
    memcpy(current->detail, input->newest->detail, sizeof current->detail);
    note_state(publisher);
    if (!publication_in_flight(current->state)) {
        settled(publisher);
    } else if (current->state == PUBLICATION_MINED) {
        evm_rest_well(publisher, EVM_POLL_MS); /* nothing is final at once */
    } else {
        evm_go_on(publisher);
    }
}

static void keep_current(struct evm_publisher *publisher,
                         const struct publication *newest)
{
    publication_release(&publisher->current);
    memset(&publisher->current, 0, sizeof publisher->current);
    publisher->has_current = newest && publication_in_flight(newest->state);
    if (!publisher->has_current)
        return;
    publisher->current = *newest;
    publisher->current.payload = mem_dup(newest->payload, newest->payload_len);
}

static void take_loaded(struct evm_publisher *publisher, const struct evm_input *input)
{
    publisher->loaded = true;
    publisher->new_sample = true;
    keep_current(publisher, input->newest);
    evm_begin_cycle(publisher);
}

static void take_evaluated(struct evm_publisher *publisher, const struct evm_input *input)
{
    publisher->status.has_evaluation = true;
    publisher->status.evaluation = *input->evaluation;
    keep_current(publisher, input->newest);
    evm_evaluated(publisher, input);
}

/* What a web server says is in its status, not in the page that comes with it. */
static void take_broken(struct evm_publisher *publisher, int status, const char *fault)
{
    if (status == 429)
        evm_obstacle(publisher, EVM_ENDPOINT,
                     "HTTP status 429: it is asked too often; if that stays so, try "
                     "another endpoint");
    else if (status >= 500)
        evm_obstacle(publisher, EVM_ENDPOINT,
                     "HTTP status %d: it is out of order; if that stays so, try another "
                     "endpoint",
                     status);
    else if (status >= 400)
        evm_obstacle(publisher, EVM_ENDPOINT,
                     "HTTP status %d: it refuses us; see that rpc= is right, and the "
                     "access key in it",
                     status);
    else
        evm_obstacle(publisher, EVM_ENDPOINT, "%s", fault);
}

static void take_reply(struct evm_publisher *publisher, const struct evm_input *input)
{
    if (input->reply.fault) {
        evm_obstacle(publisher, EVM_ENDPOINT, "%s", input->reply.fault);
    } else {
        struct rpc_reply reply;
        struct error error;
        switch (rpc_reply_parse(&reply, input->reply.body, input->reply.len,
                                publisher->request, &error)) {
        case RPC_RESULT:
            evm_take(publisher, &reply);
            break;
        case RPC_FAULT:
            evm_send_fault(publisher, &reply.fault);
            break;
        case RPC_BROKEN:
            take_broken(publisher, input->reply.status, error.text);
            break;
        }
        rpc_reply_release(&reply);
    }
    int64_t patience = input->reply.retry_after;
    if (publisher->step != STEP_REST || patience <= 0)
        return;
    if (patience > RETRY_AFTER_MAX_S)
        patience = RETRY_AFTER_MAX_S;
    struct mono_time asked = mono_add(publisher->now, patience * 1000);
    if (asked.ms > publisher->deadline.ms)
        publisher->deadline = asked;
}

struct mono_time evm_publisher_deadline(const struct evm_publisher *publisher)
{
    /* A new sample doesn't wait, but for what obstructs or is under way. */
    enum evm_condition condition = publisher->status.condition;
    bool clear = condition == EVM_WORKING || condition == EVM_REVERTED;
    if (publisher->step == STEP_REST && publisher->new_sample &&
        !publisher->has_current && clear)
        return publisher->not_before;
    return publisher->deadline;
}

static void wake(struct evm_publisher *publisher, const struct evm_input *input)
{
    publisher->new_sample |= input->new_sample;
    publisher->sampled |= input->new_sample;
    if (publisher->step != STEP_REST)
        return;
    if (!mono_reached(publisher->now, evm_publisher_deadline(publisher)))
        return;
    if (publisher->loaded) {
        evm_begin_cycle(publisher);
    } else {
        evm_effect_add(publisher, EVM_LOAD);
        evm_await(publisher, STEP_LOAD);
    }
}

void evm_publisher_step(struct evm_publisher *publisher, struct evm_effects *effects,
                        struct mono_time now, struct wall_time wall,
                        const struct evm_input *input)
{
    publisher->now = now;
    publisher->wall = wall;
    publisher->out = effects;
    switch (input->kind) {
    case EVM_WAKE:
        wake(publisher, input);
        break;
    case EVM_LOADED:
        take_loaded(publisher, input);
        break;
    case EVM_REPLIED:
        take_reply(publisher, input);
        break;
    case EVM_EVALUATED:
        take_evaluated(publisher, input);
        break;
    case EVM_COMMITTED:
        committed(publisher, input);
        break;
    }
    publisher->out = NULL;
}

bool evm_publisher_sending(const struct evm_publisher *publisher)
{
    return !publisher->loaded || (publisher->has_current &&
                                  (publisher->current.state == PUBLICATION_PERSISTED ||
                                   publisher->current.state == PUBLICATION_SENT));
}

void evm_publisher_hold(struct evm_publisher *publisher, bool held)
{
    publisher->held = held;
    publisher->nonce_stale |= held;
}

const char *evm_condition_name(enum evm_condition condition)
{
    switch (condition) {
    case EVM_WORKING:
        return "working";
    case EVM_ENDPOINT:
        return "endpoint";
    case EVM_WRONG_CHAIN:
        return "wrong-chain";
    case EVM_WRONG_CONTRACT:
        return "wrong-contract";
    case EVM_REPORT_AGE:
        return "report-age";
    case EVM_NOT_OPERATOR:
        return "not-operator";
    case EVM_NEEDS_SIGNATURES:
        return "needs-signatures";
    case EVM_NO_FUNDS:
        return "no-funds";
    case EVM_FEE_CAP:
        return "fee-cap";
    case EVM_KEY_USED_ELSEWHERE:
        return "key-used-elsewhere";
    case EVM_REVERTED:
        return "reverted";
    }
    return "";
}

void evm_publisher_status(const struct evm_publisher *publisher, struct evm_status *out)
{
    *out = publisher->status;
}
