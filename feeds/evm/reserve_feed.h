/* The contract ReserveFeed (feeds/contracts/ReserveFeed.sol) as its callers see it: the
 * bytes of each call, and its answers read strictly. Bitcoin's block hashes are in
 * display order on the chain, and in the order of the wire here. */
#ifndef FEEDS_EVM_RESERVE_FEED_H
#define FEEDS_EVM_RESERVE_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/money.h"
#include "base/time.h"
#include "feeds/evm/evm_types.h"
#include "spv/ids.h"
#include "store/sample.h"

/* What operators sign, but for the domain, feedId and configId, which the contract adds.
 */
struct evm_report {
    uint32_t round;
    struct amount balance;
    uint32_t height;
    struct block_hash block;
    struct block_time observed_at; /* the block's median-time-past */
    uint8_t set_hash[32];
};

/* The statement's report for a round. */
struct evm_report evm_report_of(const struct statement *statement, uint32_t round);

/* Append its six words in the order of the Solidity struct, which is EIP-712's too. */
void evm_report_write(struct writer *out, const struct evm_report *report);

/* feedId: the Keccak-256 of the feed's name. */
void reserve_feed_id(struct evm_hash *out, const char *feed);

/* ---- calls: selector and arguments are appended ---- */

/* `signatures`: exactly k compact ones of 64 bytes, by strictly ascending signer. */
void reserve_feed_write_submit(struct writer *out, const struct evm_report *report,
                               struct bytes signatures);
void reserve_feed_write_attest(struct writer *out, const struct evm_report *report);
void reserve_feed_write_hash_report(struct writer *out, const struct evm_report *report);

/* Calls without arguments. */
enum reserve_feed_getter {
    RESERVE_FEED_STATE,
    RESERVE_FEED_DECIMALS,
    RESERVE_FEED_FEED_ID,
    RESERVE_FEED_MAX_REPORT_AGE,
    RESERVE_FEED_ROTATION_DELAY,
    RESERVE_FEED_DOMAIN_SEPARATOR,
    RESERVE_FEED_EIP712_DOMAIN,
    RESERVE_FEED_OPERATORS,
};
void reserve_feed_write_getter(struct writer *out, enum reserve_feed_getter getter);

/* ---- answers: false for anything that the call can't have answered ---- */

/* One number or one 32-byte word: DECIMALS, MAX_REPORT_AGE, ROTATION_DELAY (seconds);
 * FEED_ID, DOMAIN_SEPARATOR, hashReport. */
NODISCARD bool reserve_feed_read_u64(uint64_t *out, struct bytes answer);
NODISCARD bool reserve_feed_read_hash(struct evm_hash *out, struct bytes answer);

/* state(). Before the first report round, balance, height and times are 0. */
struct reserve_feed_state {
    uint32_t round;
    uint32_t config_id;
    uint8_t threshold; /* k */
    uint8_t count;     /* n */
    struct amount balance;
    uint32_t height;
    struct block_time observed_at;
    struct evm_time updated_at;
};
NODISCARD bool reserve_feed_read_state(struct reserve_feed_state *out,
                                       struct bytes answer);

/* operators(), in the contract's order. */
#define RESERVE_FEED_OPERATORS_MAX 31
struct reserve_feed_operators {
    struct evm_address at[RESERVE_FEED_OPERATORS_MAX];
    size_t count;
};
NODISCARD bool reserve_feed_read_operators(struct reserve_feed_operators *out,
                                           struct bytes answer);
bool reserve_feed_has_operator(const struct reserve_feed_operators *operators,
                               const struct evm_address *address);

/* eip712Domain() (EIP-5267): true only if it is that of a ReserveFeed, version 1, without
 * salt and extensions. */
NODISCARD bool reserve_feed_read_domain(uint64_t *chain_id, struct evm_address *contract,
                                        struct bytes answer);

/* ---- the event ReserveReported ---- */

struct reserve_reported {
    struct evm_report report;
    uint32_t config_id;
    struct evm_address submitter;
};
#define RESERVE_REPORTED_TOPICS 4
/* Its first topic, and the second, which is the round: to filter logs by. */
void reserve_reported_topics(struct evm_hash out[static 2], uint32_t round);
NODISCARD bool reserve_reported_read(struct reserve_reported *out,
                                     const struct evm_hash *topics, size_t topic_count,
                                     struct bytes data);

#endif
