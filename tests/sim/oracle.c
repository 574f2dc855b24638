#include "tests/sim/oracle.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/oracle_tx.h"

#define BITS 0x207fffff
#define GENESIS_TIME 1296688602
#define GENESIS_NONCE 2
/* Coins are copied from block to block: enough to spend from, and no more than a little
 * above this. */
#define COINS_MAX 160
#define COINS_ROOM (COINS_MAX + 16)
#define MATURITY 100

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (!memory)
        abort();
    return memory;
}

/* ---- blocks by hash ---- */

static void index_put(struct oracle *oracle, const struct oracle_block *block)
{
    size_t at = take_le(block->hash.b, 8) & (oracle->hash_room - 1);
    while (oracle->by_hash[at])
        at = (at + 1) & (oracle->hash_room - 1);
    oracle->by_hash[at] = block->index + 1;
}

static void keep_block(struct oracle *oracle, struct oracle_block *block)
{
    if (oracle->block_count == oracle->block_room) {
        oracle->block_room = oracle->block_room * 2 + 1024;
        oracle->blocks =
            realloc(oracle->blocks, oracle->block_room * sizeof *oracle->blocks);
        if (!oracle->blocks)
            abort();
        free(oracle->by_hash);
        for (oracle->hash_room = 1; oracle->hash_room < 2 * oracle->block_room;)
            oracle->hash_room *= 2;
        oracle->by_hash = zeroed(oracle->hash_room, sizeof *oracle->by_hash);
        for (size_t i = 0; i < oracle->block_count; i++)
            index_put(oracle, oracle->blocks[i]);
    }
    block->index = (uint32_t)oracle->block_count;
    oracle->blocks[oracle->block_count++] = block;
    index_put(oracle, block);
}

struct oracle_block *oracle_find(const struct oracle *oracle,
                                 const struct oracle_hash *hash)
{
    size_t at = take_le(hash->b, 8) & (oracle->hash_room - 1);
    for (; oracle->by_hash[at]; at = (at + 1) & (oracle->hash_room - 1)) {
        struct oracle_block *block = oracle->blocks[oracle->by_hash[at] - 1];
        if (oracle_hash_equal(&block->hash, hash))
            return block;
    }
    return NULL;
}

struct oracle_block *oracle_ancestor(struct oracle_block *block, uint32_t height)
{
    while (block && block->height > height)
        block = block->parent;
    return block;
}

bool oracle_is_ancestor(const struct oracle_block *ancestor, struct oracle_block *block)
{
    return oracle_ancestor(block, ancestor->height) == ancestor;
}

struct oracle_block *oracle_genesis(const struct oracle *oracle)
{
    return oracle->blocks[0];
}

/* ---- headers ---- */

static void write_header(struct oracle_bytes *out, uint32_t version,
                         const struct oracle_hash *previous,
                         const struct oracle_hash *root, uint32_t time)
{
    add_le(out, version, 4);
    add_hash(out, previous);
    add_hash(out, root);
    add_le(out, time, 4);
    add_le(out, BITS, 4);
    add_le(out, 0, 4);
}

/* Regtest's target is 7fffff followed by zeros, most significant byte first. */
static bool below_target(const struct oracle_hash *hash)
{
    return hash->b[31] < 0x7f;
}

static struct oracle_hash solve(uint8_t *header, uint32_t nonce, bool solved)
{
    struct oracle_hash hash;
    for (;; nonce++) {
        for (int i = 0; i < 4; i++)
            header[76 + i] = (uint8_t)(nonce >> 8 * i);
        hash = oracle_sha256d(header, 80);
        if (solved ? below_target(&hash) : hash.b[31] >= 0x80)
            return hash;
    }
}

void oracle_header(struct oracle *oracle, uint8_t out[static 80],
                   const struct oracle_block *parent, uint32_t time, bool solved)
{
    struct oracle_hash root;
    struct oracle_bytes header = {0};
    for (int i = 0; i < 32; i++)
        root.b[i] = (uint8_t)random_u64(&oracle->random);
    write_header(&header, 0x20000000, &parent->hash, &root, time);
    solve(header.data, 0, solved);
    memcpy(out, header.data, 80);
    free(header.data);
}

