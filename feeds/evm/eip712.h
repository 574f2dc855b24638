/* EIP-712: the digest of a report that operators sign, equal to the contract's
 * hashReport(). */
#ifndef FEEDS_EVM_EIP712_H
#define FEEDS_EVM_EIP712_H

#include <stdint.h>

#include "feeds/evm/evm_types.h"
#include "feeds/evm/reserve_feed.h"

/* The domain {"ReserveFeed", "1", chainId, verifyingContract}. */
void eip712_domain_separator(struct evm_hash *out, uint64_t chain_id,
                             const struct evm_address *contract);

/* hashStruct(ReserveReport). `config_id` is the contract's at the time of signing. */
void eip712_report_hash(struct evm_hash *out, const struct evm_report *report,
                        const struct evm_hash *feed_id, uint32_t config_id);

/* keccak256(0x19 0x01 || separator || struct hash) */
void eip712_digest(struct evm_hash *out, const struct evm_hash *separator,
                   const struct evm_hash *struct_hash);

#endif
