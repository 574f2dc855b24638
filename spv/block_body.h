/* A block's body between parsing and judging; the block files' own interface. */
#ifndef SPV_BLOCK_BODY_H
#define SPV_BLOCK_BODY_H

#include "base/sha256_many.h"
#include "spv/block.h"

/* What the checks need beyond what a block keeps. Zero-initialise, then parse. */
struct block_body {
    struct block *block;        /* owned by the caller */
    struct sha256d_batch batch; /* of ids, until all is parsed */
    uint8_t (*wtxids)[32];      /* BIP 141: one a transaction, zeros for the first */
    uint64_t stripped_size;     /* of the whole block without witnesses */
    /* The first input's witness if it is exactly one item of 32 bytes, else empty. */
    struct bytes reserved_value;
    bool has_witness;       /* any transaction has one */
    bool has_node_sized_tx; /* a stripped transaction has 64 bytes, like a merkle node */
};

/* Read header and transactions of block->raw into the block, with their ids. False, with
 * the place, if the bytes aren't exactly one block in the serialisation of BIP 144. Call
 * block_body_release in either case. */
NODISCARD bool block_body_parse(struct block_body *body, struct block *block,
                                struct error *error);
/* The same for bytes that are one transaction and no header. */
NODISCARD bool block_body_parse_transaction(struct block_body *body, struct block *block,
                                            struct error *error);
void block_body_release(struct block_body *body);

/* One input, and that a null outpoint. */
bool tx_is_coinbase(const struct block *block, const struct tx *tx);

/* The rules that bind what txids commit to: false means that a header whose merkle root
 * commits to these transactions is invalid. */
NODISCARD bool block_check_transactions(const struct block *block,
                                        const struct network *network, uint32_t height,
                                        struct error *error);

/* The rules for a transaction by itself, which isn't a coinbase. */
NODISCARD bool block_check_lone_transaction(const struct block *block,
                                            struct error *error);

/* The part of the two above that is about ids: no txid and no outpoint spent is there
 * twice, and of the block's own transactions only outputs that exist, of earlier ones and
 * not of the coinbase, are spent. */
NODISCARD bool block_check_links(const struct block *block, struct error *error);
/* For a lone transaction: it spends no outpoint twice. */
NODISCARD bool block_check_inputs_distinct(const struct block *block,
                                           struct error *error);

/* BIP 141: whether the witnesses are those that the coinbase commits to, or there are
 * none where nothing commits to them. A failure says nothing about the header: txids, and
 * so its merkle root, don't cover witnesses. Uses up body->wtxids. */
NODISCARD bool block_check_witnesses(const struct block_body *body,
                                     const struct network *network, uint32_t height,
                                     struct error *error);

/* The witness commitment in the coinbase's last output that holds one; empty if none
 * does. */
struct bytes block_witness_commitment(const struct block *block);

#endif
