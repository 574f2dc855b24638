/* What one's own node says of scripts' coins: the request scantxoutset over JSON-RPC and
 * its answer. Amounts never become floating point: every number of the answer is read
 * from its own text. */
#ifndef FEEDS_NODE_SCAN_H
#define FEEDS_NODE_SCAN_H

#include "base/error.h"
#include "base/money.h"
#include "spv/ids.h"
#include "spv/script_set.h"

/* Scripts of one request: a node takes its minute for each, however few they are. */
#define NODE_SCAN_SCRIPTS_MAX 5000
/* Of their bytes; the request has twice as many. */
#define NODE_SCAN_BYTES_MAX ((size_t)1 << 20)
/* Of an answer: some 35,000 coins. */
#define NODE_SCAN_REPLY_MAX ((size_t)16 << 20)

struct node_coin {
    struct outpoint outpoint;
    uint32_t script; /* its id in the set that was asked about */
    struct amount amount;
    uint32_t height;
    bool coinbase;
};

/* The coins at the node's tip, by the bytes of their txid and then vout. */
struct node_scan {
    uint32_t height;
    struct block_hash block;
    struct node_coin *coins; /* malloc'd */
    size_t count;
};

enum node_scan_outcome {
    NODE_SCAN_DONE,
    NODE_SCAN_BUSY,    /* it scans already, for somebody else */
    NODE_SCAN_REFUSED, /* an error of its own, or the scan was stopped */
    NODE_SCAN_BROKEN,  /* no answer to what was asked */
};

/* Append a request for the coins of all these scripts; to stop one that runs. */
void node_scan_write(struct writer *out, const struct script_set *scripts);
void node_scan_write_abort(struct writer *out);

/* Read the answer. For anything but DONE *out is empty and the error says why. Coins of
 * other scripts, coins twice, a total that isn't their sum, or a number that isn't what
 * it has to be make it BROKEN. */
NODISCARD enum node_scan_outcome node_scan_read(struct node_scan *out, struct bytes body,
                                                const struct script_set *scripts,
                                                struct error *error);
void node_scan_release(struct node_scan *scan);

#endif
