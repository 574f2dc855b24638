/* A publisher of type=evm with all that it needs: an outbox, samples, a fake node and
 * simulated time. What must hold whatever happens is asserted on the way: the bytes that
 * are sent have been committed, they stay the same, nothing spins. */
#ifndef TESTS_PUBLISHER_RIG_H
#define TESTS_PUBLISHER_RIG_H

#include "fake_node.h"

#include "feeds/evm/evm_publisher.h"
#include "feeds/evm/rpc_reply.h"

/* No answer takes time here, so this many in one moment is a loop. */
#define RIG_BURST_MAX 64
#define RIG_TRACE_MAX 256

struct rig {
    struct fake_chain *chain;
    struct fake_node node;
    struct evm_signer *signer;
    struct evm_publisher_settings settings;
    struct evm_publisher *publisher;
    struct evm_effects effects;
    struct mono_time now;
    struct mono_time next_block;
    int64_t block_ms; /* between blocks; 0: as their times say */
    bool mining;
    bool block_gone; /* the next report to be persisted has left our chain */
    bool truthful;   /* what becomes final has to be so */
    bool tried;      /* submit() was, just now */

    struct publication stored; /* the outbox: what a crash leaves */
    bool has_stored;
    struct statement sample;
    bool has_sample;
    bool untold;                /* after a crash nothing is known of a sample */
    struct published published; /* as the newest evaluation got it */
    struct evaluation evaluation;
    unsigned evaluations;

    char trace[RIG_TRACE_MAX]; /* a letter for each state stored */
    uint64_t effects_done;
    unsigned burst;
    unsigned conditions; /* bits of all that there were */
    struct fake_answer answer;
};

static const uint8_t rig_contract_byte[FAKE_CONTRACTS] = {0x11, 0x22};

static inline struct evm_address rig_contract(size_t index)
{
    struct evm_address address;
    memset(address.b, rig_contract_byte[index], sizeof(address.b));
    return address;
}

static inline struct evm_signer *rig_signer(void)
{
    static const uint8_t seed[32] = {7};
    uint8_t room[VECTOR_ROOM];
    struct evm_signer *signer = evm_signer_new(vector_bytes(room, VECTOR_KEY).data, seed);
    assert_non_null(signer);
    return signer;
}

/* A chain of ten blocks, with a contract for "wbtc" and one for "cbbtc". */
static inline struct fake_chain *rig_chain(void)
{
    struct evm_address operator= vector_address(VECTOR_OPERATOR);
    struct fake_chain *chain = fake_chain_new(operator);
    for (int i = 0; i < 9; i++)
        fake_mine(chain, 0xaa);
    struct fake_chain_block *head = fake_head(chain);
    head->contracts[0] = fake_contract("wbtc", rig_contract(0), operator);
    head->contracts[1] = fake_contract("cbbtc", rig_contract(1), operator);
    fake_mine(chain, 0xaa);
    return chain;
}

static inline void rig_init(struct rig *rig, struct fake_chain *chain, size_t contract)
{
    memset(rig, 0, sizeof(*rig));
    rig->chain = chain;
    rig->node = (struct fake_node){.chain = chain, .chain_id = FAKE_CHAIN_ID};
    rig->signer = rig_signer();
    rig->settings = (struct evm_publisher_settings){
        .feed = contract == 0 ? "wbtc" : "cbbtc",
        .chain_id = FAKE_CHAIN_ID,
        .contract = rig_contract(contract),
        .confirmations = 6,
        .max_fee = wei_from_u64(EVM_MAX_FEE_DEFAULT),
        .signer = rig->signer,
    };
    rig->mining = true;
    rig->truthful = true;
    rig->now.ms = 5000;
    rig->next_block = mono_add(rig->now, FAKE_BLOCK_TIME * 1000);
    rig->publisher = evm_publisher_new(&rig->settings);
}

static inline void rig_release(struct rig *rig)
{
    evm_publisher_free(rig->publisher);
    evm_effects_clear(&rig->effects);
    publication_release(&rig->stored);
    evm_signer_free(rig->signer);
    free(rig->answer.body);
}

static inline struct fake_contract *rig_latest(struct rig *rig)
{
    return fake_contract_at(fake_head(rig->chain), &rig->settings.contract);
}

static inline struct evm_status rig_status(const struct rig *rig)
{
    struct evm_status status;
    evm_publisher_status(rig->publisher, &status);
    return status;
}

/* ---- the outbox ---- */

static inline bool rig_has_raw(enum publication_state state)
{
    return state == PUBLICATION_PERSISTED || state == PUBLICATION_SENT ||
           state == PUBLICATION_MINED;
}

