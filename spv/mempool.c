#include "spv/mempool.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

#define PEER_WORDS (PEERS_MAX / 64)
_Static_assert(PEERS_MAX % 64 == 0, "a bit for each peer");

/* A transaction that some peer has announced. */
struct announced {
    bool used;
    struct txid txid;
    uint64_t by[PEER_WORDS]; /* places of the peers that announced it, a bit each */
    uint32_t asked;          /* transport that it is asked of; 0: it has come */
    struct mono_time deadline;
};

/* A ring in the order of asking, so that deadlines are in order too. */
struct mempool {
    struct announced ring[MEMPOOL_SEEN];
    struct map index;  /* txid -> place in the ring */
    uint64_t next;     /* how many have entered the ring */
    uint64_t expiring; /* nothing that entered before this one is still asked for */
    size_t held;       /* bytes on their way through the store */
};

struct mempool *mempool_new(const uint64_t seed[static 2])
{
    struct mempool *mempool = mem_zalloc(1, sizeof *mempool);
    map_init(&mempool->index, sizeof(struct txid), sizeof(uint32_t), seed);
    return mempool;
}

void mempool_free(struct mempool *mempool)
{
    if (!mempool)
        return;
    map_release(&mempool->index);
    free(mempool);
}

/* ---- the ring ---- */

static struct announced *find(struct mempool *mempool, const void *txid)
{
    const void *found = map_find(&mempool->index, txid);
    uint32_t place;
    if (!found)
        return NULL;
    memcpy(&place, found, sizeof place);
    return &mempool->ring[place];
}

static size_t place_of(const struct spv *spv, const struct peer *peer)
{
    return (size_t)(peer - spv->peers);
}

static bool announced_by(const struct announced *announced, size_t place)
{
    return announced->by[place / 64] >> place % 64 & 1;
}

/* Nothing is under way for it any more. */
static void settle(struct spv *spv, struct announced *announced)
{
    struct mempool *mempool = spv->mempool;
    struct peer *peer = peer_find(spv, announced->asked);
    if (peer && peer->txs_asked)
        peer->txs_asked--;
    announced->asked = 0;
    while (mempool->expiring < mempool->next &&
           !mempool->ring[mempool->expiring % MEMPOOL_SEEN].asked)
        mempool->expiring++;
}

static void forget(struct spv *spv, struct announced *announced)
{
    if (!announced->used)
        return;
    map_remove(&spv->mempool->index, &announced->txid);
    announced->used = false;
    settle(spv, announced);
}

/* Enter it as asked of this peer; what entered MEMPOOL_SEEN ago is forgotten. */
static void enter(struct spv *spv, struct peer *peer, const struct announced *announced)
{
    struct mempool *mempool = spv->mempool;
    uint32_t place = (uint32_t)(mempool->next % MEMPOOL_SEEN);
    struct announced *entry = &mempool->ring[place];
    forget(spv, entry);
    if (mempool->next >= MEMPOOL_SEEN &&
        mempool->expiring <= mempool->next - MEMPOOL_SEEN)
        mempool->expiring = mempool->next - MEMPOOL_SEEN + 1;
    *entry = *announced;
    entry->used = true;
    entry->asked = peer->id;
    entry->deadline = mono_add(spv->now.mono, MEMPOOL_TIMEOUT_MS);
    memcpy(map_put(&mempool->index, &entry->txid, NULL), &place, sizeof place);
    peer->txs_asked++;
    mempool->next++;
}

/* ---- asking ---- */

static void ask(struct spv *spv, const struct peer *peer, const struct inv_item *items,
                size_t count)
{
    struct writer payload;
    if (!count)
        return;
    /* BIP 144: MSG_WITNESS_TX; a weight can't be told without the witnesses. */
    writer_init(&payload);
    inv_encode(&payload, items, count);
    spv_send(spv, peer, MESSAGE_GETDATA, &payload);
    writer_release(&payload);
}

/* Who was asked didn't deliver: ask another that has announced it, or forget it. */
static void ask_another(struct spv *spv, struct announced *announced)
{
    struct announced again = *announced;
    forget(spv, announced);
    for (size_t i = 0; i < spv->peer_count; i++) {
        struct peer *peer = &spv->peers[i];
        if (!announced_by(&again, i))
            continue;
        /* Once at each: a peer's bit goes when it fails. */
        if (peer->id == again.asked || peer->state != PEER_READY ||
            peer->txs_asked >= MEMPOOL_ASKED_MAX) {
            again.by[i / 64] &= ~(UINT64_C(1) << i % 64);
            continue;
        }
        struct inv_item item = {.type = INV_WITNESS_TX};
        memcpy(item.hash, again.txid.b, sizeof item.hash);
        enter(spv, peer, &again);
        ask(spv, peer, &item, 1);
        return;
    }
}

static bool near_tip(const struct spv *spv)
{
    return spv->ledger && spv->ledger->height + MEMPOOL_BEHIND_MAX >= spv->best->height;
}

