#include "feeds/evm/contract_error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/money.h"
#include "base/text.h"
#include "base/time.h"
#include "feeds/evm/abi.h"

/* What an error declares: up to two numbers (the bits of each), or an address. */
static const struct declaration {
    const char *name;
    const char *types;
    uint8_t bits[2];
    bool address;
} declarations[] = {
    [CONTRACT_BAD_ROUND] = {"BadRound", "(uint32,uint32)", {32, 32}, false},
    [CONTRACT_HEIGHT_NOT_INCREASING] = {"HeightNotIncreasing",
                                        "(uint32,uint32)",
                                        {32, 32},
                                        false},
    [CONTRACT_TIME_DECREASING] = {"TimeDecreasing", "(uint64,uint64)", {64, 64}, false},
    [CONTRACT_TIME_IN_FUTURE] = {"TimeInFuture", "(uint64,uint64)", {64, 64}, false},
    [CONTRACT_REPORT_TOO_OLD] = {"ReportTooOld", "(uint64,uint64)", {64, 64}, false},
    [CONTRACT_BALANCE_ABOVE_SUPPLY] = {"BalanceAboveSupply", "(uint64)", {64}, false},
    [CONTRACT_WRONG_SIGNATURE_COUNT] = {"WrongSignatureCount",
                                        "(uint256,uint256)",
                                        {64, 64},
                                        false},
    [CONTRACT_INVALID_SIGNATURE] = {"InvalidSignature", "(uint256)", {64}, false},
    [CONTRACT_NOT_OPERATOR] = {"NotOperator", "(address)", {0}, true},
    [CONTRACT_SIGNERS_NOT_ASCENDING] = {"SignersNotAscending", "(uint256)", {64}, false},
    [CONTRACT_ALREADY_ATTESTED] = {"AlreadyAttested", "(address)", {0}, true},
    [CONTRACT_NO_DATA_PRESENT] = {"NoDataPresent", "()", {0}, false},
    [CONTRACT_BAD_OPERATOR_SET] = {"BadOperatorSet", "()", {0}, false},
    [CONTRACT_NO_SUCH_PROPOSAL] = {"NoSuchProposal", "()", {0}, false},
    [CONTRACT_TOO_EARLY] = {"TooEarly", "(uint256)", {64}, false},
    [CONTRACT_NOT_OWNER] = {"NotOwner", "(address)", {0}, true},
    [CONTRACT_ERROR_TEXT] = {"Error", "(string)", {0}, false},
    [CONTRACT_PANIC] = {"Panic", "(uint256)", {64}, false},
};
#define DECLARATIONS (sizeof(declarations) / sizeof(*declarations))

/* ---- decoding ---- */

static bool has_selector(const struct declaration *declaration,
                         const uint8_t selector[static 4])
{
    char signature[64];
    uint8_t expected[4];
    snprintf(signature, sizeof(signature), "%s%s", declaration->name, declaration->types);
    abi_selector(expected, signature);
    return memcmp(expected, selector, sizeof(expected)) == 0;
}

/* A revert's text may hold anything, NUL and control characters too. */
static void read_text(struct contract_error *out, struct reader *reader)
{
    abi_read_offset(reader, ABI_WORD);
    struct bytes text = abi_read_tail(reader, reader->left);
    size_t len = text.len < sizeof(out->text) - 1 ? text.len : sizeof(out->text) - 1;
    for (size_t i = 0; i < len; i++)
        out->text[i] = text.data[i] != 0 ? (char)text.data[i] : '?';
    text_make_printable(out->text);
}

static bool read_arguments(struct contract_error *out,
                           const struct declaration *declaration, struct reader *reader)
{
    for (size_t i = 0; i < 2; i++) {
        if (declaration->bits[i] > 0)
            out->numbers[i] = abi_read_uint(reader, declaration->bits[i]);
    }
    if (declaration->address)
        out->address = abi_read_address(reader);
    if (declaration == &declarations[CONTRACT_ERROR_TEXT])
        read_text(out, reader);
    return reader_done(reader);
}

void contract_error_decode(struct contract_error *out, struct bytes data)
{
    struct reader reader;
    uint8_t selector[4];
    *out = (struct contract_error){.kind = data.len == 0 ? CONTRACT_NO_REASON
                                                         : CONTRACT_UNKNOWN};
    reader_init(&reader, data.data, data.len);
    read_bytes(&reader, selector, sizeof(selector));
    if (reader.failed)
        return;
    for (size_t i = 0; i < DECLARATIONS; i++) {
        struct contract_error found = {.kind = (enum contract_error_kind)i};
        if (has_selector(&declarations[i], selector)) {
            if (read_arguments(&found, &declarations[i], &reader))
                *out = found;
            break;
        }
    }
    if (out->kind == CONTRACT_UNKNOWN)
        memcpy(out->selector, selector, sizeof(selector));
}

/* ---- explaining ---- */

static void time_text(char out[static TIME_TEXT_MAX], uint64_t seconds)
{
    if (seconds <= INT64_MAX)
        time_format_utc(out, (int64_t)seconds);
    else
        snprintf(out, TIME_TEXT_MAX, "@%" PRIu64, seconds);
}

