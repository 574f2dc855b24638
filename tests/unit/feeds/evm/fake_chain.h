/* An EVM chain in plain memory: blocks, a pool, contracts, reorganisations. */
#ifndef TESTS_FAKE_CHAIN_H
#define TESTS_FAKE_CHAIN_H

#include "fake_contract.h"
#include "feeds/evm/transaction.h"

#define FAKE_BLOCKS 40960
#define FAKE_CONTRACTS 2
#define FAKE_TRANSACTIONS 64
#define FAKE_GENESIS_TIME UINT64_C(1700000000)
#define FAKE_BLOCK_TIME 12

#define FAKE_BASE_FEE WEI_PER_GWEI
#define FAKE_GAS 70000

struct fake_transaction {
    uint8_t raw[1024];
    size_t raw_len;
    struct evm_hash hash;
    uint64_t nonce;
    struct evm_address to;
    struct bytes data; /* within raw */
    bool dropped;      /* out of the pool until it is sent again */
    uint64_t block;    /* 0: not mined */
    bool succeeded;
    unsigned sent; /* how often */
};

struct fake_chain_block {
    struct evm_hash hash;
    uint64_t nonce; /* the sender's */
    struct fake_contract contracts[FAKE_CONTRACTS];
    bool reported[FAKE_CONTRACTS]; /* a log of the contract's report is in it */
};

struct fake_chain {
    struct fake_chain_block blocks[FAKE_BLOCKS];
    uint64_t head;
    struct fake_transaction transactions[FAKE_TRANSACTIONS];
    size_t transaction_count;
    struct evm_address sender;
    struct wei balance;
    bool paused; /* blocks are mined without transactions */
};

/* ---- the chain ---- */

static inline void fake_name_block(struct fake_chain *chain, uint64_t number,
                                   uint8_t fork)
{
    struct evm_hash *hash = &chain->blocks[number].hash;
    memset(hash, 0, sizeof(*hash));
    put_u64be(hash->b, number);
    hash->b[31] = fork;
}

static inline struct fake_chain *fake_chain_new(struct evm_address sender)
{
    struct fake_chain *chain = mem_zalloc(1, sizeof(*chain));
    chain->sender = sender;
    chain->balance = wei_from_u64(WEI_PER_ETHER);
    fake_name_block(chain, 0, 0xaa);
    for (size_t i = 0; i < FAKE_CONTRACTS; i++)
        chain->blocks[0].contracts[i].absent = true;
    return chain;
}

static inline uint64_t fake_block_time(uint64_t number)
{
    return FAKE_GENESIS_TIME + number * FAKE_BLOCK_TIME;
}

static inline struct fake_chain_block *fake_head(struct fake_chain *chain)
{
    return &chain->blocks[chain->head];
}

static inline struct fake_contract *fake_contract_at(struct fake_chain_block *block,
                                                     const struct evm_address *address)
{
    for (size_t i = 0; i < FAKE_CONTRACTS; i++) {
        if (evm_address_equal(&block->contracts[i].address, address))
            return &block->contracts[i];
    }
    return NULL;
}

static inline void fake_execute(struct fake_chain *chain,
                                struct fake_transaction *transaction)
{
    struct fake_chain_block *head = fake_head(chain);
    struct fake_contract *contract = fake_contract_at(head, &transaction->to);
    struct fake_submit submit;
    struct writer revert = {0};
    transaction->block = chain->head;
    head->nonce++;
    transaction->succeeded =
        contract != NULL && fake_submit_read(&submit, transaction->data) &&
        fake_submit(contract, &submit, fake_block_time(chain->head), &revert);
    if (transaction->succeeded)
        head->reported[contract - head->contracts] = true;
    writer_release(&revert);
}

static inline void fake_mine(struct fake_chain *chain, uint8_t fork)
{
    assert_true(chain->head + 1 < FAKE_BLOCKS);
    chain->blocks[chain->head + 1] = chain->blocks[chain->head];
    chain->head++;
    memset(fake_head(chain)->reported, 0, sizeof(fake_head(chain)->reported));
    fake_name_block(chain, chain->head, fork);
    if (chain->paused)
        return;
    for (size_t i = 0; i < chain->transaction_count; i++) {
        struct fake_transaction *next = &chain->transactions[i];
        if (next->block == 0 && !next->dropped && next->nonce == fake_head(chain)->nonce)
            fake_execute(chain, next);
    }
}

/* The last `depth` blocks are replaced by empty ones, and their transactions are gone. */
static inline void fake_reorganise(struct fake_chain *chain, uint64_t depth)
{
    chain->head -= depth;
    for (size_t i = 0; i < chain->transaction_count; i++) {
        struct fake_transaction *transaction = &chain->transactions[i];
        if (transaction->block > chain->head) {
            transaction->block = 0;
            transaction->dropped = true;
        }
    }
    for (uint64_t i = 0; i < depth; i++)
        fake_mine(chain, 0xbb);
}

/* How many rounds the contract has reported. */
static inline unsigned fake_reports(const struct fake_chain *chain, size_t contract)
{
    unsigned count = 0;
    for (uint64_t i = 0; i <= chain->head; i++)
        count += chain->blocks[i].reported[contract];
    return count;
}

/* Another's report becomes the next round, in a block of its own. */
static inline void fake_report_elsewhere(struct fake_chain *chain, size_t contract,
                                         uint32_t height, uint64_t satoshi)
{
    bool paused = chain->paused;
    chain->paused = true;
    fake_mine(chain, 0xaa);
    chain->paused = paused;
    struct fake_contract *at = &fake_head(chain)->contracts[contract];
    at->report =
        (struct evm_report){.round = at->state.round + 1,
                            .balance = {satoshi},
                            .height = height,
                            .observed_at = {(uint32_t)FAKE_GENESIS_TIME - 100000}};
    memset(at->report.set_hash, 0x33, sizeof(at->report.set_hash));
    at->state.round = at->report.round;
    at->state.balance = at->report.balance;
    at->state.height = height;
    at->state.observed_at = at->report.observed_at;
    fake_head(chain)->reported[contract] = true;
}

#endif
