/* An EVM publisher whose endpoint answers each request with whatever it likes: nothing is
 * sent that isn't committed, what is committed stays, nothing spins. The input is a list
 * of answers, each with two bytes of length in front: 0 stands for no answer, and an
 * answer's '$' for the request's id. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "feeds/evm/evm_publisher.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS_MAX 256
#define BURST_MAX 64

struct world {
    struct evm_publisher *publisher;
    struct evm_effects effects;
    struct reader answers;
    struct publication stored;
    bool has_stored;
    struct evaluation evaluation;
    struct mono_time now;
};

static void check(bool holds)
{
    if (!holds)
        abort();
}

static bool has_raw(enum publication_state state)
{
    return state == PUBLICATION_PERSISTED || state == PUBLICATION_SENT ||
           state == PUBLICATION_MINED;
}

static void store(struct world *world, const struct publication *publication)
{
    if (world->has_stored && has_raw(world->stored.state) &&
        publication_in_flight(publication->state))
        check(bytes_equal(
            (struct bytes){publication->payload, publication->payload_len},
            (struct bytes){world->stored.payload, world->stored.payload_len}));
    publication_release(&world->stored);
    world->stored = *publication;
    world->stored.payload = mem_dup(publication->payload, publication->payload_len);
    world->has_stored = true;
}

/* Due, whatever is published. */
static void evaluate(struct world *world)
{
    world->evaluation = (struct evaluation){.result = EVALUATION_DUE};
    const struct publication publication = {
        .round = 1,
        .report = {.height = 1000, .time = {1699900000}, .amount = {5000}},
    };
    store(world, &publication);
}

static uint64_t request_id(const struct evm_effect *call)
{
    static const char member[] = "\"id\":";
    const uint8_t *at = memmem(call->body, call->len, member, sizeof(member) - 1);
    uint64_t id = 0;
    check(at != NULL);
    for (at += sizeof(member) - 1; *at >= '0' && *at <= '9'; at++)
        id = 10 * id + (*at - '0');
    return id;
}

static void write_answer(struct writer *out, struct bytes answer, uint64_t id)
{
    for (size_t i = 0; i < answer.len; i++) {
        if (answer.data[i] == '$') {
            check(id < 10000);
            for (uint64_t unit = 1000; unit > 0; unit /= 10) {
                if (id >= unit)
                    write_u8(out, (uint8_t)('0' + id / unit % 10));
            }
        } else {
            write_u8(out, answer.data[i]);
        }
    }
}

static void check_sent(const struct world *world, const struct evm_effect *call)
{
    static const char method[] = "eth_sendRawTransaction";
    if (memmem(call->body, call->len, method, sizeof(method) - 1) == NULL)
        return;
    struct writer raw = {0};
    evm_data_write(&raw,
                   (struct bytes){world->stored.payload, world->stored.payload_len});
    check(has_raw(world->stored.state));
    check(memmem(call->body, call->len, raw.data, raw.len) != NULL);
    writer_release(&raw);
}

static void step(struct world *world, const struct evm_input *input)
{
    const struct wall_time wall = {1800000000 + world->now.ms / 1000};
    struct evm_status status;
    evm_effects_clear(&world->effects);
    evm_publisher_step(world->publisher, &world->effects, world->now, wall, input);
    evm_publisher_status(world->publisher, &status);
}

static void reply(struct world *world, const struct evm_effect *call)
{
    uint16_t len = read_u16be(&world->answers);
    struct bytes answer = read_view(&world->answers, len);
    struct writer body = {0};
    struct evm_input input = {.kind = EVM_REPLIED};
    check_sent(world, call);
    write_answer(&body, answer, request_id(call));
    input.reply.body = (const char *)body.data;
    input.reply.len = body.len;
    input.reply.status = 200;
    input.reply.retry_after = len % 3;
    input.reply.fault = len == 0 ? "no answer" : NULL;
    step(world, &input);
    writer_release(&body);
}

/* False: nothing to do but to wait. */
static bool perform(struct world *world)
{
    struct evm_effect *effect = NULL;
    for (size_t i = 0; i < world->effects.count; i++) {
        if (world->effects.items[i].kind == EVM_NOTE)
            continue;
        check(effect == NULL);
        effect = &world->effects.items[i];
    }
    if (effect == NULL)
        return false;
    struct evm_input input = {.kind = EVM_COMMITTED, .evaluation = &world->evaluation};
    if (effect->kind == EVM_CALL) {
        reply(world, effect);
        return true;
    }
    if (effect->kind == EVM_COMMIT)
        store(world, &effect->publication);
    else if (effect->kind == EVM_EVALUATE)
        evaluate(world);
    if (effect->kind != EVM_COMMIT)
        input.kind = effect->kind == EVM_LOAD ? EVM_LOADED : EVM_EVALUATED;
    input.newest = world->has_stored ? &world->stored : NULL;
    step(world, &input);
    return true;
}

static void run(struct world *world)
{
    unsigned burst = 0;
    for (unsigned i = 0; i < STEPS_MAX && world->answers.left > 0; i++) {
        if (perform(world)) {
            check(burst++ < BURST_MAX);
            continue;
        }
        struct mono_time deadline = evm_publisher_deadline(world->publisher);
        check(deadline.ms < INT64_MAX);
        if (deadline.ms > world->now.ms) {
            world->now = deadline;
            burst = 0;
        }
        step(world, &(struct evm_input){.kind = EVM_WAKE});
        check(world->effects.count > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct evm_signer *signer;
    uint8_t key[EVM_KEY_SIZE];
    memset(key, 0x46, sizeof(key));
    if (signer == NULL)
        signer = evm_signer_new(key, key);
    const struct evm_publisher_settings settings = {
        .feed = "wbtc",
        .chain_id = 31337,
        .contract = {{0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                      0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11}},
        .confirmations = 6,
        .signer = signer,
    };
    struct world world = {.publisher = evm_publisher_new(&settings)};
    reader_init(&world.answers, data, size);
    run(&world);
    evm_publisher_free(world.publisher);
    evm_effects_clear(&world.effects);
    publication_release(&world.stored);
    return 0;
}