void mempool_inv(struct spv *spv, struct peer *peer, const struct inv_item *items,
                 size_t count)
{
    struct mempool *mempool = spv->mempool;
    struct inv_item wanted[MEMPOOL_ASKED_MAX];
    size_t wanted_count = 0, place = place_of(spv, peer);
    if (!mempool || peer->state != PEER_READY || !near_tip(spv))
        return;
    for (size_t i = 0; i < count; i++) {
        if (items[i].type != INV_TX && items[i].type != INV_WITNESS_TX)
            continue;
        struct announced *known = find(mempool, items[i].hash);
        if (known) {
            known->by[place / 64] |= UINT64_C(1) << place % 64;
            continue;
        }
        if (peer->txs_asked >= MEMPOOL_ASKED_MAX || mempool->held >= MEMPOOL_HELD_MAX)
            continue;
        struct announced announced = {0};
        memcpy(announced.txid.b, items[i].hash, sizeof announced.txid.b);
        announced.by[place / 64] = UINT64_C(1) << place % 64;
        enter(spv, peer, &announced);
        wanted[wanted_count] = items[i];
        wanted[wanted_count++].type = INV_WITNESS_TX;
    }
    ask(spv, peer, wanted, wanted_count);
}

/* ---- answers ---- */

static size_t size_of(const struct block *transaction)
{
    return transaction->raw_len + transaction->in_count * sizeof(*transaction->ins) +
           transaction->out_count * sizeof(*transaction->outs);
}

void mempool_tx(struct spv *spv, struct peer *peer, struct bytes payload)
{
    struct mempool *mempool = spv->mempool;
    struct block *transaction;
    struct error error;
    if (!mempool || !peer->txs_asked)
        return; /* unasked: not even parsed */
    if (!transaction_parse(&transaction, payload, &error)) {
        peer_drop(spv, peer, error.text);
        return;
    }
    struct announced *announced = find(mempool, &transaction->txs[0].txid);
    size_t size = size_of(transaction);
    bool asked = announced && announced->asked == peer->id;
    bool room = !mempool->held || mempool->held + size <= MEMPOOL_HELD_MAX;
    if (!asked || !room) {
        if (asked)
            forget(spv, announced);
        block_free(transaction);
        return;
    }
    settle(spv, announced);
    mempool->held += size;
    struct spv_effect *effect = spv_effect_add(spv, SPV_LOOK_UP);
    effect->ticket = size;
    effect->look_up.transaction = transaction;
}

void mempool_looked_up(struct spv *spv, uint64_t ticket)
{
    spv->mempool->held -= ticket;
}

size_t mempool_notfound(struct spv *spv, struct peer *peer, const struct inv_item *items,
                        size_t count)
{
    size_t transactions = 0;
    for (size_t i = 0; i < count; i++) {
        if (items[i].type != INV_TX && items[i].type != INV_WITNESS_TX)
            continue;
        transactions++;
        struct announced *announced =
            spv->mempool ? find(spv->mempool, items[i].hash) : NULL;
        if (announced && announced->asked == peer->id)
            ask_another(spv, announced);
    }
    return transactions;
}

/* ---- time, and peers that go ---- */

void mempool_peer_gone(struct spv *spv, struct peer *peer)
{
    struct mempool *mempool = spv->mempool;
    size_t place = place_of(spv, peer);
    /* Only who has announced something left marks in the ring. */
    if (!mempool || peer->state != PEER_READY)
        return;
    for (size_t i = 0; i < MEMPOOL_SEEN; i++) {
        struct announced *announced = &mempool->ring[i];
        if (!announced->used)
            continue;
        if (announced->asked == peer->id)
            ask_another(spv, announced);
        else
            announced->by[place / 64] &= ~(UINT64_C(1) << place % 64);
    }
}

void mempool_tick(struct spv *spv)
{
    struct mempool *mempool = spv->mempool;
    while (mempool && mempool->expiring < mempool->next) {
        struct announced *announced = &mempool->ring[mempool->expiring % MEMPOOL_SEEN];
        if (announced->asked && !mono_reached(spv->now.mono, announced->deadline))
            return;
        if (announced->asked)
            ask_another(spv, announced);
        else
            mempool->expiring++;
    }
}

struct mono_time mempool_deadline(const struct spv *spv)
{
    const struct mempool *mempool = spv->mempool;
    if (!mempool || mempool->expiring == mempool->next)
        return MONO_NEVER;
    const struct announced *announced = &mempool->ring[mempool->expiring % MEMPOOL_SEEN];
    return announced->asked ? announced->deadline : spv->now.mono;
}

size_t spv_announcers(const struct spv *spv, const struct txid *txid)
{
    const struct announced *announced = spv->mempool ? find(spv->mempool, txid) : NULL;
    size_t count = 0;
    for (size_t i = 0; announced && i < PEERS_MAX; i++)
        count += announced_by(announced, i);
    return count;
}
