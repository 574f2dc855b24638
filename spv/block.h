/* Whole blocks: parsing without copies, and every check that needs no coins of others. */
#ifndef SPV_BLOCK_H
#define SPV_BLOCK_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/money.h"
#include "spv/header.h"
#include "spv/ids.h"
#include "spv/network.h"

/* BIP 141. A serialised block can't be larger than its weight allows. */
#define BLOCK_WEIGHT_MAX 4000000
#define BLOCK_SIZE_MAX 4000000

struct tx_in {
    struct outpoint previous;
    struct bytes script_sig;
};

struct tx_out {
    struct amount amount;
    struct bytes script;
};

struct tx {
    struct txid txid;
    uint32_t first_in, in_count;   /* in block.ins */
    uint32_t first_out, out_count; /* in block.outs */
    bool has_witness;
};

/* A parsed block. Views point into the bytes it was parsed from, which it owns. */
struct block {
    struct block_header header;
    struct block_hash hash;
    struct tx *txs;
    struct tx_in *ins;
    struct tx_out *outs;
    uint32_t tx_count, in_count, out_count;
    uint8_t *raw;
    size_t raw_len;
};

enum block_verdict {
    BLOCK_VALID,
    /* The body isn't the one that the header commits to (or can't be told to be): whoever
     * sent it is at fault, the hash isn't. */
    BLOCK_WRONG_BODY,
    /* The header commits to exactly this body, and the body breaks a rule: the hash and
     * its descendants are invalid for good. */
    BLOCK_INVALID,
};

/* Parse and check `raw` as the block with this hash at this height. Takes over `raw`
 * (malloc'd) in every case. On BLOCK_VALID *out is a block to free with block_free; else
 * *out is NULL and *error names the rule.
 *
 * Checked: header hash; merkle root, with no equal siblings (CVE-2012-2459); no 64-byte
 * transactions where the first isn't a coinbase (CVE-2017-12842); witness commitment (BIP
 * 141) from segwit_height on; weight; coinbase first and only; height in the coinbase
 * (BIP 34); inputs and outputs not empty, amounts in range, coinbase script of 2 to 100
 * bytes, no null outpoints elsewhere, no input twice in a transaction; no txid twice and
 * no outpoint spent twice in the block; of the block's own transactions only outputs that
 * exist, of earlier ones and not of the coinbase, are spent. */
NODISCARD enum block_verdict block_parse(struct block **out, uint8_t *raw, size_t raw_len,
                                         const struct network *network,
                                         const struct block_hash *expected,
                                         uint32_t height, struct error *error);
void block_free(struct block *block);
/* Bytes of memory that it takes. */
size_t block_memory(const struct block *block);

/* Parse and check a transaction that isn't in a block yet, into the form of a block of it
 * alone, whose header and hash are zero; free it with block_free. Copies `raw`. False,
 * with *out NULL, if the bytes aren't exactly one transaction, or break a rule that holds
 * without knowing its coins: weight, inputs and outputs not empty, amounts in range, no
 * null outpoint, no input twice. */
NODISCARD bool transaction_parse(struct block **out, struct bytes raw,
                                 struct error *error);

#endif
