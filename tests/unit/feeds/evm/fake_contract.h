/* ReserveFeed's rules for one operator, in plain memory. */
#ifndef TESTS_FAKE_CONTRACT_H
#define TESTS_FAKE_CONTRACT_H

#include "feed_vectors.h"

#include "feeds/evm/abi.h"
#include "feeds/evm/eip712.h"
#include "feeds/evm/signer.h"

#define FAKE_CHAIN_ID 31337
#define FAKE_TIME_AHEAD 15

/* What a block's state holds. */
struct fake_contract {
    struct evm_address address, operator;
    struct evm_hash feed_id;
    struct reserve_feed_state state;
    struct evm_report report; /* the state's round, if there is one */
    uint64_t max_report_age;
    bool absent; /* no code at the address */
};

static inline struct fake_contract
fake_contract(const char *feed, struct evm_address address, struct evm_address operator)
{
    struct fake_contract contract = {
        .address = address,
        .operator= operator,
        .state = {.config_id = 1, .threshold = 1, .count = 1},
        .max_report_age = 86400 * 365,
    };
    reserve_feed_id(&contract.feed_id, feed);
    return contract;
}

/* ---- submit() ---- */

struct fake_submit {
    struct evm_report report;
    struct evm_signature signature;
};

static inline bool fake_submit_read(struct fake_submit *out, struct bytes call)
{
    uint8_t selector[4], expected[4], shown[32], compact[EVM_COMPACT_SIZE];
    struct reader reader;
    struct evm_report *report = &out->report;
    abi_selector(expected, "submit((uint32,uint64,uint32,bytes32,uint64,bytes32),bytes)");
    reader_init(&reader, call.data, call.len);
    read_bytes(&reader, selector, sizeof(selector));
    report->round = (uint32_t)abi_read_uint(&reader, 32);
    report->balance.sat = abi_read_uint(&reader, 64);
    report->height = (uint32_t)abi_read_uint(&reader, 32);
    abi_read_word(&reader, shown);
    for (size_t i = 0; i < sizeof(shown); i++)
        report->block.b[i] = shown[sizeof(shown) - 1 - i];
    report->observed_at.s = (uint32_t)abi_read_uint(&reader, 64);
    abi_read_word(&reader, report->set_hash);
    abi_read_offset(&reader, 7 * ABI_WORD);
    struct bytes tail = abi_read_tail(&reader, EVM_COMPACT_SIZE);
    if (!reader_done(&reader) || tail.len != EVM_COMPACT_SIZE ||
        memcmp(selector, expected, sizeof(selector)) != 0)
        return false;
    memcpy(compact, tail.data, sizeof(compact));
    evm_signature_from_compact(&out->signature, compact);
    return true;
}

static inline bool fake_revert(struct writer *revert, const char *declaration,
                               uint64_t first, uint64_t second)
{
    abi_write_selector(revert, declaration);
    abi_write_u64(revert, first);
    abi_write_u64(revert, second);
    return false;
}

static inline bool fake_signed(const struct fake_contract *contract,
                               const struct fake_submit *submit)
{
    struct evm_hash separator, struct_hash, digest;
    struct evm_address signer;
    eip712_domain_separator(&separator, FAKE_CHAIN_ID, &contract->address);
    eip712_report_hash(&struct_hash, &submit->report, &contract->feed_id,
                       contract->state.config_id);
    eip712_digest(&digest, &separator, &struct_hash);
    return evm_recover(&signer, &submit->signature, &digest) &&
           evm_address_equal(&signer, &contract->operator);
}

