/* Who is dialed when no connect= says so: addresses of the book, each in a network group
 * of its own. Besides the slots of `outbound=` there is one for a probe, when the tip is
 * stale, and one for asking a seed's name for addresses through a proxy. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "spv/core_rooms.h"
#include "spv/mempool.h"

/* Addresses looked at for one slot at a time. */
#define PICKS 32
#define TRY_AGAIN_S 60
/* With so many connected it's the address's own fault if it can't be reached. */
#define READY_ONLINE 2
/* Changed rows go to the store so often, so many at once. */
#define BOOK_STORE_MS 10000
#define BOOK_STORE_ROWS 1000
/* Now and then one peer gives way to another, lest who was chosen once stays for ever. */
#define ROTATE_MIN_MS 1800000
#define ROTATE_SPREAD_MS 3600000
#define ROTATE_READY_MIN 4
/* Three mainnet blocks' time without one. */
#define STALE_S 1800
#define STALE_LOOK_MS 60000
#define PROBE_PAUSE_MS 600000

static size_t slot_index(const struct spv *spv, const struct peer *peer)
{
    return (size_t)(peer - spv->peers);
}

static struct peer *probe_slot(struct spv *spv)
{
    return &spv->peers[spv->outbound];
}

static struct peer *fetch_slot(struct spv *spv)
{
    return &spv->peers[spv->outbound + 1];
}

void outbound_start(struct spv *spv, const struct spv_settings *settings,
                    const struct spv_start *start)
{
    spv->proxied = settings->proxied;
    if (settings->connect_count || !settings->outbound)
        return;
    spv->outbound =
        settings->outbound < SPV_OUTBOUND_MAX ? settings->outbound : SPV_OUTBOUND_MAX;
    spv->book = address_book_new(start->book_key);
    for (size_t i = 0; i < start->book_count; i++)
        if (!address_book_load(spv->book, &start->book[i]))
            continue; /* damaged or of another key: others are found */
    spv->peer_count = spv->outbound + 2;
    for (size_t i = 0; i < spv->peer_count; i++) {
        spv->peers[i].slot = true;
        claims_init(&spv->peers[i].claims);
        spv->peers[i].deadline = spv->now.mono;
        spv->peers[i].retry_ms = RETRY_MIN_MS;
    }
    fetch_slot(spv)->deadline = MONO_NEVER;
    spv->seeds.company_at = spv->seeds.next = spv->now.mono;
    spv->book_store_at = mono_add(spv->now.mono, BOOK_STORE_MS);
    spv->rotate_at = mono_add(spv->now.mono, ROTATE_MIN_MS);
}

size_t spv_count_ready(const struct spv *spv)
{
    size_t count = 0;
    for (size_t i = 0; i < spv->peer_count; i++)
        count += spv->peers[i].state == PEER_READY;
    return count;
}

/* ---- slots ---- */

static bool group_in_use(const struct spv *spv, uint64_t group)
{
    for (size_t i = 0; i < spv->peer_count; i++)
        if (spv->peers[i].net.kind != NET_NONE && net_group(&spv->peers[i].net) == group)
            return true;
    return false;
}

static bool may_dial(const struct spv *spv, const struct book_entry *entry)
{
    char host[NET_ADDRESS_TEXT_MAX];
    net_host_text(host, &entry->address);
    return spv->now.wall.s - entry->tried_at >= TRY_AGAIN_S &&
           (entry->address.kind != NET_ONION || spv->proxied) &&
           !group_in_use(spv, net_group(&entry->address)) &&
           !ban_find(spv, host, spv->now.wall);
}

static bool dial_one(struct spv *spv, struct peer *slot)
{
    for (int i = 0; i < PICKS; i++) {
        const struct book_entry *entry =
            address_book_pick(spv->book, &spv->random, spv->now.wall);
        if (!entry)
            return false;
        if (!may_dial(spv, entry))
            continue;
        slot->net = entry->address;
        net_address_text(slot->address.text, &slot->net);
        address_book_try(spv->book, &slot->net, spv_count_ready(spv) >= READY_ONLINE,
                         spv->now.wall);
        peer_dial(spv, slot);
        return true;
    }
    return false;
}

static bool stale(const struct spv *spv)
{
    return spv->headers_settled && spv_count_ready(spv) > 0 &&
           spv->now.wall.s - (int64_t)spv->best->header.time.s > STALE_S;
}

void outbound_fill(struct spv *spv, struct peer *slot)
{
    bool probe = slot == probe_slot(spv);
    if (slot == fetch_slot(spv)) {
        slot->deadline = MONO_NEVER;
    } else if (probe && !stale(spv)) {
        slot->deadline = mono_add(spv->now.mono, STALE_LOOK_MS);
    } else if (!dial_one(spv, slot)) {
        slot->retry_ms = peer_next_retry(slot);
        slot->deadline = mono_add(spv->now.mono, slot->retry_ms);
    } else if (probe) {
        slot->probe_from = spv->best->height;
        spv_note(spv, LOG_NET, LOG_INFO, NULL,
                 "the newest block is over %d minutes old: asking one more peer",
                 STALE_S / 60);
    }
}