/* ---- coins ---- */

static void coins_own(struct oracle_block *block)
{
    if (block->own_coins)
        return;
    const struct oracle_coin *shared = block->coins;
    block->coins = zeroed(COINS_ROOM, sizeof *block->coins);
    if (block->coin_count)
        memcpy(block->coins, shared, block->coin_count * sizeof *block->coins);
    block->own_coins = true;
}

static struct oracle_coin *coin_find(const struct oracle_block *block,
                                     const struct oracle_input *input)
{
    for (size_t i = 0; i < block->coin_count; i++)
        if (block->coins[i].vout == input->vout &&
            oracle_hash_equal(&block->coins[i].txid, &input->txid))
            return &block->coins[i];
    return NULL;
}

static void coins_change(struct oracle_block *block, const struct oracle_tx *tx)
{
    coins_own(block);
    for (size_t i = 0; i < tx->input_count && !tx->coinbase; i++) {
        struct oracle_coin *spent = coin_find(block, &tx->inputs[i]);
        *spent = block->coins[--block->coin_count];
    }
    for (uint32_t i = 0; i < tx->output_count; i++) {
        const struct oracle_output *output = &tx->outputs[i];
        if (output->script == SCRIPT_OTHER || output->data)
            continue;
        block->coins[block->coin_count++] = (struct oracle_coin){
            tx->txid, i, output->script, output->sat, block->height, tx->coinbase};
    }
}

static bool may_spend(const struct oracle_coin *coin, uint32_t height)
{
    return !coin->coinbase || height >= coin->height + MATURITY;
}

static bool fits(const struct oracle_block *block, const struct oracle_tx *tx)
{
    for (size_t i = 0; i < tx->input_count; i++) {
        const struct oracle_coin *coin = coin_find(block, &tx->inputs[i]);
        if (!coin || !may_spend(coin, block->height))
            return false;
    }
    return block->coin_count < COINS_MAX;
}

/* ---- mining ---- */

struct draft {
    struct oracle_tx *txs[64];
    size_t count;
};

static void draft_add(struct draft *draft, struct oracle_block *block,
                      struct oracle_tx *tx)
{
    draft->txs[draft->count++] = tx;
    coins_change(block, tx);
}

/* Inputs for a new transaction; those made in this very block are liked best. */
static size_t choose_coins(struct oracle *oracle, const struct oracle_block *block,
                           struct oracle_coin *out)
{
    size_t wanted = 1 + random_below(&oracle->random, 3), count = 0;
    for (int tries = 0; tries < 8 && count < wanted && block->coin_count; tries++) {
        size_t at = random_below(&oracle->random, block->coin_count);
        if (random_below(&oracle->random, 4) == 0)
            at = block->coin_count - 1;
        const struct oracle_coin *coin = &block->coins[at];
        bool taken = !may_spend(coin, block->height);
        for (size_t i = 0; i < count; i++)
            taken |=
                out[i].vout == coin->vout && oracle_hash_equal(&out[i].txid, &coin->txid);
        if (!taken)
            out[count++] = *coin;
    }
    return count;
}

static void add_payments(struct oracle *oracle, struct draft *draft,
                         struct oracle_block *block, unsigned payments)
{
    for (; payments > 0 && draft->count < 60; payments--) {
        struct oracle_coin coins[4];
        size_t count = choose_coins(oracle, block, coins);
        if (count)
            draft_add(draft, block,
                      oracle_pay(oracle, coins, count, block->coin_count > COINS_MAX));
    }
}

/* What other branches confirmed comes back, some of it, where its inputs are unspent. */
static void add_revived(struct oracle *oracle, struct draft *draft,
                        struct oracle_block *block)
{
    int looked = 0;
    for (struct oracle_tx *tx = oracle->txs; tx && looked < 200 && draft->count < 40;
         tx = tx->next, looked++)
        if (!tx->coinbase && random_below(&oracle->random, 3) && fits(block, tx))
            draft_add(draft, block, tx);
}