/* False, with the data that the revert carries; else the contract holds the report. */
static inline bool fake_submit(struct fake_contract *contract,
                               const struct fake_submit *submit, uint64_t block_time,
                               struct writer *revert)
{
    const struct evm_report *report = &submit->report;
    struct reserve_feed_state *state = &contract->state;
    uint64_t time = report->observed_at.s;
    if (report->round != state->round + 1)
        return fake_revert(revert, "BadRound(uint32,uint32)", state->round + 1,
                           report->round);
    if (state->round != 0 && report->height <= state->height)
        return fake_revert(revert, "HeightNotIncreasing(uint32,uint32)", state->height,
                           report->height);
    if (time < state->observed_at.s)
        return fake_revert(revert, "TimeDecreasing(uint64,uint64)", state->observed_at.s,
                           time);
    if (time > block_time + FAKE_TIME_AHEAD)
        return fake_revert(revert, "TimeInFuture(uint64,uint64)",
                           block_time + FAKE_TIME_AHEAD, time);
    if (time + contract->max_report_age < block_time)
        return fake_revert(revert, "ReportTooOld(uint64,uint64)",
                           block_time - contract->max_report_age, time);
    if (!fake_signed(contract, submit)) {
        abi_write_selector(revert, "InvalidSignature(uint256)");
        abi_write_u64(revert, 0);
        return false;
    }
    state->round = report->round;
    state->balance = report->balance;
    state->height = report->height;
    state->observed_at = report->observed_at;
    state->updated_at.s = block_time;
    contract->report = *report;
    return true;
}

/* ---- what it answers ---- */

static inline void fake_write_state(struct writer *out,
                                    const struct reserve_feed_state *state)
{
    abi_write_u64(out, state->round);
    abi_write_u64(out, state->config_id);
    abi_write_u64(out, state->threshold);
    abi_write_u64(out, state->count);
    abi_write_u64(out, state->balance.sat);
    abi_write_u64(out, state->height);
    abi_write_u64(out, state->observed_at.s);
    abi_write_u64(out, state->updated_at.s);
}

static inline void fake_write_domain(struct writer *out,
                                     const struct fake_contract *contract)
{
    const uint8_t fields[ABI_WORD] = {0x0f}, salt[ABI_WORD] = {0};
    abi_write_word(out, fields);
    abi_write_u64(out, 7 * ABI_WORD);
    abi_write_u64(out, 9 * ABI_WORD);
    abi_write_u64(out, FAKE_CHAIN_ID);
    abi_write_address(out, &contract->address);
    abi_write_word(out, salt);
    abi_write_u64(out, 11 * ABI_WORD);
    abi_write_tail(out, (struct bytes){(const uint8_t *)"ReserveFeed", 11});
    abi_write_tail(out, (struct bytes){(const uint8_t *)"1", 1});
    abi_write_u64(out, 0);
}

static inline bool fake_is_getter(struct bytes call, enum reserve_feed_getter getter)
{
    struct writer expected = {0};
    reserve_feed_write_getter(&expected, getter);
    bool equal = bytes_equal(call, (struct bytes){expected.data, expected.len});
    writer_release(&expected);
    return equal;
}

/* eth_call on a copy of the contract: false if it reverts, with the data in `out`. */
static inline bool fake_contract_call(struct fake_contract contract, struct writer *out,
                                      struct bytes call, uint64_t block_time)
{
    struct fake_submit submit;
    if (contract.absent)
        return true;
    if (fake_is_getter(call, RESERVE_FEED_STATE)) {
        fake_write_state(out, &contract.state);
    } else if (fake_is_getter(call, RESERVE_FEED_FEED_ID)) {
        abi_write_word(out, contract.feed_id.b);
    } else if (fake_is_getter(call, RESERVE_FEED_MAX_REPORT_AGE)) {
        abi_write_u64(out, contract.max_report_age);
    } else if (fake_is_getter(call, RESERVE_FEED_EIP712_DOMAIN)) {
        fake_write_domain(out, &contract);
    } else if (fake_is_getter(call, RESERVE_FEED_OPERATORS)) {
        abi_write_u64(out, ABI_WORD);
        abi_write_u64(out, 1);
        abi_write_address(out, &contract.operator);
    } else {
        return fake_submit_read(&submit, call) &&
               fake_submit(&contract, &submit, block_time, out);
    }
    return true;
}

#endif
