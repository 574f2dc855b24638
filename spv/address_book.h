/* Where nodes may be found: two tables of addresses, those that were told (new) and those
 * that answered (tried). Whoever tells addresses is taken to lie: which place an address
 * may have is decided by a secret key from its network group and the group of who told
 * it, so that one group can fill a bounded share and can't choose what it displaces.
 * Nothing is displaced that isn't terrible; nothing that answered gives way to another
 * before it has failed a try. Pure: it is told the time, and chance is the caller's. */
#ifndef SPV_ADDRESS_BOOK_H
#define SPV_ADDRESS_BOOK_H

#include <stddef.h>

#include "base/random.h"
#include "base/time.h"
#include "spv/message.h"

/* Places: 20,480 of 72 bytes, and the index over them; some 4 MiB when all are taken. */
#define BOOK_BUCKET_SIZE 64
#define BOOK_NEW_BUCKETS 256
#define BOOK_TRIED_BUCKETS 64
#define BOOK_NEW_PER_SOURCE 16 /* buckets that one group's word reaches */
#define BOOK_TRIED_PER_GROUP 2 /* buckets that one group's own addresses reach */
#define BOOK_NEW_PLACES (BOOK_NEW_BUCKETS * BOOK_BUCKET_SIZE)
#define BOOK_PLACES (BOOK_NEW_PLACES + BOOK_TRIED_BUCKETS * BOOK_BUCKET_SIZE)

/* What a peer must serve: the whole chain, witnesses, compact filters. */
#define SERVICES_NEEDED (NODE_NETWORK | NODE_WITNESS | NODE_COMPACT_FILTERS)

/* Times are Unix seconds, 0 for never. */
struct book_entry {
    struct net_address address; /* NET_NONE: an empty place */
    uint64_t services;          /* as told, then as it says itself; 0: not known */
    uint64_t source;            /* group of who told it first */
    uint32_t seen;              /* by what was told */
    uint32_t tried_at;
    uint32_t answered_at;
    uint32_t failures; /* since it answered last */
};

/* A place as the store has it. */
struct book_row {
    uint32_t place; /* 0 .. BOOK_PLACES - 1 */
    struct book_entry entry;
};

struct address_book;

/* The key must be the one under which the rows were made that are loaded. */
struct address_book *address_book_new(const uint64_t key[static 2]);
void address_book_free(struct address_book *book);
/* Before anything else is asked of it. False for a row that can't be this book's. */
NODISCARD bool address_book_load(struct address_book *book, const struct book_row *row);

/* Take an address that `source` (a net_group, or a number of one's own) tells. True if it
 * is a new one and has found a place. */
bool address_book_add(struct address_book *book, const struct told_address *told,
                      uint64_t source, struct wall_time now);
/* It is being tried. `counts`: it can only be its own fault if it doesn't answer. */
void address_book_try(struct address_book *book, const struct net_address *address,
                      bool counts, struct wall_time now);
/* It answered, and serves this. */
void address_book_answered(struct address_book *book, const struct net_address *address,
                           uint64_t services, struct wall_time now);

/* Choose one to try, either table as likely as the other, those that
 * failed or were tried lately with less chance, those without the services never. NULL if
 * chance finds none that is worth it. Valid until the book changes. */
const struct book_entry *address_book_pick(const struct address_book *book,
                                           struct random *random, struct wall_time now);
const struct book_entry *address_book_find(const struct address_book *book,
                                           const struct net_address *address);
size_t address_book_known(const struct address_book *book); /* both tables */
size_t address_book_tried(const struct address_book *book);

/* Take out at most `max` of the places that have changed since they were taken. */
size_t address_book_changes(struct address_book *book, struct book_row *out, size_t max);
bool address_book_changed(const struct address_book *book);

#endif