static inline void rig_store(struct rig *rig, const struct publication *publication)
{
    static const char letters[] = "DSQPTMFWXR"; /* T: sent, X: superseded */
    if (rig->has_stored && rig_has_raw(rig->stored.state)) {
        assert_int_equal(publication->payload_len, rig->stored.payload_len);
        assert_memory_equal(publication->payload, rig->stored.payload,
                            rig->stored.payload_len);
    }
    publication_release(&rig->stored);
    rig->stored = *publication;
    rig->stored.payload = mem_dup(publication->payload, publication->payload_len);
    rig->has_stored = true;
    size_t len = strlen(rig->trace);
    assert_true(len + 1 < sizeof(rig->trace));
    rig->trace[len] = letters[publication->state];
}

static inline void rig_check_final(struct rig *rig)
{
    uint64_t depth = rig->settings.finality ? rig->settings.finality : FAKE_FINAL_DEPTH;
    struct fake_chain_block *block = &rig->chain->blocks[rig->chain->head - depth];
    const struct fake_contract *contract =
        fake_contract_at(block, &rig->settings.contract);
    assert_true(contract->state.round >= rig->stored.position);
}

static inline void rig_commit(struct rig *rig, const struct publication *publication)
{
    rig_store(rig, publication);
    if (publication->state == PUBLICATION_FINAL && rig->truthful)
        rig_check_final(rig);
}

/* As publication_evaluate() does with a good sample. */
static inline void rig_evaluate(struct rig *rig, const struct published *published)
{
    static const struct due_policy policy = {.up = {DEVIATION_SATOSHI, 100},
                                             .down = {DEVIATION_SATOSHI, 100}};
    struct evaluation *out = &rig->evaluation;
    rig->evaluations++;
    rig->published = *published;
    rig->published.on_chain = true;
    *out = (struct evaluation){.result = EVALUATION_NOT_DUE};
    if (rig->has_stored && publication_in_flight(rig->stored.state)) {
        out->result = EVALUATION_IN_FLIGHT;
        return;
    }
    if (!rig->has_sample) {
        out->result = EVALUATION_NOT_GOOD;
        return;
    }
    struct due_verdict verdict = due_decide(&policy, &rig->published, &rig->sample);
    if (verdict.due == DUE_NOT)
        return;
    uint64_t last = 0;
    if (rig->has_stored)
        last = rig->stored.round - (rig->stored.state != PUBLICATION_FINAL);
    if (published->state == PUBLISHED && published->round > last)
        last = published->round;
    const struct publication publication = {
        .round = last + 1,
        .state = verdict.waiting ? PUBLICATION_WAITING : PUBLICATION_DUE,
        .due = (uint8_t)verdict.due,
        .report = rig->sample,
    };
    out->result = verdict.waiting ? EVALUATION_WAITING : EVALUATION_DUE;
    rig_store(rig, &publication);
}

/* ---- effects ---- */

static inline struct evm_effect *rig_waiting(struct rig *rig)
{
    return rig->effects.count > 0 ? &rig->effects.items[0] : NULL;
}

/* Keep the one effect that wants an answer. */
static inline void rig_collect(struct rig *rig)
{
    size_t kept = 0;
    for (size_t i = 0; i < rig->effects.count; i++) {
        if (rig->effects.items[i].kind == EVM_NOTE)
            evm_effect_release(&rig->effects.items[i]);
        else
            rig->effects.items[kept++] = rig->effects.items[i];
    }
    rig->effects.count = kept;
    assert_true(kept <= 1);
    struct mono_time deadline = evm_publisher_deadline(rig->publisher);
    assert_int_equal(kept == 1, deadline.ms == INT64_MAX);
    rig->conditions |= 1u << rig_status(rig).condition;
}

static inline void rig_step(struct rig *rig, const struct evm_input *input)
{
    struct wall_time wall = {1800000000 + rig->now.ms / 1000};
    evm_effects_clear(&rig->effects);
    evm_publisher_step(rig->publisher, &rig->effects, rig->now, wall, input);
    rig_collect(rig);
}

static inline bool rig_call_has(const struct evm_effect *effect, const char *text)
{
    return memmem(effect->body, effect->len, text, strlen(text)) != NULL;
}

/* Raw bytes go out only as they are in the outbox, and after they were tried. */
static inline void rig_check_call(struct rig *rig, const struct evm_effect *effect)
{
    if (rig_call_has(effect, "eth_call") && rig_call_has(effect, "0x1141c3b4"))
        rig->tried = true;
    if (!rig_call_has(effect, "eth_sendRawTransaction"))
        return;
    assert_true(rig->tried);
    rig->tried = false;
    struct writer raw = {0};
    evm_data_write(&raw, (struct bytes){rig->stored.payload, rig->stored.payload_len});
    assert_true(rig_has_raw(rig->stored.state));
    assert_non_null(memmem(effect->body, effect->len, raw.data, raw.len));
    writer_release(&raw);
}