/* A coin of these scripts that is gone since one of the newest blocks. */
static const struct oracle_coin *spent_lately(const struct oracle_block *block,
                                              const uint32_t *births)
{
    const struct oracle_block *before = block->parent;
    for (int back = 0; back < 20 && before; back++, before = before->parent)
        for (size_t i = 0; i < before->coin_count; i++) {
            const struct oracle_coin *coin = &before->coins[i];
            struct oracle_input input = {coin->txid, coin->vout, coin->script};
            if (births[coin->script] <= coin->height && !coin_find(block, &input))
                return coin;
        }
    return NULL;
}

static enum oracle_flaw spend_twice(struct oracle *oracle, struct draft *draft,
                                    const struct oracle_block *block,
                                    const uint32_t *births)
{
    const struct oracle_coin *coin = spent_lately(block, births);
    if (!coin)
        return FLAW_HEIGHT;
    draft->txs[draft->count++] = oracle_pay(oracle, coin, 1, true);
    return FLAW_SPENT_TWICE;
}

static struct oracle_hash merkle_root(struct oracle_hash *level, size_t count)
{
    while (count > 1) {
        if (count % 2)
            level[count] = level[count - 1];
        for (size_t i = 0; i < (count + 1) / 2; i++) {
            uint8_t pair[64];
            memcpy(pair, level[2 * i].b, 32);
            memcpy(pair + 32, level[2 * i + 1].b, 32);
            level[i] = oracle_sha256d(pair, sizeof pair);
        }
        count = (count + 1) / 2;
    }
    return level[0];
}

static struct oracle_hash root_of(const struct draft *draft, bool witness)
{
    struct oracle_hash level[66] = {0};
    for (size_t i = 0; i < draft->count; i++)
        level[i] = witness ? draft->txs[i]->wtxid : draft->txs[i]->txid;
    if (witness)
        memset(&level[0], 0, sizeof level[0]);
    return merkle_root(level, draft->count);
}

static bool any_witness(const struct draft *draft)
{
    for (size_t i = 1; i < draft->count; i++)
        if (draft->txs[i]->has_witness)
            return true;
    return false;
}

/* The coinbase comes first in the block, but is made last: it commits to the others. */
static void add_coinbase(struct oracle *oracle, struct draft *draft,
                         struct oracle_block *block, const struct oracle_recipe *recipe,
                         enum oracle_flaw flaw)
{
    struct oracle_coinbase plan = {.height = block->height,
                                   .pays = recipe->pays && block->coin_count < COINS_MAX};
    struct oracle_tx none = {0};
    memmove(draft->txs + 1, draft->txs, draft->count * sizeof draft->txs[0]);
    draft->txs[0] = &none;
    draft->count++;
    plan.commits = any_witness(draft) || random_below(&oracle->random, 4) == 0;
    plan.witness_root = root_of(draft, true);
    if (flaw == FLAW_HEIGHT)
        plan.height++;
    if (flaw == FLAW_WITNESS) {
        plan.commits = true;
        plan.witness_root.b[0] ^= 1;
    }
    draft->txs[0] = oracle_coinbase(oracle, &plan);
    coins_change(block, draft->txs[0]);
}

static void add_filter(struct oracle *oracle, const struct draft *draft,
                       struct oracle_block *block)
{
    struct oracle_item *items = zeroed(draft->count * 10, sizeof *items);
    size_t count = 0;
    for (size_t i = 0; i < draft->count; i++)
        count += oracle_tx_items(oracle, draft->txs[i], items + count);
    oracle_filter(&block->filter, &block->hash, items, count);
    block->items = items;
    block->item_count = count;
    static const struct oracle_hash zero;
    block->filter_hash = oracle_sha256d(block->filter.data, block->filter.len);
    block->filter_header = oracle_filter_header(
        &block->filter_hash, block->parent ? &block->parent->filter_header : &zero);
}

