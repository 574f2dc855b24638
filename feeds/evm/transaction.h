/* EIP-1559 transactions (type 2 of EIP-2718) without access list. */
#ifndef FEEDS_EVM_TRANSACTION_H
#define FEEDS_EVM_TRANSACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/error.h"
#include "feeds/evm/evm_types.h"
#include "feeds/evm/signer.h"
#include "feeds/evm/wei.h"

struct evm_transaction {
    uint64_t chain_id;
    uint64_t nonce;
    struct wei max_priority_fee; /* for each gas */
    struct wei max_fee;          /* for each gas, base fee included */
    uint64_t gas_limit;
    struct evm_address to;
    struct wei value;
    struct bytes data; /* somebody else's */
};

/* What the sender signs. */
void evm_transaction_signing_hash(struct evm_hash *out,
                                  const struct evm_transaction *transaction);
/* Append the raw bytes, as they are sent. */
void evm_transaction_write(struct writer *out, const struct evm_transaction *transaction,
                           const struct evm_signature *signature);
/* A transaction's hash is that of its raw bytes. */
void evm_transaction_hash(struct evm_hash *out, struct bytes raw);

/* Read raw bytes that evm_transaction_write() could have written; out->data views them.
 * `sender` is recovered from the signature. */
NODISCARD bool evm_transaction_read(struct evm_transaction *out,
                                    struct evm_signature *signature,
                                    struct evm_address *sender, struct bytes raw,
                                    struct error *error);

/* The most that it can take from its sender: value + gas_limit * max_fee. False when that
 * has no place in 256 bits. */
NODISCARD bool evm_transaction_max_cost(struct wei *out,
                                        const struct evm_transaction *transaction);

#endif
