#include "spv/address_book.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"

#define PICK_TRIES 64
/* Bitcoin Core's: told as seen, or failing, for so long that it isn't worth a place. */
#define HORIZON_S (30 * 86400)
#define FAILURES_NEVER_ANSWERED 3
#define FAILURES_MAX 10
#define FAILURES_SINCE_S (7 * 86400)
#define FUTURE_S 600
#define JUST_TRIED_S 60
#define LATELY_TRIED_S 600
/* What a time that can't be right is taken for. */
#define UNKNOWN_AGE_S (5 * 86400)
#define EARLIEST_TIME 1231006505u /* the genesis block's */

struct address_book {
    uint64_t key[2];
    struct book_entry *places; /* BOOK_PLACES: new ones, then tried ones */
    struct map index;          /* address -> place */
    size_t tried;
    uint8_t changed[(BOOK_PLACES + 7) / 8];
    size_t changes;
    uint32_t changes_at; /* where taking them out goes on */
};

struct address_book *address_book_new(const uint64_t key[static 2])
{
    struct address_book *book = mem_zalloc(1, sizeof(*book));
    book->key[0] = key[0];
    book->key[1] = key[1];
    book->places = mem_zalloc(BOOK_PLACES, sizeof(*book->places));
    map_init(&book->index, sizeof(struct net_address), sizeof(uint32_t), book->key);
    return book;
}

void address_book_free(struct address_book *book)
{
    if (book == NULL)
        return;
    map_release(&book->index);
    free(book->places);
    free(book);
}

/* ---- places ---- */

static uint64_t mix(const struct address_book *book, uint64_t what, uint64_t a,
                    uint64_t b)
{
    uint64_t words[3] = {what, a, b};
    return siphash(book->key[0], book->key[1], words, sizeof(words));
}

enum { MIX_SOURCE = 1, MIX_NEW, MIX_GROUP, MIX_TRIED, MIX_PLACE };

static uint32_t place_in(const struct address_book *book, uint32_t bucket,
                         const struct net_address *address)
{
    uint64_t name = siphash(book->key[1], book->key[0], address, sizeof(*address));
    return bucket * BOOK_BUCKET_SIZE +
           (uint32_t)(mix(book, MIX_PLACE, bucket, name) % BOOK_BUCKET_SIZE);
}

static uint32_t new_place(const struct address_book *book,
                          const struct net_address *address, uint64_t source)
{
    uint64_t share =
        mix(book, MIX_SOURCE, net_group(address), source) % BOOK_NEW_PER_SOURCE;
    uint64_t bucket = mix(book, MIX_NEW, source, share) % BOOK_NEW_BUCKETS;
    return place_in(book, (uint32_t)bucket, address);
}

static uint32_t tried_place(const struct address_book *book,
                            const struct net_address *address)
{
    uint64_t name = siphash(book->key[1], book->key[0], address, sizeof(*address));
    uint64_t share = mix(book, MIX_GROUP, name, 0) % BOOK_TRIED_PER_GROUP;
    uint64_t bucket =
        mix(book, MIX_TRIED, net_group(address), share) % BOOK_TRIED_BUCKETS;
    return place_in(book, BOOK_NEW_BUCKETS + (uint32_t)bucket, address);
}

static void note_change(struct address_book *book, uint32_t place)
{
    uint8_t bit = (uint8_t)(1u << place % 8);
    book->changes += !(book->changed[place / 8] & bit);
    book->changed[place / 8] |= bit;
}

static bool find_place(const struct address_book *book, uint32_t *place,
                       const struct net_address *address)
{
    const void *found = map_find(&book->index, address);
    if (found != NULL)
        memcpy(place, found, sizeof(*place));
    return found != NULL;
}

static void put_at(struct address_book *book, uint32_t place,
                   const struct book_entry *entry)
{
    memcpy(map_put(&book->index, &entry->address, NULL), &place, sizeof(place));
    book->places[place] = *entry;
    book->tried += place >= BOOK_NEW_PLACES;
    note_change(book, place);
}

static void clear_at(struct address_book *book, uint32_t place)
{
    struct book_entry *entry = &book->places[place];
    if (entry->address.kind == NET_NONE)
        return;
    map_remove(&book->index, &entry->address);
    book->tried -= place >= BOOK_NEW_PLACES;
    memset(entry, 0, sizeof(*entry));
    note_change(book, place);
}

/* ---- worth ---- */

static bool lacks_services(const struct book_entry *entry)
{
    return entry->services != 0 && (entry->services & SERVICES_NEEDED) != SERVICES_NEEDED;
}

static bool terrible(const struct book_entry *entry, struct wall_time now)
{
    if (lacks_services(entry))
        return true;
    if (now.s - entry->tried_at < JUST_TRIED_S)
        return false;
    if (entry->seen > now.s + FUTURE_S || now.s - entry->seen > HORIZON_S)
        return true;
    if (entry->answered_at == 0)
        return entry->failures >= FAILURES_NEVER_ANSWERED;
    return entry->failures >= FAILURES_MAX &&
           now.s - entry->answered_at > FAILURES_SINCE_S;
}

/* Of being taken when it is come upon, in 65,536ths. */
static uint32_t chance(const struct book_entry *entry, struct wall_time now)
{
    if (lacks_services(entry))
        return 0;
    uint32_t chance = 65536;
    if (now.s - entry->tried_at < LATELY_TRIED_S)
        chance /= 100;
    for (uint32_t i = 0; i < entry->failures && i < 8; i++)
        chance = chance * 2 / 3;
    return chance;
}