static void explain_times(struct error *out, const struct contract_error *error)
{
    char limit[TIME_TEXT_MAX], got[TIME_TEXT_MAX];
    time_text(limit, error->numbers[0]);
    time_text(got, error->numbers[1]);
    if (error->kind == CONTRACT_TIME_DECREASING)
        error_set(out,
                  "TimeDecreasing: the report's time %s is before the last round's %s; a "
                  "later block will do, unless the Bitcoin chain was reorganised",
                  got, limit);
    else if (error->kind == CONTRACT_TIME_IN_FUTURE)
        error_set(
            out,
            "TimeInFuture: the report's time %s is past the contract's limit %s; the "
            "EVM chain's clock is behind, so wait for its next blocks (test chains: "
            "mine under setmocktime)",
            got, limit);
    else
        error_set(out,
                  "ReportTooOld: the report's time %s is before %s, the oldest that the "
                  "contract takes; a newer Bitcoin block is needed, or a contract with a "
                  "longer maxReportAge",
                  got, limit);
}

static void explain_address(struct error *out, const struct contract_error *error)
{
    char address[EVM_ADDRESS_TEXT_MAX];
    evm_address_text(address, &error->address);
    if (error->kind == CONTRACT_NOT_OPERATOR)
        error_set(out,
                  "NotOperator: %s is none of the contract's operators; have its owner "
                  "admit it, or use the key of one that is, and see that chain_id= and "
                  "contract= are right",
                  address);
    else if (error->kind == CONTRACT_ALREADY_ATTESTED)
        error_set(
            out,
            "AlreadyAttested: %s has attested this report already; nothing to do but "
            "wait for the other operators",
            address);
    else
        error_set(
            out,
            "NotOwner: %s doesn't own the contract; only its owner changes operators",
            address);
}

static void explain_balance(struct error *out, uint64_t satoshi)
{
    char amount[AMOUNT_TEXT_MAX];
    amount_format_btc(amount, (struct amount){satoshi});
    error_set(
        out,
        "BalanceAboveSupply: %s BTC is more than can exist; run `reservewatch audit` "
        "and report the fault",
        amount);
}

static void explain_unknown(struct error *out, const struct contract_error *error)
{
    char selector[9];
    hex_encode(selector, error->selector, sizeof(error->selector));
    error_set(
        out,
        "unknown error 0x%s: no ReserveFeed reverts so; see that contract= names one, "
        "of this version",
        selector);
}

void contract_error_explain(struct error *out, const struct contract_error *error)
{
    uint64_t first = error->numbers[0], second = error->numbers[1];
    switch (error->kind) {
    case CONTRACT_BAD_ROUND:
        error_set(out,
                  "BadRound: the contract expects round %" PRIu64
                  ", the report is for round "
                  "%" PRIu64 "; another operator published first, and the next report "
                  "takes the next round",
                  first, second);
        return;
    case CONTRACT_HEIGHT_NOT_INCREASING:
        error_set(out,
                  "HeightNotIncreasing: the contract holds Bitcoin height %" PRIu64
                  ", the report is of height %" PRIu64 "; a higher block is needed",
                  first, second);
        return;
    case CONTRACT_TIME_DECREASING:
    case CONTRACT_TIME_IN_FUTURE:
    case CONTRACT_REPORT_TOO_OLD:
        explain_times(out, error);
        return;
    case CONTRACT_BALANCE_ABOVE_SUPPLY:
        explain_balance(out, first);
        return;
    case CONTRACT_WRONG_SIGNATURE_COUNT:
        error_set(out,
                  "WrongSignatureCount: the contract wants %" PRIu64
                  " signatures, the report "
                  "carries %" PRIu64
                  "; its threshold was changed, and the next report follows it",
                  first, second);
        return;
    case CONTRACT_INVALID_SIGNATURE:
        error_set(out,
                  "InvalidSignature: signature %" PRIu64
                  " (from 0) is nobody's, or has a "
                  "high s; the operator who made it must look at his signer",
                  first);
        return;
    case CONTRACT_SIGNERS_NOT_ASCENDING:
        error_set(out,
                  "SignersNotAscending: signature %" PRIu64
                  " (from 0) is of a signer not "
                  "above the one before; an operator signed twice, or the order is wrong",
                  first);
        return;
    case CONTRACT_NOT_OPERATOR:
    case CONTRACT_ALREADY_ATTESTED:
    case CONTRACT_NOT_OWNER:
        explain_address(out, error);
        return;
    case CONTRACT_NO_DATA_PRESENT:
        error_set(out, "NoDataPresent: the contract has no such round; before the first "
                       "report there is none at all");
        return;
    case CONTRACT_BAD_OPERATOR_SET:
        error_set(out,
                  "BadOperatorSet: operators must be 1 to 31 different addresses, none "
                  "zero, with a threshold above half of them");
        return;
    case CONTRACT_NO_SUCH_PROPOSAL:
        error_set(out, "NoSuchProposal: these operators and threshold aren't the ones "
                       "proposed; propose them first");
        return;
    case CONTRACT_TOO_EARLY: {
        char eta[TIME_TEXT_MAX];
        time_text(eta, first);
        error_set(out,
                  "TooEarly: the proposal can be accepted from %s on; wait until then",
                  eta);
        return;
    }
    case CONTRACT_ERROR_TEXT:
        error_set(
            out,
            "the contract says \"%s\", which no ReserveFeed does; see that contract= "
            "names one",
            error->text);
        return;
    case CONTRACT_PANIC:
        error_set(out,
                  "Panic: the contract failed an assertion of its own (code %" PRIu64
                  "); see that contract= names a ReserveFeed, and report the fault",
                  first);
        return;
    case CONTRACT_NO_REASON:
        error_set(out,
                  "reverted without a reason: out of gas, or contract= names something "
                  "that isn't a ReserveFeed");
        return;
    case CONTRACT_UNKNOWN:
        explain_unknown(out, error);
        return;
    }
}
