/* Unconfirmed transactions: peers announce them by inv, each is asked for once and goes
 * to the store, which knows what it means to the feeds. Nothing here is verified but its
 * form: a light client can't tell whether inputs exist and signatures hold. Peers
 * announce by txid: without BIP 339's wtxidrelay that is what they go on doing.
 *
 * The core's inner interface, like core_rooms.h. Without a mempool (spv->mempool NULL)
 * every call does nothing. */
#ifndef SPV_MEMPOOL_H
#define SPV_MEMPOOL_H

#include "spv/core_rooms.h"

/* Transactions remembered, 80 bytes each and as many in the index: some 20 minutes of
 * mainnet's. Who floods makes us forget, and look at something twice, no more. */
#define MEMPOOL_SEEN 8192
/* Asked of a peer at once (Bitcoin Core's own bound for this). What it announces beyond
 * is passed over; other peers announce it too. */
#define MEMPOOL_ASKED_MAX 100
#define MEMPOOL_TIMEOUT_MS 30000
/* Bytes on their way through the store. What comes beyond that is let fall. */
#define MEMPOOL_HELD_MAX (8u << 20)
/* Further below the tip the ledger can't tell what a transaction means. */
#define MEMPOOL_BEHIND_MAX 6

struct mempool *mempool_new(const uint64_t seed[static 2]);
void mempool_free(struct mempool *mempool);

void mempool_inv(struct spv *spv, struct peer *peer, const struct inv_item *items,
                 size_t count);
void mempool_tx(struct spv *spv, struct peer *peer, struct bytes payload);
/* Returns how many of the items are transactions. */
size_t mempool_notfound(struct spv *spv, struct peer *peer, const struct inv_item *items,
                        size_t count);
void mempool_peer_gone(struct spv *spv, struct peer *peer);
void mempool_looked_up(struct spv *spv, uint64_t ticket);
void mempool_tick(struct spv *spv);
struct mono_time mempool_deadline(const struct spv *spv);

#endif
