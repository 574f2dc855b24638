/* The contract ABI's words: writing calls, and reading answers strictly. A number or
 * address in a word that has other bits set, an offset that isn't where Solidity's own
 * encoder puts it, or padding that isn't zero fails the reader (base/bytes.h), whose
 * error sticks: check reader_done() at the end. */
#ifndef FEEDS_EVM_ABI_H
#define FEEDS_EVM_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "feeds/evm/evm_types.h"

#define ABI_WORD 32

/* The first four bytes of the Keccak-256 of "name(type,type)". */
void abi_selector(uint8_t out[static 4], const char *signature);
/* An event's first topic: the whole hash. */
void abi_event_topic(struct evm_hash *out, const char *signature);

/* ---- writing ---- */

void abi_write_selector(struct writer *out, const char *signature);
void abi_write_u64(struct writer *out, uint64_t value);
void abi_write_address(struct writer *out, const struct evm_address *address);
void abi_write_word(struct writer *out, const uint8_t word[static ABI_WORD]);
/* The tail of a `bytes` or `string`: length, content, zeros up to a whole word. */
void abi_write_tail(struct writer *out, struct bytes content);

/* ---- reading ---- */

/* An unsigned number of at most `bits` bits, 1 to 64. */
uint64_t abi_read_uint(struct reader *reader, unsigned bits);
struct evm_address abi_read_address(struct reader *reader);
void abi_read_word(struct reader *reader, uint8_t out[static ABI_WORD]);
/* An offset that must be `expected`. */
void abi_read_offset(struct reader *reader, uint64_t expected);
/* A tail as abi_write_tail() writes it, at most `max` bytes long. A view. */
struct bytes abi_read_tail(struct reader *reader, size_t max);
/* How many words of the tail of a dynamic array of one-word items follow; at most `max`.
 */
size_t abi_read_count(struct reader *reader, size_t max);

#endif
