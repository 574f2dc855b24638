/* Why the contract refused a call, from the data that its revert carries. */
#ifndef FEEDS_EVM_CONTRACT_ERROR_H
#define FEEDS_EVM_CONTRACT_ERROR_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "feeds/evm/evm_types.h"

enum contract_error_kind {
    /* ReserveFeed's own */
    CONTRACT_BAD_ROUND,
    CONTRACT_HEIGHT_NOT_INCREASING,
    CONTRACT_TIME_DECREASING,
    CONTRACT_TIME_IN_FUTURE,
    CONTRACT_REPORT_TOO_OLD,
    CONTRACT_BALANCE_ABOVE_SUPPLY,
    CONTRACT_WRONG_SIGNATURE_COUNT,
    CONTRACT_INVALID_SIGNATURE,
    CONTRACT_NOT_OPERATOR,
    CONTRACT_SIGNERS_NOT_ASCENDING,
    CONTRACT_ALREADY_ATTESTED,
    CONTRACT_NO_DATA_PRESENT,
    CONTRACT_BAD_OPERATOR_SET,
    CONTRACT_NO_SUCH_PROPOSAL,
    CONTRACT_TOO_EARLY,
    CONTRACT_NOT_OWNER,
    /* Solidity's */
    CONTRACT_ERROR_TEXT, /* Error(string) */
    CONTRACT_PANIC,      /* Panic(uint256) */
    CONTRACT_NO_REASON,  /* no data at all */
    CONTRACT_UNKNOWN,    /* none of these */
};

#define CONTRACT_ERROR_TEXT_MAX 160
struct contract_error {
    enum contract_error_kind kind;
    uint64_t numbers[2];        /* in the order of the declaration */
    struct evm_address address; /* of those that name one */
    uint8_t selector[4];        /* of UNKNOWN; zeros when there were fewer bytes */
    char text[CONTRACT_ERROR_TEXT_MAX]; /* of ERROR_TEXT: printable, cut to fit */
};

/* Decode a revert's data. What has an error's selector but not exactly its arguments is
 * UNKNOWN. */
void contract_error_decode(struct contract_error *out, struct bytes data);

/* The name, what happened and what to do about it, in a sentence for people. */
void contract_error_explain(struct error *out, const struct contract_error *error);

#endif