void outbound_wake(struct spv *spv)
{
    for (size_t i = 0; i < spv->outbound; i++) {
        struct peer *slot = &spv->peers[i];
        if (slot->state != PEER_WAITING || slot->deadline.ms < spv->now.mono.ms)
            continue;
        slot->retry_ms = RETRY_MIN_MS;
        struct mono_time soon = mono_add(spv->now.mono, RETRY_MIN_MS);
        if (soon.ms < slot->deadline.ms)
            slot->deadline = soon;
    }
}

void outbound_fetch(struct spv *spv, const char *name)
{
    struct peer *slot = fetch_slot(spv);
    if (slot->state != PEER_WAITING)
        return;
    snprintf(slot->address.text, sizeof slot->address.text, "%s:%u", name,
             (unsigned)spv->network->port);
    slot->seed = slot->fetch = true;
    peer_dial(spv, slot);
}

void outbound_freed(struct spv *spv, struct peer *slot)
{
    size_t index = slot_index(spv, slot);
    if (index == spv->outbound)
        slot->deadline = mono_add(spv->now.mono, PROBE_PAUSE_MS);
    else if (index == spv->outbound + 1)
        slot->deadline = MONO_NEVER;
}

/* ---- rotation and probe ---- */

static bool may_go(const struct spv *spv, const struct peer *peer)
{
    return peer->state == PEER_READY && !peer->address.trusted &&
           spv->headers_from != peer->id;
}

/* One of the connected, by chance; NULL if too few others would be left. */
static struct peer *pick_to_go(struct spv *spv)
{
    struct peer *pick = NULL;
    size_t ready = 0, candidates = 0;
    for (size_t i = 0; i < spv->outbound; i++) {
        struct peer *peer = &spv->peers[i];
        ready += peer->state == PEER_READY;
        if (may_go(spv, peer) && random_below(&spv->random, ++candidates) == 0)
            pick = peer;
    }
    return ready == spv->outbound && ready >= ROTATE_READY_MIN ? pick : NULL;
}

static void rotate(struct spv *spv)
{
    spv->rotate_at =
        mono_add(spv->now.mono,
                 ROTATE_MIN_MS + (int64_t)random_below(&spv->random, ROTATE_SPREAD_MS));
    struct peer *peer = pick_to_go(spv);
    if (!peer)
        return;
    spv_note(spv, LOG_NET, LOG_INFO, peer, "let go in turn: another takes its place");
    peer_drop(spv, peer, NULL);
}

/* Where a probe brought news its peer stays, and another goes. */
void outbound_probed(struct spv *spv, struct peer *probe)
{
    bool news = probe->best == spv->best && spv->best->height > probe->probe_from;
    struct peer *place = NULL;
    for (size_t i = 0; i < spv->outbound && news && !place; i++)
        if (spv->peers[i].state == PEER_WAITING)
            place = &spv->peers[i];
    if (news && !place) {
        place = pick_to_go(spv);
        if (place)
            peer_drop(spv, place, NULL);
    }
    if (!place) {
        peer_drop(spv, probe, NULL);
        return;
    }
    /* Announcers of transactions are known by their place. */
    mempool_peer_gone(spv, probe);
    struct peer moved = *probe;
    *probe = *place;
    *place = moved;
    outbound_freed(spv, probe);
}

/* ---- the book's rows ---- */

static bool store_rows(struct spv *spv)
{
    if (!address_book_changed(spv->book))
        return false;
    struct spv_effect *effect = spv_effect_add(spv, SPV_STORE_BOOK);
    effect->book.rows = mem_zalloc(BOOK_STORE_ROWS, sizeof *effect->book.rows);
    effect->book.count =
        address_book_changes(spv->book, effect->book.rows, BOOK_STORE_ROWS);
    return true;
}

void outbound_stop(struct spv *spv)
{
    while (spv->book && store_rows(spv))
        continue;
}

void outbound_tick(struct spv *spv)
{
    if (!spv->book)
        return;
    if (mono_reached(spv->now.mono, spv->book_store_at)) {
        spv->book_store_at = mono_add(spv->now.mono, BOOK_STORE_MS);
        (void)store_rows(spv);
    }
    if (mono_reached(spv->now.mono, spv->rotate_at))
        rotate(spv);
}

struct mono_time outbound_deadline(const struct spv *spv)
{
    struct mono_time next = MONO_NEVER;
    if (!spv->book)
        return next;
    next = spv->rotate_at;
    if (address_book_changed(spv->book) && spv->book_store_at.ms < next.ms)
        next = spv->book_store_at;
    if (spv->network->dns_seeds[0] && spv->seeds.next.ms < next.ms)
        next = spv->seeds.next;
    return next;
}
