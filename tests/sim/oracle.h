/* The oracle: makes a regtest chain with all its branches, and knows what every script
 * holds at every block of it. Serialisation, trees, proof of work, filters and sums are
 * its own. */
#ifndef TESTS_SIM_ORACLE_H
#define TESTS_SIM_ORACLE_H

#include "base/random.h"
#include "tests/sim/oracle_bytes.h"

/* Outputs to a script outside the table: never spent, never watched. */
#define SCRIPT_OTHER UINT32_MAX

struct oracle_coin {
    struct oracle_hash txid;
    uint32_t vout;
    uint32_t script; /* index into the table */
    uint64_t sat;
    uint32_t height;
    bool coinbase;
};

struct oracle_input {
    struct oracle_hash txid;
    uint32_t vout;
    uint32_t script;
};

struct oracle_output {
    uint64_t sat;
    uint32_t script;
    bool data; /* OP_RETURN */
};

struct oracle_tx {
    struct oracle_hash txid, wtxid;
    bool coinbase, has_witness;
    struct oracle_input inputs[4];
    size_t input_count;
    struct oracle_output outputs[6];
    size_t output_count;
    struct oracle_bytes raw;
    struct oracle_tx *next; /* of all */
};

/* A block without transactions of its own shares its coins with its parent. */
struct oracle_block {
    struct oracle_hash hash, filter_header, filter_hash;
    struct oracle_block *parent;
    uint32_t height, time;
    uint32_t index; /* into oracle.blocks */
    bool invalid;   /* breaks a rule, or follows one that does */
    struct oracle_bytes raw, filter;
    struct oracle_item *items; /* what is in the filter */
    size_t item_count;
    struct oracle_coin *coins; /* every coin of the table's scripts, alive after it */
    size_t coin_count;
    bool own_coins;
};

struct oracle_script {
    uint8_t data[110];
    size_t len;
};

struct oracle {
    struct random random;
    struct oracle_script *scripts;
    size_t script_count;
    struct oracle_block **blocks; /* in order of making; the first is genesis */
    size_t block_count, block_room;
    uint32_t *by_hash; /* open addressing; index + 1 */
    size_t hash_room;
    struct oracle_tx *txs; /* the newest first */
};

/* What is wrong with a block that is made to be refused. */
enum oracle_flaw { FLAW_NONE, FLAW_HEIGHT, FLAW_WITNESS, FLAW_SPENT_TWICE, FLAW_FLAWS };

struct oracle_recipe {
    uint32_t time;
    unsigned payments; /* transactions to try beside the coinbase */
    bool revive;       /* take transactions of other branches in again where they fit */
    bool pays;         /* the coinbase pays scripts of the table */
    enum oracle_flaw flaw;
    /* Of FLAW_SPENT_TWICE: scripts, with births, whose coin is to be spent again; where
     * there is none the flaw is FLAW_HEIGHT. */
    const uint32_t *births;
};

void oracle_init(struct oracle *oracle, uint64_t seed, size_t script_count);
void oracle_release(struct oracle *oracle);

struct oracle_block *oracle_genesis(const struct oracle *oracle);
struct oracle_block *oracle_mine(struct oracle *oracle, struct oracle_block *parent,
                                 const struct oracle_recipe *recipe);
/* NULL if there is none. */
struct oracle_block *oracle_find(const struct oracle *oracle,
                                 const struct oracle_hash *hash);
struct oracle_block *oracle_ancestor(struct oracle_block *block, uint32_t height);
bool oracle_is_ancestor(const struct oracle_block *ancestor, struct oracle_block *block);
/* A header on top of `parent` that no block has; with proof of work only if `solved`. */
void oracle_header(struct oracle *oracle, uint8_t out[static 80],
                   const struct oracle_block *parent, uint32_t time, bool solved);

struct oracle_sum {
    uint64_t counted, coins, immature, immature_coins;
};
#define BIRTH_NONE UINT32_MAX
/* What the scripts hold at a block: coins created at or above the births (by script;
 * BIRTH_NONE leaves one out). */
struct oracle_sum oracle_sum(const struct oracle_block *at, const uint32_t *births,
                             bool count_immature);

#endif
