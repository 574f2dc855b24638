#include "feeds/evm/transaction.h"

#include <string.h>

#include "feeds/evm/keccak.h"
#include "feeds/evm/rlp.h"

#define TYPE_EIP1559 0x02
/* Nodes refuse transactions above 128 KiB; ours have some 2 KiB at most. */
#define DATA_MAX ((size_t)128 << 10)

static void write_fields(struct writer *items, const struct evm_transaction *transaction)
{
    static const struct bytes no_access_list = {0};
    rlp_write_u64(items, transaction->chain_id);
    rlp_write_u64(items, transaction->nonce);
    rlp_write_u256(items, &transaction->max_priority_fee.value);
    rlp_write_u256(items, &transaction->max_fee.value);
    rlp_write_u64(items, transaction->gas_limit);
    rlp_write_string(items, transaction->to.b, sizeof(transaction->to.b));
    rlp_write_u256(items, &transaction->value.value);
    rlp_write_string(items, transaction->data.data, transaction->data.len);
    rlp_write_list(items, no_access_list);
}

static void finish(struct writer *out, struct writer *items)
{
    write_u8(out, TYPE_EIP1559);
    rlp_write_list(out, (struct bytes){items->data, items->len});
    writer_release(items);
}

void evm_transaction_signing_hash(struct evm_hash *out,
                                  const struct evm_transaction *transaction)
{
    struct writer items, message;
    writer_init(&items);
    writer_init(&message);
    write_fields(&items, transaction);
    finish(&message, &items);
    keccak256(out->b, message.data, message.len);
    writer_release(&message);
}

void evm_transaction_write(struct writer *out, const struct evm_transaction *transaction,
                           const struct evm_signature *signature)
{
    struct u256 r = u256_from_be(signature->r), s = u256_from_be(signature->s);
    struct writer items;
    writer_init(&items);
    write_fields(&items, transaction);
    rlp_write_u64(&items, signature->y_parity);
    rlp_write_u256(&items, &r);
    rlp_write_u256(&items, &s);
    finish(out, &items);
}

void evm_transaction_hash(struct evm_hash *out, struct bytes raw)
{
    keccak256(out->b, raw.data, raw.len);
}

/* ---- reading ---- */

static void read_fields(struct evm_transaction *out, struct reader *items)
{
    struct reader access_list;
    out->chain_id = rlp_read_u64(items);
    out->nonce = rlp_read_u64(items);
    out->max_priority_fee.value = rlp_read_u256(items);
    out->max_fee.value = rlp_read_u256(items);
    out->gas_limit = rlp_read_u64(items);
    struct bytes to = rlp_read_string(items, sizeof(out->to.b), sizeof(out->to.b));
    if (to.len == sizeof(out->to.b))
        memcpy(out->to.b, to.data, sizeof(out->to.b));
    out->value.value = rlp_read_u256(items);
    out->data = rlp_read_string(items, 0, DATA_MAX);
    rlp_read_list(&access_list, items);
    if (!reader_done(&access_list))
        reader_fail(items);
}

static void read_signature(struct evm_signature *out, struct reader *items)
{
    uint64_t y_parity = rlp_read_u64(items);
    struct u256 r = rlp_read_u256(items), s = rlp_read_u256(items);
    if (y_parity > 1)
        reader_fail(items);
    out->y_parity = y_parity == 1;
    u256_to_be(out->r, &r);
    u256_to_be(out->s, &s);
}

bool evm_transaction_read(struct evm_transaction *out, struct evm_signature *signature,
                          struct evm_address *sender, struct bytes raw,
                          struct error *error)
{
    struct reader reader, items;
    struct evm_hash signed_hash;
    *out = (struct evm_transaction){0};
    reader_init(&reader, raw.data, raw.len);
    uint8_t type = read_u8(&reader);
    rlp_read_list(&items, &reader);
    read_fields(out, &items);
    read_signature(signature, &items);
    if (type != TYPE_EIP1559 || !reader_done(&reader) || !reader_done(&items))
        return error_set(error,
                         "transaction: its bytes aren't an EIP-1559 transaction of "
                         "ours; the record is damaged");
    evm_transaction_signing_hash(&signed_hash, out);
    if (!evm_recover(sender, signature, &signed_hash))
        return error_set(error, "transaction: its signature is nobody's; the record is "
                                "damaged");
    return true;
}

bool evm_transaction_max_cost(struct wei *out, const struct evm_transaction *transaction)
{
    struct wei gas;
    return wei_mul(&gas, transaction->max_fee, transaction->gas_limit) &&
           wei_add(out, gas, transaction->value);
}
