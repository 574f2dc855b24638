/* Answers, logs and reverts of a contract, which may be any contract. */
#include <stdlib.h>
#include <string.h>

#include "feeds/evm/contract_error.h"
#include "feeds/evm/reserve_feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void answers(struct bytes answer)
{
    struct reserve_feed_state state;
    struct reserve_feed_operators operators;
    struct evm_address contract;
    struct evm_hash hash;
    uint64_t number;
    if (reserve_feed_read_state(&state, answer) &&
        (state.threshold > state.count || state.balance.sat > MAX_MONEY_SAT))
        abort();
    if (reserve_feed_read_operators(&operators, answer) &&
        answer.len != 64 + 32 * operators.count)
        abort();
    if (reserve_feed_read_domain(&number, &contract, answer) && answer.len != 384)
        abort();
    if (reserve_feed_read_u64(&number, answer) && !reserve_feed_read_hash(&hash, answer))
        abort();
}

/* The first four words are topics. */
static void log_of(struct bytes input)
{
    struct reserve_reported reported;
    struct evm_hash topics[RESERVE_REPORTED_TOPICS];
    if (input.len < sizeof(topics))
        return;
    memcpy(topics, input.data, sizeof(topics));
    struct bytes data = {input.data + sizeof(topics), input.len - sizeof(topics)};
    if (reserve_reported_read(&reported, topics, RESERVE_REPORTED_TOPICS, data) &&
        reported.report.balance.sat > MAX_MONEY_SAT)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct contract_error revert;
    struct error text;
    struct bytes input = {data, size};
    answers(input);
    log_of(input);
    contract_error_decode(&revert, input);
    contract_error_explain(&text, &revert);
    if (strlen(text.text) == 0)
        abort();
    return 0;
}