/* ---- what is told and what is found out ---- */

bool address_book_load(struct address_book *book, const struct book_row *row)
{
    const struct book_entry *entry = &row->entry;
    uint32_t place = row->place;
    if (place >= BOOK_PLACES || entry->address.kind == NET_NONE ||
        map_find(&book->index, &entry->address) != NULL)
        return false;
    uint32_t expected = place < BOOK_NEW_PLACES
                            ? new_place(book, &entry->address, entry->source)
                            : tried_place(book, &entry->address);
    if (place != expected)
        return false;
    put_at(book, place, entry);
    book->changed[place / 8] &= (uint8_t) ~(1u << place % 8);
    book->changes--;
    return true;
}

static uint32_t believable(uint32_t seen, struct wall_time now)
{
    if (seen < EARLIEST_TIME || seen > now.s + FUTURE_S)
        return (uint32_t)(now.s - UNKNOWN_AGE_S);
    return seen;
}

bool address_book_add(struct address_book *book, const struct told_address *told,
                      uint64_t source, struct wall_time now)
{
    struct book_entry entry = {.address = told->address,
                               .services = told->services,
                               .source = source,
                               .seen = believable(told->time, now)};
    uint32_t place;
    if (find_place(book, &place, &told->address)) {
        struct book_entry *known = &book->places[place];
        /* A day's news is worth a write, a minute's isn't. */
        if (entry.seen > (int64_t)known->seen + 86400) {
            known->seen = entry.seen;
            note_change(book, place);
        }
        return false;
    }
    place = new_place(book, &told->address, source);
    if (terrible(&entry, now) || (book->places[place].address.kind != NET_NONE &&
                                  !terrible(&book->places[place], now)))
        return false;
    clear_at(book, place);
    put_at(book, place, &entry);
    return true;
}

void address_book_try(struct address_book *book, const struct net_address *address,
                      bool counts, struct wall_time now)
{
    uint32_t place;
    if (!find_place(book, &place, address))
        return;
    struct book_entry *entry = &book->places[place];
    entry->tried_at = (uint32_t)now.s;
    entry->failures += counts;
    note_change(book, place);
}

/* Back among those that were told, if there is room. */
static void give_way(struct address_book *book, uint32_t place, struct wall_time now)
{
    struct book_entry entry = book->places[place];
    clear_at(book, place);
    uint32_t back = new_place(book, &entry.address, entry.source);
    if (book->places[back].address.kind != NET_NONE &&
        !terrible(&book->places[back], now))
        return;
    clear_at(book, back);
    put_at(book, back, &entry);
}

void address_book_answered(struct address_book *book, const struct net_address *address,
                           uint64_t services, struct wall_time now)
{
    uint32_t place;
    if (!find_place(book, &place, address))
        return;
    struct book_entry *entry = &book->places[place];
    entry->services = services;
    entry->seen = entry->answered_at = (uint32_t)now.s;
    entry->failures = 0;
    note_change(book, place);
    if (place >= BOOK_NEW_PLACES || lacks_services(entry))
        return;
    uint32_t to = tried_place(book, address);
    const struct book_entry *there = &book->places[to];
    /* Who answers takes nobody's place who hasn't failed since answering. */
    if (there->address.kind != NET_NONE && there->failures == 0 && !terrible(there, now))
        return;
    struct book_entry moved = *entry;
    clear_at(book, place);
    if (there->address.kind != NET_NONE)
        give_way(book, to, now);
    put_at(book, to, &moved);
}

/* ---- choosing ---- */

static const struct book_entry *from(const struct address_book *book, uint32_t first,
                                     uint32_t count, struct random *random)
{
    uint32_t start = (uint32_t)random_below(random, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct book_entry *entry = &book->places[first + (start + i) % count];
        if (entry->address.kind != NET_NONE)
            return entry;
    }
    return NULL;
}

const struct book_entry *address_book_pick(const struct address_book *book,
                                           struct random *random, struct wall_time now)
{
    size_t known = address_book_known(book);
    uint64_t luck = 65536;
    for (int i = 0; i < PICK_TRIES && known > 0; i++) {
        bool tried = book->tried == known || (book->tried && random_below(random, 2));
        const struct book_entry *entry =
            tried ? from(book, BOOK_NEW_PLACES, BOOK_PLACES - BOOK_NEW_PLACES, random)
                  : from(book, 0, BOOK_NEW_PLACES, random);
        assert(entry != NULL);
        if (random_below(random, 65536) < chance(entry, now) * luck / 65536)
            return entry;
        luck += luck / 5;
    }
    return NULL;
}

const struct book_entry *address_book_find(const struct address_book *book,
                                           const struct net_address *address)
{
    uint32_t place;
    return find_place(book, &place, address) ? &book->places[place] : NULL;
}

size_t address_book_known(const struct address_book *book)
{
    return book->index.count;
}

size_t address_book_tried(const struct address_book *book)
{
    return book->tried;
}

bool address_book_changed(const struct address_book *book)
{
    return book->changes > 0;
}

size_t address_book_changes(struct address_book *book, struct book_row *out, size_t max)
{
    size_t count = 0;
    while (book->changes > 0 && count < max) {
        uint32_t place = book->changes_at;
        uint8_t bit = (uint8_t)(1u << place % 8);
        book->changes_at = (place + 1) % BOOK_PLACES;
        if (!(book->changed[place / 8] & bit))
            continue;
        book->changed[place / 8] &= (uint8_t)~bit;
        book->changes--;
        out[count++] = (struct book_row){place, book->places[place]};
    }
    return count;
}
