#include "feeds/evm/abi.h"

#include <string.h>

#include "feeds/evm/keccak.h"

void abi_event_topic(struct evm_hash *out, const char *signature)
{
    keccak256(out->b, signature, strlen(signature));
}

void abi_selector(uint8_t out[static 4], const char *signature)
{
    struct evm_hash hash;
    abi_event_topic(&hash, signature);
    memcpy(out, hash.b, 4);
}

/* ---- writing ---- */

void abi_write_selector(struct writer *out, const char *signature)
{
    uint8_t selector[4];
    abi_selector(selector, signature);
    write_bytes(out, selector, sizeof(selector));
}

void abi_write_word(struct writer *out, const uint8_t word[static ABI_WORD])
{
    write_bytes(out, word, ABI_WORD);
}

void abi_write_u64(struct writer *out, uint64_t value)
{
    uint8_t word[ABI_WORD] = {0};
    put_u64be(word + ABI_WORD - 8, value);
    abi_write_word(out, word);
}

void abi_write_address(struct writer *out, const struct evm_address *address)
{
    uint8_t word[ABI_WORD] = {0};
    memcpy(word + ABI_WORD - sizeof(address->b), address->b, sizeof(address->b));
    abi_write_word(out, word);
}

/* Bytes from the end of a content to the next whole word. */
static size_t padding_of(size_t len)
{
    return (ABI_WORD - len % ABI_WORD) % ABI_WORD;
}

void abi_write_tail(struct writer *out, struct bytes content)
{
    static const uint8_t zeros[ABI_WORD];
    abi_write_u64(out, content.len);
    write_bytes(out, content.data, content.len);
    write_bytes(out, zeros, padding_of(content.len));
}

/* ---- reading ---- */

void abi_read_word(struct reader *reader, uint8_t out[static ABI_WORD])
{
    read_bytes(reader, out, ABI_WORD);
}

static struct u256 read_u256(struct reader *reader)
{
    uint8_t word[ABI_WORD];
    abi_read_word(reader, word);
    return u256_from_be(word);
}

uint64_t abi_read_uint(struct reader *reader, unsigned bits)
{
    struct u256 value = read_u256(reader);
    if (u256_bits(&value) > bits) {
        reader_fail(reader);
        return 0;
    }
    return value.limb[0];
}

struct evm_address abi_read_address(struct reader *reader)
{
    static const uint8_t zeros[ABI_WORD];
    struct evm_address address;
    uint8_t word[ABI_WORD];
    abi_read_word(reader, word);
    size_t unused = ABI_WORD - sizeof(address.b);
    if (memcmp(word, zeros, unused) != 0) {
        reader_fail(reader);
        return (struct evm_address){0};
    }
    memcpy(address.b, word + unused, sizeof(address.b));
    return address;
}

void abi_read_offset(struct reader *reader, uint64_t expected)
{
    if (abi_read_uint(reader, 64) != expected)
        reader_fail(reader);
}

struct bytes abi_read_tail(struct reader *reader, size_t max)
{
    uint64_t len = abi_read_uint(reader, 64);
    if (len > max) {
        reader_fail(reader);
        return (struct bytes){0};
    }
    struct bytes content = read_view(reader, len);
    struct bytes padding = read_view(reader, padding_of((size_t)len));
    for (size_t i = 0; i < padding.len; i++) {
        if (padding.data[i] != 0)
            reader_fail(reader);
    }
    if (reader->failed)
        return (struct bytes){0};
    return content;
}

size_t abi_read_count(struct reader *reader, size_t max)
{
    uint64_t count = abi_read_uint(reader, 64);
    if (count > max || count > reader->left / ABI_WORD) {
        reader_fail(reader);
        return 0;
    }
    return (size_t)count;
}