static void seal(struct oracle *oracle, const struct draft *draft,
                 struct oracle_block *block)
{
    block->hash = solve(block->raw.data, block->parent ? 0 : GENESIS_NONCE, true);
    add_varint(&block->raw, draft->count);
    for (size_t i = 0; i < draft->count; i++)
        add_data(&block->raw, draft->txs[i]->raw.data, draft->txs[i]->raw.len);
    add_filter(oracle, draft, block);
    keep_block(oracle, block);
}

struct oracle_block *oracle_mine(struct oracle *oracle, struct oracle_block *parent,
                                 const struct oracle_recipe *recipe)
{
    struct oracle_block *block = zeroed(1, sizeof *block);
    block->parent = parent;
    block->height = parent->height + 1;
    block->time = recipe->time;
    block->coins = parent->coins;
    block->coin_count = parent->coin_count;
    block->invalid = parent->invalid || recipe->flaw != FLAW_NONE;
    struct draft draft = {.count = 0};
    if (recipe->revive)
        add_revived(oracle, &draft, block);
    add_payments(oracle, &draft, block, recipe->payments);
    enum oracle_flaw flaw = recipe->flaw;
    if (flaw == FLAW_SPENT_TWICE)
        flaw = spend_twice(oracle, &draft, block, recipe->births);
    add_coinbase(oracle, &draft, block, recipe, flaw);
    struct oracle_hash root = root_of(&draft, false);
    write_header(&block->raw, 0x20000000, &parent->hash, &root, block->time);
    seal(oracle, &draft, block);
    return block;
}

static void make_genesis(struct oracle *oracle)
{
    struct oracle_block *block = zeroed(1, sizeof *block);
    struct draft draft = {.count = 1};
    static const struct oracle_hash zero;
    block->time = GENESIS_TIME;
    draft.txs[0] = oracle_genesis_coinbase(oracle);
    struct oracle_hash root = root_of(&draft, false);
    write_header(&block->raw, 1, &zero, &root, block->time);
    seal(oracle, &draft, block);
    /* 0f9188f1...: else our own transaction or tree is wrong. */
    if (take_le(block->hash.b + 28, 4) != 0x0f9188f1)
        abort();
}

/* ---- sums ---- */

struct oracle_sum oracle_sum(const struct oracle_block *at, const uint32_t *births,
                             bool count_immature)
{
    struct oracle_sum sum = {0};
    for (size_t i = 0; i < at->coin_count; i++) {
        const struct oracle_coin *coin = &at->coins[i];
        if (births[coin->script] == BIRTH_NONE || coin->height < births[coin->script])
            continue;
        bool immature = coin->coinbase && at->height < coin->height + MATURITY;
        if (immature) {
            sum.immature += coin->sat;
            sum.immature_coins++;
        }
        if (!immature || count_immature) {
            sum.counted += coin->sat;
            sum.coins++;
        }
    }
    return sum;
}

/* ---- life ---- */

void oracle_init(struct oracle *oracle, uint64_t seed, size_t script_count)
{
    memset(oracle, 0, sizeof *oracle);
    random_init(&oracle->random, seed);
    oracle->script_count = script_count;
    oracle->scripts = zeroed(script_count, sizeof *oracle->scripts);
    for (size_t i = 0; i < script_count; i++)
        oracle_make_script(oracle, &oracle->scripts[i]);
    make_genesis(oracle);
}

void oracle_release(struct oracle *oracle)
{
    for (size_t i = 0; i < oracle->block_count; i++) {
        struct oracle_block *block = oracle->blocks[i];
        free(block->raw.data);
        free(block->filter.data);
        free(block->items);
        if (block->own_coins)
            free(block->coins);
        free(block);
    }
    while (oracle->txs) {
        struct oracle_tx *tx = oracle->txs;
        oracle->txs = tx->next;
        free(tx->raw.data);
        free(tx);
    }
    free(oracle->blocks);
    free(oracle->by_hash);
    free(oracle->scripts);
}