/* What the effect does to the world; the publisher isn't told yet. */
static inline void rig_perform(struct rig *rig)
{
    const struct evm_effect *effect = rig_waiting(rig);
    rig->effects_done++;
    assert_true(++rig->burst <= RIG_BURST_MAX);
    if (effect->kind == EVM_CALL) {
        rig_check_call(rig, effect);
        free(rig->answer.body);
        rig->answer = fake_answer(&rig->node, effect->body, effect->len);
    } else if (effect->kind == EVM_EVALUATE) {
        rig_evaluate(rig, &effect->published);
    } else if (effect->kind == EVM_COMMIT) {
        rig_commit(rig, &effect->publication);
        if (rig->block_gone && rig->stored.state == PUBLICATION_PERSISTED) {
            rig->stored.state = PUBLICATION_SUPERSEDED;
            rig->block_gone = false;
        }
    }
}

static inline void rig_answer(struct rig *rig)
{
    struct evm_input input = {.newest = rig->has_stored ? &rig->stored : NULL};
    const struct fake_answer *answer = &rig->answer;
    switch (rig_waiting(rig)->kind) {
    case EVM_LOAD:
        input.kind = EVM_LOADED;
        break;
    case EVM_CALL:
        input.kind = EVM_REPLIED;
        input.reply.body = answer->body;
        input.reply.len = answer->body != NULL ? strlen(answer->body) : 0;
        input.reply.status = answer->status;
        input.reply.retry_after = answer->retry_after;
        input.reply.fault = answer->body == NULL ? "no answer" : NULL;
        break;
    case EVM_EVALUATE:
        input.kind = EVM_EVALUATED;
        input.evaluation = &rig->evaluation;
        break;
    case EVM_COMMIT:
        input.kind = EVM_COMMITTED;
        break;
    case EVM_NOTE:
        fail();
    }
    rig_step(rig, &input);
}

static inline void rig_crash(struct rig *rig)
{
    evm_publisher_free(rig->publisher);
    evm_effects_clear(&rig->effects);
    rig->publisher = evm_publisher_new(&rig->settings);
    rig->untold = rig->has_sample;
}

/* ---- time ---- */

static inline void rig_sleep_until(struct rig *rig, struct mono_time until)
{
    if (until.ms > rig->now.ms) {
        rig->now = until;
        rig->burst = 0;
        rig->tried = false;
    }
    while (rig->mining && mono_reached(rig->now, rig->next_block)) {
        fake_mine(rig->chain, 0xaa);
        rig->next_block = mono_add(
            rig->next_block, rig->block_ms ? rig->block_ms : FAKE_BLOCK_TIME * 1000);
    }
}

/* The next thing that happens: an effect is performed and answered, or, with none, time
 * passes until the publisher wants to be woken. */
static inline void rig_turn(struct rig *rig)
{
    if (rig_waiting(rig) != NULL) {
        rig_perform(rig);
        rig_answer(rig);
        return;
    }
    rig_sleep_until(rig, evm_publisher_deadline(rig->publisher));
    rig_step(rig, &(struct evm_input){.kind = EVM_WAKE, .new_sample = rig->untold});
    rig->untold = false;
    assert_non_null(rig_waiting(rig));
}

static inline void rig_run(struct rig *rig, int64_t seconds)
{
    struct mono_time end = mono_add(rig->now, seconds * 1000);
    while (rig_waiting(rig) != NULL ||
           evm_publisher_deadline(rig->publisher).ms <= end.ms)
        rig_turn(rig);
    rig_sleep_until(rig, end);
}

/* Run until the newest publication has this state. */
static inline void rig_run_to(struct rig *rig, enum publication_state state)
{
    struct mono_time end = mono_add(rig->now, 1000000);
    while (!rig->has_stored || rig->stored.state != state) {
        rig_turn(rig);
        assert_true(rig->now.ms < end.ms);
    }
}

/* A good sample at a height, as the core announces it. */
static inline void rig_sample(struct rig *rig, uint32_t height, uint64_t satoshi)
{
    rig->has_sample = true;
    rig->sample = (struct statement){
        .height = height,
        .time = {(uint32_t)(FAKE_GENESIS_TIME - 100000 + 10 * (height % 10000))},
        .amount = {satoshi},
        .coins = 1,
    };
    put_u32be(rig->sample.block.b, height);
    memset(rig->sample.set_hash, 0x33, sizeof(rig->sample.set_hash));
    if (rig_waiting(rig) == NULL)
        rig_step(rig, &(struct evm_input){.kind = EVM_WAKE, .new_sample = true});
}

#endif
