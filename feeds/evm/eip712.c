#include "feeds/evm/eip712.h"

#include <string.h>

#include "feeds/evm/abi.h"
#include "feeds/evm/keccak.h"

#define DOMAIN_TYPE                                                                      \
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
#define REPORT_TYPE                                                                      \
    "ReserveReport(bytes32 feedId,uint32 configId,uint32 round,uint64 balanceSat,"       \
    "uint32 btcHeight,bytes32 btcBlockHash,uint64 observedAt,bytes32 setHash)"

/* Types and strings enter as their hashes. */
static void write_hash_of(struct writer *out, const char *text)
{
    uint8_t hash[32];
    keccak256(hash, text, strlen(text));
    abi_write_word(out, hash);
}

static void finish(struct evm_hash *out, struct writer *encoded)
{
    keccak256(out->b, encoded->data, encoded->len);
    writer_release(encoded);
}

void eip712_domain_separator(struct evm_hash *out, uint64_t chain_id,
                             const struct evm_address *contract)
{
    struct writer encoded;
    writer_init(&encoded);
    write_hash_of(&encoded, DOMAIN_TYPE);
    write_hash_of(&encoded, "ReserveFeed");
    write_hash_of(&encoded, "1");
    abi_write_u64(&encoded, chain_id);
    abi_write_address(&encoded, contract);
    finish(out, &encoded);
}

void eip712_report_hash(struct evm_hash *out, const struct evm_report *report,
                        const struct evm_hash *feed_id, uint32_t config_id)
{
    struct writer encoded;
    writer_init(&encoded);
    write_hash_of(&encoded, REPORT_TYPE);
    abi_write_word(&encoded, feed_id->b);
    abi_write_u64(&encoded, config_id);
    evm_report_write(&encoded, report);
    finish(out, &encoded);
}

void eip712_digest(struct evm_hash *out, const struct evm_hash *separator,
                   const struct evm_hash *struct_hash)
{
    uint8_t encoded[2 + 32 + 32] = {0x19, 0x01};
    memcpy(encoded + 2, separator->b, 32);
    memcpy(encoded + 34, struct_hash->b, 32);
    keccak256(out->b, encoded, sizeof(encoded));
}
