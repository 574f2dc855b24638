/* Parameters of the networks, in one table. */
#ifndef SPV_NETWORK_H
#define SPV_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spv/header.h"
#include "spv/u256.h"

/* Blocks between two retargets, on every network. */
#define RETARGET_INTERVAL 2016
/* A coinbase may be spent 100 blocks above its own. */
#define COINBASE_MATURITY 100

enum retarget_rule {
    RETARGET_NEVER,    /* regtest */
    RETARGET_WINDOW,   /* mainnet, signet: the 2,016-block window */
    RETARGET_TESTNET3, /* with the 20-minute exception */
    RETARGET_BIP94,    /* testnet4: exception, and the window's first header's bits */
};

/* A block that a chain must contain at this height to be the one meant. */
struct checkpoint {
    uint32_t height;
    struct block_hash hash;
};

/* The filter header (BIP 157, basic) of the true chain at this height. */
struct filter_checkpoint {
    uint32_t height;
    struct filter_header header;
};

struct network {
    const char *name; /* mainnet testnet3 testnet4 signet regtest; or signet_MAGIC */
    uint32_t magic;   /* as a little-endian number of the four wire bytes */
    uint16_t port;
    uint16_t http_port;
    uint8_t p2pkh_version;
    uint8_t p2sh_version;
    const char *bech32_hrp;
    enum retarget_rule retarget;
    uint32_t pow_limit_bits;  /* easiest target allowed, compact form */
    uint32_t bip34_height;    /* version >= 2 and height in the coinbase */
    uint32_t bip66_height;    /* version >= 3 */
    uint32_t bip65_height;    /* version >= 4 */
    uint32_t segwit_height;   /* witness commitment is enforced from here */
    uint8_t minimum_work[32]; /* big-endian; a chain below it isn't believed yet */
    struct block_header genesis;
    struct block_hash genesis_hash;
    const struct checkpoint *checkpoints; /* ascending heights */
    size_t checkpoint_count;
    const struct filter_checkpoint *filter_checkpoints; /* ascending heights */
    size_t filter_checkpoint_count;
    const char *const *dns_seeds; /* NULL-terminated */
    /* The first so many also answer for x49.HOST, with nodes that serve compact filters
     * (NODE_NETWORK, NODE_WITNESS, NODE_COMPACT_FILTERS); the others know fewer prefixes
     * or none. */
    size_t filter_seeds;
    uint32_t subsidy_halving_interval;
    /* From here a minority's chain with other headers shares magic and port; 0: none. */
    uint32_t split_height;
};

/* BIP 325: the signet of another challenge (1 to SIGNET_CHALLENGE_MAX bytes). Its magic
 * is the start of the challenge's double SHA-256, its genesis the default signet's;
 * nothing is known of its seeds, checkpoints and work. The default's challenge gives
 * NULL, else the caller frees it. What makes its blocks valid, a signature in the
 * coinbase that satisfies the challenge, isn't in the headers and isn't checked, on the
 * default signet neither: a signet's chain is the one of most work that peers show. */
#define SIGNET_CHALLENGE_MAX 10000
struct network *network_signet_new(const uint8_t *challenge, size_t len);

/* NULL if there is no network of this name. The table lives for ever. */
const struct network *network_find(const char *name);
/* The table, NULL-terminated, mainnet first. */
const struct network *const *network_all(void);

#endif
